package autograd

import (
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// BenchmarkLayerNorm times the layer norm of a ViT-B block at batch 8 on two cores; in backward the
// gradient adds to one that a residual branch left.
func BenchmarkLayerNorm(b *testing.B) {
	const m, n = 8 * 197, 768
	x, seed := normal(70, m*n), normal(71, m*n)
	gamma, beta := ParameterOf(normal(72, n), n), ParameterOf(normal(73, n), n)
	for _, pass := range []string{"forward", "both", "residual"} {
		b.Run(pass, func(b *testing.B) {
			tape := NewTape(Options{Gradients: pass != "forward", Workers: simd.NewWorkers(2)})
			g := NewGradients()
			run := func() {
				in := tape.Borrow(x, m, n)
				in.needs = pass != "forward"
				y := LayerNorm(in, gamma, beta, 1e-6)
				switch pass {
				case "both":
					Backward(g, []*Tensor{y}, [][]float32{seed})
				case "residual":
					Backward(g, []*Tensor{DropPathAdd(in, y, 0)}, [][]float32{seed})
				}
				tape.Reset()
			}
			run()
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}
