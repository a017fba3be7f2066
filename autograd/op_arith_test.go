package autograd

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/simd"
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

// normalParameter returns a parameter of normal numbers.
func normalParameter(rng *rand.Rand, shape ...int) *Parameter {
	p := NewParameter(shape...)
	p.Update(func(v []float32) {
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
	})
	return p
}

// TestLinearAddScaled expects the bits of AddScaled after Linear, with and without gradients.
func TestLinearAddScaled(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	parameter := func(shape ...int) *Parameter { return normalParameter(rng, shape...) }
	for _, s := range [][3]int{{1, 5, 7}, {0, 3, 4}, {2, 0, 3}, {37, 64, 33}, {64, 400, 130}} {
		x, w, b, residual, scale := parameter(s[0], s[1]), parameter(s[2], s[1]), parameter(s[2]), parameter(s[0], s[2]), parameter(s[2])
		for _, bias := range []Operand{b, nil} {
			var all [2][]float32
			for i, o := range []Options{{Workers: simd.NewWorkers(2)}, {Gradients: true}} {
				tape := NewTape(o)
				got := LinearAddScaled(tape.Use(x), w, bias, tape.Use(residual), scale)
				all[i] = got.Floats(nil)
				if want := AddScaled(tape.Use(residual), Linear(tape.Use(x), w, bias), scale).Floats(nil); !slices.Equal(all[i], want) {
					t.Fatalf("%v, gradients %v: found %v, expected %v", s, o.Gradients, all[i], want)
				}
			}
			if !slices.Equal(all[0], all[1]) {
				t.Fatalf("%v: gradients change the bits", s)
			}
		}
	}
	tape := NewTape(Options{})
	x, w := tape.Full(1, 2, 3), tape.Full(1, 4, 3)
	expectShapePanic(t, "linear+add scaled", func() { LinearAddScaled(x, w, nil, tape.Full(1, 2, 4), tape.Full(1, 3)) })
	expectShapePanic(t, "linear+add scaled", func() { LinearAddScaled(x, w, nil, tape.Full(1, 2, 3), tape.Full(1, 4)) })
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
