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
)

// String returns the name of the type: "float32", "float16" or "bfloat16".
func (f Format) String() string {
	switch f {
	case FormatF32:
		return "float32"
	case FormatF16:
		return "float16"
	case FormatBF16:
		return "bfloat16"
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// Pack lays out the k×n matrix b for [GemmPacked] at the level in use.
func Pack(w *Workers, k, n int, b Matrix) *Packed {
	checkSizes("Pack", 0, n, k)
	checkView("Pack", "B", b, k, n)
	p := newPacked(k, n, FormatF32)
	p.data = alignedFloats(p.size())
	p.fillFrom(w, b)
	return p
}

// PackInto is [Pack] into memory of the caller, which belongs to the result as long as that is used. It panics when
// memory has fewer elements than [PackedLen] says.
func PackInto(memory []float32, w *Workers, k, n int, b Matrix) *Packed {
	checkSizes("PackInto", 0, n, k)
	checkView("PackInto", "B", b, k, n)
	atLeast("PackInto", "memory", len(memory), PackedLen(k, n))
	p := newPacked(k, n, FormatF32)
	p.data = aligned(memory, p.size())
	p.fillFrom(w, b)
	return p
}

// PackedLen returns the number of elements that [PackInto] needs for a k×n matrix at the level in use.
func PackedLen(k, n int) int {
	return newPacked(k, n, FormatF32).size() + lineFloats - 1
}

func (p *Packed) fillFrom(w *Workers, b Matrix) {
	p.fill(w, func(_ *gemmScratch, dst []float32, k0, j0, kc, cols int) {
		p.kern.packPanel(dst, b.at(k0, j0), b.Stride, b.Trans, kc, cols, p.kern.nr)
	})
}

// PackRows is [Pack] of a k×n matrix that does not lie in memory as one slice of float32: it is in half
// precision, or in several pieces. The function rows writes len(dst) elements of stored row i, from column j on,
// to dst. When trans is set a stored row is a column of the matrix. Several goroutines call rows at once.
//
// With FormatF16 or FormatBF16 the packed form keeps that type and rounds other numbers to it. Numbers that
// come from that type lose nothing: their products have the same bits as with FormatF32.
func PackRows(w *Workers, k, n int, trans bool, format Format, rows func(dst []float32, i, j int)) *Packed {
	checkSizes("PackRows", 0, n, k)
	if format > FormatBF16 {
		panic(fmt.Sprintf("simd: PackRows: unknown format %v", format))
	}
	p := newPacked(k, n, format)
	p.fillRows(w, trans, rows)
	return p
}

func (p *Packed) fillRows(w *Workers, trans bool, rows func(dst []float32, i, j int)) {
	if p.format == FormatF32 {
		p.data = alignedFloats(p.size())
	} else {
		p.half = make([]uint16, p.size())
	}
	p.fill(w, func(s *gemmScratch, dst []float32, k0, j0, kc, cols int) {
		p.kern.packRows(s, dst, k0, j0, kc, cols, trans, rows)
	})
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
