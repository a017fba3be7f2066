package simd

import "unsafe"

var gemmKernels = [...]*gemmKernel{Generic: &gemmGeneric, NEON: &gemmNEON}

// In a NEON tile of 8×12, 24 of 32 registers accumulate. The elements of A are lanes of two more registers,
// so that A is always packed, 8 wide.
var gemmNEON = gemmKernel{
	level: NEON, mr: rowsNEON, nr: colsNEON, kc: 384, mc: 256,
	multiply:   multiplyNEON,
	slide:      slidesNEON,
	deep:       256,
	slidesPast: true,
	transpose:  transposeNEON,
	halves:     true,
	panels:     panelsNEON[:],
	packPanel:  packPanelNEON,
	peak:       peakNEON,
	peakFlops:  peakNEONFlops,
}

// multiplyNEON runs the tiles. A tile at an edge of C goes through a full tile beside it.
func multiplyNEON(t *gemmTile) {
	if t.panels > 1 {
		wideNEON(t)
	} else {
		productStrict.multiply(t)
	}
}

// slidesNEON is multiplyNEON with an A that is gathered.
func slidesNEON(t *gemmTile) {
	one := *t
	for _, spot := range unsafe.Slice(t.spots, t.tiles) {
		one.a, one.c = unsafe.Add(t.a, spot.a), unsafe.Add(t.c, spot.c)
		productGathered.one(&one)
	}
}

// A productNEON names a group of tile functions, one for each kind of product. A switch calls them, not a table of
// functions: through a table, the compiler would move the gemmTile of a caller from its stack to the heap.
type productNEON uint8

const (
	productStrict   productNEON = iota
	productGathered             // productStrict with an A that is gathered
	productBfmmla
	productSmmla
	productSdot
	productSmlal
)

// multiply runs the tiles, one above the other.
func (p productNEON) multiply(t *gemmTile) {
	one := *t
	for i := range t.tiles {
		one.a = unsafe.Add(t.a, i*t.atile)
		one.c = unsafe.Add(t.c, i*t.rows*t.ldc)
		p.one(&one)
	}
}

func (p productNEON) one(t *gemmTile) {
	if t.cols < colsNEON || t.rows < heightNEON[t.rows] {
		p.edge(*t)
	} else {
		p.whole(t)
	}
}

// whole runs one tile that has the height of a kernel and all columns.
func (p productNEON) whole(t *gemmTile) {
	switch p {
	case productStrict:
		tileNEON(t)
	case productGathered:
		slideNEON(t)
	case productBfmmla:
		tileBfmmla(t)
	case productSmmla:
		tileSmmla(t)
	case productSdot:
		tileSdot(t)
	case productSmlal:
		tileSmlal(t)
	}
}

func (p productNEON) edge(t gemmTile) {
	var full [rowsNEON][colsNEON]float32
	c := t.c
	row := func(i int) []float32 { return unsafe.Slice((*float32)(unsafe.Add(c, i*t.ldc)), t.cols) }
	if t.accum != 0 {
		for i := range t.rows {
			copy(full[i][:], row(i))
		}
	}
	sub := t
	sub.c, sub.ldc = unsafe.Pointer(&full), 4*colsNEON
	p.whole(&sub)
	for i := range t.rows {
		copy(row(i), full[i][:])
	}
}

func transposeNEON(dst []float32, width int, src []float32, stride, rows, cols int) {
	const block = lanesNEON
	blocks := cols / block
	i := 0
	for ; blocks > 0 && i+block <= rows; i += block {
		packTransNEON(&dst[i], &src[i*stride], 4*stride, blocks, 4*width)
	}
	transposeEdges(dst, width, src, stride, rows, cols, i, blocks*block)
}

func packPanelNEON(dst, src []float32, stride int, trans bool, kc, cols, width int) {
	const block = lanesNEON
	if !trans && cols >= block {
		copyRowsNEON(&dst[0], &src[0], 4*width, 4*stride, kc, cols)
		for i := 0; i < kc && cols < width; i++ {
			clear(dst[i*width+cols : (i+1)*width])
		}
		return
	}
	blocks := kc / block
	if !trans || blocks == 0 {
		packPanelGeneric(dst, src, stride, trans, kc, cols, width)
		return
	}
	at := 0
	for ; at+block <= cols; at += block {
		packTransNEON(&dst[at], &src[at*stride], 4*stride, blocks, 4*width)
	}
	if width == rowsNEON && at == 0 {
		packRowsNEON(dst, src, stride, block*blocks, cols)
	} else {
		packColumns(dst, src, stride, 0, block*blocks, at, cols, width)
	}
	packColumns(dst, src, stride, block*blocks, kc, 0, cols, width)
}

// packRowsNEON is packColumns for the one to three rows of A that a product of few rows has.
func packRowsNEON(dst, src []float32, stride, kc, rows int) {
	a := [3][]float32{src[:kc], src[:kc], src[:kc]}
	for j := 1; j < rows; j++ {
		a[j] = src[j*stride:][:kc]
	}
	a0, a1, a2 := a[0], a[1][:len(a[0])], a[2][:len(a[0])]
	for i, v := range a0 {
		row := (*[rowsNEON]float32)(dst[i*rowsNEON:])
		*row = [rowsNEON]float32{v}
		if rows > 1 {
			row[1] = a1[i]
		}
		if rows > 2 {
			row[2] = a2[i]
		}
	}
}
