package vit

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
	"github.com/fovea-ml/fovea/train"
)

// undecayed returns timm's names of the parameters that NoDecay selects.
func undecayed(m *Model) []string {
	found := map[string]bool{}
	for path := range nn.Parameters(m) {
		if m.NoDecay(path) {
			found[names.Writing(models.Timm.String()).Tensors(path)[0][0]] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// TestNoDecay leaves weight decay away where it is not wanted.
func TestNoDecay(t *testing.T) {
	m, _ := load(t, "tiny")
	if d := cmp.Diff([]string{"cls_token", "pos_embed"}, undecayed(m)); d != "" {
		t.Error(d)
	}
	for _, g := range train.Groups(nn.Parameters(m), train.GroupOptions{WeightDecay: 0.1, NoDecay: m.NoDecay}) {
		for _, p := range g.Params {
			matrix := strings.HasSuffix(p.Path, ".Weight") && !strings.Contains(p.Path, "Norm")
			if (g.WeightDecay != 0) != matrix {
				t.Errorf("%s has the weight decay %v", p.Path, g.WeightDecay)
			}
		}
	}
}

// TestNoDecayTimm compares a model with every token with timm's list.
func TestNoDecayTimm(t *testing.T) {
	var theirs []string
	if err := json.Unmarshal(modeltest.Python(t, "fields.py", "timm", "no_weight_decay"), &theirs); err != nil {
		t.Fatal(err)
	}
	c := variants()[0]
	c.Pooling, c.DistillationToken, c.NumRegisterTokens = "", true, 2
	if d := cmp.Diff(theirs, undecayed(New(c, 2, nil))); d != "" {
		t.Error(d)
	}
}

// TestDropPath drops branches with one probability in transformers' DINOv2 and DINOv3, and with a rising one in other models
// and in timm's DINOv2, also after saving.
func TestDropPath(t *testing.T) {
	for _, kind := range []string{"vit", dinov2Type, registersType, dinov3Type} {
		for _, constant := range []bool{false, true} {
			c := small()
			if kind != "vit" {
				c = dinoDefaults(kind)
				c.SetSize(16, 16)
				c.PatchSize, c.NumHiddenLayers, c.HiddenSize, c.NumAttentionHeads, c.IntermediateSize = 4, 3, 16, 2, 64
			} else if constant {
				continue
			}
			c.DropPathRate, c.ConstantDropPath = 0.4, constant
			dir := t.TempDir()
			if err := New(c, 0, rand.New(rand.NewPCG(1, 2))).Save(dir, SaveOptions{}); err != nil {
				t.Fatal(err)
			}
			m, err := Open(dir, LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, rate := range []float32{0.4, 0.2} {
				m.dropPath(rate)
				want := []float32{0, rate / 2, rate}
				if constant {
					want = []float32{rate, rate, rate}
				}
				for _, e := range []*Encoder{m.Encoder, NewEncoder(m.Config)} {
					for i, b := range e.Blocks {
						if b.DropPath != want[i] {
							t.Errorf("%s, constant %v: block %d: found %v, expected %v", m.Config.ModelType, constant, i, b.DropPath, want[i])
						}
					}
				}
			}
		}
	}
	if c := dinoDefaults(dinov2Type); !c.ConstantDropPath {
		t.Error("transformers' DINOv2 has no constant drop path")
	}
}

// TestAdapterRates gives adapters of all layers the same rate.
func TestAdapterRates(t *testing.T) {
	m := New(small(), 2, rand.New(rand.NewPCG(1, 2)))
	if d := m.layerDecay(); d != 0.75 {
		t.Errorf("without adapters: found %v", d)
	}
	if err := lora.Attach(m, lora.Options{Layers: []string{"Encoder.Blocks.*.Attention.QKV"}, Rank: 2}, rand.New(rand.NewPCG(5, 6))); err != nil {
		t.Fatal(err)
	}
	if d := m.layerDecay(); d != 1 {
		t.Errorf("with adapters: found %v", d)
	}
}
