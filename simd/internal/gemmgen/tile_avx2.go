package main

import (
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// tilesAVX2 writes the AVX2 kernels. A tile of 6×16 keeps 12 accumulators, two vectors of B and two
// broadcast elements of A: all 16 registers. A step of k is 2 loads, 6 broadcasts and 12 fused
// multiply-adds: 6 cycles on two ports, 4 for the loads.
func tilesAVX2() *asm.Text {
	a := asm.New(generator)
	s := &avx2
	edge256(a)
	for h := 1; h <= s.rows; h++ {
		for _, f := range formats {
			tile256(a, f, float32s, h, byRow)
		}
		tile256(a, formats[0], float32s, h, byK)
		tile256(a, formats[0], float32s, h, byTaps)
	}
	for h := 1; h <= s.rows; h++ {
		for vectors := 1; vectors <= s.vectors; vectors++ {
			window256(a, h, vectors)
		}
	}
	for _, f := range formats {
		for i, panels := range s.wide {
			s.wideTile(a, f, float32s, i+1, panels, 16, "Y", "VXORPS")
		}
	}
	s.peak(a, float32s, "Y", "VXORPS")
	return a
}

// edge256 writes ones, then zeros: the lane masks of n columns begin 16 - n lanes in.
func edge256(a *asm.Text) {
	half := avx2.cols() / 2
	a.Table("edge256", 8, slices.Concat(slices.Repeat([]string{"-1"}, half), slices.Repeat([]string{"0"}, half))...)
}

// wordsAVX2 writes the AVX2 kernels of words: the same tiles with another instruction.
func wordsAVX2() *asm.Text {
	a := asm.New(generator)
	s := &avx2
	edge256(a)
	for _, x := range s.words {
		for h := 1; h <= s.rows; h++ {
			tile256(a, formats[0], x, h, byRow)
		}
		for i, panels := range s.wideOf(x) {
			s.wideTile(a, formats[0], x, i+1, panels, 16, "Y", "VXORPS")
		}
		s.peak(a, x, "Y", "VXORPS")
	}
	int8Row256(a)
	int16Row256(a)
	most256(a)
	scale256(a)
	return a
}

// tile256 writes the kernel of height h.
func tile256(a *asm.Text, f number, x product, h int, o order) {
	s := &avx2
	name := fmt.Sprintf("gemm256%s%s%s%d", [...]string{"r", "k", "t"}[o], f.letter, x.letter, h)
	a.Func(name, "(t *gemmTile)", 0, 8, fmt.Sprintf("Tiles of %d×%d, %v%s", h, s.cols(), o, x.describe(f)))
	a.Op("MOVQ t+0(FP), DI")
	a.Op("MOVQ %d(DI), DX", tileC)
	a.Op("MOVQ %d(DI), R11", tileBRS)
	a.Op("LEAQ (R11)(R11*2), R8")
	a.Op("MOVQ %d(DI), R15", tileAhead)
	o.openTiles(a)
	o.openTile(a, h)
	if o == byTaps {
		s.fetchOut(a)
	}
	a.Comment("The tile of C will be written; fetch it while the sums form.")
	a.Op("MOVQ DX, CX")
	eachRow(a, "CX", h, func(int) { a.Op("PREFETCHT0 (CX)") })
	chainsInRegisters.open(a)
	for i := range 2 * h {
		a.Op("VXORPS Y%d, Y%d, Y%d", i, i, i)
	}
	s.loopK(a, func(u int) {
		f.load(a, 0, panelRow(u), "Y12")
		f.load(a, s.lanes, panelRow(u), "Y13")
		at := o.openStep(a, u)
		for i := range h {
			r := 14 + i%2
			if x.temp {
				r = 14
			}
			a.Op("VBROADCASTSS %s, Y%d", at(i), r)
			x.multiply(a, "Y", 12, r, 2*i, 15)
			x.multiply(a, "Y", 13, r, 2*i+1, 15)
		}
		o.closeStep(a)
	}, func(n int) { o.advance(a, h, n) }, o.fetch)
	chainsInRegisters.close(a, 2*h, 32, func(at string, i int) { a.Op("%s %s, Y%d, Y%[3]d", x.add, at, i) },
		func(at string, i int) { a.Op("VMOVUPS Y%d, %s", i, at) })
	a.Op("CMPQ %d(DI), $%d", tileCols, s.cols())
	a.Op("JNE edge")
	addToC(a, func() {
		a.Op("MOVQ DX, CX")
		eachRow(a, "CX", h, func(i int) {
			a.Op("%s (CX), Y%d, Y%[2]d", x.add, 2*i)
			a.Op("%s 32(CX), Y%d, Y%[2]d", x.add, 2*i+1)
		})
	}, "write")
	for i := range h {
		a.Op("VMOVUPS Y%d, (DX)", 2*i)
		a.Op("VMOVUPS Y%d, 32(DX)", 2*i+1)
		a.Op("ADDQ %d(DI), DX", tileLDC)
	}
	a.Op("JMP next")
	a.Label("edge")
	a.Comment("Y12 and Y13 are the lane masks of the columns that exist.")
	a.Op("MOVQ $%d, R12", s.cols())
	a.Op("SUBQ %d(DI), R12", tileCols)
	a.Op("LEAQ edge256<>(SB), CX")
	a.Op("VMOVUPS (CX)(R12*4), Y12")
	a.Op("VMOVUPS 32(CX)(R12*4), Y13")
	addToC(a, func() {
		a.Op("MOVQ DX, CX")
		eachRow(a, "CX", h, func(i int) {
			a.Op("VMASKMOVPS (CX), Y12, Y14")
			a.Op("VMASKMOVPS 32(CX), Y13, Y15")
			a.Op("%s Y14, Y%d, Y%[2]d", x.add, 2*i)
			a.Op("%s Y15, Y%d, Y%[2]d", x.add, 2*i+1)
		})
	}, "writeedge")
	for i := range h {
		a.Op("VMASKMOVPS Y%d, Y12, (DX)", 2*i)
		a.Op("VMASKMOVPS Y%d, Y13, 32(DX)", 2*i+1)
		a.Op("ADDQ %d(DI), DX", tileLDC)
	}
	a.Label("next")
	o.nextTile(a)
}
