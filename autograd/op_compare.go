package autograd

import "math"

// Equal returns a mask, as all comparisons do: 1 where x = y, and 0 elsewhere, broadcast. NaN equals nothing. To compare
// with a number, make y a tape.Full(number). No gradient flows through a mask; [Where] and [MaskedFill] choose by it.
func Equal(x, y Operand) *Tensor { return compare("equal", equalRow, x, y) }

// NotEqual returns 0 where x = y, and 1 elsewhere, broadcast.
func NotEqual(x, y Operand) *Tensor { return compare("not equal", notEqualRow, x, y) }

// Less returns 1 where x < y, and 0 elsewhere, broadcast. It is 0 where one is NaN.
func Less(x, y Operand) *Tensor { return compare("less", lessRow, x, y) }

// LessEqual returns 1 where x ≤ y, and 0 elsewhere, broadcast. It is 0 where one is NaN.
func LessEqual(x, y Operand) *Tensor { return compare("less equal", lessEqualRow, x, y) }

// Greater returns 1 where x > y, and 0 elsewhere, broadcast. It is 0 where one is NaN.
func Greater(x, y Operand) *Tensor {
	return compare("greater", func(dst, a, b []float32) { lessRow(dst, b, a) }, x, y)
}

// GreaterEqual returns 1 where x ≥ y, and 0 elsewhere, broadcast. It is 0 where one is NaN.
func GreaterEqual(x, y Operand) *Tensor {
	return compare("greater equal", func(dst, a, b []float32) { lessEqualRow(dst, b, a) }, x, y)
}

func compare(name string, op rowFunc, x, y Operand) *Tensor {
	f, z, l := beginBroadcast(name, x, y)
	f.combine(op, z.data, f.values(x), 0, f.values(y), 1, l)
	return f.done(z, nil)
}

func equalRow(dst, a, b []float32) {
	for i, v := range a[:len(dst)] {
		dst[i] = oneIf(v == b[i])
	}
}

func notEqualRow(dst, a, b []float32) {
	for i, v := range a[:len(dst)] {
		dst[i] = oneIf(v != b[i])
	}
}

func lessRow(dst, a, b []float32) {
	for i, v := range a[:len(dst)] {
		dst[i] = oneIf(v < b[i])
	}
}

func lessEqualRow(dst, a, b []float32) {
	for i, v := range a[:len(dst)] {
		dst[i] = oneIf(v <= b[i])
	}
}

// oneIf returns 1 for true and 0 for false, without a branch.
func oneIf(v bool) float32 {
	var u uint32
	if v {
		u = 1
	}
	return math.Float32frombits(-u & 0x3f800000)
}
