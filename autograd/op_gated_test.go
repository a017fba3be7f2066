package autograd

import (
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

func TestGatedProduct(t *testing.T) {
	for name, act := range map[string]Activation{
		"silu": ActSilu, "gelu": ActGelu, "gelutanh": ActGeluTanh, "relu": ActRelu, "sigmoid": ActSigmoid, "none": ActNone,
	} {
		for order, tag := range []string{"first", "last"} {
			checkOp(t, "ops_gated.safetensors", name+"/"+tag, func(c *opCase) []*Tensor {
				return []*Tensor{GatedProduct(c.Var("x"), act, GateOrder(order))}
			})
		}
	}
}

// A row has the bits it has alone, in a batch that is large enough to be divided.
func TestGatedProductRowsAlone(t *testing.T) {
	const m, n = 300, 200
	x := normal(90, m*2*n)
	tape := NewTape(Options{Workers: simd.NewWorkers(2)})
	all := GatedProduct(tape.Input(x, m, 2*n), ActSilu, GateLast).Floats(nil)
	for _, r := range []int{0, 63, 64, m - 1} {
		one := GatedProduct(tape.Input(x[r*2*n:(r+1)*2*n], 2*n), ActSilu, GateLast).Floats(nil)
		sameBits(t, "row", all[r*n:(r+1)*n], one)
	}
}

func TestGatedProductPanics(t *testing.T) {
	tape := NewTape(Options{})
	expectShapeError(t, func() { GatedProduct(tape.Full(1), ActSilu, GateFirst) })
	expectShapeError(t, func() { GatedProduct(tape.Full(1, 2, 3), ActSilu, GateFirst) })
	for _, f := range []func(){
		func() { GatedProduct(tape.Full(1, 2, 4), ActSilu, 2) },
		func() { GatedProduct(tape.Full(1, 2, 4), 255, GateFirst) },
	} {
		func() {
			defer func() {
				if _, ok := recover().(*UseError); !ok {
					t.Error("expected a UseError")
				}
			}()
			f()
		}()
	}
}

// BenchmarkGatedProduct times SwiGLU of 197 tokens and 2,048 channels on two cores, beside the operations it replaces.
func BenchmarkGatedProduct(b *testing.B) {
	const m, n = 197, 2048
	x := normal(91, m*2*n)
	for _, name := range []string{"fused", "apart"} {
		b.Run(name, func(b *testing.B) {
			tape := NewTape(Options{Workers: simd.NewWorkers(2)})
			for b.Loop() {
				in := tape.Borrow(x, m, 2*n)
				if name == "fused" {
					GatedProduct(in, ActSilu, GateFirst)
				} else {
					Mul(Silu(Slice(in, 1, 0, n)), Slice(in, 1, n, 2*n))
				}
				tape.Reset()
			}
		})
	}
}
