package autograd

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// TestActLinear expects the bits of Activate and LinearAdd, forward and backward, in every arithmetic that trains, and less memory.
func TestActLinear(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	parameter := func(shape ...int) *Parameter { return normalParameter(rng, shape...) }
	for _, s := range [][3]int{{1, 5, 7}, {0, 3, 4}, {37, 64, 33}, {64, 400, 130}} {
		m, in, out := s[0], s[1], s[2]
		x, w, b, residual := parameter(m, in), parameter(out, in), parameter(out), parameter(m, out)
		seed := parameter(m, out)
		seeds := slices.Clone(NewTape(Options{}).Use(seed).Floats(nil))
		for _, math := range []simd.Math{simd.Strict, simd.BF16} {
			for _, given := range []bool{true, false} {
				for _, checkpointed := range []bool{false, true} {
					var first [][]float32
					for _, fused := range []bool{false, true} {
						tape := NewTape(Options{Gradients: true, Training: true, Debug: true, Math: math, Workers: simd.NewWorkers(2)})
						var bias, add Operand
						if given {
							bias, add = b, tape.Use(residual)
						}
						layer := func(h *Tensor) *Tensor {
							switch {
							case fused:
								return ActLinear(h, ActGelu, w, bias, add)
							case given:
								return LinearAdd(Gelu(h), w, bias, add)
							}
							return Linear(Gelu(h), w, nil)
						}
						h := Scale(tape.Use(x), 2)
						var y *Tensor
						if checkpointed && !given {
							y = tape.Segment(layer, h)
						} else {
							y = layer(h)
						}
						got := [][]float32{y.Floats(nil)}
						g := NewGradients()
						Backward(g, []*Tensor{Add(y, Scale(y, .5))}, [][]float32{seeds})
						for _, p := range []*Parameter{x, w, b, residual} {
							got = append(got, g.Of(p))
						}
						if tape.Lent() != 0 {
							t.Errorf("%v: %d buffers are lent", s, tape.Lent())
						}
						if !fused {
							first = got
							continue
						}
						for i := range got {
							if !slices.Equal(got[i], first[i]) {
								t.Errorf("%v, %v, bias and residual %v, segment %v: value %d: found %v, expected %v", s, math, given, checkpointed, i, got[i], first[i])
							}
						}
					}
				}
			}
		}
	}

	// A chain of layers keeps one value for each hidden one.
	const rows, width, layers = 64, 256, 6
	w := parameter(width, width)
	held := func(layer func(h *Tensor) *Tensor) int {
		tape := NewTape(Options{Gradients: true, Training: true})
		h := tape.Use(parameter(rows, width))
		for range layers {
			h = layer(h)
		}
		Backward(NewGradients(), []*Tensor{h}, [][]float32{make([]float32, rows*width)})
		return tape.MemoryBytes()
	}
	two := held(func(h *Tensor) *Tensor { return Linear(LinearAct(h, w, nil, ActGelu), w, nil) })
	one := held(func(h *Tensor) *Tensor { return ActLinear(Linear(h, w, nil), ActGelu, w, nil, nil) })
	if least := 4 * rows * width * (layers - 1); two-one < least {
		t.Errorf("%d layers hold %d bytes, and %d with activations kept: expected %d fewer", layers, one, two, least)
	}

	tape := NewTape(Options{})
	x, v := tape.Full(1, 2, 3), tape.Full(1, 4, 3)
	expectShapePanic(t, "act+linear", func() { ActLinear(x, ActGelu, tape.Full(1, 4, 2), nil, nil) })
	expectShapePanic(t, "act+linear", func() { ActLinear(x, ActGelu, v, tape.Full(1, 3), nil) })
	expectShapePanic(t, "act+linear", func() { ActLinear(x, ActGelu, v, nil, tape.Full(1, 2, 3)) })
}

// TestFeedForward expects the bits of two layers, in every arithmetic and with parameters of several, and that inference
// keeps the hidden values of some tokens alone.
func TestFeedForward(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	parameter := func(shape ...int) *Parameter { return normalParameter(rng, shape...) }
	for _, s := range [][4]int{{1, 5, 12, 7}, {0, 3, 9, 4}, {37, 20, 64, 33}, {500, 24, 96, 24}} {
		m, in, hidden, out := s[0], s[1], s[2], s[3]
		x, residual, scale := parameter(m, in), parameter(m, out), parameter(out)
		w1, b1, w2, b2 := parameter(hidden, in), parameter(hidden), parameter(out, hidden), parameter(out)
		limited, plain := parameter(out, hidden), parameter(m, in)
		limited.LimitMath(simd.Strict)
		plain.LimitMath(simd.Strict)
		for _, o := range []Options{{}, {Workers: simd.NewWorkers(2)}, {Math: simd.BF16}, {Math: simd.Int8, Workers: simd.NewWorkers(3)}, {Training: true}, {Gradients: true}} {
			o.Debug = true
			tape := NewTape(o)
			v, r := tape.Use(x), tape.Use(residual)
			for _, w := range []*Parameter{w2, limited} {
				h, u := LinearAct(v, w1, b1, ActGelu), tape.Use(w1)
				for i, c := range []struct{ got, want *Tensor }{
					{FeedForward(v, w1, b1, ActGelu, w, b2, r, scale), LinearAddScaled(h, w, b2, r, scale)},
					{FeedForward(v, w1, b1, ActGelu, w, b2, r, nil), LinearAdd(h, w, b2, r)},
					{FeedForward(v, w1, b1, ActGelu, w, nil, nil, nil), Linear(h, w, nil)},
					{FeedForward(v, u, b1, ActGelu, w, nil, nil, nil), Linear(LinearAct(v, u, b1, ActGelu), w, nil)},
					{FeedForward(plain, w1, tape.Use(b1), ActGelu, w, nil, nil, nil), Linear(LinearAct(plain, w1, tape.Use(b1), ActGelu), w, nil)},
				} {
					if got, want := c.got.Floats(nil), c.want.Floats(nil); !slices.Equal(got, want) {
						t.Errorf("%v, %v, case %d: other bits than two layers", s, o.Math, i)
					}
				}
			}
			if tape.Lent() != 0 {
				t.Errorf("%v: %d buffers are lent", s, tape.Lent())
			}
		}
	}

	const tokens, width = 1000, 16
	x, w1, w2 := parameter(tokens, width), parameter(4*width, width), parameter(width, 4*width)
	held := func(f func(x *Tensor) *Tensor) int {
		tape := NewTape(Options{})
		f(tape.Use(x))
		return tape.MemoryBytes()
	}
	one := held(func(x *Tensor) *Tensor { return FeedForward(x, w1, nil, ActGelu, w2, nil, x, nil) })
	two := held(func(x *Tensor) *Tensor { return LinearAdd(LinearAct(x, w1, nil, ActGelu), w2, nil, x) })
	if least := 4 * tokens * 4 * width * 3 / 4; two-one < least {
		t.Errorf("holds %d bytes, and two layers %d: expected %d fewer", one, two, least)
	}

	tape := NewTape(Options{})
	v := tape.Full(1, 2, width)
	expectShapePanic(t, "feed forward", func() { FeedForward(v, w2, nil, ActGelu, w1, nil, nil, nil) })
	expectShapePanic(t, "feed forward", func() { FeedForward(v, w1, nil, ActGelu, w1, nil, nil, nil) })
	expectShapePanic(t, "feed forward", func() { FeedForward(v, w1, nil, ActGelu, w2, w1, nil, nil) })
	expectShapePanic(t, "feed forward", func() { FeedForward(v, w1, nil, ActGelu, w2, nil, tape.Full(1, 3, width), nil) })
	expectShapePanic(t, "feed forward", func() { FeedForward(v, w1, nil, ActGelu, w2, nil, v, w1) })
	expectUsePanic(t, "feed forward", func() { FeedForward(v, w1, nil, ActGelu, w2, nil, nil, v) })
}
