package mae

import (
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/modeltest"
)

// TestTransformersReadsSaved saves a model and expects transformers to give the same prediction and loss.
func TestTransformersReadsSaved(t *testing.T) {
	m := small(8)
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	shape := []int{2, 3, m.Config.ImageSize, m.Config.ImageSize}
	pixels := make([]float32, 2*3*m.Config.ImageSize*m.Config.ImageSize)
	for i := range pixels {
		pixels[i] = float32(rng.NormFloat64())
	}
	noise := m.Noise(3, 4, 2)
	tape := autograd.NewTape(autograd.Options{})
	masking := m.Masking(noise, 2)
	x := tape.Input(pixels, shape...)
	pred, loss := m.Predict(x, masking), m.Loss(x, masking)
	modeltest.Transformers(t, "mae", dir, []checkpoint.Entry{
		{Name: "pixels", Shape: shape, Floats: pixels},
		{Name: "noise", Shape: []int{2, m.Config.Patches()}, Floats: noise},
		{Name: "logits", Shape: pred.Shape(), Floats: pred.Floats(nil)},
		{Name: "loss", Shape: []int{}, Floats: loss.Floats(nil)},
	})
}
