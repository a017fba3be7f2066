package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// tilesAVX512 writes the AVX-512 kernels. A tile of 14×32 keeps 28 accumulators, two vectors of B and two
// broadcast elements of A: all 32 registers. A step of k is 2 loads, 14 broadcasts and 28 fused
// multiply-adds, which take 14 cycles on two ports; the loads take 8.
func tilesAVX512() *asm.Text {
	a := asm.New(generator)
	s := &avx512
	for h := 1; h <= s.rows; h++ {
		for _, f := range formats {
			tile512(a, f, float32s, h, byRow, s.vectors)
		}
		tile512(a, formats[0], float32s, h, byK, s.vectors)
		tile512(a, formats[0], float32s, h, byTaps, s.vectors)
		tile512(a, formats[0], float32s, h, byRow, 1)
		tile512(a, formats[0], float32s, h, byTaps, 1)
	}
	for h := 1; h <= s.rows; h++ {
		for vectors := 1; vectors <= s.vectors; vectors++ {
			window512(a, h, vectors)
		}
	}
	for _, f := range formats {
		for i, panels := range s.wide {
			s.wideTile(a, f, float32s, i+1, panels, 32, "Z", "VPXORD")
		}
	}
	s.peak(a, float32s, "Z", "VPXORD")
	return a
}

// wordsAVX512 writes the AVX-512 kernels of words: the same tiles with another instruction.
func wordsAVX512() *asm.Text {
	a := asm.New(generator)
	s := &avx512
	for _, x := range s.words {
		for h := 1; h <= s.rows; h++ {
			tile512(a, formats[0], x, h, byRow, s.vectors)
			tile512(a, formats[0], x, h, byRow, 1)
		}
		for i, panels := range s.wideOf(x) {
			s.wideTile(a, formats[0], x, i+1, panels, 32, "Z", "VPXORD")
		}
		s.peak(a, x, "Z", "VPXORD")
	}
	bf16Rows512(a)
	bf16Panel512(a)
	bf16Pixels512(a)
	bf16Planes512(a)
	int8Row512(a)
	int8Pixels512(a)
	int8Planes512(a)
	most512(a)
	mostRows512(a)
	scale512(a)
	return a
}

// tile512 writes the kernel of height h and a width of vectors times 16. A letter in its name stands for the order of
// A and the width.
func tile512(a *asm.Text, f number, x product, h int, o order, vectors int) {
	s := &avx512
	form := [...][3]string{{"h", "", "u"}, {"r", "k", "t"}}[vectors-1][o]
	a.Func(fmt.Sprintf("gemm512%s%s%s%d", form, f.letter, x.letter, h), "(t *gemmTile)", 0, 8, fmt.Sprintf("Tiles of %d×%d, %v%s", h, s.lanes*vectors, o, x.describe(f)))
	a.Op("MOVQ t+0(FP), DI")
	a.Op("MOVQ %d(DI), CX", tileCols)
	columnMasks(a, "K1", "K2")
	a.Op("MOVQ %d(DI), DX", tileC)
	a.Op("MOVQ %d(DI), R11", tileBRS)
	a.Op("MOVQ %d(DI), R15", tileAhead)
	a.Op("MOVQ %d(DI), SI", tileAheadStride)
	a.Op("LEAQ (R11)(R11*2), R8")
	ends := o == byRow && f == formats[0]
	if ends {
		a.Op("MOVQ %d(DI), CX", tileResidual)
		a.Op("MOVQ CX, %d(DI)", tileEnd)
	}
	o.openTiles(a)
	o.openTile(a, h)
	if o == byTaps {
		s.fetchOut(a)
	}
	a.Comment("The tile of C will be written; fetch it while the sums form.")
	a.Op("MOVQ DX, CX")
	eachRow(a, "CX", h, func(int) {
		for v := range vectors {
			a.Op("PREFETCHT0 %d(CX)", 64*v)
		}
	})
	chainsInTile.open(a)
	sums := h * vectors
	z := func(sum int) int { return sum/vectors*2 + sum%vectors } // its register
	for i := range sums {
		a.Op("VPXORD Z%d, Z%[1]d, Z%[1]d", z(i))
	}
	s.loopK(a, func(u int) {
		for v := range vectors {
			f.load(a, v*s.lanes, panelRow(u), fmt.Sprint("Z", 28+v))
		}
		at := o.openStep(a, u)
		for i := range h {
			r := 30 + i%2
			if x.temp {
				r = 30
			}
			a.Op("VBROADCASTSS %s, Z%d", at(i), r)
			for v := range vectors {
				x.multiply(a, "Z", 28+v, r, 2*i+v, 31)
			}
		}
		o.closeStep(a)
	}, func(n int) { o.advance(a, h, n) }, o.fetch)
	chainsInTile.close(a, sums, 64, func(at string, i int) { a.Op("%s %s, Z%d, Z%[3]d", x.add, at, z(i)) },
		func(at string, i int) { a.Op("VMOVUPS Z%d, %s", z(i), at) })
	addToC(a, func() {
		a.Op("MOVQ DX, CX")
		eachRow(a, "CX", h, func(i int) {
			for v := range vectors {
				a.Op("%s %d(CX), Z%d, K%d, Z%[3]d", x.add, 64*v, 2*i+v, 1+v)
			}
		})
	}, "added")
	if ends && x.add == "VPADDD" {
		scaleTile512(a, h, vectors)
	}
	if ends {
		endTile512(a, h, vectors)
	}
	for i := range h {
		for v := range vectors {
			a.Op("VMOVUPS Z%d, K%d, %d(DX)", 2*i+v, 1+v, 64*v)
		}
		a.Op("ADDQ %d(DI), DX", tileLDC)
	}
	o.nextTile(a)
}

// scaleTile512 makes the integer sums of a tile float32, as scale512 does, if the tile has scales. Those of its rows move on to
// those of the next tile.
func scaleTile512(a *asm.Text, h, vectors int) {
	a.Op("MOVQ %d(DI), AX", tileRowScales)
	a.Op("TESTQ AX, AX")
	a.Op("JEQ end")
	a.Op("MOVQ %d(DI), BX", tileRowLess)
	a.Op("MOVQ %d(DI), CX", tileColScales)
	for v := range vectors {
		a.Op("VMOVUPS.Z %d(CX), K%d, Z%d", 64*v, 1+v, 28+v)
	}
	for i := range h {
		for v := range vectors {
			a.Op("VPSUBD.BCST %d(BX), Z%d, Z%[2]d", 4*i, 2*i+v)
			a.Op("VCVTDQ2PS Z%d, Z%[1]d", 2*i+v)
			a.Op("VMULPS.BCST %d(AX), Z%d, Z%[2]d", 4*i, 2*i+v)
			a.Op("VMULPS Z%d, Z%d, Z%[2]d", 28+v, 2*i+v)
		}
	}
	a.Op("ADDQ $%d, %d(DI)", 4*h, tileRowScales)
	a.Op("ADDQ $%d, %d(DI)", 4*h, tileRowLess)
	a.Label("end")
}

// endTile512 adds the bias of the columns to the sums of a tile, multiplies them by the scale of the columns, and adds the
// residual, where there are such. The residual of a tile is at tileEnd, which moves on to that of the next.
func endTile512(a *asm.Text, h, vectors int) {
	for _, step := range []struct {
		field    int
		op, next string
	}{{tileBias, "VADDPS", "scale"}, {tileScale, "VMULPS", "residual"}} {
		a.Op("MOVQ %d(DI), CX", step.field)
		a.Op("TESTQ CX, CX")
		a.Op("JEQ %s", step.next)
		for v := range vectors {
			a.Op("VMOVUPS.Z %d(CX), K%d, Z%d", 64*v, 1+v, 28+v)
		}
		for i := range h {
			for v := range vectors {
				a.Op("%s Z%d, Z%d, Z%[3]d", step.op, 28+v, 2*i+v)
			}
		}
		a.Label(step.next)
	}
	a.Op("MOVQ %d(DI), CX", tileEnd)
	a.Op("TESTQ CX, CX")
	a.Op("JEQ write")
	for i := range h {
		for v := range vectors {
			a.Op("VADDPS %d(CX), Z%d, K%d, Z%[2]d", 64*v, 2*i+v, 1+v)
		}
		a.Op("ADDQ %d(DI), CX", tileLDRes)
	}
	a.Op("MOVQ CX, %d(DI)", tileEnd)
	a.Label("write")
}

// columnMasks sets two masks to the first CX of 32 lanes, 16 lanes each.
func columnMasks(a *asm.Text, low, high string) {
	a.Op("MOVQ $1, AX")
	a.Op("SHLQ CX, AX")
	a.Op("DECQ AX")
	a.Op("KMOVW AX, %s", low)
	a.Op("SHRQ $16, AX")
	a.Op("KMOVW AX, %s", high)
}
