package simd

//go:generate go run ./internal/asmgen -out .

import "unsafe"

var gemmKernels = [...]*gemmKernel{Generic: &gemmGeneric, AVX2: &gemmGeneric, AVX512: &gemmAVX512}

// The AVX-512 tile is 14×32: 28 of 32 registers accumulate, so that one step of k is 28 multiply-adds for
// 16 loads. A tile of A is 14·384·4 = 21 KB and streams from the second-level cache at 4 bytes a cycle; a
// panel of B is 48 KB.
var gemmAVX512 = gemmKernel{
	level: AVX512, mr: 14, nr: 32, kc: 384, mc: 504,
	rows:      true,
	multiply:  multiply512,
	wide:      wide512,
	packPanel: packPanel512,
	packStrip: packStrip512,
}

var tiles512 = [2][15]func(*gemmTile){
	{nil, gemm512r1, gemm512r2, gemm512r3, gemm512r4, gemm512r5, gemm512r6, gemm512r7,
		gemm512r8, gemm512r9, gemm512r10, gemm512r11, gemm512r12, gemm512r13, gemm512r14},
	{nil, gemm512k1, gemm512k2, gemm512k3, gemm512k4, gemm512k5, gemm512k6, gemm512k7,
		gemm512k8, gemm512k9, gemm512k10, gemm512k11, gemm512k12, gemm512k13, gemm512k14},
}

var wides512 = [...]func(*gemmTile){nil, gemm512w1, gemm512w2, gemm512w3, gemm512w4, gemm512w5, gemm512w6}

func multiply512(t *gemmTile) {
	switch {
	case t.panels > 1:
		wides512[t.rows](t)
	case t.acs == 4:
		tiles512[0][t.rows](t)
	default:
		tiles512[1][t.rows](t)
	}
}

func wide512(rows int) int {
	switch {
	case rows <= 3:
		return 4
	case rows <= 6:
		return 2
	}
	return 1
}

func packPanel512(dst, src []float32, stride int, trans bool, kc, cols, width int) {
	d, s := unsafe.SliceData(dst), unsafe.SliceData(src)
	switch {
	case !trans && width <= 32:
		packRows512(d, s, 4*stride, kc, cols, width)
	case trans && width == 32:
		packTrans512(d, s, 4*stride, kc, min(cols, 16))
		if cols > 16 {
			packTrans512(&dst[16], &src[16*stride], 4*stride, kc, cols-16)
		} else {
			for i := range kc {
				clear(dst[32*i+16 : 32*i+32])
			}
		}
	default:
		packPanelGeneric(dst, src, stride, trans, kc, cols, width)
	}
}

//go:noescape
func packRows512(dst, src *float32, stride, kc, cols, width int)

//go:noescape
func packStrip512(dst, src *float32, stride, kc, panels int)

//go:noescape
func packTrans512(dst, src *float32, stride, kc, rows int)

//go:noescape
func peak512(n int)
