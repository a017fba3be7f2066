package main

// packAVX2 writes the AVX2 routines that lay out panels.
func packAVX2() []byte {
	var a asm
	a.WriteString(header)
	packStrip256(&a)
	packNarrow256(&a)
	packTrans256(&a)
	return a.Bytes()
}

// packStrip256 copies rows into several full panels at once.
func packStrip256(a *asm) {
	a.text(`func packStrip256(dst, src *float32, stride, kc, panels int)
// Copies kc rows of 16·panels elements, stride bytes apart, to panels of 16, one after the other.`, "packStrip256", 40)
	a.p("MOVQ dst+0(FP), DI")
	a.p("MOVQ src+8(FP), SI")
	a.p("MOVQ stride+16(FP), R8")
	a.p("MOVQ kc+24(FP), DX")
	a.p("MOVQ panels+32(FP), R9")
	a.p("MOVQ DX, R10")
	a.p("SHLQ $6, R10")
	a.l("row")
	a.p("MOVQ SI, AX")
	a.p("MOVQ DI, BX")
	a.p("MOVQ R9, CX")
	a.l("panel")
	a.p("VMOVUPS (AX), Y0")
	a.p("VMOVUPS 32(AX), Y1")
	a.p("VMOVUPS Y0, (BX)")
	a.p("VMOVUPS Y1, 32(BX)")
	a.p("ADDQ $64, AX")
	a.p("ADDQ R10, BX")
	a.p("DECQ CX")
	a.p("JNE panel")
	a.p("ADDQ R8, SI")
	a.p("ADDQ $64, DI")
	a.p("DECQ DX")
	a.p("JNE row")
	a.p("VZEROUPPER")
	a.p("RET")
}

// packNarrow256 copies rows of a few elements, which become a k-major tile of A.
func packNarrow256(a *asm) {
	a.text(`func packNarrow256(dst, src *float32, stride, kc, cols int, mask *[8]int32)
// Copies kc rows of cols ≤ 8 elements, stride bytes apart, to rows of cols elements. Each row is written
// 8 wide, so that dst needs 8-cols elements more than it keeps.`, "packNarrow256", 48)
	a.p("MOVQ dst+0(FP), DI")
	a.p("MOVQ src+8(FP), SI")
	a.p("MOVQ stride+16(FP), R8")
	a.p("MOVQ kc+24(FP), DX")
	a.p("MOVQ cols+32(FP), R9")
	a.p("MOVQ mask+40(FP), AX")
	a.p("VMOVUPS (AX), Y1")
	a.p("SHLQ $2, R9")
	a.l("row")
	a.p("VMASKMOVPS (SI), Y1, Y0")
	a.p("VMOVUPS Y0, (DI)")
	a.p("ADDQ R8, SI")
	a.p("ADDQ R9, DI")
	a.p("DECQ DX")
	a.p("JNE row")
	a.p("VZEROUPPER")
	a.p("RET")
}

// packTrans256 transposes 8 full rows into 8 lanes.
func packTrans256(a *asm) {
	a.text(`func packTrans256(dst, src *float32, stride, blocks int)
// Transposes blocks of 8×8: lane j of output row i is element i of source row j, for i < 8·blocks and
// j < 8. Source rows are stride bytes apart, output rows 64 bytes, of which 32 are written.`, "packTrans256", 32)
	a.p("MOVQ dst+0(FP), DI")
	a.p("MOVQ src+8(FP), SI")
	a.p("MOVQ stride+16(FP), R8")
	a.p("MOVQ blocks+24(FP), DX")
	a.p("LEAQ (R8)(R8*2), R9")
	a.l("block")
	a.p("LEAQ (SI)(R8*4), BX")
	a.c("Rows i and i+4 share a register, so that the rounds inside 128-bit lanes finish the job.")
	at := func(base string, i int) string {
		return [...]string{"(" + base + ")", "(" + base + ")(R8*1)", "(" + base + ")(R8*2)", "(" + base + ")(R9*1)"}[i]
	}
	for half := range 2 {
		for i := range 4 {
			d := ""
			if half == 1 {
				d = "16"
			}
			a.p("VMOVUPS %s%s, X%d", d, at("SI", i), i)
			a.p("VINSERTF128 $1, %s%s, Y%d, Y%d", d, at("BX", i), i, i)
		}
		a.p("VUNPCKLPS Y1, Y0, Y4")
		a.p("VUNPCKHPS Y1, Y0, Y5")
		a.p("VUNPCKLPS Y3, Y2, Y6")
		a.p("VUNPCKHPS Y3, Y2, Y7")
		a.p("VUNPCKLPD Y6, Y4, Y8")
		a.p("VUNPCKHPD Y6, Y4, Y9")
		a.p("VUNPCKLPD Y7, Y5, Y10")
		a.p("VUNPCKHPD Y7, Y5, Y11")
		for i := range 4 {
			a.p("VMOVUPS Y%d, %d(DI)", 8+i, 64*(4*half+i))
		}
	}
	a.p("ADDQ $32, SI")
	a.p("ADDQ $512, DI")
	a.p("DECQ DX")
	a.p("JNE block")
	a.p("VZEROUPPER")
	a.p("RET")
}
