package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/simd/internal/exact"
)

// chains computes C = A·B + beta·C as the contract says, one exact fused multiply-add at a time.
func chains(m, n, k int, a, b Matrix, beta float32, c []float32, ldc int) {
	at := func(x Matrix, i, j int) float32 { return x.at(i, j)[0] }
	for i := range m {
		for j := range n {
			var s float32
			if beta != 0 {
				s = beta * c[i*ldc+j]
			}
			for q := range k {
				s = exact.FMA(at(a, i, q), at(b, q, j), s)
			}
			c[i*ldc+j] = s
		}
	}
}

func TestSmoke(t *testing.T) {
	for _, l := range Levels() {
		t.Run(l.String(), func(t *testing.T) {
			defer SetLevel(l)()
			testSmoke(t)
		})
	}
}

func testSmoke(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	fill := func(n int) []float32 {
		s := make([]float32, n)
		for i := range s {
			s[i] = float32(rng.IntN(9) - 4)
		}
		return s
	}
	for range 300 {
		m, n, k := 1+rng.IntN(70), 1+rng.IntN(70), rng.IntN(90)
		mat := func(r, c int) Matrix {
			if rng.IntN(2) == 0 {
				s := c + rng.IntN(3)
				return Matrix{fill(r * s), max(s, 1), false}
			}
			s := r + rng.IntN(3)
			return Matrix{fill(c * s), s, true}
		}
		a, b := mat(m, k), mat(k, n)
		beta := float32(rng.IntN(3))
		ldc := n + rng.IntN(3)
		c := fill(m * ldc)
		want := append([]float32(nil), c...)
		chains(m, n, k, a, b, beta, want, ldc)
		name := fmt.Sprint(m, n, k, a.Trans, b.Trans, beta)
		got := append([]float32(nil), c...)
		Gemm(NewWorkers(2), m, n, k, a, b, beta, got, ldc, nil)
		for i := range got {
			if got[i] != want[i] || math.IsNaN(float64(got[i])) {
				t.Fatal(name, i, got[i], want[i])
			}
		}
		got = append([]float32(nil), c...)
		GemmPacked(NewWorkers(2), m, a, Pack(nil, k, n, b), beta, got, ldc, nil)
		for i := range got {
			if got[i] != want[i] {
				t.Fatal(name, i, got[i], want[i])
			}
		}
	}
}
