package simd

import "fmt"

// Format is a type in which numbers are kept, in a [Packed] for example.
type Format uint8

// The formats. A half-precision one takes half the memory, and each product widens it, exactly, a group of
// panels at a time as they are needed.
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

// PackRows is [Pack] of a matrix that need not lie in memory as float32: in half precision, or in several
// pieces. rows writes len(dst) elements of stored row i, from column j on, to dst; a stored row is a column
// of the k×n matrix when trans is set. It is called from several goroutines at once.
//
// With FormatF16 or FormatBF16 the packed form keeps that type. Numbers that it does not hold are rounded to
// it, so it is meant for those that come from it: their products have the same bits as those of the widened
// numbers.
func PackRows(w *Workers, k, n int, trans bool, format Format, rows func(dst []float32, i, j int)) *Packed {
	checkSizes("PackRows", 0, n, k)
	if format > FormatBF16 {
		panic(fmt.Sprintf("simd: PackRows: unknown format %v", format))
	}
	kern := gemmKernels[level]
	p := &Packed{k: k, n: n, kern: kern, kc: blockDepth(k, kern.kc), format: format}
	if k == 0 || n == 0 {
		return p
	}
	nr := kern.nr
	panels := (n + nr - 1) / nr
	if format == FormatF32 {
		p.data = alignedFloats(k * panels * nr)
	} else {
		p.half = make([]uint16, k*panels*nr)
	}
	w.For(panels, func(pi int) {
		s := gemmScratches.get()
		defer gemmScratches.put(s)
		cols := min(nr, n-pi*nr)
		for k0 := 0; k0 < k; k0 += p.kc {
			kc := min(p.kc, k-k0)
			at := k0*panels*nr + pi*kc*nr
			if format == FormatF32 {
				kern.packRows(s, p.data[at:][:kc*nr], k0, pi*nr, kc, cols, trans, rows)
				continue
			}
			s.b = grow(s.b, kc*nr)
			kern.packRows(s, s.b[:kc*nr], k0, pi*nr, kc, cols, trans, rows)
			format.narrow(p.half[at:][:kc*nr], s.b[:kc*nr])
		}
	})
	return p
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

// widenFrom widens kc rows from row k0 on of panels p0 to p1; the rows lie in one block.
func (p *Packed) widenFrom(dst []float32, k0, kc, p0, p1 int) {
	nr := p.kern.nr
	panels := (p.n + nr - 1) / nr
	start := k0 / p.kc * p.kc // of the block
	depth := min(p.kc, p.k-start)
	src := p.half[start*panels*nr+p0*depth*nr+(k0-start)*nr:]
	if kc == depth { // whole panels follow each other
		p.format.widen(dst[:(p1-p0)*kc*nr], src)
		return
	}
	for i := range p1 - p0 {
		p.format.widen(dst[i*kc*nr:][:kc*nr], src[i*depth*nr:])
	}
}

func (f Format) widen(dst []float32, src []uint16) {
	if f == FormatF16 {
		vecF16ToF32(dst, src)
	} else {
		vecBF16ToF32(dst, src)
	}
}

// halfDepth is how many rows of a half-precision block are widened at a time for few rows of A: a divisor of
// the block's, so that a few panels of them are still in the first-level cache when they are used.
func halfDepth(kc int) int {
	for d := min(kc, 64); d >= 16; d-- {
		if kc%d == 0 {
			return d
		}
	}
	return kc
}
