package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// The routines that make words of float32, and float32 of the sums of integers.

// bf16Pair converts register low to the lower half of register d, and register high to the upper half.
func bf16Pair(a *asm.Text, d, high, low int) {
	a.Raw(asm.EVEX("vcvtne2ps2bf16", 3, 0x72, d, high, low))
}

// bf16Rows512 rounds rows. One call for all of them has the lines of several rows on their way at once.
func bf16Rows512(a *asm.Text) {
	a.Func("bf16Rows512", "(dst, src *float32, rows, n, width, stride int)", 0, 48,
		"Rounds rows of n numbers, stride bytes apart, to bfloat16, two in a word; an odd last one is followed by zero. Rows of",
		"words are width bytes apart.")
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ rows+16(FP), R8")
	a.Op("MOVQ n+24(FP), DX")
	a.Op("MOVQ width+32(FP), R9")
	a.Op("MOVQ stride+40(FP), R10")
	a.Comment("K1 and K2 hold the numbers that whole steps leave, K3 their words.")
	a.Op("MOVQ DX, CX")
	a.Op("ANDQ $31, CX")
	a.Op("MOVQ CX, R11")
	columnMasks(a, "K1", "K2")
	a.Op("LEAQ 1(R11), CX")
	a.Op("SHRQ $1, CX")
	columnMasks(a, "K3", "K4")
	a.Label("row")
	a.Op("MOVQ DI, BX")
	a.Op("MOVQ SI, AX")
	a.Op("MOVQ DX, CX")
	a.Op("SUBQ $32, CX")
	a.Op("JLT rest")
	a.Label("loop")
	a.Op("VMOVUPS (AX), Z0")
	a.Op("VMOVUPS 64(AX), Z1")
	bf16Pair(a, 2, 1, 0)
	a.Op("VMOVUPS Z2, (BX)")
	a.Op("ADDQ $128, AX")
	a.Op("ADDQ $64, BX")
	a.Op("SUBQ $32, CX")
	a.Op("JGE loop")
	a.Label("rest")
	a.Op("TESTQ R11, R11")
	a.Op("JEQ next")
	a.Op("VMOVUPS.Z (AX), K1, Z0")
	a.Op("VMOVUPS.Z 64(AX), K2, Z1")
	bf16Pair(a, 2, 1, 0)
	a.Op("VMOVUPS Z2, K3, (BX)")
	a.Label("next")
	a.Op("ADDQ R9, DI")
	a.Op("ADDQ R10, SI")
	a.Op("DECQ R8")
	a.Op("JNE row")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// bf16Panel512 makes a panel of rows.
func bf16Panel512(a *asm.Text) {
	a.Table("pairs512", 4, pairs()...)
	a.Func("bf16Panel512", "(dst, src *float32, stride, k, cols int)", 0, 40,
		"Rounds k rows of cols ≤ 32 numbers, stride bytes apart, to bfloat16. A word has the numbers of two rows; an odd last",
		"row is followed by zeros. Rows of words are 32 long, the words past cols zero.")
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ stride+16(FP), R8")
	a.Op("MOVQ k+24(FP), DX")
	a.Op("MOVQ cols+32(FP), CX")
	columnMasks(a, "K1", "K2")
	a.Op("VMOVUPS pairs512<>(SB), Z31")
	a.Op("VPXORD Z2, Z2, Z2")
	a.Op("VPXORD Z3, Z3, Z3")
	a.Op("SUBQ $2, DX")
	a.Op("JLT rest")
	a.Label("loop")
	a.Op("VMOVUPS.Z (SI), K1, Z0")
	a.Op("VMOVUPS.Z 64(SI), K2, Z1")
	a.Op("VMOVUPS.Z (SI)(R8*1), K1, Z2")
	a.Op("VMOVUPS.Z 64(SI)(R8*1), K2, Z3")
	bf16PanelWords(a)
	a.Op("LEAQ (SI)(R8*2), SI")
	a.Op("SUBQ $2, DX")
	a.Op("JGE loop")
	a.Label("rest")
	a.Op("ADDQ $2, DX")
	a.Op("JEQ done")
	a.Op("VMOVUPS.Z (SI), K1, Z0")
	a.Op("VMOVUPS.Z 64(SI), K2, Z1")
	a.Op("VPXORD Z2, Z2, Z2")
	a.Op("VPXORD Z3, Z3, Z3")
	bf16PanelWords(a)
	a.Label("done")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// pairs lists the index of each half word when 16 half words and 16 more become pairs of one of each.
func pairs() (s []string) {
	for i := range 16 {
		s = append(s, fmt.Sprintf("0x%04x%04x", 16+i, i))
	}
	return s
}

// bf16Pixels512 makes words of two channels.
func bf16Pixels512(a *asm.Text) {
	a.Func("bf16Pixels512", "(dst, first, second *float32, n, both int)", 0, 40,
		"Rounds n numbers of two rows to bfloat16. A word has one of each row; with both 0 instead of 1, the second row is zeros.")
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ first+8(FP), SI")
	a.Op("MOVQ second+16(FP), R8")
	a.Op("MOVQ n+24(FP), DX")
	a.Op("MOVQ both+32(FP), AX")
	a.Op("NEGQ AX")
	a.Op("KMOVW AX, K7")
	a.Op("VMOVUPS pairs512<>(SB), Z31")
	words := func() {
		for v := range 2 {
			bf16Pair(a, 4+v, 2+v, v)
			a.Op("VPERMW Z%d, Z31, Z%[1]d", 4+v)
		}
	}
	a.Op("SUBQ $32, DX")
	a.Op("JLT rest")
	a.Label("loop")
	a.Op("VMOVUPS (SI), Z0")
	a.Op("VMOVUPS 64(SI), Z1")
	a.Op("VMOVUPS.Z (R8), K7, Z2")
	a.Op("VMOVUPS.Z 64(R8), K7, Z3")
	words()
	a.Op("VMOVUPS Z4, (DI)")
	a.Op("VMOVUPS Z5, 64(DI)")
	a.Op("ADDQ $128, SI")
	a.Op("ADDQ $128, R8")
	a.Op("ADDQ $128, DI")
	a.Op("SUBQ $32, DX")
	a.Op("JGE loop")
	a.Label("rest")
	a.Op("ADDQ $32, DX")
	a.Op("JEQ done")
	a.Op("MOVQ DX, CX")
	columnMasks(a, "K1", "K2")
	a.Op("KANDW K1, K7, K3")
	a.Op("KANDW K2, K7, K4")
	a.Op("VMOVUPS.Z (SI), K1, Z0")
	a.Op("VMOVUPS.Z 64(SI), K2, Z1")
	a.Op("VMOVUPS.Z (R8), K3, Z2")
	a.Op("VMOVUPS.Z 64(R8), K4, Z3")
	words()
	a.Op("VMOVUPS Z4, K1, (DI)")
	a.Op("VMOVUPS Z5, K2, 64(DI)")
	a.Label("done")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// int8Pixels512 makes words of four channels.
func int8Pixels512(a *asm.Text) {
	a.Func("int8Pixels512", "(dst *float32, rows **float32, inverses *float32, n, channels int, flip uint32)", 0, 44,
		"Multiplies n numbers of each of four rows by inverses and rounds them to integers of 8 bits, to nearest with ties to even.",
		"A word has one of each row. Rows from channels on are zeros. Then the bits of flip change in each word.")
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ rows+8(FP), AX")
	a.Op("MOVQ 0(AX), SI")
	a.Op("MOVQ 8(AX), R8")
	a.Op("MOVQ 16(AX), R9")
	a.Op("MOVQ 24(AX), R10")
	a.Op("MOVQ inverses+16(FP), R12")
	a.Op("MOVQ n+24(FP), DX")
	a.Op("MOVQ channels+32(FP), R11")
	a.Op("MOVL flip+40(FP), AX")
	a.Op("VPBROADCASTD AX, Z30")
	a.Op("MOVQ $0xffff, AX")
	a.Op("KMOVW AX, K1") // the lanes
	for i := 1; i < 4; i++ {
		a.Op("XORQ AX, AX")
		a.Op("MOVQ $0xffff, CX")
		a.Op("CMPQ R11, $%d", i)
		a.Op("CMOVQGT CX, AX")
		a.Op("KMOVW AX, K%d", 3+i) // the row, or none of it
	}
	a.Label("loop")
	a.Op("CMPQ DX, $16")
	a.Op("JGE whole")
	a.Op("TESTQ DX, DX")
	a.Op("JEQ done")
	a.Op("MOVQ DX, CX")
	columnMasks(a, "K1", "K2")
	for i := 1; i < 4; i++ {
		a.Op("KANDW K1, K%d, K%[1]d", 3+i)
	}
	a.Op("MOVQ $16, DX")
	a.Label("whole")
	a.Op("VMOVUPS.Z (R12), K1, Z29")
	a.Op("VMOVUPS.Z (SI), K1, Z0")
	a.Op("VMOVUPS.Z (R8), K4, Z1")
	a.Op("VMOVUPS.Z (R9), K5, Z2")
	a.Op("VMOVUPS.Z (R10), K6, Z3")
	for i := range 4 {
		a.Op("VMULPS Z%d, Z29, Z%[1]d", i)
		a.Op("VCVTPS2DQ Z%d, Z%[1]d", i)
	}
	for i := range 4 {
		a.Op("VPSLLD $24, Z%d, Z%[1]d", i)
		if i < 3 {
			a.Op("VPSRLD $%d, Z%d, Z%[2]d", 24-8*i, i)
		}
	}
	a.Op("VPORD Z1, Z0, Z0")
	a.Op("VPORD Z3, Z2, Z2")
	a.Op("VPORD Z2, Z0, Z0")
	a.Op("VPXORD Z30, Z0, Z0")
	a.Op("VMOVUPS Z0, K1, (DI)")
	for _, r := range []string{"SI", "R8", "R9", "R10", "R12", "DI"} {
		a.Op("ADDQ $64, %s", r)
	}
	a.Op("SUBQ $16, DX")
	a.Op("JMP loop")
	a.Label("done")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// bf16PanelWords stores a line of a panel: words of the numbers in Z0 and Z1, and of those in Z2 and Z3.
func bf16PanelWords(a *asm.Text) {
	for v := range 2 {
		bf16Pair(a, 4+v, 2+v, v)
		a.Op("VPERMW Z%d, Z31, Z%[1]d", 4+v)
		a.Op("VMOVUPS Z%d, %d(DI)", 4+v, 64*v)
	}
	a.Op("ADDQ $128, DI")
}

// bf16Planes512 makes a panel of the rows of channels.
func bf16Planes512(a *asm.Text) {
	a.Func("bf16Planes512", "(dst *float32, rows **float32, at, words, cols int)", 0, 40,
		"Rounds cols ≤ 32 numbers of each of 2·words rows, from byte at of a row on, to bfloat16. A word has the numbers of two",
		"rows. Rows of words are 32 long, the words past cols zero.")
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ rows+8(FP), R9")
	a.Op("MOVQ at+16(FP), R10")
	a.Op("MOVQ words+24(FP), DX")
	a.Op("MOVQ cols+32(FP), CX")
	columnMasks(a, "K1", "K2")
	a.Op("VMOVUPS pairs512<>(SB), Z31")
	a.Label("loop")
	a.Op("MOVQ (R9), SI")
	a.Op("MOVQ 8(R9), R8")
	a.Op("VMOVUPS.Z (SI)(R10*1), K1, Z0")
	a.Op("VMOVUPS.Z 64(SI)(R10*1), K2, Z1")
	a.Op("VMOVUPS.Z (R8)(R10*1), K1, Z2")
	a.Op("VMOVUPS.Z 64(R8)(R10*1), K2, Z3")
	bf16PanelWords(a)
	a.Op("ADDQ $16, R9")
	a.Op("DECQ DX")
	a.Op("JNE loop")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// int8Planes512 makes a panel of the rows of channels.
func int8Planes512(a *asm.Text) {
	a.Func("int8Planes512", "(dst *float32, rows **float32, at, words, cols int, inverses *float32, flip uint32)", 0, 52,
		"Multiplies cols ≤ 32 numbers of each of 4·words rows, from byte at of a row on, by inverses and rounds them to integers of",
		"8 bits, to nearest with ties to even. A word has the numbers of four rows. Then the bits of flip change in each word.",
		"Rows of words are 32 long; the words past cols are of zeros.")
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ rows+8(FP), R9")
	a.Op("MOVQ at+16(FP), R10")
	a.Op("MOVQ words+24(FP), DX")
	a.Op("MOVQ cols+32(FP), CX")
	columnMasks(a, "K1", "K2")
	a.Op("MOVQ inverses+40(FP), AX")
	a.Op("VMOVUPS.Z (AX), K1, Z28")
	a.Op("VMOVUPS.Z 64(AX), K2, Z29")
	a.Op("MOVL flip+48(FP), AX")
	a.Op("VPBROADCASTD AX, Z30")
	a.Label("loop")
	for i, r := range []string{"SI", "R8", "R11", "R12"} {
		a.Op("MOVQ %d(R9), %s", 8*i, r)
		for v := range 2 {
			q := 4*v + i
			a.Op("VMOVUPS.Z %d(%s)(R10*1), K%d, Z%d", 64*v, r, 1+v, q)
			a.Op("VMULPS Z%d, Z%d, Z%[1]d", q, 28+v)
			a.Op("VCVTPS2DQ Z%d, Z%[1]d", q)
			a.Op("VPSLLD $24, Z%d, Z%[1]d", q)
			if i < 3 {
				a.Op("VPSRLD $%d, Z%d, Z%[2]d", 24-8*i, q)
			}
		}
	}
	for v := range 2 {
		q := 4 * v
		a.Op("VPORD Z%d, Z%d, Z%[2]d", q+1, q)
		a.Op("VPORD Z%d, Z%d, Z%[2]d", q+3, q+2)
		a.Op("VPORD Z%d, Z%d, Z%[2]d", q+2, q)
		a.Op("VPXORD Z30, Z%d, Z%[1]d", q)
		a.Op("VMOVUPS Z%d, %d(DI)", q, 64*v)
	}
	a.Op("ADDQ $32, R9")
	a.Op("ADDQ $128, DI")
	a.Op("DECQ DX")
	a.Op("JNE loop")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// mostRows512 joins the largest magnitudes of columns.
func mostRows512(a *asm.Text) {
	a.Func("mostRows512", "(most, src *float32, n int)", 0, 24,
		"Makes each of n numbers the larger one of itself, without a sign, and the magnitude of its number in src. Infinity and then",
		"NaN are larger than numbers.")
	a.Op("MOVQ most+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ n+16(FP), DX")
	a.Op("MOVL $0x7fffffff, AX")
	a.Op("VPBROADCASTD AX, Z30")
	a.Op("SUBQ $16, DX")
	a.Op("JLT rest")
	a.Label("loop")
	a.Op("VPANDD (SI), Z30, Z0")
	a.Op("VPMAXUD (DI), Z0, Z0")
	a.Op("VMOVUPS Z0, (DI)")
	a.Op("ADDQ $64, SI")
	a.Op("ADDQ $64, DI")
	a.Op("SUBQ $16, DX")
	a.Op("JGE loop")
	a.Label("rest")
	a.Op("ADDQ $16, DX")
	a.Op("JEQ done")
	a.Op("MOVQ DX, CX")
	columnMasks(a, "K1", "K2")
	a.Op("VMOVUPS.Z (SI), K1, Z0")
	a.Op("VMOVUPS.Z (DI), K1, Z1")
	a.Op("VPANDD Z0, Z30, Z0")
	a.Op("VPMAXUD Z1, Z0, Z0")
	a.Op("VMOVUPS Z0, K1, (DI)")
	a.Label("done")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// int8Row512 quantizes a row.
func int8Row512(a *asm.Text) {
	a.Func("int8Row512", "(dst, src *float32, n int, inverse float32, flip uint32) (sum int32)", 0, 36,
		"Multiplies n numbers by inverse, rounds them to integers of 8 bits, to nearest with ties to even, and sums those. Four",
		"are in a word, the last one filled with zeros. Then the bits of flip change in each word.")
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ n+16(FP), DX")
	a.Op("VBROADCASTSS inverse+24(FP), Z29")
	a.Op("MOVL flip+28(FP), AX")
	a.Op("VPBROADCASTD AX, X30")
	a.Op("VPXORD Z28, Z28, Z28")
	quantize := func(at string) {
		a.Op("VMULPS %s, Z29, Z0", at)
		a.Op("VCVTPS2DQ Z0, Z0")
		a.Op("VPADDD Z0, Z28, Z28")
		a.Op("VPMOVSDB Z0, X0")
		a.Op("VPXORD X30, X0, X0")
	}
	a.Op("SUBQ $16, DX")
	a.Op("JLT rest")
	a.Label("loop")
	quantize("(SI)")
	a.Op("VMOVUPS X0, (DI)")
	a.Op("ADDQ $64, SI")
	a.Op("ADDQ $16, DI")
	a.Op("SUBQ $16, DX")
	a.Op("JGE loop")
	a.Label("rest")
	a.Op("ADDQ $16, DX")
	a.Op("JEQ done")
	a.Op("MOVQ DX, CX")
	columnMasks(a, "K1", "K2")
	a.Op("LEAQ 3(DX), CX")
	a.Op("SHRQ $2, CX")
	columnMasks(a, "K3", "K4")
	a.Op("VMOVUPS.Z (SI), K1, Z1")
	quantize("Z1")
	a.Op("VMOVUPS X0, K3, (DI)")
	a.Label("done")
	reduce512(a, "VPADDD")
	a.Op("MOVL AX, sum+32(FP)")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// reduce512 leaves in AX the lanes of Z28 combined by op.
func reduce512(a *asm.Text, op string) {
	a.Op("VEXTRACTI64X4 $1, Z28, Y0")
	a.Op("%s Y28, Y0, Y0", op)
	reduce256(a, op)
}

// reduce256 is reduce512 for Y0.
func reduce256(a *asm.Text, op string) {
	a.Op("VEXTRACTI128 $1, Y0, X1")
	a.Op("%s X1, X0, X0", op)
	a.Op("VPSHUFD $0x4e, X0, X1")
	a.Op("%s X1, X0, X0", op)
	a.Op("VPSHUFD $0xb1, X0, X1")
	a.Op("%s X1, X0, X0", op)
	a.Op("VMOVD X0, AX")
}

// most512 finds the largest magnitude.
func most512(a *asm.Text) {
	a.Func("most512", "(src *float32, n int) (bits uint32)", 0, 20,
		"Returns the largest magnitude of n numbers, as the bits of a float32. Infinity and then NaN are larger than numbers.")
	a.Op("MOVQ src+0(FP), SI")
	a.Op("MOVQ n+8(FP), DX")
	a.Op("MOVL $0x7fffffff, AX")
	a.Op("VPBROADCASTD AX, Z30")
	for i := range 4 {
		a.Op("VPXORD Z%d, Z%[1]d, Z%[1]d", 25+i)
	}
	a.Op("SUBQ $64, DX")
	a.Op("JLT rest")
	a.Label("loop")
	for i := range 4 {
		a.Op("VPANDD %d(SI), Z30, Z%d", 64*i, i)
		a.Op("VPMAXUD Z%d, Z%d, Z%[2]d", i, 25+i)
	}
	a.Op("ADDQ $256, SI")
	a.Op("SUBQ $64, DX")
	a.Op("JGE loop")
	a.Label("rest")
	a.Op("ADDQ $64, DX")
	a.Label("some")
	a.Op("TESTQ DX, DX")
	a.Op("JEQ done")
	a.Op("MOVQ $16, CX")
	a.Op("CMPQ DX, CX")
	a.Op("CMOVQLT DX, CX")
	a.Op("SUBQ CX, DX")
	columnMasks(a, "K1", "K2")
	a.Op("VMOVUPS.Z (SI), K1, Z0")
	a.Op("VPANDD Z0, Z30, Z0")
	a.Op("VPMAXUD Z0, Z28, Z28")
	a.Op("ADDQ $64, SI")
	a.Op("JMP some")
	a.Label("done")
	for i := range 3 {
		a.Op("VPMAXUD Z%d, Z28, Z28", 25+i)
	}
	reduce512(a, "VPMAXUD")
	a.Op("MOVL AX, bits+16(FP)")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// scale512 finishes a row of integer sums.
func scale512(a *asm.Text) {
	a.Func("scale512", "(c *float32, n int, less int32, row float32, cols *float32)", 0, 32,
		"Makes n sums of integers float32: each, less a number, times row, times its element of cols.")
	a.Op("MOVQ c+0(FP), DI")
	a.Op("MOVQ n+8(FP), DX")
	a.Op("MOVL less+16(FP), AX")
	a.Op("VPBROADCASTD AX, Z29")
	a.Op("VBROADCASTSS row+20(FP), Z30")
	a.Op("MOVQ cols+24(FP), SI")
	a.Op("SUBQ $16, DX")
	a.Op("JLT rest")
	a.Label("loop")
	a.Op("VMOVUPS (DI), Z0")
	a.Op("VPSUBD Z29, Z0, Z0")
	a.Op("VCVTDQ2PS Z0, Z0")
	a.Op("VMULPS Z30, Z0, Z0")
	a.Op("VMULPS (SI), Z0, Z0")
	a.Op("VMOVUPS Z0, (DI)")
	a.Op("ADDQ $64, DI")
	a.Op("ADDQ $64, SI")
	a.Op("SUBQ $16, DX")
	a.Op("JGE loop")
	a.Label("rest")
	a.Op("ADDQ $16, DX")
	a.Op("JEQ done")
	a.Op("MOVQ DX, CX")
	columnMasks(a, "K1", "K2")
	a.Op("VMOVUPS.Z (DI), K1, Z0")
	a.Op("VMOVUPS.Z (SI), K1, Z1")
	a.Op("VPSUBD Z29, Z0, Z0")
	a.Op("VCVTDQ2PS Z0, Z0")
	a.Op("VMULPS Z30, Z0, Z0")
	a.Op("VMULPS Z1, Z0, Z0")
	a.Op("VMOVUPS Z0, K1, (DI)")
	a.Label("done")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// int8Row256 quantizes a row.
func int8Row256(a *asm.Text) {
	a.Table("lanes256", 4, "0", "4", "1", "5", "2", "6", "3", "7")
	a.Func("int8Row256", "(dst, src *float32, blocks int, inverse float32, flip uint32) (sum int32)", 0, 36,
		"Multiplies 32·blocks numbers by inverse, rounds them to integers of 8 bits, to nearest with ties to even, and sums those.",
		"Four are in a word. Then the bits of flip change in each word.")
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ blocks+16(FP), DX")
	a.Op("VBROADCASTSS inverse+24(FP), Y5")
	a.Op("MOVL flip+28(FP), AX")
	a.Op("VMOVD AX, X6")
	a.Op("VPBROADCASTD X6, Y6")
	a.Op("VMOVUPS lanes256<>(SB), Y7")
	a.Op("VPXOR Y4, Y4, Y4")
	a.Label("loop")
	for i := range 4 {
		a.Op("VMULPS %d(SI), Y5, Y%d", 32*i, i)
		a.Op("VCVTPS2DQ Y%d, Y%[1]d", i)
		a.Op("VPADDD Y%d, Y4, Y4", i)
	}
	a.Op("VPACKSSDW Y1, Y0, Y0")
	a.Op("VPACKSSDW Y3, Y2, Y2")
	a.Op("VPACKSSWB Y2, Y0, Y0")
	a.Op("VPERMD Y0, Y7, Y0")
	a.Op("VPXOR Y6, Y0, Y0")
	a.Op("VMOVUPS Y0, (DI)")
	a.Op("ADDQ $128, SI")
	a.Op("ADDQ $32, DI")
	a.Op("DECQ DX")
	a.Op("JNE loop")
	a.Op("VMOVUPS Y4, Y0")
	reduce256(a, "VPADDD")
	a.Op("MOVL AX, sum+32(FP)")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// int16Row256 quantizes a row.
func int16Row256(a *asm.Text) {
	a.Func("int16Row256", "(dst, src *float32, blocks int, inverse float32) (sum int32)", 0, 36,
		"Multiplies 16·blocks numbers by inverse, rounds them to integers, to nearest with ties to even, and sums those. Two of",
		"16 bits are in a word.")
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ blocks+16(FP), DX")
	a.Op("VBROADCASTSS inverse+24(FP), Y3")
	a.Op("VPXOR Y2, Y2, Y2")
	a.Label("loop")
	for i := range 2 {
		a.Op("VMULPS %d(SI), Y3, Y%d", 32*i, i)
		a.Op("VCVTPS2DQ Y%d, Y%[1]d", i)
		a.Op("VPADDD Y%d, Y2, Y2", i)
	}
	a.Op("VPACKSSDW Y1, Y0, Y0")
	a.Op("VPERMQ $0xd8, Y0, Y0")
	a.Op("VMOVUPS Y0, (DI)")
	a.Op("ADDQ $64, SI")
	a.Op("ADDQ $32, DI")
	a.Op("DECQ DX")
	a.Op("JNE loop")
	a.Op("VMOVUPS Y2, Y0")
	reduce256(a, "VPADDD")
	a.Op("MOVL AX, sum+32(FP)")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// most256 finds the largest magnitude.
func most256(a *asm.Text) {
	a.Func("most256", "(src *float32, blocks int) (bits uint32)", 0, 20,
		"Returns the largest magnitude of 16·blocks numbers, as the bits of a float32. Infinity and then NaN are larger than",
		"numbers.")
	a.Op("MOVQ src+0(FP), SI")
	a.Op("MOVQ blocks+8(FP), DX")
	a.Op("VPCMPEQD Y4, Y4, Y4")
	a.Op("VPSRLD $1, Y4, Y4")
	a.Op("VPXOR Y2, Y2, Y2")
	a.Op("VPXOR Y3, Y3, Y3")
	a.Label("loop")
	for i := range 2 {
		a.Op("VPAND %d(SI), Y4, Y%d", 32*i, i)
		a.Op("VPMAXUD Y%d, Y%d, Y%[2]d", i, 2+i)
	}
	a.Op("ADDQ $64, SI")
	a.Op("DECQ DX")
	a.Op("JNE loop")
	a.Op("VPMAXUD Y2, Y3, Y0")
	reduce256(a, "VPMAXUD")
	a.Op("MOVL AX, bits+16(FP)")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// scale256 finishes a row of integer sums.
func scale256(a *asm.Text) {
	a.Func("scale256", "(c *float32, blocks int, less int32, row float32, cols *float32)", 0, 32,
		"Makes 8·blocks sums of integers float32: each, less a number, times row, times its element of cols.")
	a.Op("MOVQ c+0(FP), DI")
	a.Op("MOVQ blocks+8(FP), DX")
	a.Op("MOVL less+16(FP), AX")
	a.Op("VMOVD AX, X2")
	a.Op("VPBROADCASTD X2, Y2")
	a.Op("VBROADCASTSS row+20(FP), Y3")
	a.Op("MOVQ cols+24(FP), SI")
	a.Label("loop")
	a.Op("VMOVUPS (DI), Y0")
	a.Op("VPSUBD Y2, Y0, Y0")
	a.Op("VCVTDQ2PS Y0, Y0")
	a.Op("VMULPS Y3, Y0, Y0")
	a.Op("VMULPS (SI), Y0, Y0")
	a.Op("VMOVUPS Y0, (DI)")
	a.Op("ADDQ $32, DI")
	a.Op("ADDQ $32, SI")
	a.Op("DECQ DX")
	a.Op("JNE loop")
	a.Op("VZEROUPPER")
	a.Op("RET")
}
