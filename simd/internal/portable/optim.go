package portable

// AdamW does one step of simd.AdamW; the scalar arguments are its factors, rounded to float32.
func AdamW(p, m, v, g []float32, gradScale, beta1, oneMinusBeta1, beta2, oneMinusBeta2, decay, scaleV, eps, minusStep float32) {
	for i := range p {
		gi := mul(g[i], gradScale)
		mi := fma(beta1, m[i], mul(oneMinusBeta1, gi))
		vi := fma(beta2, v[i], mul(mul(oneMinusBeta2, gi), gi))
		m[i], v[i] = mi, vi
		d := mul(sqrt(vi), scaleV) + eps
		p[i] = fma(minusStep, mi/d, mul(p[i], decay))
	}
}

// Momentum is m = momentum·m + (g·gradScale + weightDecay·p), p -= lr·m.
func Momentum(p, m, g []float32, gradScale, weightDecay, momentum, minusLR float32) {
	for i := range p {
		gi := fma(weightDecay, p[i], mul(g[i], gradScale))
		mi := fma(momentum, m[i], gi)
		m[i] = mi
		p[i] = fma(minusLR, mi, p[i])
	}
}
