package simd

import (
	"fmt"
	"math"
	"testing"

	"github.com/fovea-ml/fovea/simd/internal/exact"
)

// RMS norm follows its documented steps with exact lanes, at every level.
func TestRMSNormBits(t *testing.T) {
	onLevels(t, fusedLevels(), func(t *testing.T) {
		for _, n := range []int{1, 15, 16, 33, 197, 768, maxCall + 5} {
			x, dy, gamma := make([]float32, n), make([]float32, n), make([]float32, n)
			for i, s := range [][]float32{x, dy, gamma} {
				ordinary(s, uint64(n+i))
			}
			got, want, rstd := make([]float32, n), make([]float32, n), make([]float32, 1)
			RMSNormRows(got, x, gamma, 1e-6, 1, n, n, n, rstd)
			s := 1 / float32(math.Sqrt(float64(float32(exact.SumSquares(x)/float32(n))+1e-6)))
			exact.NormalizeScale(want, x, gamma, 0, s)
			compareBits(t, fmt.Sprintf("RMSNormRows, n = %d", n), append(got, rstd[0]), append(want, s))

			dg, wantDG := append([]float32(nil), x...), append([]float32(nil), x...)
			RMSNormGradRows(got, dy, x, gamma, 1, n, n, rstd, dg)
			exact.LayerNormDGamma(wantDG, dy, x, 0, s)
			_, dot := exact.LayerNormSumsScale(dy, x, gamma, 0, s)
			exact.LayerNormDXScale(want[:n], dy, x, gamma, 0, s, 0, dot/float32(n))
			compareBits(t, fmt.Sprintf("RMSNormGradRows, n = %d: dx", n), got[:n], want[:n])
			compareBits(t, fmt.Sprintf("RMSNormGradRows, n = %d: dgamma", n), dg, wantDG)
		}
	})
}

// RMS norm agrees with float64 at every level, the portable one included. Rows have a stride and may be empty.
func TestRMSNormAgainstFloat64(t *testing.T) {
	onLevels(t, Levels(), func(t *testing.T) {
		const rows, eps = 3, 1e-5
		for _, n := range []int{0, 1, 7, 197, 768} {
			stride := n + 3
			x, gamma := make([]float32, rows*stride), make([]float32, n)
			ordinary(x, uint64(n))
			ordinary(gamma, uint64(n+1))
			dy := make([]float32, rows*stride)
			ordinary(dy, uint64(n+2))
			y, rstd := make([]float32, rows*stride), make([]float32, rows)
			for _, gamma := range [][]float32{gamma, nil} {
				RMSNormRows(y, x, gamma, eps, rows, n, stride, stride, rstd)
				for r := range rows {
					squares, want := 0.0, make([]float64, n)
					for _, v := range x[r*stride:][:n] {
						squares += float64(v) * float64(v)
					}
					for i := range want {
						want[i] = float64(x[r*stride+i]) / math.Sqrt(squares/float64(n)+eps)
						if gamma != nil {
							want[i] *= float64(gamma[i])
						}
					}
					close64(t, fmt.Sprintf("row %d", r), y[r*stride:][:n], want, 1e-6)
				}
				dx := make([]float32, rows*stride)
				RMSNormGradRows(dx, dy, x, gamma, rows, n, stride, rstd, nil)
				if n == 1 {
					continue // the two terms cancel but for eps
				}
				for r := range rows {
					g, want, dot := make([]float64, n), make([]float64, n), 0.0
					s := float64(rstd[r])
					for i, v := range x[r*stride:][:n] {
						g[i] = float64(dy[r*stride+i])
						if gamma != nil {
							g[i] *= float64(gamma[i])
						}
						dot += g[i] * float64(v) * s
					}
					for i, v := range x[r*stride:][:n] {
						want[i] = s * (g[i] - float64(v)*s*dot/float64(n))
					}
					close64(t, fmt.Sprintf("gradient of row %d", r), dx[r*stride:][:n], want, 1e-5)
				}
			}
		}
	})
}
