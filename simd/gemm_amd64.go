package simd

//go:generate go run ./internal/gemmgen -out .

import "unsafe"

var gemmKernels = [...]*gemmKernel{Generic: &gemmGeneric, AVX2: &gemmAVX2, AVX512: &gemmAVX512}

// The AVX2 tile is 6×16: 12 of 16 registers accumulate, so that one step of k is 12 multiply-adds for 8
// loads. In a block 400 deep a panel of B is 26 KB and stays in the first-level cache; a tile of A is
// 10 KB. Measured like AVX-512 below: 94 to 97 % for ViT-B's layers, 90 % at 1024³; 256 deep loses 2 to 5 points
// on larger products.
var gemmAVX2 = gemmKernel{
	level: AVX2, mr: 6, nr: 16, kc: 400, mc: 252,
	rows:      true,
	multiply:  multiply256,
	ahead:     1,
	wide:      wide256,
	packPanel: packPanel256,
	packStrip: packStrip256,
}

func multiply256(t *gemmTile) {
	switch {
	case t.panels > 1:
		tilesWide256[t.rows](t)
	case t.acs == 4:
		tilesByRow256[t.rows](t)
	default:
		tilesByK256[t.rows](t)
	}
}

func wide256(rows int) int {
	switch {
	case rows == 1:
		return 4
	case rows <= 3:
		return 2
	}
	return 1
}

func packPanel256(dst, src []float32, stride int, trans bool, kc, cols, width int) {
	switch {
	case !trans && cols == 16 && width == 16:
		packStrip256(&dst[0], &src[0], 4*stride, kc, 1)
	case !trans && cols == width && width <= 8:
		// The last row must not write past dst.
		if kc > 8 {
			packNarrow256(&dst[0], &src[0], 4*stride, kc-8, cols, &narrowMasks[width])
			dst, src, kc = dst[(kc-8)*width:], src[(kc-8)*stride:], 8
		}
		packPanelGeneric(dst, src, stride, trans, kc, cols, width)
	case trans && width == 16 && cols >= 8:
		blocks := kc / 8
		at := 0
		for ; at+8 <= cols && blocks > 0; at += 8 {
			packTrans256(&dst[at], &src[at*stride], 4*stride, blocks)
		}
		if blocks > 0 {
			packColumns(dst, src, stride, 0, blocks*8, at, cols, width)
		}
		packColumns(dst, src, stride, blocks*8, kc, 0, cols, width)
	default:
		packPanelGeneric(dst, src, stride, trans, kc, cols, width)
	}
}

// narrowMasks[w] selects the first w lanes.
var narrowMasks = func() (m [9][8]int32) {
	for w := range m {
		for i := range w {
			m[w][i] = -1
		}
	}
	return m
}()

// The AVX-512 tile is 14×32: 28 of 32 registers accumulate, so that one step of k is 28 multiply-adds for
// 16 loads. In a block 512 deep a tile of A is 28 KB and a panel of B 64 KB; both stream from the
// second-level cache, at 4 and 9 bytes a cycle, where 252 rows of A take 516 KB. Measured on a Xeon with
// 2 MiB there, one core, packed weights: 94 to 96 % of the multiply-add loop for ViT-B's layers, 91 % at
// 1024³; blocks 384 and 256 deep lose 1 and 2 points.
var gemmAVX512 = gemmKernel{
	level: AVX512, mr: 14, nr: 32, kc: 512, mc: 252,
	rows:      true,
	multiply:  multiply512,
	ahead:     3,
	wide:      wide512,
	packPanel: packPanel512,
	packStrip: packStrip512,
}

func multiply512(t *gemmTile) {
	switch {
	case t.panels > 1:
		tilesWide512[t.rows](t)
	case t.acs == 4 && t.cols <= 16:
		tilesHalf512[t.rows](t)
	case t.acs == 4:
		tilesByRow512[t.rows](t)
	default:
		tilesByK512[t.rows](t)
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
func packStrip256(dst, src *float32, stride, kc, panels int)

//go:noescape
func packNarrow256(dst, src *float32, stride, kc, cols int, mask *[8]int32)

//go:noescape
func packTrans256(dst, src *float32, stride, blocks int)

//go:noescape
func peak256(n int)

//go:noescape
func packRows512(dst, src *float32, stride, kc, cols, width int)

//go:noescape
func packStrip512(dst, src *float32, stride, kc, panels int)

//go:noescape
func packTrans512(dst, src *float32, stride, kc, rows int)

//go:noescape
func peak512(n int)
