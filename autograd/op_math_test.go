package autograd

import (
	"maps"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

func TestMath(t *testing.T) {
	for prefix, f := range map[string]func(Operand) *Tensor{
		"addscalar/":   func(x Operand) *Tensor { return AddScalar(x, 1.25) },
		"scale/":       func(x Operand) *Tensor { return Scale(x, -0.7) },
		"exp/":         Exp,
		"log/":         Log,
		"sqrt/":        Sqrt,
		"reciprocal/":  Reciprocal,
		"unarysquare/": Square,
		"neg/":         Neg,
		"abs/":         Abs,
		"clamp/":       func(x Operand) *Tensor { return Clamp(x, -0.5, 0.75) },
	} {
		checkOp(t, arithGoldens, prefix, func(c *opCase) []*Tensor { return []*Tensor{f(c.Var("x"))} })
	}
}

// Where a gradient does not exist, it is PyTorch's.
func TestKinks(t *testing.T) {
	g := golden.Load(t, "testdata/"+arithGoldens)
	for name, f := range map[string]func(c *opCase) *Tensor{
		"kinkabs":     func(c *opCase) *Tensor { return Abs(c.Var("x")) },
		"kinkmaximum": func(c *opCase) *Tensor { return Maximum(c.Var("x"), c.Var("y")) },
	} {
		checkValues(t, g, name, f)
	}
	tape := NewTape(Options{Gradients: true, Debug: true})
	x := tape.Input([]float32{-0.75, -0.5, 0, 0.75, 1}, 5).WantGradient()
	table := NewGradients()
	Sum(Clamp(x, -0.5, 0.75), false).Backward(table)
	sameBits(t, "gradient of clamp", table.OfTensor(x), []float32{0, 0, 1, 0, 0})
}

// checkValues compares result and gradients with a golden where finite differences do not exist.
func checkValues(t *testing.T, g *golden.File, name string, f func(c *opCase) *Tensor) {
	t.Helper()
	c := opCase{t: t, g: g, name: name}
	r := c.run(func(c *opCase) []*Tensor { return []*Tensor{f(c)} }, nil)
	want, _ := g.Tensor(name + "/out/0")
	golden.Output(t, name, r.outs[0], want)
	for _, n := range slices.Sorted(maps.Keys(r.grads)) {
		want, _ := g.Tensor(name + "/grad/" + n)
		golden.Gradient(t, name+": gradient of "+n, r.grads[n], want, 0)
	}
}
