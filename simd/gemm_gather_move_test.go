package simd

import (
	"slices"
	"testing"
)

// CopyRows and Spread move the elements they name and no others, at every length, step and level.
func TestCopyRows(t *testing.T) {
	gemmLevels(t, func(t *testing.T, _ *gemmKernel) {
		for n := range 40 {
			for step := 1; step <= 3; step++ {
				size := max(0, (n-1)*step+1)
				for rows := range 4 {
					stride, from := n+rows, size+3
					src := randomFloats(max(0, (rows-1)*from+size), uint64(n))
					got := randomFloats(rows*stride, 77)
					want := slices.Clone(got)
					for r := range rows {
						for c := range n {
							want[r*stride+c] = src[r*from+c*step]
						}
					}
					CopyRows(got, stride, src, from, rows, n, step)
					if !slices.Equal(got, want) {
						t.Fatalf("CopyRows: rows=%d n=%d step=%d: %v, want %v", rows, n, step, got, want)
					}
				}
				for _, add := range []bool{false, true} {
					got := randomFloats(size, uint64(n))
					want := slices.Clone(got)
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
