package vit

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// distance returns the norm of a - b, divided by that of b.
func distance(a, b []float32) float64 {
	var d, n float64
	for i := range b {
		e := float64(a[i] - b[i])
		d, n = d+e*e, n+float64(b[i])*float64(b[i])
	}
	return math.Sqrt(d / n)
}

// In each arithmetic, the logits of an image and its gradients have one set of bits: on any number of threads, and beside
// any other images. They are near those of Strict.
func TestMathModes(t *testing.T) {
	c := preset(48, 2, 3, 8)
	c.ImageSize = 32 // 17 tokens
	rng := rand.New(rand.NewPCG(1, 2))
	m := New(c, 10, rng)
	m.Head.Weight.Update(func(v []float32) {
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
	})
	x := images(c, 5)
	size := len(x) / 5
	logits := func(o autograd.Options, n int) []float32 {
		tape := autograd.NewTape(o)
		defer tape.Reset()
		return m.Forward(tape.Input(x[:n*size], n, 3, c.ImageSize, c.ImageSize)).Floats(nil)
	}
	gradient := func(o autograd.Options) []float32 {
		o.Gradients, o.Training = true, true
		tape := autograd.NewTape(o)
		defer tape.Reset()
		g := autograd.NewGradients()
		y := m.Forward(tape.Input(x[:3*size], 3, 3, c.ImageSize, c.ImageSize))
		autograd.CrossEntropy(y, []int{1, 2, 3}, autograd.CrossEntropyOptions{}).Backward(g)
		return slices.Clone(g.Of(m.Encoder.Blocks[0].Attention.QKV.Weight))
	}
	want := logits(autograd.Options{}, 5)
	for mode, most := range map[simd.Math]float64{simd.Accurate: 1e-5, simd.BF16: 2e-2, simd.Int8: 6e-2} {
		one := logits(autograd.Options{Math: mode}, 1)
		for threads := range 3 {
			o := autograd.Options{Math: mode, Workers: simd.NewWorkers(threads + 1)}
			for _, n := range []int{1, 2, 5} {
				got := logits(o, n)
				if !slices.Equal(got[:10], one) {
					t.Errorf("%v, %d threads, %d images: %v, expected %v", mode, threads+1, n, got[:10], one)
				}
				if d := distance(got, want[:len(got)]); d > most || mode != simd.Accurate && d < 1e-4 {
					t.Errorf("%v, %d images: the error is %.2g, expected at most %.2g", mode, n, d, most)
				}
			}
		}
		if mode == simd.Int8 {
			continue
		}
		exact, first := gradient(autograd.Options{}), gradient(autograd.Options{Math: mode})
		if d := distance(first, exact); d > 2*most {
			t.Errorf("%v: the error of a gradient is %.2g, expected at most %.2g", mode, d, 2*most)
		}
		for _, o := range []autograd.Options{{Workers: simd.NewWorkers(2)}, {Workers: simd.NewWorkers(3), Recompute: true}} {
			o.Math = mode
			if !slices.Equal(gradient(o), first) {
				t.Errorf("%v: a gradient depends on threads", mode)
			}
		}
	}
}
