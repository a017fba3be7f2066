package simd

func fmaLoop(n int) float64 {
	switch level {
	case AVX512:
		peak512(n)
		return float64(n) * 16 * 16 * 2
	case AVX2:
		peak256(n)
		return float64(n) * 12 * 8 * 2
	}
	return fmaLoopGeneric(n)
}
