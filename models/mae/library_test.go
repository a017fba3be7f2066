package mae

import (
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
)

// TestLibrariesReadSaved saves a model for transformers and under the original names, and expects the same prediction
// and loss of both.
func TestLibrariesReadSaved(t *testing.T) {
	for kind, saving := range map[string]SaveOptions{"mae": {}, "original": {Layout: models.Original}} {
		t.Run(kind, func(t *testing.T) {
			m := small(8)
			m.Config.NormPixLoss = kind == "mae"
			dir := t.TempDir()
			if err := m.Save(dir, saving); err != nil {
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
			modeltest.Library(t, kind, modeltest.Saved{Folder: dir, Outputs: []checkpoint.Entry{
				{Name: "pixels", Shape: shape, Floats: pixels},
				{Name: "noise", Shape: []int{2, m.Config.Patches()}, Floats: noise},
				{Name: "logits", Shape: pred.Shape(), Floats: pred.Floats(nil)},
				{Name: "loss", Shape: []int{}, Floats: loss.Floats(nil)},
			}})
		})
	}
}
