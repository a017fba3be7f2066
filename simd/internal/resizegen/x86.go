package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// avx2 writes the kernels of AVX2. A step of a row kernel takes four pixels of two rows: 2 loads and an insertion, 2
// shuffles that widen, 4 multiplications of pairs of words by weights broadcast from memory, 4 additions. A step of
// the column kernel takes 32 samples of four rows.
func avx2() []byte {
	a := asm.New(generator)
	for _, channels := range []int{3, 4} {
		name := fmt.Sprintf("resizeRows%dAVX2", channels)
		a.Func(name, "(a *resizeRowsArgs)", 0, 8, fmt.Sprintf("Two rows of %d channels.", channels))
		a.Op("MOVQ a+0(FP), AX")
		a.Op("MOVQ %d(AX), SI", rowsSrc)
		a.Op("MOVQ %d(AX), DI", rowsSrc+8)
		a.Op("MOVQ %d(AX), R8", rowsDst)
		a.Op("MOVQ %d(AX), R9", rowsDst+8)
		a.Op("MOVQ %d(AX), R10", rowsAt)
		a.Op("MOVQ %d(AX), BX", rowsPacked)
		a.Op("MOVQ %d(AX), R11", rowsSteps)
		a.Op("MOVQ %d(AX), R12", rowsOutput)
		a.Op("VBROADCASTI128 resizeSpread%dAVX2<>+0(SB), Y12", channels)
		a.Op("VBROADCASTI128 resizeSpread%dAVX2<>+16(SB), Y13", channels)
		a.Op("VPBROADCASTD resizeHalfAVX2<>(SB), Y14")
		a.Label("output")
		offset(a, channels, "R10", "DX")
		a.Op("LEAQ (SI)(DX*1), R13")
		a.Op("LEAQ (DI)(DX*1), R15")
		a.Op("MOVQ R11, CX")
		a.Op("VMOVDQA Y14, Y8")
		for _, r := range []int{9, 10, 11} {
			a.Op("VPXOR Y%d, Y%d, Y%d", r, r, r)
		}
		multiply := func() {
			a.Op("VPBROADCASTD (BX), Y3")
			a.Op("VPBROADCASTD 4(BX), Y4")
			a.Op("VPBROADCASTD 8(BX), Y5")
			a.Op("VPBROADCASTD 12(BX), Y6")
			a.Op("VPSHUFB Y12, Y0, Y1")
			a.Op("VPSHUFB Y13, Y0, Y2")
			for i, pixels := range []int{1, 2, 1, 2} {
				a.Op("VPMADDWD Y%d, Y%d, Y%d", pixels, 3+i, 3+i)
			}
			for i := range 4 {
				a.Op("VPADDD Y%d, Y%d, Y%d", 3+i, 8+i, 8+i)
			}
			a.Op("ADDQ $16, BX")
		}
		if channels == 3 {
			a.Op("DECQ CX")
			a.Op("JEQ end")
		}
		a.Label("step")
		a.Op("VMOVDQU (R13), X0")
		a.Op("VINSERTI128 $1, (R15), Y0, Y0")
		multiply()
		a.Op("ADDQ $%d, R13", 4*channels)
		a.Op("ADDQ $%d, R15", 4*channels)
		a.Op("DECQ CX")
		a.Op("JNE step")
		if channels == 3 {
			a.Label("end")
			a.Comment("The last four pixels may be the last of the row: 12 bytes and no more.")
			a.Op("VMOVQ (R13), X0")
			a.Op("VMOVQ (R15), X1")
			a.Op("VPINSRD $2, 8(R13), X0, X0")
			a.Op("VPINSRD $2, 8(R15), X1, X1")
			a.Op("VINSERTI128 $1, X1, Y0, Y0")
			multiply()
		}
		a.Op("VPADDD Y11, Y10, Y10")
		a.Op("VPADDD Y9, Y8, Y8")
		a.Op("VPSLLD $16, Y10, Y10")
		a.Op("VPADDD Y10, Y8, Y8")
		a.Op("VPSRAD $%d, Y8, Y8", fraction)
		a.Op("VPACKSSDW Y8, Y8, Y8")
		a.Op("VPACKUSWB Y8, Y8, Y8")
		a.Op("VEXTRACTI128 $1, Y8, X9")
		if channels == 3 {
			a.Op("DECQ R12")
			a.Op("JEQ last")
		}
		a.Op("VMOVD X8, (R8)")
		a.Op("VMOVD X9, (R9)")
		a.Op("ADDQ $%d, R8", channels)
		a.Op("ADDQ $%d, R9", channels)
		if channels == 3 {
			a.Op("JMP output")
			a.Label("last")
			for i, d := range []string{"R8", "R9"} {
				a.Op("VPEXTRW $0, X%d, (%s)", 8+i, d)
				a.Op("VPEXTRB $2, X%d, 2(%s)", 8+i, d)
			}
		} else {
			a.Op("DECQ R12")
			a.Op("JNE output")
		}
		a.Op("VZEROUPPER")
		a.Op("RET")
	}
	columns256(a)
	for _, channels := range []int{3, 4} {
		table(a, fmt.Sprintf("resizeSpread%dAVX2", channels), append(spread(channels, 2, 0, 1), spread(channels, 2, 2, 3)...))
	}
	a.Table("resizeHalfAVX2", 8, fmt.Sprintf("0x%016x", 1<<(fraction-1)))
	return a.Bytes()
}

// offset leaves the byte at which the next window begins in register d.
func offset(a *asm.Text, channels int, at, d string) {
	a.Op("MOVLQSX (%s), %s", at, d)
	if channels == 3 {
		a.Op("LEAQ (%s)(%s*2), %s", d, d, d)
	} else {
		a.Op("SHLQ $2, %s", d)
	}
	a.Op("ADDQ $4, %s", at)
}

// openColumns opens a column kernel that takes block samples at a time, and loads its arguments.
func openColumns(a *asm.Text, name string, block int) {
	a.Func(name, "(a *resizeColumnsArgs)", 0, 8, fmt.Sprintf("One row of outputs from rows of samples, %d at a time.", block))
	a.Op("MOVQ a+0(FP), AX")
	a.Op("MOVQ %d(AX), SI", columnsSrc)
	a.Op("MOVQ %d(AX), DI", columnsDst)
	a.Op("MOVQ %d(AX), R8", columnsStride)
	a.Op("MOVQ %d(AX), R9", columnsPacked)
	a.Op("MOVQ %d(AX), R10", columnsSteps)
	a.Op("MOVQ %d(AX), R11", columnsBlocks)
	a.Op("LEAQ (R8)(R8*2), R12")
}

func columns256(a *asm.Text) {
	openColumns(a, "resizeColumnsAVX2", 32)
	a.Op("VPXOR Y7, Y7, Y7")
	a.Label("block")
	a.Op("MOVQ SI, R13")
	a.Op("MOVQ R9, BX")
	a.Op("MOVQ R10, CX")
	for i := range 4 {
		a.Op("VPBROADCASTD resizeHalfAVX2<>(SB), Y%d", 8+i)
		a.Op("VPXOR Y%d, Y%d, Y%d", 12+i, 12+i, 12+i)
	}
	a.Label("step")
	for pair, rows := range [][2]string{{"(R13)", "(R13)(R8*1)"}, {"(R13)(R8*2)", "(R13)(R12*1)"}} {
		a.Op("VMOVDQU %s, Y0", rows[0])
		a.Op("VMOVDQU %s, Y1", rows[1])
		a.Op("VPBROADCASTD %d(BX), Y5", 4*pair)
		a.Op("VPBROADCASTD %d(BX), Y6", 8+4*pair)
		a.Op("VPUNPCKLBW Y1, Y0, Y2")
		a.Op("VPUNPCKHBW Y1, Y0, Y3")
		for i := range 4 {
			a.Op("VPUNPCK%sBW Y7, Y%d, Y0", [...]string{"L", "H"}[i%2], 2+i/2)
			a.Op("VPMADDWD Y0, Y5, Y1")
			a.Op("VPMADDWD Y0, Y6, Y4")
			a.Op("VPADDD Y1, Y%d, Y%d", 8+i, 8+i)
			a.Op("VPADDD Y4, Y%d, Y%d", 12+i, 12+i)
		}
	}
	a.Op("LEAQ (R13)(R8*4), R13")
	a.Op("ADDQ $16, BX")
	a.Op("DECQ CX")
	a.Op("JNE step")
	for i := range 4 {
		a.Op("VPSLLD $16, Y%d, Y%d", 12+i, 12+i)
		a.Op("VPADDD Y%d, Y%d, Y%d", 12+i, 8+i, 8+i)
		a.Op("VPSRAD $%d, Y%d, Y%d", fraction, 8+i, 8+i)
	}
	a.Op("VPACKSSDW Y9, Y8, Y8")
	a.Op("VPACKSSDW Y11, Y10, Y10")
	a.Op("VPACKUSWB Y10, Y8, Y8")
	a.Op("VMOVDQU Y8, (DI)")
	a.Op("ADDQ $32, SI")
	a.Op("ADDQ $32, DI")
	a.Op("DECQ R11")
	a.Op("JNE block")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// avx512 writes the kernels of AVX-512 with VNNI. A step of a row kernel takes four pixels of four rows. It has 4
// loads into the quarters of a register, 1 shuffle, and 3 instructions that multiply four bytes of each lane by
// weights from memory and add them up. A step of the column kernel takes 64 samples of four rows.
func avx512() []byte {
	a := asm.New(generator)
	for _, channels := range []int{3, 4} {
		name := fmt.Sprintf("resizeRows%dAVX512", channels)
		a.Func(name, "(a *resizeRowsArgs)", 0, 8, fmt.Sprintf("Four rows of %d channels.", channels))
		a.Op("MOVQ a+0(FP), AX")
		src := []string{"SI", "DI", "R8", "R9"}
		for i, r := range src {
			a.Op("MOVQ %d(AX), %s", rowsSrc+8*i, r)
		}
		a.Op("MOVQ %d(AX), R10", rowsAt)
		a.Op("MOVQ %d(AX), BX", rowsPacked)
		a.Op("MOVQ %d(AX), R11", rowsSteps)
		a.Op("MOVQ %d(AX), R12", rowsOutput)
		a.Op("MOVQ %d(AX), R13", rowsDst)
		// The other rows of dst are counted from the first.
		for i, r := range []string{"R15", "CX", "AX"} {
			a.Op("MOVQ %d(AX), %s", rowsDst+8*(i+1), r)
			a.Op("SUBQ R13, %s", r)
		}
		a.Op("VBROADCASTI32X4 resizeSpread%dAVX512<>(SB), Z12", channels)
		a.Op("VPBROADCASTD resizeHalfAVX512<>(SB), Z14")
		a.Op("VPXORD Z15, Z15, Z15")
		a.Comment("Four pixels are so many words of a row's quarter of a register; no more is read.")
		for i := range 4 {
			a.Op("MOVL $0x%x, DX", (1<<channels-1)<<(4*i))
			a.Op("KMOVW DX, K%d", 1+i)
		}
		a.Label("output")
		offset(a, channels, "R10", "DX")
		a.Op("VMOVDQA32 Z14, Z8")
		a.Op("VMOVDQA32 Z15, Z9")
		a.Op("VMOVDQA32 Z15, Z10")
		// DX is the byte of the window, the number of steps is counted by the weights.
		a.Op("LEAQ (R11)(R11*2), R14")
		a.Op("LEAQ (BX)(R14*4), R14")
		a.Label("step")
		a.Op("VMOVDQU32.Z (SI)(DX*1), K1, X0")
		for i, r := range src[1:] {
			a.Op("VBROADCASTI32X4 (%s)(DX*1), K%d, Z0", r, 2+i)
		}
		a.Op("VPSHUFB Z12, Z0, Z1")
		for i := range 3 {
			a.Op("VPDPBUSD.BCST %d(BX), Z1, Z%d", 4*i, 8+i)
		}
		a.Op("ADDQ $%d, DX", 4*channels)
		a.Op("ADDQ $12, BX")
		a.Op("CMPQ BX, R14")
		a.Op("JNE step")
		a.Op("VPSLLD $8, Z9, Z9")
		a.Op("VPSLLD $16, Z10, Z10")
		a.Op("VPADDD Z9, Z8, Z8")
		a.Op("VPADDD Z10, Z8, Z8")
		a.Op("VPSRAD $%d, Z8, Z8", fraction)
		a.Op("VPMAXSD Z15, Z8, Z8")
		a.Op("VPMOVUSDB Z8, X8")
		if channels == 3 {
			a.Op("DECQ R12")
			a.Op("JEQ last")
		}
		rows := []string{"(R13)", "(R13)(R15*1)", "(R13)(CX*1)", "(R13)(AX*1)"}
		a.Op("VMOVD X8, %s", rows[0])
		for i := 1; i < 4; i++ {
			a.Op("VPEXTRD $%d, X8, %s", i, rows[i])
		}
		a.Op("ADDQ $%d, R13", channels)
		if channels == 3 {
			a.Op("JMP output")
			a.Label("last")
			for i, d := range rows {
				a.Op("VPEXTRW $%d, X8, %s", 2*i, d)
				a.Op("VPEXTRB $%d, X8, 2%s", 4*i+2, d)
			}
		} else {
			a.Op("DECQ R12")
			a.Op("JNE output")
		}
		a.Op("VZEROUPPER")
		a.Op("RET")
	}
	columns512(a)
	for _, channels := range []int{3, 4} {
		table(a, fmt.Sprintf("resizeSpread%dAVX512", channels), spread(channels, 1, 0, 1, 2, 3))
	}
	a.Table("resizeHalfAVX512", 8, fmt.Sprintf("0x%016x", 1<<(fraction-1)))
	return a.Bytes()
}

func columns512(a *asm.Text) {
	openColumns(a, "resizeColumnsAVX512", 64)
	a.Op("VPBROADCASTD resizeHalfAVX512<>(SB), Z14")
	a.Op("VPXORD Z15, Z15, Z15")
	a.Label("block")
	a.Op("MOVQ SI, R13")
	a.Op("MOVQ R9, BX")
	a.Op("MOVQ R10, CX")
	for i := range 12 {
		a.Op("VMOVDQA32 Z%d, Z%d", [3]int{14, 15, 15}[i/4], 16+i)
	}
	a.Label("step")
	for i, row := range []string{"(R13)", "(R13)(R8*1)", "(R13)(R8*2)", "(R13)(R12*1)"} {
		a.Op("VMOVDQU8 %s, Z%d", row, i)
	}
	a.Op("VPUNPCKLBW Z1, Z0, Z4")
	a.Op("VPUNPCKHBW Z1, Z0, Z5")
	a.Op("VPUNPCKLBW Z3, Z2, Z6")
	a.Op("VPUNPCKHBW Z3, Z2, Z7")
	a.Op("VPUNPCKLWD Z6, Z4, Z8")
	a.Op("VPUNPCKHWD Z6, Z4, Z9")
	a.Op("VPUNPCKLWD Z7, Z5, Z10")
	a.Op("VPUNPCKHWD Z7, Z5, Z11")
	for part := range 3 {
		for i := range 4 {
			a.Op("VPDPBUSD.BCST %d(BX), Z%d, Z%d", 4*part, 8+i, 16+4*part+i)
		}
	}
	a.Op("LEAQ (R13)(R8*4), R13")
	a.Op("ADDQ $12, BX")
	a.Op("DECQ CX")
	a.Op("JNE step")
	for i := range 4 {
		a.Op("VPSLLD $8, Z%d, Z%d", 20+i, 20+i)
		a.Op("VPSLLD $16, Z%d, Z%d", 24+i, 24+i)
		a.Op("VPADDD Z%d, Z%d, Z%d", 20+i, 16+i, 16+i)
		a.Op("VPADDD Z%d, Z%d, Z%d", 24+i, 16+i, 16+i)
		a.Op("VPSRAD $%d, Z%d, Z%d", fraction, 16+i, 16+i)
	}
	a.Op("VPACKSSDW Z17, Z16, Z16")
	a.Op("VPACKSSDW Z19, Z18, Z18")
	a.Op("VPACKUSWB Z18, Z16, Z16")
	a.Op("VMOVDQU8 Z16, (DI)")
	a.Op("ADDQ $64, SI")
	a.Op("ADDQ $64, DI")
	a.Op("DECQ R11")
	a.Op("JNE block")
	a.Op("VZEROUPPER")
	a.Op("RET")
}
