package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// The window kernels multiply rows of weights by pixels that no one packed: the tiles side by side in a row of
// positions. Row k of B begins taps[k] elements after the tile's first pixel. Loads are unaligned and end up to a
// register past the last column. The bias, residual and ReLU of a convolution follow in registers. Registers differ from
// those of the other tiles:
//
//	R13  the offsets of the taps       R11  B, a tile
//	R8   an offset                     R15  C of the next tile, a row; SI bytes from there to the residual

// windowDoc is the comment of a window kernel.
func (s *tileSet) windowDoc(h, vectors int) string {
	return fmt.Sprintf("Tiles of %d×%d side by side, A row-major, B in place.", h, s.lanes*vectors)
}

// openWindow sets the registers of a window kernel and begins a tile.
func (s *tileSet) openWindow(a *asm.Text, h, vectors int) {
	a.Op("MOVQ %d(DI), DX", tileC)
	a.Op("MOVQ %d(DI), R11", tileB)
	a.Op("MOVQ %d(DI), R9", tileARS)
	a.Op("LEAQ (R9)(R9*2), R10")
	a.Comment("What the first tile will write and add, and each tile of few products: a loop of few steps fetches too little.")
	a.Label("fetch")
	a.Op("MOVQ DX, CX")
	eachRow(a, "CX", h, func(int) { s.fetchRow(a, "(CX)", vectors) })
	eachResidualRow(a, h, "tile", func(int) { s.fetchRow(a, "(CX)", vectors) })
	a.Op("MOVQ %d(DI), AX", tileA)
	rowBases(a, h)
	a.Op("MOVQ %d(DI), R13", tileTaps)
	a.Comment("The tile beside is next, or the first one below. Its rows end at tileEnd.")
	a.Op("MOVQ %d(DI), CX", tileLDC)
	a.Op("IMUL3Q $%d, CX, CX", h)
	a.Op("LEAQ %d(DX), R15", 4*s.lanes*vectors)
	a.Op("CMPQ %d(DI), $1", tileTiles)
	a.Op("JNE beside")
	a.Op("MOVQ %d(DI), R15", tileC)
	a.Op("ADDQ CX, R15")
	a.Label("beside")
	a.Op("ADDQ R15, CX")
	a.Op("MOVQ CX, %d(DI)", tileEnd)
	a.Op("MOVQ %d(DI), SI", tileResidual)
	a.Op("TESTQ SI, SI")
	a.Op("JEQ sums")
	a.Op("SUBQ %d(DI), SI", tileC)
	a.Label("sums")
}

// fetchRow fetches the lines of a row of a tile.
func (s *tileSet) fetchRow(a *asm.Text, at string, vectors int) {
	for v := 0; v < vectors; v += lineBytes / 4 / s.lanes {
		a.Op("PREFETCHT0 %d%s", 4*s.lanes*v, at)
	}
}

// eachResidualRow goes down the h rows of the residual of a tile, which begin at CX, if there is one; else to label, which
// follows.
func eachResidualRow(a *asm.Text, h int, label string, row func(i int)) {
	a.Op("MOVQ %d(DI), CX", tileResidual)
	a.Op("TESTQ CX, CX")
	a.Op("JEQ %s", label)
	a.Op("ADDQ DX, CX")
	a.Op("SUBQ %d(DI), CX", tileC)
	for i := range h {
		row(i)
		if i < h-1 {
			a.Op("ADDQ %d(DI), CX", tileLDRes)
		}
	}
	a.Label(label)
}

// lineBytes is the size of a cache line.
const lineBytes = 64

// windowLoop goes along CX of k, four steps at a time, then one. step gets the address of row k of B, of which it uses
// the vectors of a tile. The pixels of the next tile are fetched: each row of B lies in a page of its own, too many for
// the processor to foresee. So are the next C and residual, a row in four steps: all at once would keep pixels waiting.
func (s *tileSet) windowLoop(a *asm.Text, h, vectors int, step func(u int, at string)) {
	bytes := 4 * s.lanes * vectors
	one := func(u int) {
		a.Op("MOVQ %d(R13), R8", 8*u)
		for at := 0; at < bytes; at += lineBytes {
			a.Op("PREFETCHT1 %d(R11)(R8*4)", bytes+at)
		}
		step(u, "(R11)(R8*4)")
	}
	a.Op("SUBQ $4, CX")
	a.Op("JLT rest")
	a.Op("PCALIGN $32")
	a.Label("four")
	a.Op("CMPQ R15, %d(DI)", tileEnd)
	a.Op("JCC fetched")
	s.fetchRow(a, "(R15)", vectors)
	s.fetchRow(a, "(R15)(SI*1)", vectors)
	a.Op("ADDQ %d(DI), R15", tileLDC)
	a.Label("fetched")
	for u := range 4 {
		one(u)
	}
	advanceRows(a, h, 16)
	a.Op("ADDQ $32, R13")
	a.Op("SUBQ $4, CX")
	a.Op("JGE four")
	a.Label("rest")
	a.Op("ADDQ $4, CX")
	a.Op("JLE store")
	a.Label("one")
	one(0)
	advanceRows(a, h, 4)
	a.Op("ADDQ $8, R13")
	a.Op("DECQ CX")
	a.Op("JNE one")
	a.Label("store")
}

// nextWindow goes on to the tile beside, if there is one, or returns.
func (s *tileSet) nextWindow(a *asm.Text, h, vectors int) {
	a.Op("ADDQ $%d, R11", 4*s.lanes*vectors)
	a.Op("ADDQ $%d, DX", 4*s.lanes*vectors)
	a.Op("DECQ %d(DI)", tileTiles)
	a.Op("JEQ done")
	a.Op("CMPQ %d(DI), $%d", tileK, 4*h)
	a.Op("JGE tile")
	a.Op("JMP fetch")
	a.Label("done")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// window512 writes the kernel of height h for AVX-512.
func window512(a *asm.Text, h, vectors int) {
	s := &avx512
	a.Func(fmt.Sprintf("window512x%dx%d", vectors, h), "(t *gemmTile)", 0, 8, s.windowDoc(h, vectors))
	a.Op("MOVQ t+0(FP), DI")
	a.Op("MOVQ %d(DI), CX", tileCols)
	columnMasks(a, "K1", "K2")
	s.openWindow(a, h, vectors)
	chainsInTile.open(a)
	z := func(i, v int) int { return 2*i + v }
	each := func(f func(i, v, z int)) {
		for i := range h {
			for v := range vectors {
				f(i, v, z(i, v))
			}
		}
	}
	each(func(_, _, z int) { a.Op("VPXORD Z%d, Z%[1]d, Z%[1]d", z) })
	s.windowLoop(a, h, vectors, func(u int, at string) {
		for v := range vectors {
			formats[0].load(a, v*s.lanes, at, fmt.Sprint("Z", 28+v))
		}
		for i := range h {
			r := 30 + i%2
			a.Op("VBROADCASTSS %s, Z%d", rowAddress(i, 4*u), r)
			for v := range vectors {
				a.Op("VFMADD231PS Z%d, Z%d, Z%d", 28+v, r, z(i, v))
			}
		}
	})
	sum := func(i int) int { return z(i/vectors, i%vectors) }
	chainsInTile.close(a, h*vectors, 64, func(at string, i int) { a.Op("VADDPS %s, Z%d, Z%[2]d", at, sum(i)) },
		func(at string, i int) { a.Op("VMOVUPS Z%d, %s", sum(i), at) })
	addToC(a, func() {
		a.Op("MOVQ DX, CX")
		eachRow(a, "CX", h, func(i int) {
			for v := range vectors {
				a.Op("VADDPS %d(CX), Z%d, K%d, Z%[2]d", 64*v, z(i, v), 1+v)
			}
		})
	}, "finish")
	a.Op("MOVQ %d(DI), CX", tileBias)
	a.Op("TESTQ CX, CX")
	a.Op("JEQ residual")
	each(func(i, _, z int) { a.Op("VADDPS.BCST %d(CX), Z%d, Z%[2]d", 4*i, z) })
	a.Label("residual")
	eachResidualRow(a, h, "relu", func(i int) {
		for v := range vectors {
			a.Op("VADDPS %d(CX), Z%d, K%d, Z%[2]d", 64*v, z(i, v), 1+v)
		}
	})
	a.Op("CMPQ %d(DI), $0", tileRelu)
	a.Op("JEQ write")
	a.Op("VPXORD Z31, Z31, Z31")
	each(func(_, _, z int) { a.Op("VMAXPS Z%d, Z31, Z%[1]d", z) })
	a.Label("write")
	a.Op("MOVQ DX, CX")
	eachRow(a, "CX", h, func(i int) {
		for v := range vectors {
			a.Op("VMOVUPS Z%d, K%d, %d(CX)", z(i, v), 1+v, 64*v)
		}
	})
	s.nextWindow(a, h, vectors)
}

// window256 writes the kernel of height h for AVX2.
func window256(a *asm.Text, h, vectors int) {
	s := &avx2
	a.Func(fmt.Sprintf("window256x%dx%d", vectors, h), "(t *gemmTile)", 0, 8, s.windowDoc(h, vectors))
	a.Op("MOVQ t+0(FP), DI")
	s.openWindow(a, h, vectors)
	chainsInTile.open(a)
	y := func(i, v int) int { return 2*i + v }
	each := func(f func(i, v, y int)) {
		for i := range h {
			for v := range vectors {
				f(i, v, y(i, v))
			}
		}
	}
	each(func(_, _, y int) { a.Op("VXORPS Y%d, Y%[1]d, Y%[1]d", y) })
	s.windowLoop(a, h, vectors, func(u int, at string) {
		for v := range vectors {
			formats[0].load(a, v*s.lanes, at, fmt.Sprint("Y", 12+v))
		}
		for i := range h {
			r := 14 + i%2
			a.Op("VBROADCASTSS %s, Y%d", rowAddress(i, 4*u), r)
			for v := range vectors {
				a.Op("VFMADD231PS Y%d, Y%d, Y%d", 12+v, r, y(i, v))
			}
		}
	})
	sum := func(i int) int { return y(i/vectors, i%vectors) }
	chainsInTile.close(a, h*vectors, 32, func(at string, i int) { a.Op("VADDPS %s, Y%d, Y%[2]d", at, sum(i)) },
		func(at string, i int) { a.Op("VMOVUPS Y%d, %s", sum(i), at) })
	a.Comment("Y12 and Y13 are the lane masks of the columns that exist.")
	a.Op("MOVQ $%d, R8", s.cols())
	a.Op("SUBQ %d(DI), R8", tileCols)
	a.Op("LEAQ edge256<>(SB), CX")
	for v := range vectors {
		a.Op("VMOVUPS %d(CX)(R8*4), Y%d", 32*v, 12+v)
	}
	addToC(a, func() {
		a.Op("MOVQ DX, CX")
		eachRow(a, "CX", h, func(i int) {
			for v := range vectors {
				a.Op("VMASKMOVPS %d(CX), Y%d, Y14", 32*v, 12+v)
				a.Op("VADDPS Y14, Y%d, Y%[1]d", y(i, v))
			}
		})
	}, "finish")
	a.Op("MOVQ %d(DI), CX", tileBias)
	a.Op("TESTQ CX, CX")
	a.Op("JEQ residual")
	for i := range h {
		a.Op("VBROADCASTSS %d(CX), Y14", 4*i)
		for v := range vectors {
			a.Op("VADDPS Y14, Y%d, Y%[1]d", y(i, v))
		}
	}
	a.Label("residual")
	eachResidualRow(a, h, "relu", func(i int) {
		for v := range vectors {
			a.Op("VMASKMOVPS %d(CX), Y%d, Y14", 32*v, 12+v)
			a.Op("VADDPS Y14, Y%d, Y%[1]d", y(i, v))
		}
	})
	a.Op("CMPQ %d(DI), $0", tileRelu)
	a.Op("JEQ write")
	a.Op("VXORPS Y15, Y15, Y15")
	each(func(_, _, y int) { a.Op("VMAXPS Y%d, Y15, Y%[1]d", y) })
	a.Label("write")
	a.Op("MOVQ DX, CX")
	a.Op("CMPQ %d(DI), $%d", tileCols, s.lanes*vectors)
	a.Op("JNE edge")
	eachRow(a, "CX", h, func(i int) {
		for v := range vectors {
			a.Op("VMOVUPS Y%d, %d(CX)", y(i, v), 32*v)
		}
	})
	a.Op("JMP next")
	a.Label("edge")
	eachRow(a, "CX", h, func(i int) {
		for v := range vectors {
			a.Op("VMASKMOVPS Y%d, Y%d, %d(CX)", y(i, v), 12+v, 32*v)
		}
	})
	a.Label("next")
	s.nextWindow(a, h, vectors)
}
