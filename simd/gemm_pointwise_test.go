package simd

import (
	"math/rand/v2"
	"testing"
)

// Products with the planes as they lie have the bits of products with planes of words. Planes may lie apart; threads change
// no bit, and nothing outside of C is written.
func TestGemmPixelRows(t *testing.T) {
	count := 150
	if testing.Short() {
		count = 25
	}
	eachPixels(t, func(t *testing.T, x Math, k *wordKernel) {
		rng := rand.New(rand.NewPCG(5, 6))
		memory := newGuarded(t, 4096)
		for range count {
			m, n, _ := sizes(rng, k.kern)
			m, n = max(1, m), max(1, n)
			if rng.IntN(4) == 0 {
				n += 300
			}
			if rng.IntN(8) == 0 {
				m += 400 // threads divide filters
			}
			channels := 1 + rng.IntN(90)
			f := x.PackFilters(nil, m, channels, 1, randomFloats(m*channels, rng.Uint64()), nil)
			planes := make([][]float32, channels)
			most := make([]float32, n)
			for c := range planes {
				planes[c] = memory.floats(n, true)
				if c > 0 {
					planes[c] = make([]float32, n)
				}
				copy(planes[c], randomFloats(n, rng.Uint64()))
				MaxAbsRows(most, planes[c])
			}
			scale, inverses := make([]float32, n), make([]float32, n)
			PixelScales(scale, inverses, most)
			words := ceilDiv(channels, k.numbers)
			b := &Gather{Data: make([]float32, words*n+GatherSlack), Window: oneTap, Plane: n, Width: n, Pitch: n}
			for p := range words {
				x.PackPixels(b.Data[p*n:], n, planes[p*k.numbers:min(channels, (p+1)*k.numbers)], n, 1, n, 1, inverses, 0)
			}
			block := 1 + rng.IntN(words)
			ep := &Epilogue{RowBias: randomFloats(m, 9), Act: ActRelu}
			want := make([]float32, m*n)
			GemmPixels(nil, n, f, 0, words, b, scale, block, 0, want, n, ep)
			ldc := n + rng.IntN(3)
			for threads := 1; threads < 4; threads++ {
				c := make([]float32, m*ldc)
				Fill(c, 7)
				GemmPixelRows(NewWorkers(threads), n, f, func(i int) []float32 { return planes[i] }, block, c, ldc, ep)
				for i, v := range c {
					expected := float32(7)
					if i%ldc < n {
						expected = want[i/ldc*n+i%ldc]
					}
					if v != expected {
						t.Fatalf("m=%d n=%d, %d channels, block %d, %d threads: C[%d, %d] = %g, want %g", m, n, channels, block, threads, i/ldc, i%ldc, v, expected)
					}
				}
			}
		}
	})
}
