package simd

import (
	"fmt"
	"testing"
)

// An epilogue has the bits of its steps, done one after the other on the whole of C.
func TestEpilogue(t *testing.T) {
	if len(activationKernels) != int(activationCount) {
		t.Fatalf("%d activations, expected a row for each in activationKernels below, found %d", activationCount, len(activationKernels))
	}
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		for _, s := range [][3]int{{1, 5, 7}, {17, 40, 9}, {3, 600, 11}, {30, 2*kern.nr + 1, 0}, {15, 33, kern.kc + 3}, {200, 130, 70}} {
			m, n, k := s[0], s[1], s[2]
			ldc, preStride, resStride := n+1, n+2, n+3
			a, b := Matrix{randomFloats(m*k, 1), max(k, 1), false}, Matrix{randomFloats(k*n, 2), n, false}
			bias, rowBias, residual := randomFloats(n, 3), randomFloats(m, 4), randomFloats(m*resStride, 5)
			scale := randomFloats(n, 7)
			p := Pack(nil, k, n, b, PackOptions{})
			for choice := range 64 * int(activationCount) {
				if testing.Short() && choice%7 != 0 {
					continue
				}
				ep := Epilogue{Act: Activation(choice / 64)}
				if choice&1 != 0 {
					ep.Bias = bias
				}
				if choice&2 != 0 {
					ep.RowBias = rowBias
				}
				if choice&4 != 0 {
					ep.Pre, ep.PreStride = make([]float32, m*preStride), preStride
				}
				if choice&8 != 0 {
					ep.Residual, ep.ResidualStride, ep.ResidualFirst = residual, resStride, choice&16 != 0
				}
				if choice&32 != 0 {
					ep.Scale = scale
				}
				beta := float32(choice % 3)
				start := randomFloats(m*ldc, 6)
				want := append([]float32(nil), start...)
				Gemm(nil, m, n, k, a, b, beta, want, ldc, nil)
				pre := make([]float32, m*preStride)
				for i := range m {
					row := want[i*ldc:][:n]
					if ep.Bias != nil {
						Add(row, row, bias)
					}
					if ep.RowBias != nil {
						AddScalar(row, row, rowBias[i])
					}
					if ep.ResidualFirst {
						Add(row, row, residual[i*resStride:][:n])
					}
					copy(pre[i*preStride:], row)
					activationKernels[ep.Act].forward(row, row)
					if ep.Scale != nil {
						Mul(row, row, scale)
					}
					if ep.Residual != nil && !ep.ResidualFirst {
						Add(row, row, residual[i*resStride:][:n])
					}
				}
				for _, how := range []string{"Gemm", "GemmPacked"} {
					got := append([]float32(nil), start...)
					if how == "Gemm" {
						Gemm(NewWorkers(2), m, n, k, a, b, beta, got, ldc, &ep)
					} else {
						GemmPacked(NewWorkers(2), m, a, p, beta, got, ldc, &ep)
					}
					name := fmt.Sprintf("%s %v choice %d", how, s, choice)
					for i := range got {
						if got[i] != want[i] {
							t.Fatalf("%s: C[%d, %d] = %x, want %x", name, i/ldc, i%ldc, got[i], want[i])
						}
					}
					if ep.Pre != nil {
						for i := range pre {
							if ep.Pre[i] != pre[i] {
								t.Fatalf("%s: Pre[%d] = %x, want %x", name, i, ep.Pre[i], pre[i])
							}
						}
					}
				}
			}
		}
	})
}

// activationKernels pairs each activation with its kernels, without the table of activations.
var activationKernels = [...]struct {
	forward func(dst, x []float32)
	grad    func(dst, x, dy []float32)
}{
	ActNone: {func(dst, x []float32) { copy(dst, x) }, func(dst, _, dy []float32) { copy(dst, dy) }},
	ActRelu: {Relu, ReluGrad}, ActGelu: {Gelu, GeluGrad}, ActGeluTanh: {GeluTanh, GeluTanhGrad},
	ActQuickGelu: {QuickGelu, QuickGeluGrad}, ActSilu: {Silu, SiluGrad}, ActSigmoid: {Sigmoid, SigmoidGrad},
	ActTanh: {Tanh, TanhGrad},
	ActLeakyRelu: {
		func(dst, x []float32) { LeakyRelu(dst, x, 0.01) },
		func(dst, x, dy []float32) { LeakyReluGrad(dst, x, dy, 0.01) },
	},
	ActRelu6: {Relu6, Relu6Grad}, ActSquaredRelu: {SquaredRelu, SquaredReluGrad},
	ActHardSwish: {HardSwish, HardSwishGrad}, ActMish: {Mish, MishGrad},
}
