package nn

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
)

// TestConvNorm compares inference, which folds, with the two layers on a tape with gradients, and expects every change of
// a value to reach it.
func TestConvNorm(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, bias := range []bool{false, true} {
		c := NewConvNorm(3, 4, 3, autograd.ActRelu, autograd.Conv2dOptions{Padding: [2]int{1, 1}})
		if bias {
			c.Conv.Bias = autograd.NewParameter(4)
		}
		draw := func(values []float32) {
			for i := range values {
				values[i] = 0.5 + rng.Float32()
			}
		}
		pixels, residual := make([]float32, 2*3*25), make([]float32, 2*4*25)
		for _, v := range [][]float32{pixels, residual} {
			for i := range v {
				v[i] = rng.Float32() - 0.5
			}
		}
		run := func(gradients bool) []float32 {
			tape := autograd.NewTape(autograd.Options{Gradients: gradients})
			x, r := tape.Input(pixels, 2, 3, 5, 5), tape.Input(residual, 2, 4, 5, 5)
			return append(c.Forward(x).Floats(nil), c.ForwardAdd(x, r).Floats(nil)...)
		}
		var last []float32
		for path, v := range Values(c) { // each changes alone
			v.Update(draw)
			got, want := run(false), run(true)
			golden.Output(t, path, got, want)
			if slices.Equal(got, last) {
				t.Errorf("inference does not see a change of %s", path)
			}
			last = got
			before := c.folded.Load()
			if run(false); c.folded.Load() != before {
				t.Errorf("%s: folded twice", path)
			}
		}
		var wg sync.WaitGroup
		c.folded.Store(nil)
		for range 8 {
			wg.Go(func() {
				if !slices.Equal(run(false), last) {
					t.Error("other bits at once")
				}
			})
		}
		wg.Wait()
	}
}
