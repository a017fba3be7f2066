package simd

import "fmt"

// atLeast panics if got, the length of an operand of function name, is less than n, the length of its first
// slice.
func atLeast(name, operand string, got, n int) {
	if got < n {
		panicShort(name, operand, got, n)
	}
}

func panicShort(name, operand string, got, n int) {
	panic(fmt.Sprintf("simd: %s: %s has %d elements, need %d", name, operand, got, n))
}

// Add stores a[i] + b[i] for every element of dst. dst may be a or b.
// Add panics if a or b is shorter than dst.
func Add(dst, a, b []float32) {
	atLeast("Add", "a", len(a), len(dst))
	atLeast("Add", "b", len(b), len(dst))
	vecAdd(dst, a, b)
}

// AddRelu stores the ReLU of a[i] + b[i]. dst may be a or b.
func AddRelu(dst, a, b []float32) {
	atLeast("AddRelu", "a", len(a), len(dst))
	atLeast("AddRelu", "b", len(b), len(dst))
	vecAddRelu(dst, a, b)
}

// Sub stores a[i] - b[i]. dst may be a or b.
func Sub(dst, a, b []float32) {
	atLeast("Sub", "a", len(a), len(dst))
	atLeast("Sub", "b", len(b), len(dst))
	vecSub(dst, a, b)
}

// Mul stores a[i]·b[i]. dst may be a or b.
func Mul(dst, a, b []float32) {
	atLeast("Mul", "a", len(a), len(dst))
	atLeast("Mul", "b", len(b), len(dst))
	vecMul(dst, a, b)
}

// Div stores a[i] / b[i], correctly rounded. dst may be a or b.
func Div(dst, a, b []float32) {
	atLeast("Div", "a", len(a), len(dst))
	atLeast("Div", "b", len(b), len(dst))
	vecDiv(dst, a, b)
}

// Max stores the larger of a[i] and b[i]: a[i] if a[i] > b[i], else b[i], and NaN if either is NaN. Of zeros
// with different signs it takes b[i]. dst may be a or b.
func Max(dst, a, b []float32) {
	atLeast("Max", "a", len(a), len(dst))
	atLeast("Max", "b", len(b), len(dst))
	vecMax(dst, a, b)
}

// Min stores the smaller of a[i] and b[i]: a[i] if a[i] < b[i], else b[i], and NaN if either is NaN.
// dst may be a or b.
func Min(dst, a, b []float32) {
	atLeast("Min", "a", len(a), len(dst))
	atLeast("Min", "b", len(b), len(dst))
	vecMin(dst, a, b)
}

// AddScalar stores x[i] + s. dst may be x.
func AddScalar(dst, x []float32, s float32) {
	atLeast("AddScalar", "x", len(x), len(dst))
	vecAddScalar(dst, x, s)
}

// AddScalarRelu stores the ReLU of x[i] + s. dst may be x.
func AddScalarRelu(dst, x []float32, s float32) {
	atLeast("AddScalarRelu", "x", len(x), len(dst))
	vecAddScalarRelu(dst, x, s)
}

// Scale stores x[i]·s. dst may be x.
func Scale(dst, x []float32, s float32) {
	atLeast("Scale", "x", len(x), len(dst))
	vecScale(dst, x, s)
}

// Axpy adds a·x to dst: dst[i] = a·x[i] + dst[i], rounded once. dst may be x.
func Axpy(dst []float32, a float32, x []float32) {
	atLeast("Axpy", "x", len(x), len(dst))
	vecAxpy(dst, x, a)
}

// MulAdd adds a product to dst: dst[i] = a[i]·b[i] + dst[i], rounded once. dst may be a or b.
func MulAdd(dst, a, b []float32) {
	atLeast("MulAdd", "a", len(a), len(dst))
	atLeast("MulAdd", "b", len(b), len(dst))
	vecMulAdd(dst, a, b)
}

// ScaleAdd stores x[i]·s + y[i], rounded once. dst may be x or y.
func ScaleAdd(dst, x []float32, s float32, y []float32) {
	atLeast("ScaleAdd", "x", len(x), len(dst))
	atLeast("ScaleAdd", "y", len(y), len(dst))
	vecScaleAdd(dst, x, y, s)
}

// Sqrt stores the square root of x[i], correctly rounded, and NaN for negative numbers. dst may be x.
func Sqrt(dst, x []float32) {
	atLeast("Sqrt", "x", len(x), len(dst))
	vecSqrt(dst, x)
}

// Abs stores |x[i]|: it clears the sign bit, also of a NaN. dst may be x.
func Abs(dst, x []float32) {
	atLeast("Abs", "x", len(x), len(dst))
	vecAbs(dst, x)
}

// Neg stores -x[i]: it flips the sign bit, also of a NaN. dst may be x.
func Neg(dst, x []float32) {
	atLeast("Neg", "x", len(x), len(dst))
	vecNeg(dst, x)
}

// Reciprocal stores 1 / x[i], correctly rounded. dst may be x.
func Reciprocal(dst, x []float32) {
	atLeast("Reciprocal", "x", len(x), len(dst))
	vecReciprocal(dst, x)
}

// Clamp stores x[i] clamped to lo..hi; NaN stays NaN. dst may be x.
func Clamp(dst, x []float32, lo, hi float32) {
	atLeast("Clamp", "x", len(x), len(dst))
	vecClamp(dst, x, lo, hi)
}

// Fill stores s in every element of dst.
func Fill(dst []float32, s float32) { vecFill(dst, s) }
