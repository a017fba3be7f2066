package autograd

import (
	"math"
	"testing"
)

const whereGoldens = "ops_where.safetensors"

func TestWhere(t *testing.T) {
	checkOp(t, whereGoldens, "where/", func(c *opCase) []*Tensor {
		return []*Tensor{Where(c.constant("mask"), c.Var("x"), c.Var("y"))}
	})
	checkOp(t, whereGoldens, "fill/", func(c *opCase) []*Tensor {
		return []*Tensor{MaskedFill(c.Var("x"), c.constant("mask"), -2.5)}
	})
}

// constant returns an input that wants no gradient.
func (c *opCase) constant(name string) *Tensor {
	v, shape := c.input(name)
	return c.Tape.Input(v, shape...)
}

func TestCompare(t *testing.T) {
	for prefix, f := range map[string]func(x, y Operand) *Tensor{
		"equal/": Equal, "notequal/": NotEqual, "less/": Less, "lessequal/": LessEqual, "greater/": Greater, "greaterequal/": GreaterEqual,
	} {
		checkOp(t, whereGoldens, prefix, func(c *opCase) []*Tensor {
			return []*Tensor{f(c.Var("x"), c.Var("y"))}
		})
	}
}

func TestCompareLimits(t *testing.T) {
	inf, nan, zero := float32(math.Inf(1)), float32(math.NaN()), float32(math.Copysign(0, -1))
	x := []float32{1, 1, 2, 0, nan, 1, nan, inf, -inf}
	y := []float32{1, 2, 1, zero, 1, nan, nan, inf, inf}
	tape := NewTape(Options{Gradients: true, Debug: true})
	a, b := tape.Input(x, len(x)).WantGradient(), tape.Input(y, len(y)).WantGradient()
	for _, c := range []struct {
		name string
		f    func(x, y Operand) *Tensor
		want []float32
	}{
		{"equal", Equal, []float32{1, 0, 0, 1, 0, 0, 0, 1, 0}},
		{"not equal", NotEqual, []float32{0, 1, 1, 0, 1, 1, 1, 0, 1}},
		{"less", Less, []float32{0, 1, 0, 0, 0, 0, 0, 0, 1}},
		{"less equal", LessEqual, []float32{1, 1, 0, 1, 0, 0, 0, 1, 1}},
		{"greater", Greater, []float32{0, 0, 1, 0, 0, 0, 0, 0, 0}},
		{"greater equal", GreaterEqual, []float32{1, 0, 1, 1, 0, 0, 0, 1, 0}},
	} {
		z := c.f(a, b)
		sameBits(t, c.name, z.Floats(nil), c.want)
		if z.needs {
			t.Errorf("%s: the mask wants a gradient", c.name)
		}
	}
}

// What counts as true, and what an operand that is not chosen gets.
func TestMaskLimits(t *testing.T) {
	inf, nan, tiny := float32(math.Inf(1)), float32(math.NaN()), float32(math.SmallestNonzeroFloat32)
	mask := []float32{0, float32(math.Copysign(0, -1)), 1, -1, tiny, inf, nan}
	seed := []float32{nan, 1, inf, nan, 2, 3, 4}
	tape := NewTape(Options{Gradients: true, Debug: true})
	m := tape.Input(mask, 7).WantGradient()
	x, y := tape.Full(nan, 7).WantGradient(), tape.Full(3, 1).WantGradient()
	g := NewGradients()
	z := Where(m, y, x)
	sameBits(t, "where", z.Floats(nil), []float32{nan, nan, 3, 3, 3, 3, 3})
	Backward(g, []*Tensor{z}, [][]float32{seed})
	sameBits(t, "gradient of x", g.OfTensor(x), []float32{nan, 1, 0, 0, 0, 0, 0})
	sameBits(t, "gradient of y", g.OfTensor(y), []float32{nan})
	g.Zero()
	w := MaskedFill(x, m, inf)
	sameBits(t, "masked fill", w.Floats(nil), []float32{nan, nan, inf, inf, inf, inf, inf})
	Backward(g, []*Tensor{w}, [][]float32{seed})
	sameBits(t, "gradient of x", g.OfTensor(x), []float32{nan, 1, 0, 0, 0, 0, 0})
	if g.OfTensor(m) != nil {
		t.Error("the mask has a gradient")
	}
	expectShapePanic(t, "where", func() { Where(m, x, tape.Full(1, 6)) })
	expectShapePanic(t, "masked fill", func() { MaskedFill(x, tape.Full(1, 2), 0) })
	expectShapePanic(t, "less", func() { Less(x, tape.Full(1, 2)) })
}
