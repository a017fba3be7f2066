package autograd

// maxRank bounds the dimensions that are left after neighboring dimensions have been merged.
const maxRank = 8

// A layout describes operands under a common shape. Dimensions of one are dropped, and neighboring dimensions
// are merged where every operand allows it. The stride of an operand is the number of elements from one index to
// the next, 0 where the operand is repeated. An operand that is never repeated so becomes one dimension of
// stride 1.
type layout struct {
	n      int // dimensions
	size   [maxRank]int
	stride [3][maxRank]int // by operand
}

// newLayout lays operands, given by their strides, under a shape.
func newLayout(op string, shape []int, strides ...[]int) *layout {
	l := &layout{}
	// Built from the innermost dimension, so back to front until the end.
	for d := len(shape) - 1; d >= 0; d-- {
		if shape[d] == 1 {
			continue
		}
		if p := l.n - 1; p >= 0 {
			joins := true
			for k, s := range strides {
				joins = joins && s[d] == l.stride[k][p]*l.size[p]
			}
			if joins {
				l.size[p] *= shape[d]
				continue
			}
		}
		if l.n == maxRank {
			shapePanic(op, "too many dimensions that cannot be merged", shape)
		}
		l.size[l.n] = shape[d]
		for k, s := range strides {
			l.stride[k][l.n] = s[d]
		}
		l.n++
	}
	if l.n == 0 { // one element
		l.n, l.size[0] = 1, 1
		for k := range strides {
			l.stride[k][0] = 1
		}
	}
	for i, j := 0, l.n-1; i < j; i, j = i+1, j-1 {
		l.size[i], l.size[j] = l.size[j], l.size[i]
		for k := range l.stride {
			l.stride[k][i], l.stride[k][j] = l.stride[k][j], l.stride[k][i]
		}
	}
	return l
}

// stridesOf returns the strides of a row-major array of the given shape under a shape of rank dimensions. Its
// own dimensions are the last ones; dimensions of one are repeated.
func stridesOf(shape []int, rank int) []int {
	s := make([]int, rank)
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] != 1 {
			s[rank-len(shape)+i] = step
		}
		step *= shape[i]
	}
	return s
}

// count returns the number of positions of the first dims dimensions.
func (l *layout) count(dims int) int {
	n := 1
	for _, s := range l.size[:dims] {
		n *= s
	}
	return n
}

// cursor walks the positions of a layout's first dims dimensions in row-major order and keeps the
// operands' offsets.
type cursor struct {
	l    *layout
	dims int
	at   [maxRank]int
	off  [3]int
}

// cursor returns a cursor at position i.
func (l *layout) cursor(i, dims int) cursor {
	c := cursor{l: l, dims: dims}
	for d := dims - 1; d >= 0 && i > 0; d-- {
		c.at[d] = i % l.size[d]
		i /= l.size[d]
		for k := range c.off {
			c.off[k] += c.at[d] * l.stride[k][d]
		}
	}
	return c
}

func (c *cursor) next() {
	for d := c.dims - 1; d >= 0; d-- {
		c.at[d]++
		for k := range c.off {
			c.off[k] += c.l.stride[k][d]
		}
		if c.at[d] < c.l.size[d] {
			return
		}
		for k := range c.off {
			c.off[k] -= c.at[d] * c.l.stride[k][d]
		}
		c.at[d] = 0
	}
}

// broadcast returns the shape of two operands broadcast together by NumPy's rule: aligned at their last
// dimensions, sizes are equal or one of them is 1.
func broadcast(op string, x, y []int) []int {
	shape := make([]int, max(len(x), len(y)))
	for i := 1; i <= len(shape); i++ {
		a, b := 1, 1
		if i <= len(x) {
			a = x[len(x)-i]
		}
		if i <= len(y) {
			b = y[len(y)-i]
		}
		switch {
		case a == b || b == 1:
			shape[len(shape)-i] = a
		case a == 1:
			shape[len(shape)-i] = b
		default:
			shapePanic(op, "shapes do not broadcast", x, y)
		}
	}
	return shape
}
