package autograd

import (
	"math"
	"testing"
)

func TestFrozen(t *testing.T) {
	for _, recompute := range []bool{false, true} {
		tape := NewTape(Options{Gradients: true, Recompute: recompute, Debug: true})
		m := newPerceptron(3, 4, 2)
		m.w1.Frozen, m.b2.Frozen = true, true
		g := NewGradients()
		Sum(tape.Segment(m.forward, tape.Input(ramp(6), 2, 3)), false).Backward(g)
		if g.Of(m.w1) != nil || g.Of(m.b2) != nil {
			t.Error("a frozen parameter has a gradient")
		}
		if g.Of(m.b1) == nil || g.Of(m.w2) == nil {
			t.Error("a parameter that is not frozen has no gradient")
		}
		count := 0
		for p, d := range g.All() {
			if count++; p.Frozen || len(d) != p.Len() {
				t.Errorf("All yields %d values for a parameter of %d", len(d), p.Len())
			}
		}
		if count != 2 {
			t.Errorf("%d gradients, expected 2", count)
		}
	}
}

// A Tensor's gradient is kept when it is asked for, of inputs and of results.
func TestWantGradient(t *testing.T) {
	tape := NewTape(Options{Gradients: true, Debug: true})
	x := tape.Input([]float32{1, 2}, 2).WantGradient()
	plain := tape.Input([]float32{5, 7}, 2)
	y := Mul(x, plain).WantGradient()
	z := Square(y)
	g := NewGradients()
	Sum(z, false).Backward(g)
	sameBits(t, "gradient of x", g.OfTensor(x), []float32{50, 196})
	sameBits(t, "gradient of y", g.OfTensor(y), []float32{10, 28})
	if g.OfTensor(plain) != nil || g.OfTensor(z) != nil {
		t.Error("a gradient that nobody asked for was kept")
	}
}

// Several outputs, one of them reached from another, with seeds of their own.
func TestBackwardSeeds(t *testing.T) {
	tape := NewTape(Options{Gradients: true, Debug: true})
	x := tape.Input([]float32{1, 2, 3}, 3).WantGradient()
	a := Scale(x, 2)
	b := Square(a)
	constant := tape.Full(1, 3)
	g := NewGradients()
	Backward(g, []*Tensor{b, a, constant, a}, [][]float32{{1, 0, 1}, {10, 20, 30}, {1, 1, 1}, {0, 0, 1}})
	// ∂b/∂x = 8x, ∂a/∂x = 2.
	sameBits(t, "gradient", g.OfTensor(x), []float32{8 + 20, 40, 24 + 62})
	if a.Floats(nil)[2] != 6 || b.Floats(nil)[2] != 36 {
		t.Error("an output was consumed")
	}
	expectShapePanic(t, "backward", func() { Backward(g, []*Tensor{x}, nil) })
	expectShapePanic(t, "backward", func() { Backward(g, []*Tensor{x}, [][]float32{{1}}) })
	Backward(g, nil, nil)
}

// Backward adds: two passes into one table give the sum of their gradients.
func TestAccumulate(t *testing.T) {
	m := newPerceptron(5, 7, 3)
	pass := func(g *Gradients, scale float32) {
		tape := NewTape(Options{Gradients: true, Debug: true})
		x := tape.Input(ramp(10), 2, 5)
		Sum(m.forward(Scale(x, scale)), false).Backward(g)
	}
	a, b, both := NewGradients(), NewGradients(), NewGradients()
	pass(a, 1)
	pass(b, -0.5)
	pass(both, 1)
	pass(both, -0.5)
	for _, p := range []*Parameter{m.w1, m.b1, m.w2, m.b2} {
		for i, v := range both.Of(p) {
			if want := a.Of(p)[i] + b.Of(p)[i]; math.Abs(float64(v-want)) > 1e-5 {
				t.Fatalf("gradient %d is %v, expected %v", i, v, want)
			}
		}
	}
	// A parameter used twice in one pass.
	tape := NewTape(Options{Gradients: true, Debug: true})
	p := ParameterOf([]float32{2}, 1)
	g := NewGradients()
	Sum(Mul(Mul(tape.Full(3, 1), p), p), false).Backward(g)
	sameBits(t, "gradient of 3p²", g.Of(p), []float32{12})
}

func TestGradientsTable(t *testing.T) {
	p, q := NewParameter(2), NewParameter(3)
	pass := func(g *Gradients, ps ...*Parameter) {
		tape := NewTape(Options{Gradients: true})
		seed := []float32{3, 4, 12}
		for i, p := range ps {
			y := Scale(tape.Use(p), float32(i+1))
			Backward(g, []*Tensor{y}, [][]float32{seed[:p.Len()]})
		}
	}
	a, b := NewGradients(), NewGradients()
	pass(a, p)
	pass(b, p, q)
	a.Merge(b)
	sameBits(t, "merged", a.Of(p), []float32{6, 8})
	sameBits(t, "merged into nothing", a.Of(q), []float32{6, 8, 24})
	sameBits(t, "the merged table", b.Of(p), []float32{3, 4})
	a.Scale(0.5)
	sameBits(t, "scaled", a.Of(p), []float32{3, 4})
	a.Zero()
	if a.Of(p) != nil {
		t.Error("Zero leaves a gradient")
	}
	for range a.All() {
		t.Error("All yields a gradient after Zero")
	}
	pass(a, q)
	sameBits(t, "after Zero", a.Of(q), []float32{3, 4, 12})
	if a.Of(p) != nil {
		t.Error("a gradient came back after Zero")
	}
}

// Operands of a sum share its gradient's memory until one of them gets another contribution.
func TestSharedGradients(t *testing.T) {
	tape := NewTape(Options{Gradients: true, Debug: true})
	x := tape.Input([]float32{1, 2}, 2).WantGradient()
	z := tape.Input([]float32{3, 4}, 2).WantGradient()
	s := Square(x)
	y := Add(x, z).WantGradient()
	g := NewGradients()
	Backward(g, []*Tensor{s, y}, [][]float32{{1, 1}, {10, 20}})
	sameBits(t, "gradient of x", g.OfTensor(x), []float32{12, 24})
	sameBits(t, "gradient of z", g.OfTensor(z), []float32{10, 20})
	sameBits(t, "gradient of the sum", g.OfTensor(y), []float32{10, 20})
}
