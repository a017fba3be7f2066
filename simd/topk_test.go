package simd

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TopK agrees with a stable sort, for few and for many elements, with ties, NaN, infinities and zeros of both signs.
func TestTopK(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	rank := func(v float32) float64 {
		if v != v {
			return math.Inf(1)
		}
		return min(float64(v), math.MaxFloat64) // below NaN
	}
	for _, n := range []int{0, 1, 2, 9, 200} {
		x := make([]float32, n)
		for i := range x {
			switch r.IntN(12) {
			case 0:
				x[i] = float32(math.NaN())
			case 1:
				x[i] = float32(math.Inf(r.IntN(2)*2 - 1))
			case 2:
				x[i] = float32(math.Copysign(0, r.Float64()-0.5))
			default:
				x[i] = float32(r.IntN(40) - 20)
			}
		}
		for _, order := range []Order{Ascending, Descending} {
			want := make([]int32, n)
			for i := range want {
				want[i] = int32(i)
			}
			slices.SortStableFunc(want, func(i, j int32) int {
				c := cmp.Compare(rank(x[i]), rank(x[j]))
				if order == Descending {
					return -c
				}
				return c
			})
			for _, k := range []int{0, 1, 2, n / 9, n / 8, n/8 + 1, n - 1, n} {
				if k < 0 || k > n {
					continue
				}
				got := make([]int32, k)
				TopK(got, x, order, nil)
				if !slices.Equal(got, want[:k]) {
					t.Errorf("order %d, the first %d of %d: %v, expected %v", order, k, n, got, want[:k])
				}
			}
		}
	}
}
