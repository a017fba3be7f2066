package simd

import "math"

// lanes is the number of partial results of every reduction, whatever the instruction set.
const lanes = 16

// Sum returns the sum of x over sixteen lanes (see the package comment); 0 for an empty x.
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

// MaxNumber is MaxValue but passes over NaN: -Inf if there is nothing else. It is the faster of the two,
// and all that a softmax needs, whose exponentials find the NaN again.
func MaxNumber(x []float32) float32 {
	return wholeMaxNumber(x)
}

// ColumnSumsAdd adds the rows of a matrix to dst: dst[j] += x[r·stride+j] for j < n and each row r in
// ascending order, one addition after the other. It is the gradient of a bias. dst must not overlap x.
// It panics if dst is shorter than n, x shorter than (rows-1)·stride+n, or stride less than n.
func ColumnSumsAdd(dst, x []float32, rows, n, stride int) {
	checkMatrix("ColumnSumsAdd", "x", len(x), rows, n, stride)
	atLeast("ColumnSumsAdd", "dst", len(dst), n)
	if rows == 0 || n == 0 {
		return
	}
	vecColumnSumsAdd(dst[:n], x, rows, stride)
}

// LogSumExp returns log Σ exp(scale·x[i]), computed about the largest element: -Inf when x is empty or
// all -Inf, NaN if any element is NaN. scale must be positive.
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
