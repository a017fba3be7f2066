package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// A productNEON multiplies words, the elements of narrow products: two bfloat16, two int16 or four int8, which are
// neighbors along k. It says how a tile adds the products of some words of A and B to its sums.
type productNEON struct {
	name  string // of its kernels
	doc   string // what a word holds
	add   func(d, n int) asm.Instruction
	steps int // words that a step goes along k
	tile  func(a *asm.Text, p *productNEON, h int)
	// of its peak loop
	multiply func(d, n, m int) asm.Instruction
	each     int // operations of an instruction
}

// productsNEON are the narrow products. Two of them, by matrices of 2×2 words, need words in pairs: element (k, i) of
// a panel of width w is at (k &^ 1)·w + 2·i + k&1.
var productsNEON = []*productNEON{
	{name: "Bfmmla", doc: "words of two bfloat16, in pairs", add: fadd, steps: 2, tile: pairsTileNEON, multiply: bfmmla, each: 32},
	{name: "Smmla", doc: "words of four int8, in pairs", add: vadd, steps: 2, tile: pairsTileNEON, multiply: smmla, each: 64},
	{name: "Sdot", doc: "words of four int8", add: vadd, steps: 1, tile: dotTileNEON, multiply: func(d, n, m int) asm.Instruction { return sdot(d, n, m, 0) }, each: 32},
	{name: "Smlal", doc: "words of two int16", add: vadd, steps: 1, tile: smlalTileNEON, multiply: func(d, n, m int) asm.Instruction { return smlal(d, n, m, 0, false) }, each: 8},
}

// bfmmla is V<d> += V<n>·V<m>ᵀ of matrices of 2×4 bfloat16, V<d> of 2×2 float32.
func bfmmla(d, n, m int) asm.Instruction {
	return asm.Encode(0x6e40ec00|m<<16|n<<5|d, "bfmmla v%d.4s, v%d.8h, v%d.8h", d, n, m)
}

// smmla is V<d> += V<n>·V<m>ᵀ of matrices of 2×8 int8, V<d> of 2×2 int32.
func smmla(d, n, m int) asm.Instruction {
	return asm.Encode(0x4e80a400|m<<16|n<<5|d, "smmla v%d.4s, v%d.16b, v%d.16b", d, n, m)
}

// sdot adds the dot products of the four words of V<n>, of int8, with one word of V<m> to the lanes of V<d>.
func sdot(d, n, m, lane int) asm.Instruction {
	return asm.Encode(0x4f80e000|lane&1<<21|m<<16|lane>>1<<11|n<<5|d, "sdot v%d.4s, v%d.16b, v%d.4b[%d]", d, n, m, lane)
}

// smlal is V<d> += V<n>·V<m>[lane], of four int16 of the lower or upper half of V<n>. V<m> is one of the first 16.
func smlal(d, n, m, lane int, upper bool) asm.Instruction {
	code, name, half := 0x0f402000, "smlal", "4h"
	if upper {
		code, name, half = 0x4f402000, "smlal2", "8h"
	}
	return asm.Encode(code|lane>>1&1<<21|lane&1<<20|m<<16|lane>>2<<11|n<<5|d, "%s v%d.4s, v%d.%s, v%d.h[%d]", name, d, n, half, m, lane)
}

// vadd is V<d> += V<n>, in four lanes of int32.
func vadd(d, n int) asm.Instruction {
	return asm.Encode(0x4ea08400|n<<16|d<<5|d, "add v%d.4s, v%d.4s, v%d.4s", d, d, n)
}

func (p *productNEON) begin(a *asm.Text, h int) {
	a.Func(fmt.Sprintf("gemm%s%d", p.name, h), "(t *gemmTile)", 0, 8,
		fmt.Sprintf("One tile of %d×%d, A k-major and %d wide, %s.", h, neon.cols(), neon.rows, p.doc))
}

// dotTileNEON is the tile of float32 with another multiplication.
func dotTileNEON(a *asm.Text, p *productNEON, h int) {
	p.begin(a, h)
	t := sumsNEON{a: a, h: h, sums: 3 * h, free: 24, add: p.add}
	t.begin()
	t.chains(p.steps, func() {
		a.Op("VLD1.P 48(R2), [V24.S4, V25.S4, V26.S4]")
		a.Op("VLD1.P 32(R1), [V27.S4, V28.S4]")
		for i := range h {
			for v := range 3 {
				a.Word(sdot(3*i+v, 24+v, 27+i/4, i%4))
			}
		}
	})
	t.store()
}

// smlalTileNEON multiplies the int16 of a word one after the other. A load parts those of B. The eight rows of A, two
// numbers each, are in V0 and V1.
func smlalTileNEON(a *asm.Text, p *productNEON, h int) {
	p.begin(a, h)
	t := sumsNEON{a: a, h: h, first: 8, sums: 3 * h, free: 2, add: p.add}
	t.begin()
	t.chains(p.steps, func() {
		a.Op("VLD2.P 32(R2), [V2.H8, V3.H8]")
		a.Op("VLD2.P 16(R2), [V4.H4, V5.H4]")
		a.Op("VLD1.P 32(R1), [V0.S4, V1.S4]")
		for q := range 2 {
			for i := range h {
				for v := range 3 {
					a.Word(smlal(8+3*i+v, 2+q+v&2, i/4, i%4*2+q, v == 1))
				}
			}
		}
	})
	t.store()
}

// pairsTileNEON keeps sums in registers of 2×2. A pair of words of two rows of A fills a register, and so does that of
// two columns of B. A step is 24 multiplications for 10 registers that are loaded. A tile of one row computes a second one.
func pairsTileNEON(a *asm.Text, p *productNEON, h int) {
	const pairs = 6 // of columns
	p.begin(a, h)
	high := (h + 1) / 2
	t := sumsNEON{a: a, h: h, first: 8, sums: pairs * high, free: 4, add: p.add}
	t.rows = func() [][3]int {
		var rows [][3]int
		free := 7
		for i := range high {
			var even, odd [3]int
			for v := range 3 {
				x := t.first + pairs*i + 2*v
				a.Op("VZIP1 V%d.D2, V%d.D2, V%d.D2", x+1, x, free)
				a.Op("VZIP2 V%d.D2, V%d.D2, V%d.D2", x+1, x, x)
				even[v], odd[v], free = free, x, x+1
			}
			rows = append(rows, even, odd)
		}
		return rows[:h]
	}
	t.begin()
	t.chains(p.steps, func() {
		if h == neon.rows {
			a.Op("VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]")
		} else {
			a.Op("VLD1 (R1), %s", [...]string{1: "[V0.S4]", 2: "[V0.S4, V1.S4]"}[high])
			a.Op("ADD $64, R1")
		}
		for from := 0; from < pairs; from += 3 {
			a.Op("VLD1.P 48(R2), [V4.S4, V5.S4, V6.S4]")
			for i := range high {
				for v := range 3 {
					a.Word(p.multiply(t.first+pairs*i+from+v, i, 4+v))
				}
			}
		}
	})
	t.store()
}

// packPairsNEON transposes four rows of pairs of words.
func packPairsNEON(a *asm.Text) {
	a.Func("packPairsNEON", "(dst, src *float32, stride, blocks, width int)", 0, 40,
		"Transposes blocks of four rows of two pairs: pair j of output row i is pair i of source row j, for i < 2·blocks",
		"and j < 4. A pair is two elements. Source rows are stride bytes apart, output rows width bytes.")
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
		a.Op("VLD1.P 16(%s), [V%d.D2]", r, i)
	}
	a.Op("VZIP1 V1.D2, V0.D2, V4.D2")
	a.Op("VZIP1 V3.D2, V2.D2, V5.D2")
	a.Op("VZIP2 V1.D2, V0.D2, V6.D2")
	a.Op("VZIP2 V3.D2, V2.D2, V7.D2")
	for i := range 2 {
		a.Op("VST1 [V%d.D2, V%d.D2], (R0)", 4+2*i, 5+2*i)
		a.Op("ADD R4, R0")
	}
	a.Op("SUBS $1, R3")
	a.Op("BNE block")
	a.Op("RET")
}

// wordsNEON writes the kernels of narrow products.
func wordsNEON(a *asm.Text) {
	for _, p := range productsNEON {
		for _, h := range neon.heights {
			p.tile(a, p, h)
		}
		p.peak(a)
	}
	packPairsNEON(a)
	convertNEON(a)
}

// peak writes the loop that times the multiplication.
func (p *productNEON) peak(a *asm.Text) {
	a.Func("peak"+p.name, "(n int)", 0, 8, fmt.Sprintf("n rounds of %d multiplications of %d operations.", neon.chains, p.each))
	a.Op("MOVD n+0(FP), R0")
	for i := range neon.chains + 2 {
		a.Op("VEOR V%[1]d.B16, V%[1]d.B16, V%[1]d.B16", i)
	}
	a.Label("loop")
	for i := range neon.chains {
		a.Word(p.multiply(2+i, 0, 1))
	}
	a.Op("SUBS $1, R0")
	a.Op("BNE loop")
	a.Op("RET")
}
