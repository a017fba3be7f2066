package simd

import "unsafe"

var gemmKernels = [...]*gemmKernel{Generic: &gemmGeneric, NEON: &gemmNEON}

// The NEON tile is 8×12: 24 of 32 registers accumulate, and the elements of A are lanes of two more, so
// that A is always packed, 8 wide.
const (
	neonRows = 8
	neonCols = 12
)

var gemmNEON = gemmKernel{
	level: NEON, mr: neonRows, nr: neonCols, kc: 256, mc: 256,
	multiply:  multiplyNEON,
	packPanel: packPanelNEON,
}

// multiplyNEON runs the tiles. Those at an edge of C go through a full tile beside it.
func multiplyNEON(t *gemmTile) {
	one := *t
	for i := range t.tiles {
		one.a = unsafe.Add(t.a, i*t.atile)
		one.c = unsafe.Add(t.c, i*t.rows*t.ldc)
		if t.cols == neonCols && t.rows&(t.rows-1) == 0 {
			tileNEON(&one)
		} else {
			edgeNEON(one)
		}
	}
}

// tileNEON runs the lowest tile that has t's rows.
func tileNEON(t *gemmTile) {
	switch {
	case t.rows == 1:
		gemmNEON1(t)
	case t.rows == 2:
		gemmNEON2(t)
	case t.rows <= 4:
		gemmNEON4(t)
	default:
		gemmNEON8(t)
	}
}

func edgeNEON(t gemmTile) {
	var full [neonRows][neonCols]float32
	c := t.c
	row := func(i int) []float32 { return unsafe.Slice((*float32)(unsafe.Add(c, i*t.ldc)), t.cols) }
	if t.accum != 0 {
		for i := range t.rows {
			copy(full[i][:], row(i))
		}
	}
	sub := t
	sub.c, sub.ldc = unsafe.Pointer(&full), 4*neonCols
	tileNEON(&sub)
	for i := range t.rows {
		copy(row(i), full[i][:])
	}
}

func packPanelNEON(dst, src []float32, stride int, trans bool, kc, cols, width int) {
	blocks := kc / 4
	if !trans || blocks == 0 {
		packPanelGeneric(dst, src, stride, trans, kc, cols, width)
		return
	}
	at := 0
	for ; at+4 <= cols; at += 4 {
		packTransNEON(&dst[at], &src[at*stride], 4*stride, blocks, 4*width)
	}
	packColumns(dst, src, stride, 0, 4*blocks, at, cols, width)
	packColumns(dst, src, stride, 4*blocks, kc, 0, cols, width)
}

//go:noescape
func gemmNEON1(t *gemmTile)

//go:noescape
func gemmNEON2(t *gemmTile)

//go:noescape
func gemmNEON4(t *gemmTile)

//go:noescape
func gemmNEON8(t *gemmTile)

//go:noescape
func packTransNEON(dst, src *float32, stride, blocks, width int)

//go:noescape
func peakNEON(n int)
