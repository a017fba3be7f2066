package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Pearson returns the correlation of two lists, -1 to 1. It is NaN where a list is constant or holds fewer than two values. It
// panics for lists of different lengths.
func Pearson[T ~float32 | ~float64](x, y []T) float64 {
	if len(x) != len(y) {
		panic(fmt.Sprintf("metrics: expected lists of one length, found %d and %d values", len(x), len(y)))
	}
	mean := func(v []T) (sum float64) {
		for _, a := range v {
			sum += float64(a)
		}
		return sum / float64(len(v))
	}
	mx, my := mean(x), mean(y)
	var xx, yy, xy float64
	for i := range x {
		a, b := float64(x[i])-mx, float64(y[i])-my
		xx, yy, xy = xx+a*a, yy+b*b, xy+a*b
	}
	return max(-1, min(1, xy/math.Sqrt(xx*yy)))
}

// Spearman returns the correlation of the ranks of two lists, -1 to 1, as scipy.stats.spearmanr does: equal values share the mean of
// their ranks. It is NaN where [Pearson] is, and where a value is NaN.
func Spearman[T ~float32 | ~float64](x, y []T) float64 {
	nan := func(a T) bool { return a != a }
	if slices.ContainsFunc(x, nan) || slices.ContainsFunc(y, nan) {
		return math.NaN()
	}
	return Pearson(ranks(x), ranks(y))
}

// ranks returns the rank of each value, from 1.
func ranks[T ~float32 | ~float64](values []T) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	out := make([]float64, len(values))
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			out[i] = float64(from+to+1) / 2
		}
		from = to
	}
	return out
}
