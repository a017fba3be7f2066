package autograd

import (
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// Queries of one block see different numbers of keys. A product over the block multiplies the keys that a query
// does not see by zero. That adds nothing, unless such a key holds NaN or an infinity: 0·NaN and 0·Inf are NaN. Then
// the product is divided, so that hidden keys and queries take no part. The parts have the bits of the whole. Blocks
// of keys count from the first key in both. A block of queries is shorter than a chain of Gemm, which products that
// are zero do not change.
//
// One row of the result shows whether hidden values were finite: the row from which most are hidden. Where the product
// is added to what is there, its operand is searched beforehand.

// timesKeys computes C = w·x + beta·C for the queries from i0 on. The rows of w have an element for each of n
// keys, which are zero beyond the keys that the query sees. x is [n, d]: keys or values.
func (a *attention) timesKeys(w []float32, x simd.Matrix, span keySpan, i0, rows, n int, beta float32, c []float32, ldc int) {
	all := a.limit(span, i0) // the first query sees the fewest keys
	if all == n || beta == 0 || finiteRows(x, all, n, a.d) {
		a.math.Gemm(nil, rows, a.d, n, simd.Matrix{Data: w, Stride: a.lds}, x, beta, c, ldc, nil)
		if all == n || beta != 0 || finite(c[:a.d]) {
			return
		}
	}
	for r := range rows {
		one := simd.Matrix{Data: w[r*a.lds:], Stride: a.lds}
		a.math.Gemm(nil, 1, a.d, a.limit(span, i0+r), one, x, beta, c[r*ldc:], ldc, nil)
	}
}

// timesQueries computes C = wᵀ·x + beta·C, [n, d], for n keys. w is that of timesKeys. x is [rows, d]: the queries
// from i0 on, or gradients of their results.
func (a *attention) timesQueries(w []float32, x simd.Matrix, span keySpan, i0, rows, n int, beta float32, c []float32, ldc int) {
	some := rows // the queries that do not see all keys; none of them sees the last key
	for some > 0 && a.limit(span, i0+some-1) == n {
		some--
	}
	if some == 0 || beta == 0 || finiteRows(x, 0, some, a.d) {
		a.math.Gemm(nil, n, a.d, rows, simd.Matrix{Data: w, Stride: a.lds, Trans: true}, x, beta, c, ldc, nil)
		if some == 0 || beta != 0 || finite(c[(n-1)*ldc:][:a.d]) {
			return
		}
	}
	lo := 0
	for r := range rows { // keys lo to hi are those that query r is the first to see
		hi := a.limit(span, i0+r)
		if hi > lo {
			part := simd.Matrix{Data: w[r*a.lds+lo:], Stride: a.lds, Trans: true}
			later := simd.Matrix{Data: x.Data[r*x.Stride:], Stride: x.Stride}
			a.math.Gemm(nil, hi-lo, a.d, rows-r, part, later, beta, c[lo*ldc:], ldc, nil)
		}
		lo = max(lo, hi)
	}
}

// finiteRows reports whether the rows lo to hi of x, of d elements, hold neither NaN nor infinities.
func finiteRows(x simd.Matrix, lo, hi, d int) bool {
	for r := lo; r < hi; r++ {
		if !finite(x.Data[r*x.Stride:][:d]) {
			return false
		}
	}
	return true
}

// finite reports whether x holds neither NaN nor infinities.
func finite(x []float32) bool {
	// A sum of finite numbers may overflow, but a sum with NaN or an infinity is never finite.
	if s := simd.Sum(x); s-s == 0 {
		return true
	}
	for _, v := range x {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
			return false
		}
	}
	return true
}
