package simd

import "math"

// LayerNorm normalizes one row of len(dst) elements (Ba, Kiros and Hinton, arXiv 1607.06450). It returns
// mean and rstd, which LayerNormGrad takes:
//
//	m    = Σ x / n
//	d    = Σ (x - m) / n
//	mean = m + d
//	rstd = 1 / √(Σ (x - m)² / n - d² + eps)
//	dst  = (x - mean)·rstd·gamma + beta
//
// d takes back what rounding left in m, so equal elements have exactly their value as mean.
// gamma and beta hold at least len(dst) elements; a nil gamma stands for ones, a nil beta for zeros.
// LayerNorm panics if an operand is shorter than dst. dst may be x.
func LayerNorm(dst, x, gamma, beta []float32, eps float32) (mean, rstd float32) {
	n := len(dst)
	atLeast("LayerNorm", "x", len(x), n)
	checkAffine("LayerNorm", gamma, beta, n)
	return layerNorm(dst, x[:n], gamma, beta, eps)
}

func layerNorm(dst, x, gamma, beta []float32, eps float32) (mean, rstd float32) {
	mean, variance := meanVariance(x)
	rstd = 1 / float32(math.Sqrt(float64(variance+eps)))
	normalize(dst, x, gamma, beta, mean, rstd)
	return mean, rstd
}

func meanVariance(x []float32) (mean, variance float32) {
	n := float32(len(x))
	m := vecSum(x) / n
	sum, squares := vecMoments(x, m)
	rest := sum / n
	variance = squares/n - float32(rest*rest)
	if variance < 0 {
		variance = 0
	}
	return m + rest, variance
}

func normalize(dst, x, gamma, beta []float32, mean, rstd float32) {
	switch {
	case gamma != nil && beta != nil:
		vecNormalizeAffine(dst, x, gamma, beta, mean, rstd)
	case gamma != nil:
		vecNormalizeScale(dst, x, gamma, mean, rstd)
	default:
		vecNormalize(dst, x, mean, rstd)
		if beta != nil {
			vecAdd(dst, dst, beta)
		}
	}
}

func checkAffine(name string, gamma, beta []float32, n int) {
	if gamma != nil {
		atLeast(name, "gamma", len(gamma), n)
	}
	if beta != nil {
		atLeast(name, "beta", len(beta), n)
	}
}

// LayerNormRows applies LayerNorm to each of rows rows of n elements. The rows of dst start dstStride
// elements apart, those of x xStride. mean and rstd receive one number a row, unless they are nil.
func LayerNormRows(dst, x, gamma, beta []float32, eps float32, rows, n, dstStride, xStride int, mean, rstd []float32) {
	checkMatrix("LayerNormRows", "dst", len(dst), rows, n, dstStride)
	checkMatrix("LayerNormRows", "x", len(x), rows, n, xStride)
	checkAffine("LayerNormRows", gamma, beta, n)
	if mean != nil {
		atLeast("LayerNormRows", "mean", len(mean), rows)
	}
	if rstd != nil {
		atLeast("LayerNormRows", "rstd", len(rstd), rows)
	}
	if n == 0 {
		dstStride, xStride = 0, 0 // empty rows may start beyond the end of the slices
	}
	for r := range rows {
		m, s := layerNorm(dst[r*dstStride:][:n], x[r*xStride:][:n], gamma, beta, eps)
		if mean != nil {
			mean[r] = m
		}
		if rstd != nil {
			rstd[r] = s
		}
	}
}

// LayerNormGrad computes the gradient of LayerNorm for one row of len(x) elements. It takes the gradient dy
// of the output, and the mean and rstd that LayerNorm returned. With x̂ = (x - mean)·rstd and g = dy·gamma:
//
//	dx      = rstd·(g - Σ g / n - x̂·Σ g·x̂ / n)
//	dgamma += dy·x̂
//	dbeta  += dy
//
// dx, dgamma and dbeta are skipped where nil; a nil gamma stands for ones. dx may be dy or x.
func LayerNormGrad(dx, dy, x, gamma []float32, mean, rstd float32, dgamma, dbeta []float32) {
	n := len(x)
	atLeast("LayerNormGrad", "dy", len(dy), n)
	checkGradOperands("LayerNormGrad", dx, gamma, dgamma, dbeta, n)
	layerNormGrad(dx, dy[:n], x, gamma, mean, rstd, dgamma, dbeta)
}

func checkGradOperands(name string, dx, gamma, dgamma, dbeta []float32, n int) {
	checkAffine(name, gamma, nil, n)
	if dx != nil {
		atLeast(name, "dx", len(dx), n)
	}
	if dgamma != nil {
		atLeast(name, "dgamma", len(dgamma), n)
	}
	if dbeta != nil {
		atLeast(name, "dbeta", len(dbeta), n)
	}
}

func layerNormGrad(dx, dy, x, gamma []float32, mean, rstd float32, dgamma, dbeta []float32) {
	n := len(x)
	if n == 0 {
		return
	}
	if dgamma != nil {
		vecLayerNormDGamma(dgamma[:n], dy, x, mean, rstd)
	}
	if dbeta != nil {
		vecAdd(dbeta[:n], dbeta, dy)
	}
	if dx == nil {
		return
	}
	width := float32(n)
	if gamma != nil {
		sum, dot := vecLayerNormSumsScale(dy, x, gamma, mean, rstd)
		vecLayerNormDXScale(dx[:n], dy, x, gamma, mean, rstd, sum/width, dot/width)
	} else {
		sum, dot := vecLayerNormSums(dy, x, mean, rstd)
		vecLayerNormDX(dx[:n], dy, x, mean, rstd, sum/width, dot/width)
	}
}

// LayerNormGradRows applies LayerNormGrad to each of rows rows of n elements, in ascending order. dx, dy and
// x share one stride. mean and rstd hold one number a row. dx, dgamma and dbeta are skipped where nil.
func LayerNormGradRows(dx, dy, x, gamma []float32, rows, n, stride int, mean, rstd, dgamma, dbeta []float32) {
	checkMatrix("LayerNormGradRows", "x", len(x), rows, n, stride)
	checkMatrix("LayerNormGradRows", "dy", len(dy), rows, n, stride)
	if dx != nil {
		checkMatrix("LayerNormGradRows", "dx", len(dx), rows, n, stride)
	}
	atLeast("LayerNormGradRows", "mean", len(mean), rows)
	atLeast("LayerNormGradRows", "rstd", len(rstd), rows)
	checkGradOperands("LayerNormGradRows", nil, gamma, dgamma, dbeta, n)
	if n == 0 {
		return
	}
	for r := range rows {
		o := r * stride
		var d []float32
		if dx != nil {
			d = dx[o:][:n]
		}
		layerNormGrad(d, dy[o:][:n], x[o:][:n], gamma, mean[r], rstd[r], dgamma, dbeta)
	}
}
