package autograd

import (
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

const layerNormGoldens = "ops_layernorm.safetensors"

func TestLayerNorm(t *testing.T) {
	checkOp(t, layerNormGoldens, "affine/", func(c *opCase) []*Tensor {
		return []*Tensor{LayerNorm(c.Var("x"), c.Param("g"), c.Param("b"), 1e-5)}
	})
	checkOp(t, layerNormGoldens, "plain/", func(c *opCase) []*Tensor {
		return []*Tensor{LayerNorm(c.Var("x"), nil, (*Parameter)(nil), 1e-6)}
	})
	checkOp(t, layerNormGoldens, "scale/", func(c *opCase) []*Tensor {
		return []*Tensor{LayerNorm(c.Var("x"), c.Var("g"), nil, 1e-12)}
	})
	checkOp(t, layerNormGoldens, "shift/", func(c *opCase) []*Tensor {
		return []*Tensor{LayerNorm(c.Param("x"), nil, c.Var("b"), 1e-5)}
	})
	checkOp(t, layerNormGoldens, "residual/", func(c *opCase) []*Tensor {
		x := c.Var("x")
		return []*Tensor{DropPathAdd(x, LayerNorm(x, c.Param("g"), c.Param("b"), 1e-5), 0.5)}
	})
}

// A row has the bits it has alone, in a batch that is large enough to be divided.
func TestLayerNormRowsAlone(t *testing.T) {
	const m, n = 300, 200
	x := normal(20, m*n)
	tape := NewTape(Options{Workers: simd.NewWorkers(2)})
	g, b := ParameterOf(normal(21, n), n), ParameterOf(normal(22, n), n)
	all := LayerNorm(tape.Input(x, m, n), g, b, 1e-6).Floats(nil)
	for _, r := range []int{0, 63, 64, 171, m - 1} {
		one := LayerNorm(tape.Input(x[r*n:(r+1)*n], 1, n), g, b, 1e-6).Floats(nil)
		sameBits(t, "row", all[r*n:(r+1)*n], one)
	}
}

func TestLayerNormPanics(t *testing.T) {
	tape := NewTape(Options{})
	for name, f := range map[string]func(){
		"scalar": func() { LayerNorm(tape.Full(1), nil, nil, 1e-5) },
		"gamma":  func() { LayerNorm(tape.Full(1, 2, 3), NewParameter(2), nil, 1e-5) },
		"beta":   func() { LayerNorm(tape.Full(1, 2, 3), nil, NewParameter(3, 1), 1e-5) },
	} {
		t.Run(name, func(t *testing.T) { expectShapeError(t, f) })
	}
}

func expectShapeError(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if r := recover(); r == nil {
			t.Error("expected a ShapeError, nothing happened")
		} else if _, ok := r.(*ShapeError); !ok {
			t.Errorf("expected a ShapeError, found %v", r)
		}
	}()
	f()
}
