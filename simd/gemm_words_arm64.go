package simd

// wordKernelsOf returns the kernels of an arithmetic that this machine runs at a level, the best first.
func wordKernelsOf(l Level, x Math) []*wordKernel {
	switch {
	case l == NEON && x == BF16:
		return []*wordKernel{roundedNEON}
	case l == Generic && x == BF16:
		return []*wordKernel{gemmGeneric.rounded()}
	case x == Int8:
		return []*wordKernel{int8Generic}
	}
	return nil
}

var roundedNEON = gemmNEON.rounded()
