package simd

func fmaLoop(n int) float64 {
	switch level {
	case AVX512:
		peak512(n)
		return float64(n) * 16 * 16 * 2
	}
	return fmaLoopGeneric(n)
}
