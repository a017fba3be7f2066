package clip

import (
	"context"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/vision"
)

// TestHeat compares the maps of an image for three texts with those of PyTorch's gradients.
func TestHeat(t *testing.T) {
	for _, name := range []string{"tiny", "old"} {
		m, g := load(t, name)
		pixels, shape := g.Tensor("pixels")
		n := len(pixels) / shape[0]
		words := slices.Collect(slices.Chunk(g.Floats("text_embeds"), m.Config.ProjectionDim))
		tape := autograd.NewTape(autograd.Options{Debug: true})
		maps := m.heat(m.Vision.(*VisionTransformer), tape.Input(pixels[:n], append([]int{1}, shape[1:]...)...), words)
		var got []float32
		for _, h := range maps {
			got = append(got, h.Values...)
		}
		golden.Gradient(t, name, got, g.Floats("heat"), 0)
		if slices.Max(got) == 0 {
			t.Errorf("%s: the maps are empty", name)
		}
	}
}

func TestHeatmaps(t *testing.T) {
	m, _ := load(t, "tiny")
	maps, err := m.Heatmaps(context.Background(), vision.NewImage(31, 17, 3), "cat", "dog")
	if err != nil || len(maps) != 2 || maps[0].Rows != 2 || maps[0].Columns != 2 || len(maps[0].Values) != 4 {
		t.Errorf("found %v, %v", maps, err)
	}
}
