package main

// packAVX512 writes the AVX-512 routines that lay out panels.
func packAVX512() []byte {
	var a asm
	a.WriteString(header)
	packRows512(&a)
	packStrip512(&a)
	packTrans512(&a)
	return a.Bytes()
}

// packRows512 copies rows of up to 32 elements, padding with zeros.
func packRows512(a *asm) {
	a.text(`func packRows512(dst, src *float32, stride, kc, cols, width int)
// Copies kc rows of cols elements, stride bytes apart, to rows of width elements (cols ≤ width ≤ 32), the
// rest zero.`, "packRows512", 48)
	a.p("MOVQ dst+0(FP), DI")
	a.p("MOVQ src+8(FP), SI")
	a.p("MOVQ stride+16(FP), R8")
	a.p("MOVQ kc+24(FP), DX")
	mask := func(arg string, k1, k2 string) {
		a.p("MOVQ %s(FP), CX", arg)
		a.p("MOVQ $1, AX")
		a.p("SHLQ CX, AX")
		a.p("DECQ AX")
		a.p("KMOVW AX, %s", k1)
		a.p("SHRQ $16, AX")
		a.p("KMOVW AX, %s", k2)
	}
	mask("cols+32", "K1", "K2")
	mask("width+40", "K3", "K4")
	a.p("LEAQ (CX*4), R9")
	a.p("CMPQ CX, $16")
	a.p("JLE narrow")
	a.l("row")
	a.p("VMOVUPS.Z (SI), K1, Z0")
	a.p("VMOVUPS.Z 64(SI), K2, Z1")
	a.p("VMOVUPS Z0, K3, (DI)")
	a.p("VMOVUPS Z1, K4, 64(DI)")
	a.p("ADDQ R8, SI")
	a.p("ADDQ R9, DI")
	a.p("DECQ DX")
	a.p("JNE row")
	a.p("VZEROUPPER")
	a.p("RET")
	a.l("narrow")
	a.p("VMOVUPS.Z (SI), K1, Z0")
	a.p("VMOVUPS Z0, K3, (DI)")
	a.p("ADDQ R8, SI")
	a.p("ADDQ R9, DI")
	a.p("DECQ DX")
	a.p("JNE narrow")
	a.p("VZEROUPPER")
	a.p("RET")
}

// packStrip512 copies rows into several full panels at once, so that each page of the source is visited
// once.
func packStrip512(a *asm) {
	a.text(`func packStrip512(dst, src *float32, stride, kc, panels int)
// Copies kc rows of 32·panels elements, stride bytes apart, to panels of 32, one after the other.`, "packStrip512", 40)
	a.p("MOVQ dst+0(FP), DI")
	a.p("MOVQ src+8(FP), SI")
	a.p("MOVQ stride+16(FP), R8")
	a.p("MOVQ kc+24(FP), DX")
	a.p("MOVQ panels+32(FP), R9")
	a.p("MOVQ DX, R10")
	a.p("SHLQ $7, R10")
	a.l("row")
	a.p("MOVQ SI, AX")
	a.p("MOVQ DI, BX")
	a.p("MOVQ R9, CX")
	a.l("panel")
	a.p("VMOVUPS (AX), Z0")
	a.p("VMOVUPS 64(AX), Z1")
	a.p("VMOVUPS Z0, (BX)")
	a.p("VMOVUPS Z1, 64(BX)")
	a.p("ADDQ $128, AX")
	a.p("ADDQ R10, BX")
	a.p("DECQ CX")
	a.p("JNE panel")
	a.p("ADDQ R8, SI")
	a.p("ADDQ $128, DI")
	a.p("DECQ DX")
	a.p("JNE row")
	a.p("VZEROUPPER")
	a.p("RET")
}

// packTrans512 transposes 16 rows into 16 lanes.
func packTrans512(a *asm) {
	a.text(`func packTrans512(dst, src *float32, stride, kc, rows int)
// Transposes: lane j of output row i is element i of source row j, for i < kc and j < rows ≤ 16; other
// lanes are zero. Source rows are stride bytes apart, output rows 128 bytes, of which 64 are written.
// Sixteen by sixteen elements go through four rounds of shuffles in registers.`, "packTrans512", 40)
	a.p("MOVQ dst+0(FP), DI")
	a.p("MOVQ src+8(FP), SI")
	a.p("MOVQ stride+16(FP), R8")
	a.p("MOVQ kc+24(FP), DX")
	a.l("block")
	a.c("K1 holds the elements of a row that are left, at most 16.")
	a.p("MOVQ $16, CX")
	a.p("CMPQ DX, CX")
	a.p("CMOVQLT DX, CX")
	a.p("MOVQ $1, AX")
	a.p("SHLQ CX, AX")
	a.p("DECQ AX")
	a.p("KMOVW AX, K1")
	a.p("MOVQ SI, BX")
	a.p("MOVQ rows+32(FP), R10")
	a.p("CMPQ R10, $16")
	a.p("JNE some")
	a.c("Each line is read whole, once: rows a multiple of 4 KB apart fall into one set of the first-level")
	a.c("cache, which has fewer than sixteen ways.")
	for i := range 16 {
		a.p("VMOVUPS.Z (BX), K1, Z%d", i)
		a.p("ADDQ R8, BX")
	}
	a.p("JMP loaded")
	a.l("some")
	for i := range 16 {
		a.p("VPXORD Z%d, Z%d, Z%d", i, i, i)
	}
	for i := range 15 {
		a.p("VMOVUPS.Z (BX), K1, Z%d", i)
		a.p("ADDQ R8, BX")
		a.p("DECQ R10")
		a.p("JEQ loaded")
	}
	a.l("loaded")
	// Rounds 1 and 2, inside 128-bit lanes: 4×4 transposes of each quadruple of rows.
	for q := 0; q < 16; q += 4 {
		a.p("VUNPCKLPS Z%d, Z%d, Z16", q+1, q)
		a.p("VUNPCKHPS Z%d, Z%d, Z17", q+1, q)
		a.p("VUNPCKLPS Z%d, Z%d, Z18", q+3, q+2)
		a.p("VUNPCKHPS Z%d, Z%d, Z19", q+3, q+2)
		a.p("VUNPCKLPD Z18, Z16, Z%d", q)
		a.p("VUNPCKHPD Z18, Z16, Z%d", q+1)
		a.p("VUNPCKLPD Z19, Z17, Z%d", q+2)
		a.p("VUNPCKHPD Z19, Z17, Z%d", q+3)
	}
	// Register 4q+c, lane group l now holds element 4l+c of rows 4q..4q+3. Rounds 3 and 4 transpose the
	// 4×4 grid of 128-bit groups (q, l) for each c: output row 4l+c gathers q = 0..3.
	for c := range 4 {
		r := [4]int{c, 4 + c, 8 + c, 12 + c}
		a.p("VSHUFF32X4 $0x44, Z%d, Z%d, Z16", r[1], r[0]) // q0:l0,l1  q1:l0,l1
		a.p("VSHUFF32X4 $0xee, Z%d, Z%d, Z17", r[1], r[0]) // q0:l2,l3  q1:l2,l3
		a.p("VSHUFF32X4 $0x44, Z%d, Z%d, Z18", r[3], r[2])
		a.p("VSHUFF32X4 $0xee, Z%d, Z%d, Z19", r[3], r[2])
		a.p("VSHUFF32X4 $0x88, Z18, Z16, Z%d", r[0]) // l0 of q0..q3
		a.p("VSHUFF32X4 $0xdd, Z18, Z16, Z%d", r[1]) // l1
		a.p("VSHUFF32X4 $0x88, Z19, Z17, Z%d", r[2]) // l2
		a.p("VSHUFF32X4 $0xdd, Z19, Z17, Z%d", r[3]) // l3
	}
	// Output row i = 4l+c is in register 4l+c.
	a.p("CMPQ DX, $16")
	a.p("JLT tail")
	for i := range 16 {
		a.p("VMOVUPS Z%d, %d(DI)", i, 128*i)
	}
	a.p("ADDQ $64, SI")
	a.p("ADDQ $2048, DI")
	a.p("SUBQ $16, DX")
	a.p("JNE block")
	a.p("VZEROUPPER")
	a.p("RET")
	a.l("tail")
	for i := range 15 {
		a.p("VMOVUPS Z%d, %d(DI)", i, 128*i)
		a.p("DECQ DX")
		a.p("JEQ done")
	}
	a.l("done")
	a.p("VZEROUPPER")
	a.p("RET")
}
