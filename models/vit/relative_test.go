package vit

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn/quant"
)

// TestComputedRelative saves models whose layers compute relative positions, for images of any size, and refuses configurations that
// the weights contradict.
func TestComputedRelative(t *testing.T) {
	c := preset(16, 2, 2, 4)
	c.SetSize(16, 12)
	c.RelativePositions, c.RelativeHidden, c.NoClassToken, c.Pooling, c.InitializerRange = true, 5, true, MeanPooling, 0.3
	c.AntialiasPositions, c.LayerNormEps = true, 1e-6
	for _, shared := range []bool{false, true} {
		c.SharedRelative, c.TimmArchitecture = shared, map[bool]string{false: "vit_relpos_base_patch16_224", true: "vit_srelpos_small_patch16_224"}[shared]
		m := New(c, 3, rand.New(rand.NewPCG(1, 2)))
		tape := autograd.NewTape(autograd.Options{})
		for _, layout := range []models.Layout{models.HuggingFace, models.Timm} {
			dir := t.TempDir()
			if err := m.Save(dir, SaveOptions{Layout: layout}); err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{0, 24} {
				again, err := Open(dir, LoadOptions{ImageSize: size})
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range []*autograd.Tensor{tape.Full(0.5, 1, 3, 16, 12), tape.Full(0.5, 1, 3, 8, 20)} {
					golden.Within(t, "saved", again.Forward(x).Floats(nil), m.Forward(x).Floats(nil), 0)
				}
			}
			config := func(from, to string) error {
				data, err := os.ReadFile(filepath.Join(dir, "config.json"))
				if err != nil || !strings.Contains(string(data), from) {
					t.Fatalf("%v: found no %s in %s", err, from, data)
				}
				weights, err := os.ReadFile(filepath.Join(dir, "model.safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				_, err = Load(fstest.MapFS{"config.json": {Data: []byte(strings.Replace(string(data), from, to, 1))}, "model.safetensors": {Data: weights}}, LoadOptions{})
				return err
			}
			changes := [][3]string{
				{`"relative_hidden_size": 5`, `"relative_hidden_size": 4`, "[4 2]"},
				{`"relative_hidden_size": 5`, `"relative_hidden_size": 1000000`, "describes a model"},
				{`"relative_hidden_size": 5`, `"relative_hidden_size": -5`, "relative_hidden_size: expected"},
				{`"relative_hidden_size": 5`, `"relative_hidden_size": 5, "relative_interpolation": true`, "relative_interpolation: expected false"},
			}
			if layout == models.Timm {
				changes = [][3]string{
					{`"rel_pos_dim": 5`, `"rel_pos_dim": 4`, "rel_pos_dim: expected 5, as the weights have, found 4"},
					{`"rel_pos_dim": 5`, `"rel_pos_type": "bias"`, "rel_pos_type"},
					{`"rel_pos_dim": 5`, fmt.Sprintf(`"shared_rel_pos": %v`, !shared), "shared_rel_pos: expected"},
					{c.TimmArchitecture, map[bool]string{true: "vit_relpos_base_patch16_224", false: "vit_srelpos_small_patch16_224"}[shared], "shared_rel_pos: expected"},
					{c.TimmArchitecture, "vit_base_patch16_224", "holds no position embeddings"},
				}
			}
			for _, x := range changes {
				if err := config(x[0], x[1]); err == nil || !strings.Contains(err.Error(), x[2]) {
					t.Errorf("%s: expected %q, found %v", x[1], x[2], err)
				}
			}
			if err := os.Remove(filepath.Join(dir, "config.json")); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, LoadOptions{}); err == nil || !strings.Contains(err.Error(), "relative positions is supported with timm's config.json alone") {
				t.Errorf("without config.json: found %v", err)
			}
		}
	}
}

// TestComputedRelativeQuantized keeps the layers that compute relative positions in float32.
func TestComputedRelativeQuantized(t *testing.T) {
	c := preset(16, 1, 2, 4)
	c.RelativePositions, c.RelativeHidden = true, 5
	weights, err := quant.Quantize(New(c, 3, rand.New(rand.NewPCG(1, 2))), quant.Blocks)
	if err != nil {
		t.Fatal(err)
	}
	strict := 0
	for _, w := range weights {
		if strings.Contains(w.Path, ".Relative.") {
			strict++
			if w.Before != w.After {
				t.Errorf("%s: %d bytes, then %d", w.Path, w.Before, w.After)
			}
		}
	}
	if strict != 2 {
		t.Errorf("found %d such layers", strict)
	}
}
