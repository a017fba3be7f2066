package vit

import (
	"fmt"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/internal/tower"
)

// names ties the model's parameters to the names in files.
var names = func() checkpoint.Names {
	n := tower.Names(
		checkpoint.Rule{"Head", "classifier", "head"},
		checkpoint.Rule{"PoolNorm", "fc_norm"},
	)
	n.Ignore = []string{"*.position_ids", "pooler.*", "embeddings.mask_token"}
	return n
}()

// foreign are parts of names that tell of relatives of the Vision Transformer whose arithmetic is another.
var foreign = []struct{ part, what string }{
	{"reg_token", "register tokens"},
	{"register_tokens", "register tokens"},
	{"dist_token", "a distillation token"},
	{"distillation_token", "a distillation token"},
	{"attn_pool.", "pooling by attention"},
	{"attn.q_norm.", "normalized queries and keys"},
	{"relative_position", "relative positions"},
	{"rel_pos", "relative positions"},
	{"patch_embed.backbone.", "a convolutional stem"},
	{"attns.", "parallel blocks"},
	{"mlp.w12.", "gated feed-forward layers"},
	{"mlp.fc1_g.", "gated feed-forward layers"},
}

// refuseForeign returns an error that says what in a file is not a plain Vision Transformer's.
func refuseForeign(f *checkpoint.File) error {
	for name := range f.Names() {
		for _, k := range foreign {
			if strings.Contains(name, k.part) {
				return fmt.Errorf("%s: %q: a Vision Transformer with %s is not supported", f.Name(), name, k.what)
			}
		}
	}
	return nil
}
