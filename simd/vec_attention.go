package simd

// SumExp returns Σ exp(scale·(x[i] - max)), the result of ExpSum, and stores nothing.
func SumExp(x []float32, scale, max float32) float32 {
	return vecExpSumOnly(x, scale, max)
}

// SoftmaxGradDot is SoftmaxGrad with dot = Σ y·dy given: dx = scale·y·(dy - dot). Attention computes dot from
// its output, which is shorter than a row of scores. dx may be y or dy.
func SoftmaxGradDot(dx, y, dy []float32, scale, dot float32) {
	atLeast("SoftmaxGradDot", "y", len(y), len(dx))
	atLeast("SoftmaxGradDot", "dy", len(dy), len(dx))
	vecSoftmaxGrad(dx, y, dy, scale, dot)
}
