package autograd

import "testing"

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
