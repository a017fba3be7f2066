package simd

// SumExp returns Σ exp(scale·(x[i] - max)), what ExpSum returns, and stores nothing.
func SumExp(x []float32, scale, max float32) float32 {
	return wholeExpSumOnly(x, scale, max)
}

// SoftmaxGradDot is SoftmaxGrad where Σ y·dy is known: dx = scale·y·(dy - dot). An attention knows it from
// its output, which is shorter than a row of scores. dx may be y or dy.
func SoftmaxGradDot(dx, y, dy []float32, scale, dot float32) {
	atLeast("SoftmaxGradDot", "y", len(y), len(dx))
	atLeast("SoftmaxGradDot", "dy", len(dy), len(dx))
	vecSoftmaxGrad(dx, y, dy, scale, dot)
}
