package simd

import "unsafe"

var gemmKernels = [...]*gemmKernel{Generic: &gemmGeneric, AVX2: &gemmAVX2, AVX512: &gemmAVX512}

// In an AVX2 tile of 6×16, 12 of 16 registers accumulate: a step of k is 12 multiply-adds for 8 loads. In a
// slab 384 deep a panel of B is 24 KB and stays in the first-level cache; a tile of A is 9 KB.
var gemmAVX2 = gemmKernel{
	level: AVX2, mr: rows256, nr: cols256, kc: 384, mc: 252,
	rows:      true,
	multiply:  multiply256,
	slide:     func(t *gemmTile) { tilesByTaps256[t.rows](t) },
	transpose: transpose256,
	end:       end256,
	halves:    true,
	ahead:     ahead256,
	panels:    panels256[:],
	window:    window256,
	lanes:     lanes256,
	packPanel: packPanel256,
	packStrip: packStrip256,
	peak:      peak256,
	peakFlops: peak256Flops,
}

func multiply256(t *gemmTile) {
	switch {
	case t.panels > 1:
		tilesWide256[t.format][t.rows](t)
	case t.acs == 4:
		tilesByRow256[t.format][t.rows](t)
	default:
		tilesByK256[t.rows](t)
	}
}

func window256(t *gemmTile) { tilesWindow256[ceilDiv(t.cols, lanes256)][t.rows](t) }

func packPanel256(dst, src []float32, stride int, trans bool, kc, cols, width int) {
	const block = lanes256
	switch {
	case !trans && cols == cols256 && width == cols256:
		packStrip256(&dst[0], &src[0], 4*stride, kc, 1)
	case !trans && cols == width && width <= block:
		// packNarrow256 writes whole registers: the last rows would end past dst.
		if kc > block {
			packNarrow256(&dst[0], &src[0], 4*stride, kc-block, cols, &narrowMasks[width])
			dst, src, kc = dst[(kc-block)*width:], src[(kc-block)*stride:], block
		}
		packPanelGeneric(dst, src, stride, trans, kc, cols, width)
	case trans && width == cols256 && cols >= block:
		blocks := kc / block
		at := 0
		for ; at+block <= cols && blocks > 0; at += block {
			packTrans256(&dst[at], &src[at*stride], 4*stride, blocks, 4*width)
		}
		if blocks > 0 {
			packColumns(dst, src, stride, 0, blocks*block, at, cols, width)
		}
		packColumns(dst, src, stride, blocks*block, kc, 0, cols, width)
	default:
		packPanelGeneric(dst, src, stride, trans, kc, cols, width)
	}
}

func transpose256(dst []float32, width int, src []float32, stride, rows, cols int) {
	const block = lanes256
	blocks := cols / block
	i := 0
	for ; blocks > 0 && i+block <= rows; i += block {
		packTrans256(&dst[i], &src[i*stride], 4*stride, blocks, 4*width)
	}
	transposeEdges(dst, width, src, stride, rows, cols, i, blocks*block)
}

func end256(dst []float32, width int, src []float32, stride, rows, cols int, bias []float32, floor float32) int {
	const block = lanes256
	if cols%block != 0 {
		return 0
	}
	i := 0
	for ; i+block <= rows; i += block {
		endTrans256(&dst[i], &src[i*stride], 4*stride, cols/block, 4*width, &bias[0], floor)
	}
	return i
}

// narrowMasks[w] selects the first w lanes.
var narrowMasks = func() (m [lanes256 + 1][lanes256]int32) {
	for w := range m {
		for i := range w {
			m[w][i] = -1
		}
	}
	return m
}()

// In an AVX-512 tile of 14×32, 28 of 32 registers accumulate: a step of k is 28 multiply-adds for 16 loads.
// In a slab 384 deep a tile of A is 21 KB and a panel of B 48 KB. Both stream from the second-level cache,
// at 4 and 9 bytes a cycle. 252 rows of A take 387 KB there.
var gemmAVX512 = gemmKernel{
	level: AVX512, mr: rows512, nr: cols512, kc: 384, mc: 252,
	rows:      true,
	multiply:  multiply512,
	slide:     slide512,
	ends:      true,
	deep:      kBlock + 1,
	transpose: transpose512,
	end:       end512,
	halves:    true,
	ahead:     ahead512,
	panels:    panels512[:],
	window:    window512,
	lanes:     lanes512,
	packPanel: packPanel512,
	packStrip: packStrip512,
	peak:      peak512,
	peakFlops: peak512Flops,
}

func multiply512(t *gemmTile) {
	switch {
	case t.panels > 1:
		tilesWide512[t.format][t.rows](t)
	case t.acs == 4 && t.cols <= lanes512 && t.format == FormatF32:
		tilesHalf512[t.rows](t)
	case t.acs == 4:
		tilesByRow512[t.format][t.rows](t)
	default:
		tilesByK512[t.rows](t)
	}
}

func slide512(t *gemmTile) {
	if t.cols <= lanes512 {
		tilesHalfByTaps512[t.rows](t)
	} else {
		tilesByTaps512[t.rows](t)
	}
}

func transpose512(dst []float32, width int, src []float32, stride, rows, cols int) {
	for i := 0; i < rows; i += lanes512 {
		n := min(lanes512, rows-i)
		packTrans512(&dst[i], &src[i*stride], 4*stride, cols, n, 4*width, n)
	}
}

func end512(dst []float32, width int, src []float32, stride, rows, cols int, bias []float32, floor float32) int {
	for i := 0; i < rows; i += lanes512 {
		n := min(lanes512, rows-i)
		endTrans512(&dst[i], &src[i*stride], 4*stride, cols, n, 4*width, n, &bias[0], floor)
	}
	return rows
}

func window512(t *gemmTile) { tilesWindow512[ceilDiv(t.cols, lanes512)][t.rows](t) }

func packPanel512(dst, src []float32, stride int, trans bool, kc, cols, width int) {
	const half = lanes512
	d, s := unsafe.SliceData(dst), unsafe.SliceData(src)
	switch {
	case !trans && width <= cols512:
		packRows512(d, s, 4*stride, kc, cols, width)
	case trans && width == cols512:
		packTrans512(d, s, 4*stride, kc, min(cols, half), 4*width, half)
		if cols > half {
			packTrans512(&dst[half], &src[half*stride], 4*stride, kc, cols-half, 4*width, half)
		} else {
			for i := range kc {
				clear(dst[cols512*i+half : cols512*(i+1)])
			}
		}
	default:
		packPanelGeneric(dst, src, stride, trans, kc, cols, width)
	}
}
