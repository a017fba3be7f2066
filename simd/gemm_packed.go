package simd

import "fmt"

// Packed is a B operand laid out for one instruction set. It is immutable and may be shared by goroutines.
//
// The rows of B come in slabs of kc. A slab is a sequence of panels as wide as a register tile. A panel
// is stored row after row, its last columns padded with zeros.
type Packed struct {
	k, n int
	kern *gemmKernel
	kc   int // rows of a slab, a whole number of K blocks; the last may have fewer
	data []float32

	math   Math
	format Format
	half   []uint16 // instead of data, in a format of half precision
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
	if o.Math == BF16 || o.Math == Int8 {
		b = o.Math.round(b, k, n, false)
	}
	p.fill(w, func(_ *gemmScratch, dst []float32, k0, j0, kc, cols int) {
		p.kern.packPanel(dst, b.at(k0, j0), b.Stride, b.Trans, kc, cols, p.kern.nr)
	})
	return p
}

// PackedLen returns the number of elements that a k×n matrix needs in [PackOptions].Memory at the level in use.
func PackedLen(k, n int) int {
	return newPacked(k, n, FormatF32).size() + lineFloats - 1
}

// PackRows is [Pack] of a k×n matrix that does not lie in memory as one slice of float32: it is in half
// precision, or in several pieces. The function rows writes len(dst) elements of stored row i, from column j on,
// to dst. When trans is set a stored row is a column of the matrix. Several goroutines call rows at once.
func PackRows(w *Workers, k, n int, trans bool, rows func(dst []float32, i, j int), o PackOptions) *Packed {
	checkSizes("PackRows", 0, n, k)
	if o.Math == BF16 || o.Math == Int8 {
		b := Matrix{Data: make([]float32, k*n), Stride: n, Trans: trans}
		if trans {
			b.Stride = k
		}
		for i := 0; i*b.Stride < k*n; i++ {
			rows(b.Data[i*b.Stride:][:b.Stride], i, 0)
		}
		o.Format = FormatF32
		return Pack(w, k, n, b, o)
	}
	p := o.packed("PackRows", k, n)
	p.fill(w, func(s *gemmScratch, dst []float32, k0, j0, kc, cols int) {
		p.kern.packRows(s, dst, k0, j0, kc, cols, trans, rows)
	})
	return p
}

// packed returns a packed form that is not filled yet.
func (o *PackOptions) packed(name string, k, n int) *Packed {
	if o.Format > FormatBF16 {
		panic(fmt.Sprintf("simd: %s: unknown format %v, expected float32, float16 or bfloat16", name, o.Format))
	}
	p := newPacked(k, n, o.Format)
	p.math = o.Math
	if o.Filters {
		// One slab: the blocks of a convolution depend on its window, and all weights of a panel of filters are read one
		// after the other.
		p.kc = max(1, k)
	}
	switch {
	case o.Memory != nil && o.Format != FormatF32:
		panic(fmt.Sprintf("simd: %s: expected float32 for a packed form in memory of the caller, found %v", name, o.Format))
	case o.Memory != nil:
		atLeast(name, "memory", len(o.Memory), PackedLen(k, n))
		p.data = aligned(o.Memory, p.size())
	case o.Format == FormatF32:
		p.data = alignedFloats(p.size())
	default:
		p.half = make([]uint16, p.size())
	}
	return p
}

// Dims returns the sizes of the matrix that was packed.
func (p *Packed) Dims() (k, n int) { return p.k, p.n }

// Bytes returns the size of the packed form in memory.
func (p *Packed) Bytes() int { return 4*len(p.data) + 2*len(p.half) }

// newPacked returns a packed form without memory for the level in use.
func newPacked(k, n int, format Format) *Packed {
	kern := gemmKernels[level]
	return &Packed{k: k, n: n, kern: kern, kc: slabDepth(k, kBlock, kern.kc), format: format}
}

// size is the number of elements in all panels.
func (p *Packed) size() int { return p.k * p.panels() * p.kern.nr }

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
		for k0 := 0; k0 < p.k; k0 += p.kc {
			kc := min(p.kc, p.k-k0)
			at, size := k0*panels*nr+pi*kc*nr, kc*nr
			if p.format == FormatF32 {
				panel(s, p.data[at:][:size], k0, j0, kc, cols)
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
