package simd

// The generated kernels, by height: r reads A row-major, k k-major, w several panels of B.

//go:noescape
func gemm512r1(t *gemmTile)

//go:noescape
func gemm512r2(t *gemmTile)

//go:noescape
func gemm512r3(t *gemmTile)

//go:noescape
func gemm512r4(t *gemmTile)

//go:noescape
func gemm512r5(t *gemmTile)

//go:noescape
func gemm512r6(t *gemmTile)

//go:noescape
func gemm512r7(t *gemmTile)

//go:noescape
func gemm512r8(t *gemmTile)

//go:noescape
func gemm512r9(t *gemmTile)

//go:noescape
func gemm512r10(t *gemmTile)

//go:noescape
func gemm512r11(t *gemmTile)

//go:noescape
func gemm512r12(t *gemmTile)

//go:noescape
func gemm512r13(t *gemmTile)

//go:noescape
func gemm512r14(t *gemmTile)

//go:noescape
func gemm512k1(t *gemmTile)

//go:noescape
func gemm512k2(t *gemmTile)

//go:noescape
func gemm512k3(t *gemmTile)

//go:noescape
func gemm512k4(t *gemmTile)

//go:noescape
func gemm512k5(t *gemmTile)

//go:noescape
func gemm512k6(t *gemmTile)

//go:noescape
func gemm512k7(t *gemmTile)

//go:noescape
func gemm512k8(t *gemmTile)

//go:noescape
func gemm512k9(t *gemmTile)

//go:noescape
func gemm512k10(t *gemmTile)

//go:noescape
func gemm512k11(t *gemmTile)

//go:noescape
func gemm512k12(t *gemmTile)

//go:noescape
func gemm512k13(t *gemmTile)

//go:noescape
func gemm512k14(t *gemmTile)

//go:noescape
func gemm512w1(t *gemmTile)

//go:noescape
func gemm512w2(t *gemmTile)

//go:noescape
func gemm512w3(t *gemmTile)

//go:noescape
func gemm512w4(t *gemmTile)

//go:noescape
func gemm512w5(t *gemmTile)

//go:noescape
func gemm512w6(t *gemmTile)
