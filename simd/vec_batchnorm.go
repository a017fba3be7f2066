package simd

// The functions here are the parts of batch norm for values of one channel. The caller adds the sums of a channel's
// pieces.

// BatchNormMoments returns Σ (x - center) and Σ (x - center)².
func BatchNormMoments(x []float32, center float32) (sum, squares float32) {
	return vecMoments(x, center)
}

// BatchNorm stores (x[i] - mean)·scale + shift. dst may be x.
func BatchNorm(dst, x []float32, mean, scale, shift float32) {
	atLeast("BatchNorm", "x", len(x), len(dst))
	vecBatchNorm(dst, x, mean, scale, shift)
}

// BatchNormGradSums returns Σ dy and Σ dy·(x - mean) over the length of dy.
func BatchNormGradSums(dy, x []float32, mean float32) (sum, dot float32) {
	atLeast("BatchNormGradSums", "x", len(x), len(dy))
	return vecLayerNormSums(dy, x, mean, 1)
}

// BatchNormGrad stores ((x[i] - mean)·slope + dy[i] + shift)·scale. dx may be dy or x.
func BatchNormGrad(dx, dy, x []float32, mean, slope, shift, scale float32) {
	atLeast("BatchNormGrad", "dy", len(dy), len(dx))
	atLeast("BatchNormGrad", "x", len(x), len(dx))
	vecBatchNormDX(dx, dy, x, mean, slope, shift, scale)
}
