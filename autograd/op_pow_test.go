package autograd

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

const powGoldens = "ops_pow.safetensors"

func TestPow(t *testing.T) {
	checkOp(t, powGoldens, "pow/", func(c *opCase) []*Tensor {
		return []*Tensor{Pow(c.Var("x"), c.Var("y"))}
	})
	checkOp(t, powGoldens, "powscalar/", func(c *opCase) []*Tensor {
		p, err := strconv.ParseFloat(c.name[strings.LastIndex(c.name, "/")+1:], 32)
		if err != nil {
			t.Fatal(err)
		}
		return []*Tensor{PowScalar(c.Var("x"), float32(p))}
	})
}

// At base 0, and of negative numbers, values and gradients are PyTorch's, infinities and NaN included.
func TestPowEdges(t *testing.T) {
	g := golden.Load(t, "testdata/"+powGoldens)
	c := opCase{t: t, g: g, name: "edgepow"}
	r := c.run(func(c *opCase) []*Tensor { return []*Tensor{Pow(c.Var("x"), c.Var("y"))} }, nil)
	for what, got := range map[string][]float32{"out/0": r.outs[0], "grad/x": r.grads["x"], "grad/y": r.grads["y"]} {
		want, _ := g.Tensor(c.name + "/" + what)
		for i, w := range want {
			if v := got[i]; !(math.Abs(float64(v-w)) < 1e-5 || v == w || v != v && w != w) {
				t.Errorf("%s: value %d is %g, expected %g", what, i, v, w)
			}
		}
	}
}

// At -0, odd powers below 0 are -Inf. Gradients are PyTorch's.
func TestPowNegativeZero(t *testing.T) {
	tape := NewTape(Options{Gradients: true, Debug: true})
	zero, inf := float32(math.Copysign(0, -1)), float32(math.Inf(1))
	x := tape.Input([]float32{zero, zero, 0, zero}, 4).WantGradient()
	y := tape.Input([]float32{-1, -2, -1, 3}, 4).WantGradient()
	g := NewGradients()
	Sum(Pow(x, y), false).Backward(g)
	sameBits(t, "gradient of x", g.OfTensor(x), []float32{-inf, inf, -inf, 0})
	sameBits(t, "gradient of y", g.OfTensor(y), []float32{inf, -inf, -inf, 0})
}

func TestSinCosSign(t *testing.T) {
	for prefix, f := range map[string]func(Operand) *Tensor{"sin/": Sin, "cos/": Cos, "sign/": Sign} {
		checkOp(t, powGoldens, prefix, func(c *opCase) []*Tensor { return []*Tensor{f(c.Var("x"))} })
	}
	g := golden.Load(t, "testdata/"+powGoldens)
	c := opCase{t: t, g: g, name: "large"}
	r := c.run(func(c *opCase) []*Tensor { return []*Tensor{Sin(c.Var("x")), Cos(c.Var("x"))} }, nil)
	for i, y := range r.outs {
		want, _ := g.Tensor("large/out/" + strconv.Itoa(i))
		golden.Within(t, "large arguments", y, want, 1e-6)
	}
	tape := NewTape(Options{})
	nan := float32(math.NaN())
	sameBits(t, "sign", Sign(tape.Input([]float32{nan, 0, 2, -3, float32(math.Copysign(0, -1))}, 5)).Floats(nil), []float32{0, 0, 1, -1, 0})
}

func TestCumsum(t *testing.T) {
	checkOp(t, powGoldens, "cumsum/", func(c *opCase) []*Tensor {
		return []*Tensor{Cumsum(c.Var("x"), c.int("d"))}
	})
	tape := NewTape(Options{})
	expectShapePanic(t, "cumsum", func() { Cumsum(tape.Full(1, 2), 1) })
	// Sums run in float64: in float32, adding ones to 2^24 changes nothing.
	y := Cumsum(tape.Input([]float32{1 << 24, 1, 1, 1, 1}, 5), 0)
	sameBits(t, "cumsum", y.Floats(nil), []float32{1 << 24, 1 << 24, 1<<24 + 2, 1<<24 + 4, 1<<24 + 4})
}
