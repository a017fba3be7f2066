//go:build !linux

package simd

func askLargePages([]float32) {}
