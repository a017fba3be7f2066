package simd

func fmaLoop(n int) float64 { return fmaLoopGeneric(n) }
