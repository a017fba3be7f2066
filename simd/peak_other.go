//go:build !amd64 && !arm64

package simd

func fmaLoop(n int) float64 { return fmaLoopGeneric(n) }
