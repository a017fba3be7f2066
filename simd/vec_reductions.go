package simd

import "math"

// Sum returns the sum of x, by the cascade in the package comment. An empty x gives 0.
func Sum(x []float32) float32 {
	return vecSum(x)
}

// SumSquares returns Σ x[i]².
func SumSquares(x []float32) float32 {
	return vecSumSquares(x)
}

// Dot returns Σ a[i]·b[i] over the length of a. It panics if b is shorter.
func Dot(a, b []float32) float32 {
	atLeast("Dot", "b", len(b), len(a))
	return vecDot(a, b)
}

// MaxValue returns the largest element: -Inf for an empty x, NaN if any element is NaN.
func MaxValue(x []float32) float32 {
	return vecMaxValue(x)
}

// MaxNumber is MaxValue but ignores NaN: it returns -Inf when there is no other element. It is faster than
// MaxValue. A softmax needs no more, because its exponentials carry the NaN on.
func MaxNumber(x []float32) float32 {
	return vecMaxNumber(x)
}

// LogSumExp returns log Σ exp(scale·x[i]). It subtracts the largest element first, so nothing overflows. The
// result is -Inf when x is empty or all -Inf, and NaN if any element is NaN. scale must be positive.
func LogSumExp(x []float32, scale float32) float32 {
	max := MaxValue(x)
	if math.IsInf(float64(max), 0) {
		return max
	}
	return float32(scale*max) + log(vecExpSumOnly(x, scale, max))
}

// log is Log of one number, with the bits of the level in use.
func log(x float32) float32 {
	v := [1]float32{x}
	vecLog(v[:], v[:])
	return v[0]
}
