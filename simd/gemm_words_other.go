//go:build !amd64 && !arm64

package simd

// wordKernelsOf returns the kernels of an arithmetic that this machine runs at a level, the best first.
func wordKernelsOf(l Level, x Math) []*wordKernel {
	switch x {
	case BF16:
		return []*wordKernel{gemmGeneric.rounded()}
	case Int8:
		return []*wordKernel{int8Generic}
	}
	return nil
}

// mostRows is LargestRows where there is a kernel of it.
func mostRows(dst, x []float32) bool { return false }
