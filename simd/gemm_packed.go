package simd

import "unsafe"

// Packed is a B operand laid out for one instruction set: blocks of up to kc rows, each a sequence of
// panels as wide as a register tile, each panel row after row, its last columns padded with zeros. It is
// immutable and may be shared by goroutines.
type Packed struct {
	k, n int
	kern *gemmKernel
	kc   int // rows of a block; the last may have fewer
	data []float32

	format Format
	half   []uint16 // instead of data, in a format of half precision
}

// Pack lays out the k×n matrix b for GemmPacked at the level in use.
func Pack(w *Workers, k, n int, b Matrix) *Packed {
	checkSizes("Pack", 0, n, k)
	checkView("Pack", "B", b, k, n)
	kern := gemmKernels[level]
	p := &Packed{k: k, n: n, kern: kern, kc: blockDepth(k, kern.kc)}
	if k == 0 || n == 0 {
		return p
	}
	nr := kern.nr
	panels := (n + nr - 1) / nr
	p.data = alignedFloats(k * panels * nr)
	fill := func(pi int) {
		cols := min(nr, n-pi*nr)
		for k0 := 0; k0 < k; k0 += p.kc {
			kc := min(p.kc, k-k0)
			dst := p.data[k0*panels*nr+pi*kc*nr:][:kc*nr]
			kern.packPanel(dst, b.at(k0, pi*nr), b.Stride, b.Trans, kc, cols, nr)
		}
	}
	w.For(panels, fill)
	return p
}

// Dims returns the sizes of the matrix that was packed.
func (p *Packed) Dims() (k, n int) { return p.k, p.n }

// Bytes returns the memory the packed form holds.
func (p *Packed) Bytes() int { return 4*len(p.data) + 2*len(p.half) }

// panelsFrom returns the panels from pi on of the block that starts at row k0 and has kc rows.
func (p *Packed) panelsFrom(k0, kc, pi int) []float32 {
	nr := p.kern.nr
	panels := (p.n + nr - 1) / nr
	return p.data[k0*panels*nr+pi*kc*nr:]
}

// at returns the data from logical element (i, j) on.
func (x Matrix) at(i, j int) []float32 {
	if x.Trans {
		i, j = j, i
	}
	return x.Data[i*x.Stride+j:]
}

// blockDepth divides k into equal blocks of at most most rows.
func blockDepth(k, most int) int {
	blocks := max(1, (k+most-1)/most)
	return max(1, (k+blocks-1)/blocks)
}

// alignedFloats returns n zeros that start at a cache line, so that no panel row straddles two.
func alignedFloats(n int) []float32 {
	const line = 64
	s := make([]float32, n+line/4-1)
	skip := 0
	if r := uintptr(unsafe.Pointer(&s[0])) % line; r != 0 {
		skip = int(line-r) / 4
	}
	return s[skip : skip+n : skip+n]
}

// packPanelGeneric copies a panel of kc rows and cols columns into dst, row after row, width elements a
// row, the rest zero. src begins at the panel's first element; a transposed source has its rows where
// the panel has columns.
func packPanelGeneric(dst, src []float32, stride int, trans bool, kc, cols, width int) {
	if trans {
		for j := range cols {
			col := src[j*stride:][:kc]
			for i, v := range col {
				dst[i*width+j] = v
			}
		}
	} else {
		for i := range kc {
			copy(dst[i*width:][:cols], src[i*stride:][:cols])
		}
	}
	if cols < width {
		for i := range kc {
			clear(dst[i*width+cols : (i+1)*width])
		}
	}
}

// packColumns does what blocks of transposes leave: rows k0 to k1 of the panel, columns from to
// cols, and the zeros after them.
func packColumns(dst, src []float32, stride, k0, k1, from, cols, width int) {
	for i := k0; i < k1; i++ {
		row := dst[i*width : (i+1)*width]
		for j := from; j < cols; j++ {
			row[j] = src[j*stride+i]
		}
		clear(row[cols:])
	}
}
