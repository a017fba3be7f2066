package autograd

import "math"

// maxElements is more than any memory holds, and few enough for make not to panic: an address has 48 bits.
const maxElements = min(math.MaxInt/8, 1<<44)

// elements returns the product of a shape's dimensions. A negative dimension, or a product beyond what
// memory could hold, is a ShapeError.
func elements(op string, shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 {
			shapePanic(op, "negative dimension", shape)
		}
		if d == 0 {
			n = 0
			continue
		}
		if n > maxElements/d {
			shapePanic(op, "too many elements", shape)
		}
		n *= d
	}
	return n
}

func equalShape(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i, d := range a {
		if b[i] != d {
			return false
		}
	}
	return true
}

func cloneShape(s []int) []int { return append(make([]int, 0, len(s)), s...) }

// axis resolves a dimension counted from the end when negative.
func axis(op string, dim int, shape []int) int {
	d := dim
	if d < 0 {
		d += len(shape)
	}
	if d < 0 || d >= len(shape) {
		shapePanic(op, "no such dimension", shape, []int{dim})
	}
	return d
}

// rows splits a shape into the number of rows and the length of its last dimension; a scalar is one
// row of one element.
func rows(shape []int) (n, width int) {
	n, width = 1, 1
	for i, d := range shape {
		if i == len(shape)-1 {
			width = d
		} else {
			n *= d
		}
	}
	return n, width
}
