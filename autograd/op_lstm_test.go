package autograd

import "testing"

func TestLSTMCell(t *testing.T) {
	const file = "ops_lstm.safetensors"
	checkOp(t, file, "cell/", func(c *opCase) []*Tensor {
		h, s := LSTMCell(c.Var("x"), c.Var("h"), c.Var("c"), c.Param("wih"), c.Param("whh"), c.Param("bih"), c.Param("bhh"))
		return []*Tensor{h, s}
	})
	checkOp(t, file, "nobias/", func(c *opCase) []*Tensor {
		h, s := LSTMCell(c.Var("x"), c.Var("h"), c.Var("c"), c.Var("wih"), c.Var("whh"), nil, nil)
		return []*Tensor{h, s}
	})
}

// Two steps share their weights and pass both results on; only one of the last results has a gradient.
func TestLSTMCellSteps(t *testing.T) {
	const n, in, size = 2, 3, 4
	wih, whh := ParameterOf(normal(30, 4*size*in), 4*size, in), ParameterOf(normal(31, 4*size*size), 4*size, size)
	b := ParameterOf(normal(32, 4*size), 4*size)
	x := normal(33, n*in)
	loss := func(tape *Tape, x []float32) (*Tensor, *Tensor) {
		in := tape.Input(x, n, in).WantGradient()
		h, c := tape.Full(0, n, size), tape.Full(0, n, size)
		for range 3 {
			h, c = LSTMCell(in, h, c, wih, whh, b, nil)
		}
		return in, MSE(h, tape.Full(0, n, size))
	}
	tape := NewTape(Options{Gradients: true, Debug: true})
	input, l := loss(tape, x)
	g := NewGradients()
	l.Backward(g)
	dx := g.OfTensor(input)
	if n := tape.Lent(); n != 0 {
		t.Errorf("%d scratch buffers leaked", n)
	}
	for i := range x {
		const h = 1e-2
		up, down := append([]float32(nil), x...), append([]float32(nil), x...)
		up[i] += h
		down[i] -= h
		plain := NewTape(Options{})
		_, hi := loss(plain, up)
		_, lo := loss(plain, down)
		want := (hi.Float() - lo.Float()) / (2 * h)
		if d := dx[i] - want; d > 2e-4 || d < -2e-4 {
			t.Errorf("gradient %d: %v, finite difference %v", i, dx[i], want)
		}
	}
	for _, p := range []*Parameter{wih, whh, b} {
		if g.Of(p) == nil {
			t.Error("a parameter has no gradient")
		}
	}
}

func TestLSTMCellPanics(t *testing.T) {
	tape := NewTape(Options{})
	x, h := tape.Full(0, 2, 3), tape.Full(0, 2, 4)
	wih, whh := NewParameter(16, 3), NewParameter(16, 4)
	for name, f := range map[string]func(){
		"state":   func() { LSTMCell(x, h, tape.Full(0, 2, 5), wih, whh, nil, nil) },
		"batch":   func() { LSTMCell(tape.Full(0, 3, 3), h, h, wih, whh, nil, nil) },
		"weights": func() { LSTMCell(x, h, h, whh, whh, nil, nil) },
		"bias":    func() { LSTMCell(x, h, h, wih, whh, NewParameter(4), nil) },
	} {
		t.Run(name, func(t *testing.T) { expectShapeError(t, f) })
	}
}
