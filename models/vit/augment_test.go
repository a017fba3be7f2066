package vit

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
)

// TestRopeAugmentation changes DINOv3's rotary positions on a training tape alone, with the same numbers in each block and in a
// second run of a step.
func TestRopeAugmentation(t *testing.T) {
	c := dinoDefaults(dinov3Type)
	c.SetSize(16, 16)
	c.PatchSize, c.NumHiddenLayers, c.HiddenSize, c.NumAttentionHeads, c.IntermediateSize = 4, 2, 16, 2, 32
	c.InitializerRange, c.RopeShift, c.RopeJitter = 0.5, 0.25, 1.5
	m := New(c, 0, rand.New(rand.NewPCG(1, 2)))
	pass := func(m *Model, training bool, seed uint64) []float32 {
		tape := autograd.NewTape(autograd.Options{Training: training, Seed: seed})
		return m.Pooled(tape.Input(images(c, 1), 1, 3, 16, 16)).Floats(nil)
	}
	plain, first, again, second := pass(m, false, 1), pass(m, true, 1), pass(m, true, 1), pass(m, true, 2)
	if slices.Equal(plain, first) || slices.Equal(first, second) || !slices.Equal(first, again) {
		t.Errorf("found %v without, %v, %v and %v", plain, first, again, second)
	}
	none := *m
	none.Encoder = NewEncoder(func() Config { c := c; c.RopeShift, c.RopeJitter, c.RopeRescale = 0, 0, 0; return c }())
	from := map[string]*autograd.Parameter{}
	for path, p := range nn.Parameters(m.Encoder) {
		from[path] = p
	}
	for path, p := range nn.Parameters(none.Encoder) {
		p.Update(func(v []float32) { copy(v, from[path].Values()) })
	}
	golden.Within(t, "no augmentation", pass(&none, true, 1), plain, 0)

	// The first angle of a patch is 2π(center + shift)·jitter·rescale, whose bounds are known.
	lowest, highest := math.Inf(1), math.Inf(-1)
	for seed := range uint64(200) {
		table := m.Encoder.rope.augmented(autograd.NewTape(autograd.Options{Training: true, Seed: seed}), tower.Grid{Rows: 1, Columns: 64})
		row := table.Cos[(len(table.Cos)/table.Dim-1)*table.Dim:] // of the last patch: row center 0, column center 63/64
		sin := table.Sin[(len(table.Sin)/table.Dim-1)*table.Dim:]
		angle := math.Abs(math.Atan2(float64(sin[0]), float64(row[0])))
		lowest, highest = min(lowest, angle), max(highest, angle)
	}
	if lowest > 0.1 || highest < 2 || highest > math.Pi { // |2π·shift·jitter·rescale| is at most 2π·0.75, and wraps
		t.Errorf("found angles from %v to %v", lowest, highest)
	}
}

// TestRopeAugmentationFields reads the fields of transformers: without one of them, positions are scaled by up to 2.
func TestRopeAugmentationFields(t *testing.T) {
	for text, want := range map[string]any{
		`{"model_type": "dinov3_vit"}`:                            [3]float64{0, 0, 2},
		`{"model_type": "dinov3_vit", "pos_embed_rescale": null}`: [3]float64{},
		`{"model_type": "dinov3_vit", "pos_embed_rescale": 3, "pos_embed_shift": 0.5, "pos_embed_jitter": 1.25}`: [3]float64{0.5, 1.25, 3},
		`{"model_type": "dinov3_vit", "pos_embed_jitter": 0}`:                                                    "pos_embed_jitter: expected null, or 1 to 1000, found 0",
		`{"model_type": "dinov3_vit", "pos_embed_rescale": 0.5}`:                                                 "pos_embed_rescale: expected null, or 1 to 1000, found 0.5",
		`{"model_type": "vit", "rope_shift": 0.5}`:                                                               "rope_shift: expected 0 without DINOv3's rotary positions",
	} {
		c := defaults()
		err := json.Unmarshal([]byte(text), &c)
		if err == nil {
			err = c.Validate()
		}
		message, refused := want.(string)
		switch {
		case refused && (err == nil || !strings.Contains(err.Error(), message)):
			t.Errorf("%s: expected %q, found %v", text, message, err)
		case refused:
		case err != nil || [3]float64{c.RopeShift, c.RopeJitter, c.RopeRescale} != want:
			t.Errorf("%s: found %+v, %v", text, c, err)
		default:
			data, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			var again Config
			if err := json.Unmarshal(data, &again); err != nil || again.RopeRescale != c.RopeRescale || again.RopeShift != c.RopeShift {
				t.Errorf("%s: saved: found %+v, %v", text, again, err)
			}
		}
	}
}
