//go:build !amd64 && !arm64

package simd

func depthwiseKernelsOf(Level) *depthwiseKernels { return nil }
