package autograd

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSegmentAgain runs segments again whose last operation is a linear layer: its values are copied, and gradients have the bits
// of a tape that keeps everything. Segments are nested, end in one another, use their result twice, or give several.
func TestSegmentAgain(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(shape ...int) *Parameter {
		p := NewParameter(shape...)
		p.Update(func(v []float32) {
			for i := range v {
				v[i] = float32(rng.NormFloat64())
			}
		})
		return p
	}
	x, w, v, b := draw(5, 8), draw(8, 8), draw(8, 8), draw(8)
	layer := func(x *Tensor) *Tensor { return LinearAdd(Activate(Linear(x, w, b), ActGelu), v, b, x) }
	for name, f := range map[string]func(x *Tensor) *Tensor{
		"linear": layer,
		"nested": func(x *Tensor) *Tensor { return x.Tape().Segment(layer, x.Tape().Segment(layer, x)) },
		"twice":  func(x *Tensor) *Tensor { y := layer(x); Mul(y, y); return y },
		"part":   func(x *Tensor) *Tensor { return Mul(layer(x), x) },
		"several": func(x *Tensor) *Tensor {
			ys := x.Tape().SegmentAll(func(xs []*Tensor) []*Tensor { y := layer(xs[0]); return []*Tensor{layer(y), y} }, x)
			return Add(ys[0], ys[1])
		},
	} {
		run := func(recompute bool) (out []float32, all [][]float32) {
			tape, grads := NewTape(Options{Gradients: true, Recompute: recompute, Debug: true}), NewGradients()
			y := tape.Segment(f, tape.Segment(f, tape.Use(x)))
			out = y.Floats(nil)
			Sum(Mul(y, y), false).Backward(grads)
			for _, p := range []*Parameter{x, w, v, b} {
				all = append(all, slices.Clone(grads.Of(p)))
			}
			return out, all
		}
		want, wantGrads := run(false)
		got, gotGrads := run(true)
		if !slices.Equal(got, want) {
			t.Errorf("%s: found %v, expected %v", name, got, want)
		}
		for i := range wantGrads {
			if !slices.Equal(gotGrads[i], wantGrads[i]) {
				t.Errorf("%s: gradient %d: found %v, expected %v", name, i, gotGrads[i], wantGrads[i])
			}
		}
	}

	// A function that does something else in its second run is not pure.
	calls := 0
	impure := func(x *Tensor) *Tensor {
		if calls++; calls > 1 {
			x = Linear(Linear(x, w, b), w, b)
		}
		return LinearAdd(x, v, b, x)
	}
	defer func() {
		if _, ok := recover().(*UseError); !ok {
			t.Error("expected a UseError for a function that is not pure")
		}
	}()
	tape := NewTape(Options{Gradients: true, Recompute: true})
	Sum(tape.Segment(impure, tape.Use(x)), false).Backward(NewGradients())
}
