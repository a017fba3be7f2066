//go:build !amd64 && !arm64

package simd

func resizeKernelOf(Level) *resizeKernel { return nil }
