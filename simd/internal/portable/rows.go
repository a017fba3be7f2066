package portable

import "math"

// Fold adds sixteen lanes: 16 → 8 → 4 → 2 → 1, lane j with lane j + half.
func Fold(a *[16]float32) float32 {
	c0 := (a[0] + a[8]) + (a[4] + a[12])
	c1 := (a[1] + a[9]) + (a[5] + a[13])
	c2 := (a[2] + a[10]) + (a[6] + a[14])
	c3 := (a[3] + a[11]) + (a[7] + a[15])
	return (c0 + c2) + (c1 + c3)
}

// FoldMax is Fold with the maximum of lanes that are not NaN.
func FoldMax(a *[16]float32) float32 {
	c0 := maxSel(maxSel(a[0], a[8]), maxSel(a[4], a[12]))
	c1 := maxSel(maxSel(a[1], a[9]), maxSel(a[5], a[13]))
	c2 := maxSel(maxSel(a[2], a[10]), maxSel(a[6], a[14]))
	c3 := maxSel(maxSel(a[3], a[11]), maxSel(a[7], a[15]))
	return maxSel(maxSel(c0, c2), maxSel(c1, c3))
}

// FoldMaxNaN is FoldMax, and NaN if any lane is NaN.
func FoldMaxNaN(a *[16]float32) float32 {
	c0 := maxNaN(maxNaN(a[0], a[8]), maxNaN(a[4], a[12]))
	c1 := maxNaN(maxNaN(a[1], a[9]), maxNaN(a[5], a[13]))
	c2 := maxNaN(maxNaN(a[2], a[10]), maxNaN(a[6], a[14]))
	c3 := maxNaN(maxNaN(a[3], a[11]), maxNaN(a[7], a[15]))
	return maxNaN(maxNaN(c0, c2), maxNaN(c1, c3))
}

// NegInf returns the lanes from which a maximum starts.
func NegInf() (acc [16]float32) {
	for j := range acc {
		acc[j] = float32(math.Inf(-1))
	}
	return acc
}

func Sum(acc *[16]float32, x []float32) {
	for i, v := range x {
		acc[i&15] += v
	}
}

func SumSquares(acc *[16]float32, x []float32) {
	for i, v := range x {
		acc[i&15] = fma(v, v, acc[i&15])
	}
}

// SumSquaresAbout adds (x - mean)².
func SumSquaresAbout(acc *[16]float32, x []float32, mean float32) {
	for i, v := range x {
		d := v - mean
		acc[i&15] = fma(d, d, acc[i&15])
	}
}

func Dot(acc *[16]float32, a, b []float32) {
	for i, v := range a {
		acc[i&15] = fma(v, b[i], acc[i&15])
	}
}

func MaxValue(acc *[16]float32, x []float32) {
	for i, v := range x {
		acc[i&15] = maxNaN(v, acc[i&15])
	}
}

// MaxNumber is MaxValue, but ignores NaN.
func MaxNumber(acc *[16]float32, x []float32) {
	for i, v := range x {
		acc[i&15] = maxSel(v, acc[i&15])
	}
}

// ExpSum stores exp(scale·(x - top)) and adds it to the lanes.
func ExpSum(acc *[16]float32, dst, x []float32, scale, top float32) {
	for i := range dst {
		e := exp(mul(scale, x[i]-top))
		dst[i] = e
		acc[i&15] += e
	}
}

// ExpSumOnly is ExpSum without the store.
func ExpSumOnly(acc *[16]float32, x []float32, scale, top float32) {
	for i, v := range x {
		acc[i&15] += exp(mul(scale, v-top))
	}
}

// SoftmaxGrad is dx = scale·(y·(dy - dot)).
func SoftmaxGrad(dx, y, dy []float32, scale, dot float32) {
	for i := range dx {
		dx[i] = mul(scale, mul(y[i], dy[i]-dot))
	}
}

// LogSoftmax is dst = scale·(x - top) - lse.
func LogSoftmax(dst, x []float32, scale, top, lse float32) {
	for i := range dst {
		dst[i] = mul(scale, x[i]-top) - lse
	}
}

// LogSoftmaxGrad is dx = scale·(dy - exp(y)·sum).
func LogSoftmaxGrad(dx, y, dy []float32, scale, sum float32) {
	for i := range dx {
		dx[i] = mul(scale, fma(-exp(y[i]), sum, dy[i]))
	}
}

// Normalize is dst = (x - mean)·rstd.
func Normalize(dst, x []float32, mean, rstd float32) {
	for i := range dst {
		dst[i] = mul(x[i]-mean, rstd)
	}
}

// NormalizeScale is dst = (x - mean)·rstd·gamma.
func NormalizeScale(dst, x, gamma []float32, mean, rstd float32) {
	for i := range dst {
		dst[i] = mul(mul(x[i]-mean, rstd), gamma[i])
	}
}

// NormalizeAffine is dst = (x - mean)·rstd·gamma + beta.
func NormalizeAffine(dst, x, gamma, beta []float32, mean, rstd float32) {
	for i := range dst {
		dst[i] = fma(mul(x[i]-mean, rstd), gamma[i], beta[i])
	}
}

// LayerNormSums adds g = dy and g·x̂ to the two sets of lanes, x̂ = (x - mean)·rstd.
func LayerNormSums(sum, dot *[16]float32, dy, x []float32, mean, rstd float32) {
	for i, g := range dy {
		h := mul(x[i]-mean, rstd)
		sum[i&15] += g
		dot[i&15] = fma(g, h, dot[i&15])
	}
}

// LayerNormSumsScale is LayerNormSums with g = dy·gamma.
func LayerNormSumsScale(sum, dot *[16]float32, dy, x, gamma []float32, mean, rstd float32) {
	for i := range dy {
		g := mul(dy[i], gamma[i])
		h := mul(x[i]-mean, rstd)
		sum[i&15] += g
		dot[i&15] = fma(g, h, dot[i&15])
	}
}

// LayerNormDX is dx = rstd·(g - c1 - x̂·c2), g = dy.
func LayerNormDX(dx, dy, x []float32, mean, rstd, c1, c2 float32) {
	for i := range dx {
		h := mul(x[i]-mean, rstd)
		dx[i] = mul(rstd, fma(-h, c2, dy[i]-c1))
	}
}

// LayerNormDXScale is LayerNormDX with g = dy·gamma.
func LayerNormDXScale(dx, dy, x, gamma []float32, mean, rstd, c1, c2 float32) {
	for i := range dx {
		h := mul(x[i]-mean, rstd)
		dx[i] = mul(rstd, fma(-h, c2, mul(dy[i], gamma[i])-c1))
	}
}

// LayerNormDGamma is dgamma += dy·x̂.
func LayerNormDGamma(dgamma, dy, x []float32, mean, rstd float32) {
	for i := range dgamma {
		dgamma[i] = fma(dy[i], mul(x[i]-mean, rstd), dgamma[i])
	}
}
