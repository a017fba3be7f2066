package simd

var winogradKernels = [...]*winogradKernel{
	Generic: &winogradGeneric,
	NEON:    {4, winogradPixelsNEON, winogradSumsNEON},
}

//go:noescape
func winogradPixelsNEON(dst, src *float32, plane, row, n int)

//go:noescape
func winogradSumsNEON(dst, src *float32, row, plane, n int, bias, floor float32)
