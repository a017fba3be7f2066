package autograd

import (
	"math/rand/v2"
	"testing"
)

const matmulGoldens = "ops_matmul.safetensors"

func TestMatMul(t *testing.T) {
	for _, prefix := range []string{"nn/", "nt/", "tn/", "tt/"} {
		checkOp(t, matmulGoldens, prefix, func(c *opCase) []*Tensor {
			return []*Tensor{MatMulT(c.Var("a"), c.Var("b"), prefix[0] == 't', prefix[1] == 't')}
		})
	}
	checkOp(t, matmulGoldens, "nn/fold", func(c *opCase) []*Tensor { return []*Tensor{MatMul(c.Var("a"), c.Param("b"))} })
	checkOp(t, matmulGoldens, "nt/fold", func(c *opCase) []*Tensor { return []*Tensor{MatMulT(c.Var("a"), c.Param("b"), false, true)} })
	checkOp(t, matmulGoldens, "square", func(c *opCase) []*Tensor { return []*Tensor{MatMulT(c.Var("a"), c.Var("a"), false, true)} })
}

// A matrix's product has the same bits alone, in a batch, folded, and with packed panels.
func TestMatMulBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	const count, m, k, n = 5, 13, 29, 23
	av, bv := draw(count*m*k), draw(k*n)
	tape := NewTape(Options{})
	a, b := tape.Input(av, count, m, k), tape.Input(bv, k, n)
	fold := MatMul(a, b).Floats(nil)
	packed := MatMul(a, ParameterOf(bv, k, n)).Floats(nil)
	batch := MatMul(a, BroadcastTo(b, count, k, n)).Floats(nil)
	sameBits(t, "packed", packed, fold)
	sameBits(t, "batch", batch, fold)
	for i := range count {
		one := MatMul(tape.Input(av[i*m*k:(i+1)*m*k], m, k), b).Floats(nil)
		sameBits(t, "alone", one, fold[i*m*n:(i+1)*m*n])
	}
}

func TestMatMulMistakes(t *testing.T) {
	tape := NewTape(Options{})
	x := func(shape ...int) *Tensor { return tape.Full(1, shape...) }
	expectShapePanic(t, "matmul", func() { MatMul(x(3), x(3, 2)) })
	expectShapePanic(t, "matmul", func() { MatMul(x(2, 3), x(2, 3)) })
	expectShapePanic(t, "matmul", func() { MatMul(x(4, 2, 3), x(5, 3, 2)) })
	expectShapePanic(t, "matmul", func() { MatMulT(x(2, 3), x(3, 2), true, false) })
}
