package main

import "fmt"

// gemmNEON writes the arm64 kernels. A tile of 8×12 keeps 24 accumulators, three vectors of B and two of
// A, which multiply by element: 29 of 32 registers. A step of k is 5 loads and 24 fused multiply-adds. A
// is packed k-major, always 8 wide; the lower tiles use its first elements.
//
// Go's assembler has no multiply by element, so those are words, each with the instruction it stands for
// beside it; a test asks an assembler whether they agree.
func gemmNEON() []byte {
	var a asm
	a.WriteString(header)
	for _, h := range []int{1, 2, 4, 8} {
		tileNEON(&a, h)
	}
	packTransNEON(&a)
	peakNEON(&a)
	return a.Bytes()
}

// fmla is V<d> += V<n>·V<m>[lane], in four lanes.
func fmla(d, n, m, lane int) string {
	word := 0x4f801000 | lane&1<<21 | m<<16 | lane>>1<<11 | n<<5 | d
	return fmt.Sprintf("WORD $0x%08x // fmla v%d.4s, v%d.4s, v%d.s[%d]", word, d, n, m, lane)
}

func tileNEON(a *asm, h int) {
	name := fmt.Sprintf("gemmNEON%d", h)
	a.text(fmt.Sprintf("func %s(t *gemmTile)\n// One tile of %d×12, A k-major and 8 wide.", name, h), name, 8)
	a.p("MOVD t+0(FP), R0")
	a.p("MOVD %d(R0), R1", tileA)
	a.p("MOVD %d(R0), R2", tileB)
	a.p("MOVD %d(R0), R3", tileC)
	a.p("MOVD %d(R0), R4", tileK)
	a.p("MOVD %d(R0), R5", tileLDC)
	a.p("MOVD %d(R0), R6", tileAccum)
	a.p("MOVD R3, R7")
	a.p("CBNZ R6, load")
	for i := range 3 * h {
		a.p("VEOR V%d.B16, V%d.B16, V%d.B16", i, i, i)
	}
	a.p("B begin")
	a.l("load")
	for i := range h {
		a.p("VLD1 (R7), [V%d.S4, V%d.S4, V%d.S4]", 3*i, 3*i+1, 3*i+2)
		a.p("ADD R5, R7")
	}
	a.l("begin")
	step := func() {
		a.p("VLD1.P 48(R2), [V24.S4, V25.S4, V26.S4]")
		a.p("VLD1.P 32(R1), [V27.S4, V28.S4]")
		for i := range h {
			for v := range 3 {
				a.p("%s", fmla(3*i+v, 24+v, 27+i/4, i%4))
			}
		}
	}
	a.p("SUBS $4, R4")
	a.p("BLT rest")
	a.l("four")
	for range 4 {
		step()
	}
	a.p("SUBS $4, R4")
	a.p("BGE four")
	a.l("rest")
	a.p("ADDS $4, R4")
	a.p("BEQ store")
	a.l("one")
	step()
	a.p("SUBS $1, R4")
	a.p("BNE one")
	a.l("store")
	for i := range h {
		a.p("VST1 [V%d.S4, V%d.S4, V%d.S4], (R3)", 3*i, 3*i+1, 3*i+2)
		a.p("ADD R5, R3")
	}
	a.p("RET")
}

// packTransNEON transposes four rows into four lanes.
func packTransNEON(a *asm) {
	a.text(`func packTransNEON(dst, src *float32, stride, blocks, width int)
// Transposes blocks of 4×4: lane j of output row i is element i of source row j, for i < 4·blocks and
// j < 4. Source rows are stride bytes apart, output rows width bytes.`, "packTransNEON", 40)
	a.p("MOVD dst+0(FP), R0")
	a.p("MOVD src+8(FP), R1")
	a.p("MOVD stride+16(FP), R2")
	a.p("MOVD blocks+24(FP), R3")
	a.p("MOVD width+32(FP), R4")
	a.p("ADD R2, R1, R5")
	a.p("ADD R2, R5, R6")
	a.p("ADD R2, R6, R7")
	a.l("block")
	for i, r := range []string{"R1", "R5", "R6", "R7"} {
		a.p("VLD1.P 16(%s), [V%d.S4]", r, i)
	}
	a.p("VZIP1 V2.S4, V0.S4, V4.S4")
	a.p("VZIP1 V3.S4, V1.S4, V5.S4")
	a.p("VZIP2 V2.S4, V0.S4, V6.S4")
	a.p("VZIP2 V3.S4, V1.S4, V7.S4")
	a.p("VZIP1 V5.S4, V4.S4, V16.S4")
	a.p("VZIP2 V5.S4, V4.S4, V17.S4")
	a.p("VZIP1 V7.S4, V6.S4, V18.S4")
	a.p("VZIP2 V7.S4, V6.S4, V19.S4")
	for i := range 4 {
		a.p("VST1 [V%d.S4], (R0)", 16+i)
		a.p("ADD R4, R0")
	}
	a.p("SUBS $1, R3")
	a.p("BNE block")
	a.p("RET")
}

// peakNEON writes the loop that FMAPeak times: 24 independent chains, nothing but multiply-adds.
func peakNEON(a *asm) {
	a.text("func peakNEON(n int)\n// n rounds of 24 fused multiply-adds of 4 lanes.", "peakNEON", 8)
	a.p("MOVD n+0(FP), R0")
	for i := range 26 {
		a.p("VEOR V%d.B16, V%d.B16, V%d.B16", i, i, i)
	}
	a.l("loop")
	for i := range 24 {
		a.p("VFMLA V24.S4, V25.S4, V%d.S4", i)
	}
	a.p("SUBS $1, R0")
	a.p("BNE loop")
	a.p("RET")
}
