package main

import (
	"bytes"
	"fmt"
)

// avx2 writes the kernels of AVX2. A step of a row kernel takes four pixels of two rows: 2 loads and an insertion, 2
// shuffles that widen, 4 multiplications of pairs of words by weights broadcast from memory, 4 additions. A step of
// the column kernel takes 32 samples of four rows.
func avx2() []byte {
	a := newAsm()
	for _, channels := range []int{3, 4} {
		name := fmt.Sprintf("resizeRows%dAVX2", channels)
		a.text(name, "resizeRowsArgs", fmt.Sprintf("Two rows of %d channels.", channels))
		a.p("MOVQ a+0(FP), AX")
		a.p("MOVQ %d(AX), SI", rowsSrc)
		a.p("MOVQ %d(AX), DI", rowsSrc+8)
		a.p("MOVQ %d(AX), R8", rowsDst)
		a.p("MOVQ %d(AX), R9", rowsDst+8)
		a.p("MOVQ %d(AX), R10", rowsAt)
		a.p("MOVQ %d(AX), BX", rowsPacked)
		a.p("MOVQ %d(AX), R11", rowsSteps)
		a.p("MOVQ %d(AX), R12", rowsOutput)
		a.p("VBROADCASTI128 resizeSpread%dAVX2<>+0(SB), Y12", channels)
		a.p("VBROADCASTI128 resizeSpread%dAVX2<>+16(SB), Y13", channels)
		a.p("VPBROADCASTD resizeHalfAVX2<>(SB), Y14")
		a.l("output")
		offset(a, channels, "R10", "DX")
		a.p("LEAQ (SI)(DX*1), R13")
		a.p("LEAQ (DI)(DX*1), R15")
		a.p("MOVQ R11, CX")
		a.p("VMOVDQA Y14, Y8")
		for _, r := range []int{9, 10, 11} {
			a.p("VPXOR Y%d, Y%d, Y%d", r, r, r)
		}
		multiply := func() {
			a.p("VPBROADCASTD (BX), Y3")
			a.p("VPBROADCASTD 4(BX), Y4")
			a.p("VPBROADCASTD 8(BX), Y5")
			a.p("VPBROADCASTD 12(BX), Y6")
			a.p("VPSHUFB Y12, Y0, Y1")
			a.p("VPSHUFB Y13, Y0, Y2")
			for i, pixels := range []int{1, 2, 1, 2} {
				a.p("VPMADDWD Y%d, Y%d, Y%d", pixels, 3+i, 3+i)
			}
			for i := range 4 {
				a.p("VPADDD Y%d, Y%d, Y%d", 3+i, 8+i, 8+i)
			}
			a.p("ADDQ $16, BX")
		}
		if channels == 3 {
			a.p("DECQ CX")
			a.p("JEQ end")
		}
		a.l("step")
		a.p("VMOVDQU (R13), X0")
		a.p("VINSERTI128 $1, (R15), Y0, Y0")
		multiply()
		a.p("ADDQ $%d, R13", 4*channels)
		a.p("ADDQ $%d, R15", 4*channels)
		a.p("DECQ CX")
		a.p("JNE step")
		if channels == 3 {
			a.l("end")
			a.c("The last four pixels may be the last of the row: 12 bytes and no more.")
			a.p("VMOVQ (R13), X0")
			a.p("VMOVQ (R15), X1")
			a.p("VPINSRD $2, 8(R13), X0, X0")
			a.p("VPINSRD $2, 8(R15), X1, X1")
			a.p("VINSERTI128 $1, X1, Y0, Y0")
			multiply()
		}
		a.p("VPADDD Y11, Y10, Y10")
		a.p("VPADDD Y9, Y8, Y8")
		a.p("VPSLLD $16, Y10, Y10")
		a.p("VPADDD Y10, Y8, Y8")
		a.p("VPSRAD $%d, Y8, Y8", fraction)
		a.p("VPACKSSDW Y8, Y8, Y8")
		a.p("VPACKUSWB Y8, Y8, Y8")
		a.p("VEXTRACTI128 $1, Y8, X9")
		if channels == 3 {
			a.p("DECQ R12")
			a.p("JEQ last")
		}
		a.p("VMOVD X8, (R8)")
		a.p("VMOVD X9, (R9)")
		a.p("ADDQ $%d, R8", channels)
		a.p("ADDQ $%d, R9", channels)
		if channels == 3 {
			a.p("JMP output")
			a.l("last")
			for i, d := range []string{"R8", "R9"} {
				a.p("VPEXTRW $0, X%d, (%s)", 8+i, d)
				a.p("VPEXTRB $2, X%d, 2(%s)", 8+i, d)
			}
		} else {
			a.p("DECQ R12")
			a.p("JNE output")
		}
		a.p("VZEROUPPER")
		a.p("RET")
	}
	columns256(a)
	for _, channels := range []int{3, 4} {
		a.table(fmt.Sprintf("resizeSpread%dAVX2", channels), append(spread(channels, 2, 0, 1), spread(channels, 2, 2, 3)...))
	}
	a.table("resizeHalfAVX2", words(1<<(fraction-1), 0))
	return a.Bytes()
}

// offset leaves the byte at which the next window begins in register d.
func offset(a *asm, channels int, at, d string) {
	a.p("MOVLQSX (%s), %s", at, d)
	if channels == 3 {
		a.p("LEAQ (%s)(%s*2), %s", d, d, d)
	} else {
		a.p("SHLQ $2, %s", d)
	}
	a.p("ADDQ $4, %s", at)
}

func columns256(a *asm) {
	a.text("resizeColumnsAVX2", "resizeColumnsArgs", "One row of outputs from rows of samples, 32 at a time.")
	a.p("MOVQ a+0(FP), AX")
	a.p("MOVQ %d(AX), SI", columnsSrc)
	a.p("MOVQ %d(AX), DI", columnsDst)
	a.p("MOVQ %d(AX), R8", columnsStride)
	a.p("MOVQ %d(AX), R9", columnsPacked)
	a.p("MOVQ %d(AX), R10", columnsSteps)
	a.p("MOVQ %d(AX), R11", columnsBlocks)
	a.p("LEAQ (R8)(R8*2), R12")
	a.p("VPXOR Y7, Y7, Y7")
	a.l("block")
	a.p("MOVQ SI, R13")
	a.p("MOVQ R9, BX")
	a.p("MOVQ R10, CX")
	for i := range 4 {
		a.p("VPBROADCASTD resizeHalfAVX2<>(SB), Y%d", 8+i)
		a.p("VPXOR Y%d, Y%d, Y%d", 12+i, 12+i, 12+i)
	}
	a.l("step")
	for pair, rows := range [][2]string{{"(R13)", "(R13)(R8*1)"}, {"(R13)(R8*2)", "(R13)(R12*1)"}} {
		a.p("VMOVDQU %s, Y0", rows[0])
		a.p("VMOVDQU %s, Y1", rows[1])
		a.p("VPBROADCASTD %d(BX), Y5", 4*pair)
		a.p("VPBROADCASTD %d(BX), Y6", 8+4*pair)
		a.p("VPUNPCKLBW Y1, Y0, Y2")
		a.p("VPUNPCKHBW Y1, Y0, Y3")
		for i := range 4 {
			a.p("VPUNPCK%sBW Y7, Y%d, Y0", [...]string{"L", "H"}[i%2], 2+i/2)
			a.p("VPMADDWD Y0, Y5, Y1")
			a.p("VPMADDWD Y0, Y6, Y4")
			a.p("VPADDD Y1, Y%d, Y%d", 8+i, 8+i)
			a.p("VPADDD Y4, Y%d, Y%d", 12+i, 12+i)
		}
	}
	a.p("LEAQ (R13)(R8*4), R13")
	a.p("ADDQ $16, BX")
	a.p("DECQ CX")
	a.p("JNE step")
	for i := range 4 {
		a.p("VPSLLD $16, Y%d, Y%d", 12+i, 12+i)
		a.p("VPADDD Y%d, Y%d, Y%d", 12+i, 8+i, 8+i)
		a.p("VPSRAD $%d, Y%d, Y%d", fraction, 8+i, 8+i)
	}
	a.p("VPACKSSDW Y9, Y8, Y8")
	a.p("VPACKSSDW Y11, Y10, Y10")
	a.p("VPACKUSWB Y10, Y8, Y8")
	a.p("VMOVDQU Y8, (DI)")
	a.p("ADDQ $32, SI")
	a.p("ADDQ $32, DI")
	a.p("DECQ R11")
	a.p("JNE block")
	a.p("VZEROUPPER")
	a.p("RET")
}

// avx512 writes the kernels of AVX-512 with VNNI. A step of a row kernel takes four pixels of four rows: 4 loads
// into the quarters of a register, 1 shuffle and 3 instructions that multiply four bytes of each lane by weights from memory and add
// them up. A step of the column kernel takes 64 samples of four rows.
func avx512() []byte {
	a := newAsm()
	for _, channels := range []int{3, 4} {
		name := fmt.Sprintf("resizeRows%dAVX512", channels)
		a.text(name, "resizeRowsArgs", fmt.Sprintf("Four rows of %d channels.", channels))
		a.p("MOVQ a+0(FP), AX")
		src := []string{"SI", "DI", "R8", "R9"}
		for i, r := range src {
			a.p("MOVQ %d(AX), %s", rowsSrc+8*i, r)
		}
		a.p("MOVQ %d(AX), R10", rowsAt)
		a.p("MOVQ %d(AX), BX", rowsPacked)
		a.p("MOVQ %d(AX), R11", rowsSteps)
		a.p("MOVQ %d(AX), R12", rowsOutput)
		a.p("MOVQ %d(AX), R13", rowsDst)
		// The other rows of dst are counted from the first.
		for i, r := range []string{"R15", "CX", "AX"} {
			a.p("MOVQ %d(AX), %s", rowsDst+8*(i+1), r)
			a.p("SUBQ R13, %s", r)
		}
		a.p("VBROADCASTI32X4 resizeSpread%dAVX512<>(SB), Z12", channels)
		a.p("VPBROADCASTD resizeHalfAVX512<>(SB), Z14")
		a.p("VPXORD Z15, Z15, Z15")
		a.c("Four pixels are so many words of a row's quarter of a register; no more is read.")
		for i := range 4 {
			a.p("MOVL $0x%x, DX", (1<<channels-1)<<(4*i))
			a.p("KMOVW DX, K%d", 1+i)
		}
		a.l("output")
		offset(a, channels, "R10", "DX")
		a.p("VMOVDQA32 Z14, Z8")
		a.p("VMOVDQA32 Z15, Z9")
		a.p("VMOVDQA32 Z15, Z10")
		// DX is the byte of the window, the number of steps is counted by the weights.
		a.p("LEAQ (R11)(R11*2), R14")
		a.p("LEAQ (BX)(R14*4), R14")
		a.l("step")
		a.p("VMOVDQU32.Z (SI)(DX*1), K1, X0")
		for i, r := range src[1:] {
			a.p("VBROADCASTI32X4 (%s)(DX*1), K%d, Z0", r, 2+i)
		}
		a.p("VPSHUFB Z12, Z0, Z1")
		for i := range 3 {
			a.p("VPDPBUSD.BCST %d(BX), Z1, Z%d", 4*i, 8+i)
		}
		a.p("ADDQ $%d, DX", 4*channels)
		a.p("ADDQ $12, BX")
		a.p("CMPQ BX, R14")
		a.p("JNE step")
		a.p("VPSLLD $8, Z9, Z9")
		a.p("VPSLLD $16, Z10, Z10")
		a.p("VPADDD Z9, Z8, Z8")
		a.p("VPADDD Z10, Z8, Z8")
		a.p("VPSRAD $%d, Z8, Z8", fraction)
		a.p("VPMAXSD Z15, Z8, Z8")
		a.p("VPMOVUSDB Z8, X8")
		if channels == 3 {
			a.p("DECQ R12")
			a.p("JEQ last")
		}
		rows := []string{"(R13)", "(R13)(R15*1)", "(R13)(CX*1)", "(R13)(AX*1)"}
		a.p("VMOVD X8, %s", rows[0])
		for i := 1; i < 4; i++ {
			a.p("VPEXTRD $%d, X8, %s", i, rows[i])
		}
		a.p("ADDQ $%d, R13", channels)
		if channels == 3 {
			a.p("JMP output")
			a.l("last")
			for i, d := range rows {
				a.p("VPEXTRW $%d, X8, %s", 2*i, d)
				a.p("VPEXTRB $%d, X8, 2%s", 4*i+2, d)
			}
		} else {
			a.p("DECQ R12")
			a.p("JNE output")
		}
		a.p("VZEROUPPER")
		a.p("RET")
	}
	columns512(a)
	for _, channels := range []int{3, 4} {
		a.table(fmt.Sprintf("resizeSpread%dAVX512", channels), spread(channels, 1, 0, 1, 2, 3))
	}
	a.table("resizeHalfAVX512", words(1<<(fraction-1), 0))
	return a.Bytes()
}

func columns512(a *asm) {
	a.text("resizeColumnsAVX512", "resizeColumnsArgs", "One row of outputs from rows of samples, 64 at a time.")
	a.p("MOVQ a+0(FP), AX")
	a.p("MOVQ %d(AX), SI", columnsSrc)
	a.p("MOVQ %d(AX), DI", columnsDst)
	a.p("MOVQ %d(AX), R8", columnsStride)
	a.p("MOVQ %d(AX), R9", columnsPacked)
	a.p("MOVQ %d(AX), R10", columnsSteps)
	a.p("MOVQ %d(AX), R11", columnsBlocks)
	a.p("LEAQ (R8)(R8*2), R12")
	a.p("VPBROADCASTD resizeHalfAVX512<>(SB), Z14")
	a.p("VPXORD Z15, Z15, Z15")
	a.l("block")
	a.p("MOVQ SI, R13")
	a.p("MOVQ R9, BX")
	a.p("MOVQ R10, CX")
	for i := range 12 {
		a.p("VMOVDQA32 Z%d, Z%d", [3]int{14, 15, 15}[i/4], 16+i)
	}
	a.l("step")
	for i, row := range []string{"(R13)", "(R13)(R8*1)", "(R13)(R8*2)", "(R13)(R12*1)"} {
		a.p("VMOVDQU8 %s, Z%d", row, i)
	}
	a.p("VPUNPCKLBW Z1, Z0, Z4")
	a.p("VPUNPCKHBW Z1, Z0, Z5")
	a.p("VPUNPCKLBW Z3, Z2, Z6")
	a.p("VPUNPCKHBW Z3, Z2, Z7")
	a.p("VPUNPCKLWD Z6, Z4, Z8")
	a.p("VPUNPCKHWD Z6, Z4, Z9")
	a.p("VPUNPCKLWD Z7, Z5, Z10")
	a.p("VPUNPCKHWD Z7, Z5, Z11")
	for part := range 3 {
		for i := range 4 {
			a.p("VPDPBUSD.BCST %d(BX), Z%d, Z%d", 4*part, 8+i, 16+4*part+i)
		}
	}
	a.p("LEAQ (R13)(R8*4), R13")
	a.p("ADDQ $12, BX")
	a.p("DECQ CX")
	a.p("JNE step")
	for i := range 4 {
		a.p("VPSLLD $8, Z%d, Z%d", 20+i, 20+i)
		a.p("VPSLLD $16, Z%d, Z%d", 24+i, 24+i)
		a.p("VPADDD Z%d, Z%d, Z%d", 20+i, 16+i, 16+i)
		a.p("VPADDD Z%d, Z%d, Z%d", 24+i, 16+i, 16+i)
		a.p("VPSRAD $%d, Z%d, Z%d", fraction, 16+i, 16+i)
	}
	a.p("VPACKSSDW Z17, Z16, Z16")
	a.p("VPACKSSDW Z19, Z18, Z18")
	a.p("VPACKUSWB Z18, Z16, Z16")
	a.p("VMOVDQU8 Z16, (DI)")
	a.p("ADDQ $64, SI")
	a.p("ADDQ $64, DI")
	a.p("DECQ R11")
	a.p("JNE block")
	a.p("VZEROUPPER")
	a.p("RET")
}

// words returns 32-bit words as bytes.
func words(us ...uint32) []byte {
	var b bytes.Buffer
	for _, u := range us {
		b.Write([]byte{byte(u), byte(u >> 8), byte(u >> 16), byte(u >> 24)})
	}
	return b.Bytes()
}
