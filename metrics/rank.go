package metrics

import (
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/simd"
)

// Argmax returns the index of the highest value, the first of equals. NaN is higher than all numbers. It panics when
// values is empty.
func Argmax(values []float32) int {
	if len(values) == 0 {
		panic("metrics: Argmax: expected at least one value, found none")
	}
	best := 0
	for i, v := range values {
		if higher(v, values[best]) {
			best = i
		}
	}
	return best
}

// ArgmaxRows returns the Argmax of each row of values [n, columns], such as the predicted classes of logits. It panics
// when columns is below 1 or does not divide len(values).
func ArgmaxRows(values []float32, columns int) []int {
	if columns < 1 || len(values)%columns != 0 {
		panic(fmt.Sprintf("metrics: ArgmaxRows: expected rows of %d values, found %d values", columns, len(values)))
	}
	indices := make([]int, 0, len(values)/columns)
	for row := range slices.Chunk(values, columns) {
		indices = append(indices, Argmax(row))
	}
	return indices
}

// TopK returns the indices of the k highest values, the highest first and equals in ascending order of index. NaN is
// higher than all numbers. When k exceeds len(values), it returns all indices. It panics when k is negative.
func TopK(values []float32, k int) []int {
	if k < 0 {
		panic(fmt.Sprintf("metrics: TopK: expected k of at least 0, found %d", k))
	}
	first := make([]int32, min(k, len(values)))
	simd.TopK(first, values, simd.Descending, nil)
	indices := make([]int, len(first))
	for i, index := range first {
		indices[i] = int(index)
	}
	return indices
}

// rank returns how many values come before values[index] in the order of TopK.
func rank(values []float32, index int) int {
	n, v := 0, values[index]
	for i, w := range values {
		if higher(w, v) || i < index && !higher(v, w) {
			n++
		}
	}
	return n
}

// higher reports whether a is higher than b, with NaN above all numbers.
func higher(a, b float32) bool { return a > b || a != a && b == b }
