package simd

import "math"

// RMSNormRows divides each of rows rows of n elements by its root mean square (Zhang and Sennrich, arXiv
// 1910.07467):
//
//	rstd = 1 / √(Σ x² / n + eps)
//	dst  = x·rstd·gamma
//
// The rows of dst start dstStride elements apart, those of x xStride. A nil gamma stands for ones. rstd receives one
// number a row, unless it is nil. dst may be x.
func RMSNormRows(dst, x, gamma []float32, eps float32, rows, n, dstStride, xStride int, rstd []float32) {
	checkMatrix("RMSNormRows", "dst", len(dst), rows, n, dstStride)
	checkMatrix("RMSNormRows", "x", len(x), rows, n, xStride)
	checkAffine("RMSNormRows", gamma, nil, n)
	if rstd != nil {
		atLeast("RMSNormRows", "rstd", len(rstd), rows)
	}
	if n == 0 {
		dstStride, xStride = 0, 0 // empty rows may start beyond the end of the slices
	}
	for r := range rows {
		row := x[r*xStride:][:n]
		s := 1 / float32(math.Sqrt(float64(vecSumSquares(row)/float32(n)+eps)))
		normalize(dst[r*dstStride:][:n], row, gamma, nil, 0, s)
		if rstd != nil {
			rstd[r] = s
		}
	}
}

// RMSNormGradRows computes the gradient of RMSNormRows for rows of n elements, in ascending order. It takes the
// gradient dy of the output, and the rstd of each row. dx, dy and x share one stride. With x̂ = x·rstd and
// g = dy·gamma:
//
//	dx      = rstd·(g - x̂·Σ g·x̂ / n)
//	dgamma += dy·x̂
//
// dx and dgamma are skipped where nil; a nil gamma stands for ones. dx may be dy or x.
func RMSNormGradRows(dx, dy, x, gamma []float32, rows, n, stride int, rstd, dgamma []float32) {
	checkMatrix("RMSNormGradRows", "x", len(x), rows, n, stride)
	checkMatrix("RMSNormGradRows", "dy", len(dy), rows, n, stride)
	if dx != nil {
		checkMatrix("RMSNormGradRows", "dx", len(dx), rows, n, stride)
	}
	atLeast("RMSNormGradRows", "rstd", len(rstd), rows)
	checkGradOperands("RMSNormGradRows", nil, gamma, dgamma, nil, n)
	if n == 0 {
		return
	}
	for r := range rows {
		o := r * stride
		row, g, s := x[o:][:n], dy[o:][:n], rstd[r]
		if dgamma != nil {
			vecLayerNormDGamma(dgamma[:n], g, row, 0, s)
		}
		switch {
		case dx == nil:
		case gamma != nil:
			_, dot := vecLayerNormSumsScale(g, row, gamma, 0, s)
			vecLayerNormDXScale(dx[o:][:n], g, row, gamma, 0, s, 0, dot/float32(n))
		default:
			_, dot := vecLayerNormSums(g, row, 0, s)
			vecLayerNormDX(dx[o:][:n], g, row, 0, s, 0, dot/float32(n))
		}
	}
}
