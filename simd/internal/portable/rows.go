package portable

import "math"

func Sum(x []float32) float32 {
	var t total
	for len(x) > 0 {
		var block [16]float32
		k := min(len(x), blockElements)
		for i, v := range x[:k] {
			block[i&15] += v
		}
		t.add(&block)
		x = x[k:]
	}
	return t.sum()
}

func SumSquares(x []float32) float32 { return Dot(x, x) }

// Moments returns Σ (x - center) and Σ (x - center)².
func Moments(x []float32, center float32) (sum, squares float32) {
	var t, u total
	for len(x) > 0 {
		var block, blockSquares [16]float32
		k := min(len(x), blockElements)
		for i, v := range x[:k] {
			d := v - center
			block[i&15] += d
			blockSquares[i&15] = fma(d, d, blockSquares[i&15])
		}
		t.add(&block)
		u.add(&blockSquares)
		x = x[k:]
	}
	return t.sum(), u.sum()
}

func Dot(a, b []float32) float32 {
	var t total
	for len(a) > 0 {
		var block [16]float32
		k := min(len(a), blockElements)
		for i, v := range a[:k] {
			block[i&15] = fma(v, b[i], block[i&15])
		}
		t.add(&block)
		a, b = a[k:], b[k:]
	}
	return t.sum()
}

func MaxValue(x []float32) float32 { return largest(x, maxNaN) }

// MaxNumber is MaxValue, but ignores NaN.
func MaxNumber(x []float32) float32 { return largest(x, maxSel) }

// largest folds the lanes of each chunk with max, and the chunks in order.
func largest(x []float32, max func(a, b float32) float32) float32 {
	inf := float32(math.Inf(-1))
	top := inf
	for len(x) > 0 {
		var acc [16]float32
		for j := range acc {
			acc[j] = inf
		}
		k := min(len(x), Chunk)
		for i, v := range x[:k] {
			acc[i&15] = max(v, acc[i&15])
		}
		for half := 8; half > 0; half /= 2 {
			for j := range half {
				acc[j] = max(acc[j], acc[j+half])
			}
		}
		top = max(acc[0], top)
		x = x[k:]
	}
	return top
}

// ExpSum stores exp(scale·(x - top)) and returns the sum of what it stored.
func ExpSum(dst, x []float32, scale, top float32) float32 {
	for i := range dst {
		dst[i] = exp(mul(scale, x[i]-top))
	}
	return Sum(dst)
}

// ExpSumOnly is ExpSum without the store.
func ExpSumOnly(x []float32, scale, top float32) float32 {
	var t total
	for len(x) > 0 {
		var block [16]float32
		k := min(len(x), blockElements)
		for i, v := range x[:k] {
			block[i&15] += exp(mul(scale, v-top))
		}
		t.add(&block)
		x = x[k:]
	}
	return t.sum()
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

// LayerNormSums returns Σ g and Σ g·x̂ with g = dy and x̂ = (x - mean)·rstd.
func LayerNormSums(dy, x []float32, mean, rstd float32) (sum, dot float32) {
	return layerNormSums(dy, x, nil, mean, rstd)
}

// LayerNormSumsScale is LayerNormSums with g = dy·gamma.
func LayerNormSumsScale(dy, x, gamma []float32, mean, rstd float32) (sum, dot float32) {
	return layerNormSums(dy, x, gamma, mean, rstd)
}

func layerNormSums(dy, x, gamma []float32, mean, rstd float32) (sum, dot float32) {
	var t, u total
	for at := 0; at < len(dy); at += blockElements {
		var block, blockDot [16]float32
		for i := at; i < min(len(dy), at+blockElements); i++ {
			g := dy[i]
			if gamma != nil {
				g = mul(g, gamma[i])
			}
			block[i&15] += g
			blockDot[i&15] = fma(g, mul(x[i]-mean, rstd), blockDot[i&15])
		}
		t.add(&block)
		u.add(&blockDot)
	}
	return t.sum(), u.sum()
}

// BatchNorm is dst = (x - mean)·scale + shift, each step rounded.
func BatchNorm(dst, x []float32, mean, scale, shift float32) {
	for i := range dst {
		dst[i] = mul(x[i]-mean, scale) + shift
	}
}

// BatchNormDX is dx = ((x - mean)·slope + dy + shift)·scale.
func BatchNormDX(dx, dy, x []float32, mean, slope, shift, scale float32) {
	for i := range dx {
		dx[i] = mul(fma(x[i]-mean, slope, dy[i])+shift, scale)
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
