package gonum

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/fovea-ml/fovea/simd"
)

func random(n int) []float32 {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// BenchmarkGemm reports the median rate of each side, and the median of the ratios of pairs. Below 1, Fovea is faster.
// Both sides use all cores.
func BenchmarkGemm(b *testing.B) {
	for _, s := range [][3]int{{256, 256, 256}, {1024, 1024, 1024}, {197, 768, 768}, {197, 768, 3072}} {
		m, k, n := s[0], s[1], s[2]
		b.Run(fmt.Sprintf("m=%d/k=%d/n=%d/%v", m, k, n, simd.Current()), func(b *testing.B) {
			x, y, c := random(m*k), random(k*n), make([]float32, m*n)
			w := simd.NewWorkers(0) // gonum uses all cores too
			ours := func() {
				simd.Gemm(w, m, n, k, simd.Matrix{Data: x, Stride: k}, simd.Matrix{Data: y, Stride: n}, 0, c, n, nil)
			}
			A := blas32.General{Rows: m, Cols: k, Stride: k, Data: x}
			B := blas32.General{Rows: k, Cols: n, Stride: n, Data: y}
			C := blas32.General{Rows: m, Cols: n, Stride: n, Data: c}
			theirs := func() { blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, A, B, 0, C) }
			ours()
			theirs()
			var times [2][]float64
			var ratios []float64
			for b.Loop() {
				var pair [2]float64
				for i, f := range []func(){ours, theirs} {
					start := time.Now()
					f()
					pair[i] = time.Since(start).Seconds()
					times[i] = append(times[i], pair[i])
				}
				ratios = append(ratios, pair[0]/pair[1])
			}
			flop := 2 * float64(m) * float64(n) * float64(k) / 1e9
			b.ReportMetric(flop/median(times[0]), "GFLOP/s")
			b.ReportMetric(flop/median(times[1]), "gonum-GFLOP/s")
			b.ReportMetric(median(ratios), "ratio")
		})
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}
