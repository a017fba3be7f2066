package simd

import (
	"fmt"
	"math"
)

// Softmax stores exp(scale·x[i]) / Σ exp(scale·x[j]) for the row x of len(dst) elements, computed about
// the row's largest element: max, exponentials and their sum, multiplication by 1/sum. A row that is
// all -Inf (fully masked) gives zeros; NaN anywhere gives NaN everywhere. scale must be positive. dst
// may be x.
func Softmax(dst, x []float32, scale float32) {
	n := len(dst)
	atLeast("Softmax", "x", len(x), n)
	x = x[:n]
	top := MaxNumber(x)
	if top == float32(math.Inf(-1)) && MaxValue(x) == top {
		vecFill(dst, 0)
		return
	}
	vecScale(dst, dst, 1/wholeExpSum(dst, x, scale, top))
}

// ExpSum stores exp(scale·(x[i] - max)) and returns the sum of what it stored. It is one step of an
// attention's softmax, whose division is folded into the output. dst may be x.
func ExpSum(dst, x []float32, scale, max float32) float32 {
	atLeast("ExpSum", "x", len(x), len(dst))
	return wholeExpSum(dst, x, scale, max)
}

// SoftmaxRows is Softmax of each of rows rows of n elements, dstStride and xStride apart.
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

// SoftmaxGrad stores the gradient of Softmax with respect to its input, from its output y and the
// gradient dy of that output: dx = scale·y·(dy - Σ y·dy). dx may be y or dy.
func SoftmaxGrad(dx, y, dy []float32, scale float32) {
	n := len(dx)
	atLeast("SoftmaxGrad", "y", len(y), n)
	atLeast("SoftmaxGrad", "dy", len(dy), n)
	vecSoftmaxGrad(dx, y, dy, scale, Dot(y[:n], dy))
}

// LogSoftmax stores scale·x[i] - log Σ exp(scale·x[j]) for the row x of len(dst) elements. Elements that
// are -Inf stay -Inf; a row that is all -Inf gives NaN, as its probabilities do not exist. dst may be x.
func LogSoftmax(dst, x []float32, scale float32) {
	n := len(dst)
	atLeast("LogSoftmax", "x", len(x), n)
	x = x[:n]
	top := MaxNumber(x)
	vecLogSoftmax(dst, x, scale, top, log(wholeExpSumOnly(x, scale, top)))
}

// LogSoftmaxGrad stores the gradient of LogSoftmax from its output y and the gradient dy of that output:
// dx = scale·(dy - exp(y)·Σ dy). dx may be y or dy.
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
	// Written so that no product can overflow.
	if got < n || (rows-1) > (got-n)/stride {
		panic(fmt.Sprintf("simd: %s: %s has %d elements, too few for %d rows of %d at stride %d", name, operand, got, rows, n, stride))
	}
}
