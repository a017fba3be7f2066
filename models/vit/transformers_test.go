package vit

import (
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/modeltest"
	"github.com/fovea-ml/fovea/nn"
)

// TestTransformersReadsSaved saves a model and expects transformers to give the same logits.
func TestTransformersReadsSaved(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	c := Tiny16()
	c.ImageSize, c.PatchSize, c.NumHiddenLayers, c.LayerNormEps = 32, 8, 3, 1e-6
	m := New(c, 7, rng)
	for _, p := range nn.Parameters(m) {
		p.Update(func(w []float32) {
			for i := range w {
				w[i] += float32(rng.NormFloat64() * 0.05)
			}
		})
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	pixels := pictures(c, 2)
	shape := []int{2, 3, c.ImageSize, c.ImageSize}
	logits := m.Forward(autograd.NewTape(autograd.Options{}).Input(pixels, shape...))
	modeltest.Transformers(t, "vit", dir, []checkpoint.Entry{
		{Name: "pixels", Shape: shape, Floats: pixels},
		{Name: "logits", Shape: logits.Shape(), Floats: logits.Floats(nil)},
	})
}
