package autograd

import (
	"math/rand/v2"
	"slices"
	"testing"
)

const arithGoldens = "ops_arith.safetensors"

func TestArithmetic(t *testing.T) {
	for prefix, f := range map[string]func(x, y Operand) *Tensor{
		"add/":     Add,
		"sub/":     Sub,
		"mul/":     Mul,
		"div/":     Div,
		"maximum/": Maximum,
		"minimum/": Minimum,
	} {
		checkOp(t, arithGoldens, prefix, func(c *opCase) []*Tensor { return []*Tensor{f(c.Var("x"), c.Var("y"))} })
	}
}

// An operand may be a parameter, on either side, or the same Tensor twice.
func TestArithmeticOperands(t *testing.T) {
	for prefix, f := range map[string]func(x, y Operand) *Tensor{"add/": Add, "sub/": Sub, "mul/": Mul, "div/": Div} {
		checkOp(t, arithGoldens, prefix+"b", func(c *opCase) []*Tensor { return []*Tensor{f(c.Var("x"), c.Param("y"))} })
		checkOp(t, arithGoldens, prefix+"s", func(c *opCase) []*Tensor { return []*Tensor{f(c.Param("x"), c.Var("y"))} })
	}
	checkOp(t, arithGoldens, "square/", func(c *opCase) []*Tensor { return []*Tensor{Mul(c.Var("x"), c.Var("x"))} })
	checkOp(t, arithGoldens, "double/", func(c *opCase) []*Tensor { return []*Tensor{Add(c.Var("x"), c.Var("x"))} })
}

// TestAddScaled expects the bits of Add after Mul, of the result and of all gradients. The goldens hold those of the two.
func TestAddScaled(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, shape := range [][]int{{5}, {3, 7}, {2, 3, 40}, {0, 4}, {2, 0}, {300, 129}} {
		n := shape[len(shape)-1]
		x, y, scale := NewParameter(shape...), NewParameter(shape...), NewParameter(n)
		for _, p := range []*Parameter{x, y, scale} {
			p.Update(func(v []float32) {
				for i := range v {
					v[i] = float32(rng.NormFloat64())
				}
			})
		}
		run := func(f func(x, y, scale Operand) *Tensor) (values []float32, g *Gradients) {
			tape, g := NewTape(Options{Gradients: true, Debug: true}), NewGradients()
			z := f(tape.Use(x), tape.Use(y), scale)
			values = z.Floats(nil)
			Sum(Mul(z, z), false).Backward(g)
			return values, g
		}
		want, wantGrads := run(func(x, y, scale Operand) *Tensor { return Add(x, Mul(y, scale)) })
		got, grads := run(AddScaled)
		if !slices.Equal(got, want) {
			t.Errorf("%v: found %v, expected %v", shape, got, want)
		}
		for name, p := range map[string]*Parameter{"x": x, "y": y, "scale": scale} {
			if !slices.Equal(grads.Of(p), wantGrads.Of(p)) {
				t.Errorf("%v: gradient of %s: found %v, expected %v", shape, name, grads.Of(p), wantGrads.Of(p))
			}
		}
	}
	tape := NewTape(Options{})
	x := tape.Full(1, 2, 3)
	expectShapePanic(t, "add scaled", func() { AddScaled(x, tape.Full(1, 3), tape.Full(1, 3)) })
	expectShapePanic(t, "add scaled", func() { AddScaled(x, x, tape.Full(1, 2)) })
}

func TestBroadcastShapes(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Full(1, 2, 3)
	for _, shape := range [][]int{{2}, {2, 1, 3, 2}, {3, 3}, {0, 3}} {
		y := tape.Full(1, shape...)
		expectShapePanic(t, "add", func() { Add(x, y) })
	}
	deep := make([]int, 24) // 2, 1, 2, 1, … against 1, 2, 1, 2, … does not merge
	other := make([]int, 24)
	for i := range deep {
		deep[i], other[i] = 1+i%2, 2-i%2
	}
	expectShapePanic(t, "add", func() { Add(tape.Full(1, deep...), tape.Full(1, other...)) })
}

// expectShapePanic demands a ShapeError of the named operation.
func expectShapePanic(t *testing.T, op string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		e, ok := recover().(*ShapeError)
		if !ok {
			t.Errorf("%s: expected a ShapeError", op)
		} else if e.Op != op || e.Error() == "" {
			t.Errorf("a ShapeError of %q, expected %q: %v", e.Op, op, e)
		}
	}()
	f()
}
