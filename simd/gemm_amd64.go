package simd

var gemmKernels = [...]*gemmKernel{Generic: &gemmGeneric, AVX2: &gemmGeneric, AVX512: &gemmGeneric}
