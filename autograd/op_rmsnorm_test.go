package autograd

import (
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

const rmsNormGoldens = "ops_rmsnorm.safetensors"

func TestRMSNorm(t *testing.T) {
	checkOp(t, rmsNormGoldens, "scale/", func(c *opCase) []*Tensor {
		return []*Tensor{RMSNorm(c.Var("x"), c.Param("g"), 1e-5)}
	})
	checkOp(t, rmsNormGoldens, "plain/", func(c *opCase) []*Tensor {
		return []*Tensor{RMSNorm(c.Var("x"), (*Parameter)(nil), 1e-6)}
	})
	checkOp(t, rmsNormGoldens, "llama/", func(c *opCase) []*Tensor {
		return []*Tensor{RMSNorm(c.Var("x"), c.Var("g"), 1e-6)}
	})
	checkOp(t, rmsNormGoldens, "residual/", func(c *opCase) []*Tensor {
		x := c.Var("x")
		return []*Tensor{DropPathAdd(x, RMSNorm(x, c.Param("g"), 1e-5), 0.5)}
	})
}

// A row has the bits it has alone, in a batch that is large enough to be divided.
func TestRMSNormRowsAlone(t *testing.T) {
	const m, n = 300, 200
	x := normal(20, m*n)
	tape := NewTape(Options{Workers: simd.NewWorkers(2)})
	g := ParameterOf(normal(21, n), n)
	all := RMSNorm(tape.Input(x, m, n), g, 1e-6).Floats(nil)
	for _, r := range []int{0, 63, 64, 171, m - 1} {
		one := RMSNorm(tape.Input(x[r*n:(r+1)*n], 1, n), g, 1e-6).Floats(nil)
		sameBits(t, "row", all[r*n:(r+1)*n], one)
	}
}

func TestRMSNormPanics(t *testing.T) {
	tape := NewTape(Options{})
	expectShapeError(t, func() { RMSNorm(tape.Full(1), nil, 1e-5) })
	expectShapeError(t, func() { RMSNorm(tape.Full(1, 2, 3), NewParameter(2), 1e-5) })
}
