package nn

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
)

// TestRepConv compares inference, which folds, with the layers on a tape with gradients, and expects every change of a value
// to reach it.
func TestRepConv(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	c := NewRepConv(3, 4, autograd.ActSilu)
	draw := func(values []float32) {
		for i := range values {
			values[i] = 0.5 + rng.Float32()
		}
	}
	pixels := make([]float32, 2*3*5*4)
	for i := range pixels {
		pixels[i] = rng.Float32() - 0.5
	}
	run := func(gradients bool) []float32 {
		tape := autograd.NewTape(autograd.Options{Gradients: gradients})
		return c.Forward(tape.Input(pixels, 2, 3, 5, 4)).Floats(nil)
	}
	var last []float32
	for path, v := range Values(c) { // each changes alone
		v.Update(draw)
		got := run(false)
		golden.Output(t, path, got, run(true))
		if slices.Equal(got, last) {
			t.Errorf("%s: the change does not reach inference", path)
		}
		if again := run(false); !slices.Equal(got, again) {
			t.Errorf("%s: a second run differs", path)
		}
		last = got
	}
	c.Act = autograd.ActRelu
	golden.Output(t, "another activation", run(false), run(true))
}
