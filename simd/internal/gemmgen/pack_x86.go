package main

import (
	"fmt"
	"math/bits"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// packAVX2 writes the AVX2 routines that lay out panels.
func packAVX2() *asm.Text {
	a := asm.New(generator)
	avx2.packStrip(a, "Y")
	packNarrow256(a)
	packTrans256(a, false)
	packTrans256(a, true)
	avx2.gather(a, "Y")
	copyRows256(a, 1)
	copyRows256(a, 2)
	spreadOther256(a)
	fetchLines(a)
	return a
}

// packAVX512 writes the AVX-512 routines that lay out panels.
func packAVX512() *asm.Text {
	a := asm.New(generator)
	packRows512(a)
	avx512.packStrip(a, "Z")
	packTrans512(a, false)
	packTrans512(a, true)
	avx512.gather(a, "Z")
	return a
}

// packStrip copies rows into several full panels at once, so that each page of the source is visited
// once.
func (s *tileSet) packStrip(a *asm.Text, reg string) {
	row := 4 * s.cols() // bytes
	a.Func("packStrip"+s.suffix, "(dst, src *float32, stride, kc, panels int)", 0, 40,
		fmt.Sprintf("Copies kc rows of %d·panels elements, stride bytes apart, to panels of %[1]d, one after the other.", s.cols()))
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ stride+16(FP), R8")
	a.Op("MOVQ kc+24(FP), DX")
	a.Op("MOVQ panels+32(FP), R9")
	a.Op("MOVQ DX, R10")
	a.Op("SHLQ $%d, R10", bits.TrailingZeros(uint(row)))
	a.Label("row")
	a.Op("MOVQ SI, AX")
	a.Op("MOVQ DI, BX")
	a.Op("MOVQ R9, CX")
	a.Label("panel")
	a.Op("VMOVUPS (AX), %s0", reg)
	a.Op("VMOVUPS %d(AX), %s1", row/2, reg)
	a.Op("VMOVUPS %s0, (BX)", reg)
	a.Op("VMOVUPS %s1, %d(BX)", reg, row/2)
	a.Op("ADDQ $%d, AX", row)
	a.Op("ADDQ R10, BX")
	a.Op("DECQ CX")
	a.Op("JNE panel")
	a.Op("ADDQ R8, SI")
	a.Op("ADDQ $%d, DI", row)
	a.Op("DECQ DX")
	a.Op("JNE row")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// packNarrow256 copies rows of a few elements, which become a k-major tile of A.
func packNarrow256(a *asm.Text) {
	a.Func("packNarrow256", "(dst, src *float32, stride, kc, cols int, mask *[8]int32)", 0, 48,
		"Copies kc rows of cols ≤ 8 elements, stride bytes apart, to rows of cols elements. Each row is written",
		"8 wide, so that dst needs 8-cols elements more than it keeps.")
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ stride+16(FP), R8")
	a.Op("MOVQ kc+24(FP), DX")
	a.Op("MOVQ cols+32(FP), R9")
	a.Op("MOVQ mask+40(FP), AX")
	a.Op("VMOVUPS (AX), Y1")
	a.Op("SHLQ $2, R9")
	a.Label("row")
	a.Op("VMASKMOVPS (SI), Y1, Y0")
	a.Op("VMOVUPS Y0, (DI)")
	a.Op("ADDQ R8, SI")
	a.Op("ADDQ R9, DI")
	a.Op("DECQ DX")
	a.Op("JNE row")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// endDoc is the comment of a transposition with the end of a convolution.
const endDoc = "Then bias[i] is added to output row i, and what is below floor becomes that. A floor of -Inf changes nothing."

// packTrans256 transposes 8 full rows into 8 lanes. With end, a bias and ReLU follow.
func packTrans256(a *asm.Text, end bool) {
	doc := []string{
		"Transposes blocks of 8×8: lane j of output row i is element i of source row j, for i < 8·blocks and",
		"j < 8. Source rows are stride bytes apart, output rows width bytes, of which 32 are written.",
	}
	if end {
		a.Func("endTrans256", "(dst, src *float32, stride, blocks, width int, bias *float32, floor float32)", 0, 52, append(doc, endDoc)...)
		a.Op("MOVQ bias+40(FP), CX")
		a.Op("VBROADCASTSS floor+48(FP), Y15")
	} else {
		a.Func("packTrans256", "(dst, src *float32, stride, blocks, width int)", 0, 40, doc...)
	}
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ stride+16(FP), R8")
	a.Op("MOVQ blocks+24(FP), DX")
	a.Op("LEAQ (R8)(R8*2), R9")
	a.Op("MOVQ width+32(FP), R10")
	a.Op("LEAQ (R10)(R10*2), R11")
	a.Label("block")
	a.Op("LEAQ (SI)(R8*4), BX")
	a.Comment("Rows i and i+4 share a register, so that the rounds inside 128-bit lanes finish the job.")
	at := func(base string, i int) string {
		return [...]string{"(" + base + ")", "(" + base + ")(R8*1)", "(" + base + ")(R8*2)", "(" + base + ")(R9*1)"}[i]
	}
	for half := range 2 {
		for i := range 4 {
			d := ""
			if half == 1 {
				d = "16"
			}
			a.Op("VMOVUPS %s%s, X%d", d, at("SI", i), i)
			a.Op("VINSERTF128 $1, %s%s, Y%d, Y%d", d, at("BX", i), i, i)
		}
		a.Op("VUNPCKLPS Y1, Y0, Y4")
		a.Op("VUNPCKHPS Y1, Y0, Y5")
		a.Op("VUNPCKLPS Y3, Y2, Y6")
		a.Op("VUNPCKHPS Y3, Y2, Y7")
		a.Op("VUNPCKLPD Y6, Y4, Y8")
		a.Op("VUNPCKHPD Y6, Y4, Y9")
		a.Op("VUNPCKLPD Y7, Y5, Y10")
		a.Op("VUNPCKHPD Y7, Y5, Y11")
		for i, to := range [...]string{"(DI)", "(DI)(R10*1)", "(DI)(R10*2)", "(DI)(R11*1)"} {
			if end {
				a.Op("VBROADCASTSS %d(CX), Y14", 4*(4*half+i))
				a.Op("VADDPS Y14, Y%d, Y%[1]d", 8+i)
				a.Op("VMAXPS Y%d, Y15, Y%[1]d", 8+i)
			}
			a.Op("VMOVUPS Y%d, %s", 8+i, to)
		}
		a.Op("LEAQ (DI)(R10*4), DI")
	}
	a.Op("ADDQ $32, SI")
	if end {
		a.Op("ADDQ $32, CX")
	}
	a.Op("DECQ DX")
	a.Op("JNE block")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// packRows512 copies rows of up to 32 elements, padding with zeros.
func packRows512(a *asm.Text) {
	a.Func("packRows512", "(dst, src *float32, stride, kc, cols, width int)", 0, 48,
		"Copies kc rows of cols elements, stride bytes apart, to rows of width elements (cols ≤ width ≤ 32), the",
		"rest zero.")
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ stride+16(FP), R8")
	a.Op("MOVQ kc+24(FP), DX")
	a.Op("MOVQ cols+32(FP), CX")
	columnMasks(a, "K1", "K2")
	a.Op("MOVQ width+40(FP), CX")
	columnMasks(a, "K3", "K4")
	a.Op("LEAQ (CX*4), R9")
	a.Op("CMPQ CX, $16")
	a.Op("JLE narrow")
	a.Label("row")
	a.Op("VMOVUPS.Z (SI), K1, Z0")
	a.Op("VMOVUPS.Z 64(SI), K2, Z1")
	a.Op("VMOVUPS Z0, K3, (DI)")
	a.Op("VMOVUPS Z1, K4, 64(DI)")
	a.Op("ADDQ R8, SI")
	a.Op("ADDQ R9, DI")
	a.Op("DECQ DX")
	a.Op("JNE row")
	a.Op("VZEROUPPER")
	a.Op("RET")
	a.Label("narrow")
	a.Op("VMOVUPS.Z (SI), K1, Z0")
	a.Op("VMOVUPS Z0, K3, (DI)")
	a.Op("ADDQ R8, SI")
	a.Op("ADDQ R9, DI")
	a.Op("DECQ DX")
	a.Op("JNE narrow")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// packTrans512 transposes 16 rows into 16 lanes. With end, a bias and ReLU follow.
func packTrans512(a *asm.Text, end bool) {
	doc := []string{
		"Transposes: lane j of output row i is element i of source row j, for i < kc and j < rows ≤ 16; other",
		"lanes are zero. Source rows are stride bytes apart, output rows width bytes, of which lanes elements are",
		"written. Sixteen by sixteen elements go through four rounds of shuffles in registers.",
	}
	if end {
		a.Func("endTrans512", "(dst, src *float32, stride, kc, rows, width, lanes int, bias *float32, floor float32)", 0, 68, append(doc, endDoc)...)
		a.Op("MOVQ bias+56(FP), R11")
		a.Op("VBROADCASTSS floor+64(FP), Z31")
	} else {
		a.Func("packTrans512", "(dst, src *float32, stride, kc, rows, width, lanes int)", 0, 56, doc...)
	}
	finish := func(i int) {
		if end {
			a.Op("VADDPS.BCST %d(R11), Z%d, Z%[2]d", 4*i, i)
			a.Op("VMAXPS Z%d, Z31, Z%[1]d", i)
		}
	}
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ stride+16(FP), R8")
	a.Op("MOVQ kc+24(FP), DX")
	a.Op("MOVQ width+40(FP), R9")
	a.Op("MOVQ lanes+48(FP), CX")
	a.Op("MOVQ $1, AX")
	a.Op("SHLQ CX, AX")
	a.Op("DECQ AX")
	a.Op("KMOVW AX, K2")
	a.Label("block")
	a.Comment("K1 holds the elements of a row that are left, at most 16.")
	a.Op("MOVQ $16, CX")
	a.Op("CMPQ DX, CX")
	a.Op("CMOVQLT DX, CX")
	a.Op("MOVQ $1, AX")
	a.Op("SHLQ CX, AX")
	a.Op("DECQ AX")
	a.Op("KMOVW AX, K1")
	a.Op("MOVQ SI, BX")
	a.Op("MOVQ rows+32(FP), R10")
	a.Op("CMPQ R10, $16")
	a.Op("JNE some")
	a.Comment("Each line is read whole, once: rows a multiple of 4 KB apart fall into one set of the first-level")
	a.Comment("cache, which has fewer than sixteen ways.")
	for i := range 16 {
		a.Op("VMOVUPS.Z (BX), K1, Z%d", i)
		a.Op("ADDQ R8, BX")
	}
	a.Op("JMP loaded")
	a.Label("some")
	for i := range 16 {
		a.Op("VPXORD Z%d, Z%d, Z%d", i, i, i)
	}
	for i := range 15 {
		a.Op("VMOVUPS.Z (BX), K1, Z%d", i)
		a.Op("ADDQ R8, BX")
		a.Op("DECQ R10")
		a.Op("JEQ loaded")
	}
	a.Label("loaded")
	// Rounds 1 and 2, inside 128-bit lanes: 4×4 transposes of each quadruple of rows.
	for q := 0; q < 16; q += 4 {
		a.Op("VUNPCKLPS Z%d, Z%d, Z16", q+1, q)
		a.Op("VUNPCKHPS Z%d, Z%d, Z17", q+1, q)
		a.Op("VUNPCKLPS Z%d, Z%d, Z18", q+3, q+2)
		a.Op("VUNPCKHPS Z%d, Z%d, Z19", q+3, q+2)
		a.Op("VUNPCKLPD Z18, Z16, Z%d", q)
		a.Op("VUNPCKHPD Z18, Z16, Z%d", q+1)
		a.Op("VUNPCKLPD Z19, Z17, Z%d", q+2)
		a.Op("VUNPCKHPD Z19, Z17, Z%d", q+3)
	}
	// Register 4q+c, lane group l now holds element 4l+c of rows 4q..4q+3. Rounds 3 and 4 transpose the
	// 4×4 grid of 128-bit groups (q, l) for each c: output row 4l+c gathers q = 0..3.
	for c := range 4 {
		r := [4]int{c, 4 + c, 8 + c, 12 + c}
		a.Op("VSHUFF32X4 $0x44, Z%d, Z%d, Z16", r[1], r[0]) // q0:l0,l1  q1:l0,l1
		a.Op("VSHUFF32X4 $0xee, Z%d, Z%d, Z17", r[1], r[0]) // q0:l2,l3  q1:l2,l3
		a.Op("VSHUFF32X4 $0x44, Z%d, Z%d, Z18", r[3], r[2])
		a.Op("VSHUFF32X4 $0xee, Z%d, Z%d, Z19", r[3], r[2])
		a.Op("VSHUFF32X4 $0x88, Z18, Z16, Z%d", r[0]) // l0 of q0..q3
		a.Op("VSHUFF32X4 $0xdd, Z18, Z16, Z%d", r[1]) // l1
		a.Op("VSHUFF32X4 $0x88, Z19, Z17, Z%d", r[2]) // l2
		a.Op("VSHUFF32X4 $0xdd, Z19, Z17, Z%d", r[3]) // l3
	}
	// Output row i = 4l+c is in register 4l+c.
	a.Op("CMPQ DX, $16")
	a.Op("JLT tail")
	for i := range 16 {
		finish(i)
		a.Op("VMOVUPS Z%d, K2, (DI)", i)
		a.Op("PREFETCHT0 128(DI)")
		a.Op("ADDQ R9, DI")
	}
	if end {
		a.Op("ADDQ $64, R11")
	}
	a.Op("ADDQ $64, SI")
	a.Op("SUBQ $16, DX")
	a.Op("JNE block")
	a.Op("VZEROUPPER")
	a.Op("RET")
	a.Label("tail")
	for i := range 15 {
		finish(i)
		a.Op("VMOVUPS Z%d, K2, (DI)", i)
		a.Op("ADDQ R9, DI")
		a.Op("DECQ DX")
		a.Op("JEQ done")
	}
	a.Label("done")
	a.Op("VZEROUPPER")
	a.Op("RET")
}
