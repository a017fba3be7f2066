package simd

import (
	"fmt"
	"unsafe"
)

// With filters of one tap, the planes of an image are the rows of B as they lie. So words go from the planes straight to
// panels, and need no planes of their own. Each task packs its columns, finds their scales and multiplies them: threads
// meet once.

// GemmPixelRows is [GemmPixels] with filters of one tap, all of their words, and pixels in float32. Row i of B is the first n
// elements of rows(i): channel i of the pixels. In Int8 each position has a scale, of the largest absolute value of its
// channels ([PixelScales]). The bits are those of [Math.PackPixels] and GemmPixels.
//
// GemmPixelRows panics like GemmPixels, when a row is too short, and when filters have more than one tap.
func GemmPixelRows(w *Workers, n int, f *PackedFilters, rows func(i int) []float32, block int, c []float32, ldc int, ep *Epilogue) {
	const op = "GemmPixelRows"
	checkSizes(op, f.out, n, f.k)
	checkStored(op, "C", len(c), ldc, f.out, n)
	checkEpilogue(op, ep, f.out, n)
	switch {
	case f.taps != 1:
		panic(fmt.Sprintf("simd: %s: expected filters of one tap, found %d", op, f.taps))
	case block < 1:
		panic(fmt.Sprintf("simd: %s: expected a block of at least 1, found %d", op, block))
	}
	if f.out == 0 || n == 0 {
		return
	}
	g := gemmRuns.get()
	for i := range f.channels {
		x := rows(i)
		if len(x) < n {
			panic(fmt.Sprintf("simd: %s: row %d of B has %d elements, expected %d", op, i, len(x), n))
		}
		g.planes = append(g.planes, &x[0])
	}
	g.kern, g.word, g.made = f.word.kern, f.word, true
	g.m, g.n, g.k, g.numbers = f.out, n, f.k, f.channels
	g.block, g.chain = block, block
	g.one = gemmOperands{a: Matrix{Data: f.data, Stride: f.pitch}, c: c, ldc: ldc}
	if f.word.integers {
		g.quant = quantized{rows: f.scales, sums: f.sums}
	}
	g.setEpilogue(ep)
	g.run(w, 1)
}

// pointwise reports whether panels are packed from planes of float32.
func (g *gemmRun) pointwise() bool { return len(g.planes) > 0 }

// scalesPixels reports whether the pixels of a pointwise product need scales.
func (g *gemmRun) scalesPixels() bool { return g.pointwise() && g.word.integers }

// plane returns channel i of the pixels.
func (g *gemmRun) plane(i int) []float32 { return unsafe.Slice(g.planes[i], g.n) }

// scalePixels finds the scales of the pixels of columns j0 to j1.
func (g *gemmRun) scalePixels(j0, j1 int) {
	most := g.quant.cols[j0:j1]
	clear(most)
	for i := range g.numbers {
		MaxAbsRows(most, g.plane(i)[j0:j1])
	}
	PixelScales(most, g.quant.inverses[j0:j1], most)
}

// packPixels lays out the kc words and cols columns that start at (k0, j0), panel after panel. The columns past the last one
// of B keep what is there: no result comes from them.
func (g *gemmRun) packPixels(s *gemmScratch, dst []float32, k0, j0, kc, cols int) {
	x, nr := g.word, g.kern.nr
	for ; cols > 0; cols -= nr {
		n := min(nr, cols)
		var inverses []float32
		if x.integers {
			inverses = g.quant.inverses[j0:][:n]
		}
		k := 0
		if whole := min(kc, g.numbers/x.numbers-k0); x.planes != nil && whole > 0 {
			x.planes(dst[:whole*nr], g.planes[k0*x.numbers:], j0, whole, n, inverses)
			k = whole
		}
		for ; k < kc; k++ {
			from := (k0 + k) * x.numbers
			line := s.planes[:min(x.numbers, g.numbers-from)]
			for q := range line {
				line[q] = g.plane(from + q)[j0:]
			}
			x.pixels(dst[k*nr:][:n], line, inverses)
		}
		dst, j0 = dst[kc*nr:], j0+nr
	}
}
