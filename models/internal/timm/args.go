package timm

import (
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/tower"
)

// Args are arguments of the constructor of timm's VisionTransformer; argFields lists the others.
type Args struct {
	ImageSize        config.Size `json:"img_size,omitzero"`
	PatchSize        config.Size `json:"patch_size,omitzero"`
	Channels         int         `json:"in_chans,omitempty"`
	Width            int         `json:"embed_dim,omitempty"`
	Depth            int         `json:"depth,omitempty"`
	Heads            int         `json:"num_heads,omitempty"`
	Ratio            float64     `json:"mlp_ratio,omitempty"`
	QKVBias          *bool       `json:"qkv_bias,omitempty"`
	ClassToken       *bool       `json:"class_token,omitempty"`
	PreNorm          *bool       `json:"pre_norm,omitempty"`
	FCNorm           *bool       `json:"fc_norm,omitempty"`
	GlobalPool       *string     `json:"global_pool,omitempty"`
	LayerScale       *float32    `json:"init_values,omitempty"`
	Act              string      `json:"act_layer,omitempty"`
	DynamicImageSize bool        `json:"dynamic_img_size,omitempty"`
	Registers        int         `json:"reg_tokens,omitempty"`
	NoEmbedClass     *bool       `json:"no_embed_class,omitempty"`
	QKNorm           *bool       `json:"qk_norm,omitempty"`
	FinalNorm        *bool       `json:"final_norm,omitempty"`
	RelativeHidden   int         `json:"rel_pos_dim,omitempty"`
	SharedRelative   *bool       `json:"shared_rel_pos,omitempty"`
}

// nullable are the arguments for which timm takes None.
var nullable = []string{"init_values", "fc_norm", "use_fc_norm", "embed_norm_layer", "rel_pos_dim", "device", "dtype"}

// read reads model_args. An argument that timm's VisionTransformer does not have is an error there as well.
func (a *Args) read(data []byte) error {
	if err := argFields.Check(data); err != nil {
		return err
	}
	var unknown, null string
	err := strictjson.Object(data, func(key string, value []byte) {
		if len(argFields.Missing([]string{key})) > 0 {
			unknown = key
		}
		if strictjson.Null(value) && !slices.Contains(nullable, key) {
			null = key
		}
	})
	switch {
	case err != nil:
		return err
	case unknown != "":
		return fmt.Errorf("%s: timm's VisionTransformer has no such argument", unknown)
	case null != "":
		return fmt.Errorf("%s: expected a value, found null", null)
	}
	return strictjson.Decode(data, a)
}

// Agree returns an error that names the first argument that the weights contradict. timm refuses such a folder, or
// changes the weights. The arguments that are not there agree with every size.
func (a *Args) Agree(find tower.Finder, s tower.Sizes, of Architecture) error {
	stated := s
	for _, size := range []struct {
		arg int
		own *int
	}{{a.PatchSize.Height, &stated.Patch}, {a.Channels, &stated.Channels}, {a.Width, &stated.Width}, {a.Depth, &stated.Layers}} {
		if size.arg != 0 {
			*size.own = size.arg
		}
	}
	if s.Stem != nil {
		stated.Patch = s.Patch
		if a.PatchSize.Height != 0 {
			stated.Patch = a.PatchSize.Height * s.Stem.Stride()
		}
	}
	if a.Ratio != 0 {
		stated.Hidden = int(float64(s.Width) * a.Ratio)
		if s.Gated && !of.Eva {
			stated.Hidden /= 2
		}
	}
	if a.QKVBias != nil {
		stated.QKVBias = *a.QKVBias
	}
	var v config.Checks
	if a.PatchSize.Height != a.PatchSize.Width {
		v.Fail("patch_size", "expected square patches, found %d×%d", a.PatchSize.Height, a.PatchSize.Width)
	}
	told := func(name, tensor string, stated *bool, there bool) {
		switch {
		case stated == nil || *stated == there:
		case there:
			v.Fail(name, "expected true, as the weights have %s, found false", tensor)
		default:
			v.Fail(name, "expected false, as the weights have no %s, found true", tensor)
		}
	}
	told("class_token", "cls_token", a.ClassToken, s.ClassToken)
	told("pre_norm", "norm_pre", a.PreNorm, s.PreNorm)
	told("qk_norm", "attn.q_norm", a.QKNorm, s.QKNorm)
	if of.RelativeLayers {
		shared := a.SharedRelative
		if shared == nil {
			shared = &of.SharedRelative
		}
		told("shared_rel_pos", "shared_rel_pos", shared, s.SharedRelative)
	} else if a.SharedRelative != nil || a.RelativeHidden != 0 {
		v.Fail("shared_rel_pos", "expected neither it nor rel_pos_dim, as the architecture computes no relative positions, found one of them")
	}
	if a.RelativeHidden != 0 && a.RelativeHidden != s.RelativeHidden {
		v.Fail("rel_pos_dim", "expected %d, as the weights have, found %d", s.RelativeHidden, a.RelativeHidden)
	}
	if a.Registers != 0 && a.Registers != s.Registers {
		v.Fail("reg_tokens", "expected %d, as the weights have, found %d", s.Registers, a.Registers)
	}
	if err := v.Err(); err != nil {
		return err
	}
	return tower.Statement{Name: argument}.Agree(find, stated)
}

// argument returns timm's name of a field of transformers' configuration.
func argument(field string) string {
	switch field {
	case "num_channels":
		return "in_chans"
	case "hidden_size":
		return "embed_dim"
	case "num_hidden_layers":
		return "depth"
	case "intermediate_size":
		return "mlp_ratio times the width"
	case "image_size":
		return "img_size"
	}
	return field
}

// Pool returns how the sequence becomes one vector, "avg" or "token", or "" where the file leaves that to the
// architecture.
func (c *Config) Pool() (string, error) {
	if c.ModelArgs.GlobalPool == nil {
		return "", nil
	}
	pool := *c.ModelArgs.GlobalPool
	if pool != "avg" && pool != "token" && pool != "map" {
		return "", fmt.Errorf("config.json: model_args: global_pool: expected token, avg or map, found %q, which is not supported", pool)
	}
	return pool, nil
}

// ratio returns the mlp_ratio for which timm, which cuts width·ratio to a whole number, has the given hidden width.
func ratio(width, hidden int) float64 {
	r := float64(hidden) / float64(width)
	if int(float64(width)*r) != hidden {
		r = (float64(hidden) + 0.5) / float64(width)
	}
	return r
}
