package simd

var winogradKernels = [...]*winogradKernel{
	Generic: &winogradGeneric,
	AVX2:    {8, winogradPixels256, winogradSums256},
	AVX512:  {16, winogradPixels512, winogradSums512},
}

//go:noescape
func winogradPixels256(dst, src *float32, plane, row, n int)

//go:noescape
func winogradSums256(dst, src *float32, row, plane, n int, bias, floor float32)

//go:noescape
func winogradPixels512(dst, src *float32, plane, row, n int)

//go:noescape
func winogradSums512(dst, src *float32, row, plane, n int, bias, floor float32)
