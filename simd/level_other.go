//go:build !amd64 && !arm64

package simd

func supportedLevels() []Level { return []Level{Generic} }
