//go:build !amd64 && !arm64

package simd

var movers = [...]mover{Generic: {gather: gatherGeneric, lanes: 1}}
