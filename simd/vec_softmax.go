package simd

import (
	"fmt"
	"math"
)

// Softmax stores exp(scale·x[i]) / Σ exp(scale·x[j]) for the row x of len(dst) elements. It finds the largest
// element, subtracts it, computes the exponentials and their sum, and multiplies by 1/sum. A row that is all
// -Inf (fully masked) gives zeros; NaN anywhere gives NaN everywhere. scale must be positive. Softmax panics
// if x is shorter than dst. dst may be x.
func Softmax(dst, x []float32, scale float32) {
	n := len(dst)
	atLeast("Softmax", "x", len(x), n)
	x = x[:n]
	top := MaxNumber(x)
	if top == float32(math.Inf(-1)) && MaxValue(x) == top {
		vecFill(dst, 0)
		return
	}
	vecScale(dst, dst, 1/vecExpSum(dst, x, scale, top))
}

// ExpSum stores exp(scale·(x[i] - max)) and returns the sum of the stored values. It is the step of softmax
// that attention needs, which divides its output by the sum instead. dst may be x.
func ExpSum(dst, x []float32, scale, max float32) float32 {
	atLeast("ExpSum", "x", len(x), len(dst))
	return vecExpSum(dst, x, scale, max)
}

// SoftmaxRows applies Softmax to each of rows rows of n elements. The rows of dst start dstStride elements
// apart, those of x xStride.
func SoftmaxRows(dst, x []float32, rows, n, dstStride, xStride int, scale float32) {
	checkMatrix("SoftmaxRows", "dst", len(dst), rows, n, dstStride)
	checkMatrix("SoftmaxRows", "x", len(x), rows, n, xStride)
	if n == 0 {
		return
	}
	for r := range rows {
		Softmax(dst[r*dstStride:][:n], x[r*xStride:][:n], scale)
	}
}

// SoftmaxGrad stores the gradient of Softmax with respect to its input: dx = scale·y·(dy - Σ y·dy). y is the
// output of Softmax and dy the gradient of that output. dx may be y or dy.
func SoftmaxGrad(dx, y, dy []float32, scale float32) {
	n := len(dx)
	atLeast("SoftmaxGrad", "y", len(y), n)
	atLeast("SoftmaxGrad", "dy", len(dy), n)
	vecSoftmaxGrad(dx, y, dy, scale, Dot(y[:n], dy))
}

// LogSoftmax stores scale·x[i] - log Σ exp(scale·x[j]) for the row x of len(dst) elements. Elements that are
// -Inf stay -Inf. A row that is all -Inf gives NaN, because it has no probabilities. dst may be x.
func LogSoftmax(dst, x []float32, scale float32) {
	n := len(dst)
	atLeast("LogSoftmax", "x", len(x), n)
	x = x[:n]
	top := MaxNumber(x)
	vecLogSoftmax(dst, x, scale, top, log(vecExpSumOnly(x, scale, top)))
}

// LogSoftmaxGrad stores the gradient of LogSoftmax with respect to its input: dx = scale·(dy - exp(y)·Σ dy).
// y is the output of LogSoftmax and dy the gradient of that output. dx may be y or dy.
func LogSoftmaxGrad(dx, y, dy []float32, scale float32) {
	n := len(dx)
	atLeast("LogSoftmaxGrad", "y", len(y), n)
	atLeast("LogSoftmaxGrad", "dy", len(dy), n)
	vecLogSoftmaxGrad(dx, y, dy, scale, Sum(dy[:n]))
}

// checkMatrix panics unless a slice of length got holds rows rows of n elements, stride apart.
func checkMatrix(name, operand string, got, rows, n, stride int) {
	if rows < 0 || n < 0 || stride < n {
		panic(fmt.Sprintf("simd: %s: %s has %d rows of %d elements at stride %d", name, operand, rows, n, stride))
	}
	if rows == 0 || n == 0 {
		return
	}
	// A division, because the product may overflow.
	if got < n || (rows-1) > (got-n)/stride {
		panic(fmt.Sprintf("simd: %s: %s has %d elements, too few for %d rows of %d at stride %d", name, operand, got, rows, n, stride))
	}
}
