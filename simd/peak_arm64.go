package simd

func fmaLoop(n int) float64 {
	if level == NEON {
		peakNEON(n)
		return float64(n) * 24 * 4 * 2
	}
	return fmaLoopGeneric(n)
}
