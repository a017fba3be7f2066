package autograd

import (
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// BenchmarkOps runs operations forward and backward on what a ViT-B/16 holds for 16 images.
func BenchmarkOps(b *testing.B) {
	const n, s, d = 16, 197, 768
	bias, table := ParameterOf(ramp(d), d), ParameterOf(ramp(s*d), s, d)
	index := make([]int, n*49)
	for i := range index {
		index[i] = i * 4
	}
	for _, c := range []struct {
		name  string
		shape []int
		f     func(x *Tensor) *Tensor
	}{
		{"Add/bias", []int{n, s, d}, func(x *Tensor) *Tensor { return Add(x, bias) }},
		{"Add/table", []int{n, s, d}, func(x *Tensor) *Tensor { return Add(x, table) }},
		{"Mul/scale", []int{n, s, d}, func(x *Tensor) *Tensor { return Mul(x, bias) }},
		{"Permute/heads", []int{n, s, 12, 64}, func(x *Tensor) *Tensor { return Permute(x, 0, 2, 1, 3) }},
		{"Permute/transpose", []int{n, s, d}, func(x *Tensor) *Tensor { return Permute(x, 0, 2, 1) }},
		{"Permute/patches", []int{n, 3, 14, 16, 14, 16}, func(x *Tensor) *Tensor { return Permute(x, 0, 2, 4, 3, 5, 1) }},
		{"Mean/last", []int{n, s, d}, func(x *Tensor) *Tensor { return Mean(x, false, -1) }},
		{"Mean/tokens", []int{n, s, d}, func(x *Tensor) *Tensor { return Mean(x, false, 1) }},
		{"Var/last", []int{n, s, d}, func(x *Tensor) *Tensor { return Var(x, 0, false, -1) }},
		{"Softmax", []int{n * 12, s, s}, func(x *Tensor) *Tensor { return Softmax(x) }},
		{"L2Normalize", []int{n, s, d}, func(x *Tensor) *Tensor { return L2Normalize(x, 1e-12) }},
		{"GatherRows", []int{n, s, d}, func(x *Tensor) *Tensor { return GatherRows(x, index) }},
		{"Slice", []int{n, s, d}, func(x *Tensor) *Tensor { return Slice(x, -1, 256, 512) }},
		{"MatMul/scores", []int{n * 12, s, 64}, func(x *Tensor) *Tensor { return MatMulT(x, x, false, true) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			tape := NewTape(Options{Gradients: true, Workers: simd.NewWorkers(0)})
			v := ramp(elements("benchmark", c.shape))
			var seed []float32
			g := NewGradients()
			step := func() {
				x := tape.Borrow(v, c.shape...)
				x.needs = true
				y := c.f(x)
				if seed == nil {
					seed = ramp(y.Len())
				}
				g.Zero()
				Backward(g, []*Tensor{y}, [][]float32{seed})
				tape.Reset()
			}
			step() // fills the arena
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
		})
	}
}
