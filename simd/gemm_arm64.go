package simd

var gemmKernels = [...]*gemmKernel{Generic: &gemmGeneric, NEON: &gemmGeneric}
