package simd

import "fmt"

// Packed is a B operand laid out for one instruction set. It is immutable and may be shared by goroutines.
//
// The rows of B come in slabs of kc. A slab is a sequence of panels as wide as a register tile. A panel
// is stored row after row, its last columns padded with zeros.
type Packed struct {
	k, n int
	rows int // of panels: k, or as many words as that makes
	kern *gemmKernel
	kc   int // rows of a slab, a whole number of K blocks; the last may have fewer
	data []float32

	format Format
	half   []uint16 // instead of data, in a format of half precision

	word   *wordKernel // for another arithmetic than Strict
	scales []float32   // of the columns, for integers
}

// Format is the type in which a [Packed] keeps its numbers.
type Format uint8

// The formats. Half precision takes half the memory. Products widen it, exactly: those of few rows as they load it,
// others a group of panels at a time.
const (
	FormatF32  Format = iota
	FormatF16         // IEEE 754 binary16
	FormatBF16        // bfloat16, the upper half of a float32
	FormatInt8        // integers of 8 bits with scales: see PackInt8
)

// String returns the name of the type: "float32", "float16", "bfloat16" or "int8".
func (f Format) String() string {
	switch f {
	case FormatF32:
		return "float32"
	case FormatF16:
		return "float16"
	case FormatBF16:
		return "bfloat16"
	case FormatInt8:
		return "int8"
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// PackOptions configure [Pack] and [PackRows]. The zero value keeps float32, for [GemmPacked], in memory of its own.
type PackOptions struct {
	// Filters packs the weight of a convolution, whose columns are filters, for [GemmGatherPacked] and [GemmFilters].
	Filters bool

	// Math is the arithmetic in which the product will be computed. BF16 and Int8 keep what they need in place of Format.
	// Filters are Strict.
	Math Math

	// Format is the type that the packed form keeps. Half precision rounds other numbers to it. Numbers that come from
	// that type lose nothing: their products have the same bits as with FormatF32.
	Format Format

	// Memory, unless nil, holds the packed form and belongs to it as long as that is used. It has at least [PackedLen]
	// elements; Format is float32.
	Memory []float32
}

// Pack lays out the k×n matrix b at the level in use. It panics when b does not fit its sizes, when Memory has fewer
// elements than [PackedLen] says, and when the format is unknown or has no float32 for its Memory.
func Pack(w *Workers, k, n int, b Matrix, o PackOptions) *Packed {
	checkSizes("Pack", 0, n, k)
	checkView("Pack", "B", b, k, n)
	p := o.packed("Pack", k, n)
	p.fill(w, func(s *gemmScratch, dst []float32, k0, j0, kc, cols int) {
		if p.words() {
			p.packWords(s, dst, b, k0, j0, j0, kc, cols)
		} else {
			p.kern.packPanel(dst, b.at(k0, j0), b.Stride, b.Trans, kc, cols, p.kern.nr)
		}
	})
	return p
}

// PackedLen returns the number of elements that a k×n matrix needs in [PackOptions].Memory at the level in use, for
// products in Strict.
func PackedLen(k, n int) int { return Strict.PackedLen(k, n) }

// PackedLen is the function [PackedLen] for products in the arithmetic x.
func (x Math) PackedLen(k, n int) int { return x.newPacked(k, n).size() + lineFloats - 1 }

// PackRows is [Pack] of a k×n matrix that does not lie in memory as one slice of float32: it is in half
// precision, or in several pieces. The function rows writes len(dst) elements of stored row i, from column j on,
// to dst. When trans is set a stored row is a column of the matrix. Several goroutines call rows at once.
func PackRows(w *Workers, k, n int, trans bool, rows func(dst []float32, i, j int), o PackOptions) *Packed {
	checkSizes("PackRows", 0, n, k)
	p := o.packed("PackRows", k, n)
	p.fill(w, func(s *gemmScratch, dst []float32, k0, j0, kc, cols int) {
		if p.words() {
			p.packWordRows(s, dst, k0, j0, kc, cols, trans, rows)
		} else {
			p.kern.packRows(s, dst, k0, j0, kc, cols, trans, rows)
		}
	})
	return p
}

// packed returns a packed form that is not filled yet.
func (o *PackOptions) packed(name string, k, n int) *Packed {
	if o.Format > FormatBF16 {
		panic(fmt.Sprintf("simd: %s: unknown format %v, expected float32, float16 or bfloat16", name, o.Format))
	}
	o.Math.check(name)
	p := o.Math.newPacked(k, n)
	switch {
	case p.word == nil:
		p.format = o.Format
	case o.Filters:
		panic(fmt.Sprintf("simd: %s: expected filters in %v arithmetic, found %v", name, Strict, o.Math))
	case !p.words() && o.Memory == nil: // panels in half precision are rounded numbers
		p.format = FormatBF16
	case p.word.integers:
		p.scales = make([]float32, n)
	}
	if o.Filters {
		// One slab: the blocks of a convolution depend on its window, and all weights of a panel of filters are read one
		// after the other.
		p.kc = max(1, k)
	}
	switch {
	case o.Memory != nil && p.format != FormatF32:
		panic(fmt.Sprintf("simd: %s: expected float32 for a packed form in memory of the caller, found %v", name, p.format))
	case o.Memory != nil:
		atLeast(name, "memory", len(o.Memory), o.Math.PackedLen(k, n))
		p.data = aligned(o.Memory, p.size())
	case p.format == FormatF32:
		p.data = alignedFloats(p.size())
	default:
		p.half = make([]uint16, p.size())
	}
	return p
}

// Dims returns the sizes of the matrix that was packed.
func (p *Packed) Dims() (k, n int) { return p.k, p.n }

// Format returns the format of the panels.
func (p *Packed) Format() Format { return p.format }

// Bytes returns the size of the packed form in memory.
func (p *Packed) Bytes() int { return 4*(len(p.data)+len(p.scales)) + 2*len(p.half) }

// newPacked returns a packed form without memory for products in the arithmetic x at the level in use.
func (x Math) newPacked(k, n int) *Packed {
	p := &Packed{k: k, n: n, rows: k, kern: gemmKernels[level], word: x.words()}
	block := kBlock
	if p.word != nil {
		p.kern = p.word.kern
	}
	if p.words() {
		p.rows, block = p.word.count(k), p.word.block
	}
	p.kc = slabDepth(p.rows, block, p.kern.kc)
	return p
}

// words reports whether panels hold words of several numbers.
func (p *Packed) words() bool { return p.word != nil && p.word.numbers > 1 }

// packWords lays out a panel of words, columns j0 on. Column j0 of p is column from of b.
func (p *Packed) packWords(s *gemmScratch, dst []float32, b Matrix, k0, j0, from, kc, cols int) {
	if p.word.integers && k0 == 0 {
		// The first slab of a panel finds the scales for those that follow.
		s.scales = grow(s.scales, 2*(from+cols))
		s.quant.cols, s.quant.inverses = s.scales[:from+cols], s.scales[from+cols:][:from+cols]
		p.word.scaleColumns(&s.quant, b, p.k, from, from+cols)
		copy(p.scales[j0:], s.quant.cols[from:])
	}
	p.word.packPanel(s, dst, b, p.k, k0, from, kc, cols, s.quant.inverses)
}

// packWordRows is packWords for a matrix that rows writes. The first slab of a panel gathers its columns.
func (p *Packed) packWordRows(s *gemmScratch, dst []float32, k0, j0, kc, cols int, trans bool, rows func(dst []float32, i, j int)) {
	b := Matrix{Trans: trans, Stride: cols}
	stored, length, i0 := p.k, cols, 0
	if trans {
		stored, length, i0 = cols, p.k, j0
		b.Stride = rowPitch(p.k)
	}
	s.a = grow(s.a, stored*b.Stride)
	b.Data = s.a
	if k0 == 0 {
		for i := range stored {
			rows(b.Data[i*b.Stride:][:length], i0+i, j0-i0)
		}
	}
	p.packWords(s, dst, b, k0, j0, 0, kc, cols)
}

// size is the number of elements in all panels.
func (p *Packed) size() int { return p.rows * p.panels() * p.kern.nr }

// panels returns the number of panels of a slab.
func (p *Packed) panels() int { return ceilDiv(p.n, p.kern.nr) }

// fill has panel write every panel of every slab: kc rows from row k0 on, cols columns from column j0 on.
func (p *Packed) fill(w *Workers, panel func(s *gemmScratch, dst []float32, k0, j0, kc, cols int)) {
	nr, panels := p.kern.nr, p.panels()
	w.For(panels, func(pi int) {
		s := gemmScratches.get()
		defer gemmScratches.put(s)
		j0 := pi * nr
		cols := min(nr, p.n-j0)
		for k0 := 0; k0 < p.rows; k0 += p.kc {
			kc := min(p.kc, p.rows-k0)
			at, size := k0*panels*nr+pi*kc*nr, kc*nr
			if p.format == FormatF32 {
				panel(s, p.data[at:][:size], k0, j0, kc, cols)
				if p.word != nil && !p.words() {
					p.word.row(p.data[at:][:size], p.data[at:][:size], 0, 0)
				}
				continue
			}
			s.b = grow(s.b, size)
			panel(s, s.b[:size], k0, j0, kc, cols)
			p.format.narrow(p.half[at:][:size], s.b[:size])
		}
	})
}

// panelsFrom returns the panels from pi on of the slab that starts at row k0 and has kc rows.
func (p *Packed) panelsFrom(k0, kc, pi int) []float32 {
	return p.data[(k0*p.panels()+pi*kc)*p.kern.nr:]
}

// halvesFrom is panelsFrom in half precision.
func (p *Packed) halvesFrom(k0, kc, pi int) []uint16 {
	return p.half[(k0*p.panels()+pi*kc)*p.kern.nr:]
}

// packRows gathers the rows of one panel in scratch and packs them to dst.
func (kern *gemmKernel) packRows(s *gemmScratch, dst []float32, k0, j0, kc, cols int, trans bool, rows func(dst []float32, i, j int)) {
	if !trans {
		s.a = grow(s.a, kc*cols)
		for i := range kc {
			rows(s.a[i*cols:][:cols], k0+i, j0)
		}
		kern.packPanel(dst, s.a, cols, false, kc, cols, kern.nr)
		return
	}
	stride := roundUp(kc, 16) + 16 // else rows a power of two apart would share a cache set
	s.a = grow(s.a, cols*stride)
	for j := range cols {
		rows(s.a[j*stride:][:kc], j0+j, k0)
	}
	kern.packPanel(dst, s.a, stride, true, kc, cols, kern.nr)
}

// narrow rounds to a half-precision format.
func (f Format) narrow(dst []uint16, src []float32) {
	if f == FormatF16 {
		vecF32ToF16(dst, src)
	} else {
		vecF32ToBF16(dst, src)
	}
}

func (f Format) widen(dst []float32, src []uint16) {
	if f == FormatF16 {
		vecF16ToF32(dst, src)
	} else {
		vecBF16ToF32(dst, src)
	}
}
