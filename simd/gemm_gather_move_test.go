package simd

import (
	"slices"
	"testing"
)

// Every and Spread move the elements they name and no others, at every length, step and level.
func TestEvery(t *testing.T) {
	gemmLevels(t, func(t *testing.T, _ *gemmKernel) {
		for n := range 70 {
			for step := 1; step <= 3; step++ {
				size := max(0, (n-1)*step+1)
				src := randomFloats(size, uint64(n))
				got, want := make([]float32, n), make([]float32, n)
				for i := range want {
					want[i] = src[i*step]
				}
				Every(got, src, step)
				if !slices.Equal(got, want) {
					t.Fatalf("Every: n=%d step=%d: %v, want %v", n, step, got, want)
				}
				for _, add := range []bool{false, true} {
					got, want := slices.Clone(src), slices.Clone(src)
					values := randomFloats(n, 99)
					for i, v := range values {
						if add {
							v += want[i*step]
						}
						want[i*step] = v
					}
					Spread(got, values, step, add)
					if !slices.Equal(got, want) {
						t.Fatalf("Spread: n=%d step=%d add=%t: %v, want %v", n, step, add, got, want)
					}
				}
			}
		}
	})
}
