package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// tilesNEON writes the arm64 kernels. A tile of 8×12 keeps 24 accumulators, three vectors of B and two of
// A, which multiply by element: 29 of 32 registers. A step of k is 5 loads and 24 fused multiply-adds. A
// is packed k-major, always 8 wide; the lower tiles use its first elements.
//
// Go's assembler has neither multiply by element nor vector addition. Those instructions are words with their notation beside them; a
// test has an assembler compare the two.
func tilesNEON() *asm.Text {
	a := asm.New(generator)
	for _, f := range formats {
		for _, h := range neon.heights {
			tileNEON(a, f, h, byK)
		}
	}
	for _, h := range neon.heights {
		tileNEON(a, formats[0], h, byTaps)
	}
	for _, f := range formats {
		for h := range neon.wide {
			wideTileNEON(a, f, h+1, neon.wide[h])
		}
	}
	wordsNEON(a)
	packTransNEON(a)
	gatherNEON(a)
	copyRowsNEON(a, 1)
	copyRowsNEON(a, 2)
	spreadOtherNEON(a)
	fetchLinesNEON(a)
	peakNEON(a)
	return a
}

// fmla is V<d> += V<n>·V<m>[lane], in four lanes.
func fmla(d, n, m, lane int) asm.Instruction {
	return asm.Encode(0x4f801000|lane&1<<21|m<<16|lane>>1<<11|n<<5|d, "fmla v%d.4s, v%d.4s, v%d.s[%d]", d, n, m, lane)
}

// fadd is V<d> += V<n>, in four lanes.
func fadd(d, n int) asm.Instruction {
	return asm.Encode(0x4e20d400|n<<16|d<<5|d, "fadd v%d.4s, v%d.4s, v%d.4s", d, d, n)
}

// widen makes four numbers of half precision in the lower half of V<d> four float32.
func (f number) widen(d int) asm.Instruction {
	if f.name == "FormatF16" {
		return asm.Encode(0x0e217800|d<<5|d, "fcvtl v%d.4s, v%d.4h", d, d)
	}
	return asm.Encode(0x2e613800|d<<5|d, "shll v%d.4s, v%d.4h, #16", d, d)
}

func tileNEON(a *asm.Text, f number, h int, o order) {
	form := [...]string{byK: "", byTaps: "t"}[o]
	a.Func(fmt.Sprintf("gemmNEON%s%s%d", form, f.letter, h), "(t *gemmTile)", 0, 8, fmt.Sprintf("One tile of %d×%d, %v and %d wide%s", h, neon.cols(), o, neon.rows, f.describe()))
	t := sumsNEON{a: a, h: h, sums: 3 * h, free: 24, add: fadd}
	t.begin()
	if o == byTaps {
		a.Op("MOVD %d(R0), R12", tileTaps)
		a.Op("MOVD R1, R13")
	}
	t.chains(1, func() {
		if f.bytes == 4 {
			a.Op("VLD1.P 48(R2), [V24.S4, V25.S4, V26.S4]")
		} else {
			a.Op("VLD1.P 24(R2), [V24.H4, V25.H4, V26.H4]")
			for v := range 3 {
				a.Word(f.widen(24 + v))
			}
		}
		if o == byTaps {
			a.Op("MOVD.P 8(R12), R14")
			a.Op("ADD R14<<2, R13, R1")
			a.Op("VLD1 (R1), [V27.S4, V28.S4]")
		} else {
			a.Op("VLD1.P 32(R1), [V27.S4, V28.S4]")
		}
		for i := range h {
			for v := range 3 {
				a.Word(fmla(3*i+v, 24+v, 27+i/4, i%4))
			}
		}
	})
	t.store()
}

// wideTileNEON covers several panels with one or two rows: one panel has too few sums to keep the multipliers busy.
func wideTileNEON(a *asm.Text, f number, h, panels int) {
	a.Func(fmt.Sprintf("gemmNEONw%s%d", f.letter, h), "(t *gemmTile)", 0, 8,
		fmt.Sprintf("One tile of %d×%d over %d panels, %v and %d wide%s", h, neon.cols()*panels, panels, byK, neon.rows, f.describe()))
	t := sumsNEON{a: a, h: h, wide: panels, sums: 3 * h * panels, free: 24, add: fadd}
	t.begin()
	at := []string{"R2", "R12", "R13", "R14"}[:panels]
	a.Op("MOVD %d(R0), R7", tileBPS)
	for p := 1; p < panels; p++ {
		a.Op("ADD R7, %s, %s", at[p-1], at[p])
	}
	t.chains(1, func() {
		a.Op("VLD1 (R1), [V27.S4]")
		a.Op("ADD $%d, R1", 4*neon.rows)
		for p, r := range at {
			if f.bytes == 4 {
				a.Op("VLD1.P 48(%s), [V24.S4, V25.S4, V26.S4]", r)
			} else {
				a.Op("VLD1.P 24(%s), [V24.H4, V25.H4, V26.H4]", r)
				for v := range 3 {
					a.Word(f.widen(24 + v))
				}
			}
			for i := range h {
				for v := range 3 {
					a.Word(fmla(3*(i*panels+p)+v, 24+v, 27, i))
				}
			}
		}
	})
	t.store()
}

// packTransNEON transposes four rows into four lanes.
func packTransNEON(a *asm.Text) {
	a.Func("packTransNEON", "(dst, src *float32, stride, blocks, width int)", 0, 40,
		"Transposes blocks of 4×4: lane j of output row i is element i of source row j, for i < 4·blocks and",
		"j < 4. Source rows are stride bytes apart, output rows width bytes.")
	a.Op("MOVD dst+0(FP), R0")
	a.Op("MOVD src+8(FP), R1")
	a.Op("MOVD stride+16(FP), R2")
	a.Op("MOVD blocks+24(FP), R3")
	a.Op("MOVD width+32(FP), R4")
	a.Op("ADD R2, R1, R5")
	a.Op("ADD R2, R5, R6")
	a.Op("ADD R2, R6, R7")
	a.Label("block")
	for i, r := range []string{"R1", "R5", "R6", "R7"} {
		a.Op("VLD1.P 16(%s), [V%d.S4]", r, i)
	}
	a.Op("VZIP1 V2.S4, V0.S4, V4.S4")
	a.Op("VZIP1 V3.S4, V1.S4, V5.S4")
	a.Op("VZIP2 V2.S4, V0.S4, V6.S4")
	a.Op("VZIP2 V3.S4, V1.S4, V7.S4")
	a.Op("VZIP1 V5.S4, V4.S4, V16.S4")
	a.Op("VZIP2 V5.S4, V4.S4, V17.S4")
	a.Op("VZIP1 V7.S4, V6.S4, V18.S4")
	a.Op("VZIP2 V7.S4, V6.S4, V19.S4")
	for i := range 4 {
		a.Op("VST1 [V%d.S4], (R0)", 16+i)
		a.Op("ADD R4, R0")
	}
	a.Op("SUBS $1, R3")
	a.Op("BNE block")
	a.Op("RET")
}

// peakNEON writes the loop that FMAPeak times: independent chains, nothing but multiply-adds.
func peakNEON(a *asm.Text) {
	a.Func("peakNEON", "(n int)", 0, 8, fmt.Sprintf("n rounds of %d fused multiply-adds of %d lanes.", neon.chains, neon.lanes))
	a.Op("MOVD n+0(FP), R0")
	for i := range neon.chains + 2 {
		a.Op("VEOR V%d.B16, V%d.B16, V%d.B16", i, i, i)
	}
	a.Label("loop")
	for i := range neon.chains {
		a.Op("VFMLA V24.S4, V25.S4, V%d.S4", i)
	}
	a.Op("SUBS $1, R0")
	a.Op("BNE loop")
	a.Op("RET")
}
