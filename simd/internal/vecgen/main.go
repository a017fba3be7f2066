// Command vecgen writes the assembly of the vector kernels, the Go declarations and dispatch around it,
// and the exact reference that tests compare it with.
//
//	go run ./internal/vecgen -out .
//
// A kernel is written once, in kernels.go, as a sequence of operations on vectors of float32 (program.go).
// The generator prints the sequence for AVX-512, AVX2 and NEON, so the three cannot drift apart. They have
// the same operations, in an order that depends only on the data flow, and the same constants.
package main

import "github.com/fovea-ml/fovea/simd/internal/asm"

func main() { asm.Main("vecgen", files) }

// files returns the text of every generated file, by its path from the folder of package simd.
func files(dir string) (map[string][]byte, error) {
	ks := kernels()
	m := map[string][]byte{
		"vec_avx512_amd64.s":    assemble(ks, newX86(16)),
		"vec_avx2_amd64.s":      assemble(ks, newX86(8)),
		"vec_neon_arm64.s":      assemble(ks, newNEON()),
		"vec_stubs_amd64.go":    stubs(ks, "AVX512", "AVX2"),
		"vec_stubs_arm64.go":    stubs(ks, "NEON"),
		"vec_dispatch_amd64.go": dispatch(ks, "", "AVX512", "AVX2"),
		"vec_dispatch_arm64.go": dispatch(ks, "", "NEON"),
		"vec_dispatch_other.go": dispatch(ks, "//go:build !amd64 && !arm64\n\n"),
	}
	return m, exactFiles(dir, m)
}
