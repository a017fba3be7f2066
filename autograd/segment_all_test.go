package autograd

import "testing"

// Gradients flow through every result that reaches an output, and nothing else, recomputed or not.
func TestSegmentAllGradients(t *testing.T) {
	p, q := ParameterOf(ramp(4), 2, 2), ParameterOf(ramp(4), 2, 2)
	run := func(recompute, segment bool, used ...int) (dx, dp, dq []float32) {
		tape := NewTape(Options{Gradients: true, Recompute: recompute, Debug: true})
		x, y := tape.Input(ramp(4), 2, 2).WantGradient(), tape.Full(2, 2, 2)
		f := func(xs []*Tensor) []*Tensor {
			h := Tanh(Linear(xs[0], p, nil))
			// The derivative of the third is infinite where x is 0: it must not be asked for.
			return []*Tensor{h, Mul(h, Linear(xs[1], q, nil)), Sqrt(Scale(xs[0], 0)), Reshape(h, 4)}
		}
		var ys []*Tensor
		if segment {
			ys = tape.SegmentAll(f, x, y)
		} else {
			ys = f([]*Tensor{x, y})
		}
		loss := tape.Full(0, 1)
		for _, i := range used {
			loss = Add(loss, Sum(Square(ys[i]), false))
		}
		g := NewGradients()
		loss.Backward(g)
		if tape.Lent() != 0 {
			t.Errorf("%d buffers are lent", tape.Lent())
		}
		return g.OfTensor(x), g.Of(p), g.Of(q)
	}
	for _, used := range [][]int{{0}, {1}, {3}, {0, 1}, {3, 0}, {1, 1, 0, 3}} {
		dx, dp, dq := run(false, false, used...)
		for _, recompute := range []bool{false, true} {
			x, p, q := run(recompute, true, used...)
			sameBits(t, "gradient of x", x, dx)
			sameBits(t, "gradient of p", p, dp)
			sameBits(t, "gradient of q", q, dq)
		}
		for _, v := range dx {
			if v != v {
				t.Errorf("used %v: the gradient is %v", used, dx)
				break
			}
		}
	}
}

// Without gradients a segment frees all but its results, and its inputs when they are results of others.
func TestSegmentAllFrees(t *testing.T) {
	tape := NewTape(Options{Debug: true})
	var inside *Tensor
	split := func(xs []*Tensor) []*Tensor {
		inside = Scale(xs[0], 2)
		return []*Tensor{AddScalar(inside, 1), Neg(inside)}
	}
	x := tape.Full(1, 3)
	ys := tape.SegmentAll(split, x, nil)
	expectUsePanic(t, "consumed", func() { Exp(inside) })
	sameBits(t, "first", ys[0].Floats(nil), []float32{3, 3, 3})
	sameBits(t, "second", ys[1].Floats(nil), []float32{-2, -2, -2})

	// One that is returned, one that is kept, and one that is neither.
	zs := tape.SegmentAll(split, ys[0])
	zs[0].Keep()
	out := tape.SegmentAll(func(xs []*Tensor) []*Tensor {
		xs[0], xs[2] = Add(xs[0], xs[1]), Add(xs[1], xs[2])
		return []*Tensor{xs[0], xs[1], x}
	}, zs[0], zs[1], ys[1])
	expectUsePanic(t, "consumed", func() { Exp(ys[0]) })
	expectUsePanic(t, "consumed", func() { Exp(ys[1]) })
	sameBits(t, "kept", zs[0].Floats(nil), []float32{7, 7, 7})
	sameBits(t, "returned", out[1].Floats(nil), []float32{-6, -6, -6})
	sameBits(t, "sum", out[0].Floats(nil), []float32{1, 1, 1})
	if out[1] != zs[1] || out[2] != x {
		t.Error("a Tensor that a segment returns became another")
	}
}

// A result to which nothing trainable leads stays free of gradients beside one that has them; what is kept
// inside can be used unless its gradient would be lost.
func TestSegmentAllPartlyFrozen(t *testing.T) {
	p, frozen := ParameterOf(ramp(4), 2, 2), ParameterOf(ramp(4), 2, 2)
	frozen.Frozen = true
	tape := NewTape(Options{Gradients: true, Recompute: true, Debug: true})
	runs := 0
	var still, moving, aside *Tensor
	f := func(xs []*Tensor) []*Tensor {
		runs++
		a, b := Linear(xs[0], frozen, nil), Linear(xs[0], p, nil)
		if runs == 1 {
			still, moving = Square(a).Keep(), Square(b).Keep()
		}
		return []*Tensor{Tanh(a), Tanh(b)}
	}
	ys := tape.SegmentAll(f, tape.Input(ramp(4), 2, 2))
	expectUsePanic(t, "return it from the segment", func() { Exp(moving) })
	want := ys[0].Floats(nil)
	y := Add(Mul(ys[0], still), Mul(ys[1], ys[0]))
	g := NewGradients()
	Sum(y, false).Backward(g)
	if runs != 2 || g.Of(p) == nil || g.Of(frozen) != nil {
		t.Errorf("%d runs, gradients %v and %v", runs, g.Of(p), g.Of(frozen))
	}
	sameBits(t, "a result without a gradient, after Backward", ys[0].Floats(nil), want)
	tape.Reset()

	// A side branch that nobody returns: no second run, but its gradient would still be lost.
	runs = 0
	z := tape.Segment(func(x *Tensor) *Tensor {
		runs++
		aside = Linear(x, p, nil).Keep()
		return Square(x)
	}, tape.Input(ramp(4), 2, 2))
	expectUsePanic(t, "return it from the segment", func() { Add(z, aside) })
	Sum(Mul(z, p), false).Backward(g)
	if runs != 1 {
		t.Errorf("%d runs of a segment without a gradient", runs)
	}
}

func TestSegmentAllMistakes(t *testing.T) {
	p := ParameterOf(ramp(4), 2, 2)
	other := NewTape(Options{}).Full(1, 2, 2)
	for _, o := range []Options{{}, {Gradients: true}, {Gradients: true, Recompute: true}} {
		tape := NewTape(o)
		x := tape.Full(1, 2, 2)
		for what, f := range map[string]func(xs []*Tensor) []*Tensor{
			"no tensor":    func(xs []*Tensor) []*Tensor { return nil },
			"no tensor ":   func(xs []*Tensor) []*Tensor { return []*Tensor{xs[0], nil} },
			"another tape": func(xs []*Tensor) []*Tensor { return []*Tensor{xs[0], other} },
		} {
			expectUsePanic(t, what[:9], func() { tape.SegmentAll(f, x) })
			tape.Reset()
			x = tape.Full(1, 2, 2)
		}
		expectUsePanic(t, "another tape", func() {
			tape.SegmentAll(func(xs []*Tensor) []*Tensor { return xs }, x, nil, other)
		})
	}
	// Functions that are not the same the second time.
	for name, second := range map[string]func(x *Tensor) []*Tensor{
		"fewer":  func(x *Tensor) []*Tensor { return []*Tensor{Mul(x, p)} },
		"shape":  func(x *Tensor) []*Tensor { return []*Tensor{Mul(x, p), Sum(Mul(x, p), false)} },
		"input":  func(x *Tensor) []*Tensor { return []*Tensor{Mul(x, p), x} },
		"frozen": func(x *Tensor) []*Tensor { return []*Tensor{Mul(x, p), Scale(x, 2)} },
	} {
		tape := NewTape(Options{Gradients: true, Recompute: true, Debug: true})
		runs := 0
		ys := tape.SegmentAll(func(xs []*Tensor) []*Tensor {
			if runs++; runs == 2 {
				return second(xs[0])
			}
			return []*Tensor{Mul(xs[0], p), Linear(xs[0], p, nil)}
		}, tape.Full(1, 2, 2))
		t.Run(name, func(t *testing.T) {
			expectUsePanic(t, "pure", func() { Sum(Add(ys[0], ys[1]), false).Backward(NewGradients()) })
		})
	}
}
