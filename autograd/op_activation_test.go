package autograd

import "testing"

const activationGoldens = "ops_activation.safetensors"

func TestActivations(t *testing.T) {
	for prefix, f := range map[string]func(Operand) *Tensor{
		"relu/":      Relu,
		"gelu/":      Gelu,
		"gelutanh/":  GeluTanh,
		"quickgelu/": QuickGelu,
		"silu/":      Silu,
		"sigmoid/":   Sigmoid,
		"tanh/":      Tanh,
		"leaky/":     func(x Operand) *Tensor { return LeakyRelu(x, 0.1) },
	} {
		checkOp(t, activationGoldens, prefix, func(c *opCase) []*Tensor { return []*Tensor{f(c.Var("x"))} })
	}
}

func TestLinear(t *testing.T) {
	checkOp(t, activationGoldens, "linear/", func(c *opCase) []*Tensor {
		return []*Tensor{Linear(c.Var("x"), c.Param("w"), c.Param("b"))}
	})
	checkOp(t, activationGoldens, "linearnobias/", func(c *opCase) []*Tensor {
		return []*Tensor{Linear(c.Var("x"), c.Var("w"), nil)}
	})
	checkOp(t, activationGoldens, "lineargelu/", func(c *opCase) []*Tensor {
		return []*Tensor{LinearAct(c.Var("x"), c.Param("w"), c.Param("b"), ActGelu)}
	})
	checkOp(t, activationGoldens, "linearadd/", func(c *opCase) []*Tensor {
		return []*Tensor{LinearAdd(c.Var("x"), c.Param("w"), c.Var("b"), c.Var("r"))}
	})
}
