package simd

import "math"

// lanes is the number of partial results of every reduction, whatever the instruction set.
const lanes = 16

// Sum returns the sum of x over sixteen lanes (see the package comment). An empty x gives 0.
func Sum(x []float32) float32 {
	return wholeSum(x)
}

// SumSquares returns Σ x[i]².
func SumSquares(x []float32) float32 {
	return wholeSumSquares(x)
}

// Dot returns Σ a[i]·b[i] over the length of a. It panics if b is shorter.
func Dot(a, b []float32) float32 {
	atLeast("Dot", "b", len(b), len(a))
	return wholeDot(a, b)
}

// MaxValue returns the largest element: -Inf for an empty x, NaN if any element is NaN.
func MaxValue(x []float32) float32 {
	return wholeMaxValue(x)
}

// MaxNumber is MaxValue but ignores NaN: it returns -Inf when there is no other element. It is faster than
// MaxValue. A softmax needs no more, because its exponentials carry the NaN on.
func MaxNumber(x []float32) float32 {
	return wholeMaxNumber(x)
}

// ColumnSumsAdd adds the rows of a matrix to dst: dst[j] += x[r·stride+j] for j < n and each row r, in
// ascending order, one addition at a time. It computes the gradient of a bias. dst must not overlap x.
// ColumnSumsAdd panics if dst is shorter than n, if x is shorter than (rows-1)·stride+n, or if stride is less
// than n.
func ColumnSumsAdd(dst, x []float32, rows, n, stride int) {
	checkMatrix("ColumnSumsAdd", "x", len(x), rows, n, stride)
	atLeast("ColumnSumsAdd", "dst", len(dst), n)
	if rows == 0 || n == 0 {
		return
	}
	vecColumnSumsAdd(dst[:n], x, rows, stride)
}

// LogSumExp returns log Σ exp(scale·x[i]). It subtracts the largest element first, so nothing overflows. The
// result is -Inf when x is empty or all -Inf, and NaN if any element is NaN. scale must be positive.
func LogSumExp(x []float32, scale float32) float32 {
	max := MaxValue(x)
	if math.IsInf(float64(max), 0) {
		return max
	}
	return float32(scale*max) + log(wholeExpSumOnly(x, scale, max))
}

// log is Log of one number, with the bits of the level in use.
func log(x float32) float32 {
	v := [1]float32{x}
	vecLog(v[:], v[:])
	return v[0]
}
