package main

import "github.com/fovea-ml/fovea/simd/internal/asm"

// convertNEON writes the kernels that make words of numbers and numbers of integer sums.
func convertNEON(a *asm.Text) {
	bf16RowNEON(a)
	int8RowNEON(a)
	int16RowNEON(a)
	mostNEON(a)
	scaleNEON(a)
}

// vector is an instruction of four lanes with two operands, or one where m is negative.
func vector(code int, name string, d, n, m int) asm.Instruction {
	if m < 0 {
		return asm.Encode(code|n<<5|d, name+" v%d.4s, v%d.4s", d, n)
	}
	return asm.Encode(code|m<<16|n<<5|d, name+" v%d.4s, v%d.4s, v%d.4s", d, n, m)
}

func fmul(d, n, m int) asm.Instruction { return vector(0x6e20dc00, "fmul", d, n, m) }

// fcvtns rounds to the nearest integers, with ties to even. A NaN becomes 0.
func fcvtns(d, n int) asm.Instruction { return vector(0x4e21a800, "fcvtns", d, n, -1) }

func scvtf(d, n int) asm.Instruction { return vector(0x4e21d800, "scvtf", d, n, -1) }

func fabs(d, n int) asm.Instruction { return vector(0x4ea0f800, "fabs", d, n, -1) }

// bfcvtn rounds four numbers to bfloat16, into the lower half of V<d>, or into the upper.
func bfcvtn(d, n int, upper bool) asm.Instruction {
	if upper {
		return asm.Encode(0x4ea16800|n<<5|d, "bfcvtn2 v%d.8h, v%d.4s", d, n)
	}
	return asm.Encode(0x0ea16800|n<<5|d, "bfcvtn v%d.4h, v%d.4s", d, n)
}

func umaxv(d, n int) asm.Instruction {
	return asm.Encode(0x6eb0a800|n<<5|d, "umaxv s%d, v%d.4s", d, n)
}

func bf16RowNEON(a *asm.Text) {
	a.Func("bf16RowNEON", "(dst, src *float32, blocks int)", 0, 24, "Makes words of two bfloat16 of blocks of eight numbers.")
	a.Op("MOVD dst+0(FP), R0")
	a.Op("MOVD src+8(FP), R1")
	a.Op("MOVD blocks+16(FP), R2")
	a.Label("block")
	a.Op("VLD1.P 32(R1), [V0.S4, V1.S4]")
	a.Word(bfcvtn(2, 0, false))
	a.Word(bfcvtn(2, 1, true))
	a.Op("VST1.P [V2.S4], 16(R0)")
	a.Op("SUBS $1, R2")
	a.Op("BNE block")
	a.Op("RET")
}

// integersNEON rounds the numbers in registers from V0 on to integers; V16 holds what they are multiplied by.
func integersNEON(a *asm.Text, registers int) {
	for i := range registers {
		a.Word(fmul(i, i, 16))
	}
	for i := range registers {
		a.Word(fcvtns(i, i))
	}
}

func int8RowNEON(a *asm.Text) {
	a.Func("int8RowNEON", "(dst, src *float32, blocks int, inverse float32)", 0, 28,
		"Makes words of four integers of blocks of 16 numbers, each times inverse and rounded to nearest, with ties to even.")
	a.Op("MOVD dst+0(FP), R0")
	a.Op("MOVD src+8(FP), R1")
	a.Op("MOVD blocks+16(FP), R2")
	a.Op("FMOVS inverse+24(FP), F16")
	a.Op("VDUP V16.S[0], V16.S4")
	a.Label("block")
	a.Op("VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]")
	integersNEON(a, 4)
	a.Op("VUZP1 V1.H8, V0.H8, V0.H8")
	a.Op("VUZP1 V3.H8, V2.H8, V2.H8")
	a.Op("VUZP1 V2.B16, V0.B16, V0.B16")
	a.Op("VST1.P [V0.S4], 16(R0)")
	a.Op("SUBS $1, R2")
	a.Op("BNE block")
	a.Op("RET")
}

func int16RowNEON(a *asm.Text) {
	a.Func("int16RowNEON", "(dst, src *float32, blocks int, inverse float32)", 0, 28,
		"Makes words of two integers of blocks of eight numbers, each times inverse and rounded to nearest, with ties to even.")
	a.Op("MOVD dst+0(FP), R0")
	a.Op("MOVD src+8(FP), R1")
	a.Op("MOVD blocks+16(FP), R2")
	a.Op("FMOVS inverse+24(FP), F16")
	a.Op("VDUP V16.S[0], V16.S4")
	a.Label("block")
	a.Op("VLD1.P 32(R1), [V0.S4, V1.S4]")
	integersNEON(a, 2)
	a.Op("VUZP1 V1.H8, V0.H8, V0.H8")
	a.Op("VST1.P [V0.S4], 16(R0)")
	a.Op("SUBS $1, R2")
	a.Op("BNE block")
	a.Op("RET")
}

func mostNEON(a *asm.Text) {
	a.Func("mostNEON", "(src *float32, blocks int) uint32", 0, 20, "Returns the bits of the largest magnitude in blocks of 16 numbers; a NaN is larger than all.")
	a.Op("MOVD src+0(FP), R0")
	a.Op("MOVD blocks+8(FP), R1")
	for i := range 4 {
		a.Op("VEOR V%[1]d.B16, V%[1]d.B16, V%[1]d.B16", 4+i)
	}
	a.Label("block")
	a.Op("VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]")
	for i := range 4 {
		a.Word(fabs(i, i))
	}
	for i := range 4 {
		a.Op("VUMAX V%d.S4, V%d.S4, V%d.S4", i, 4+i, 4+i)
	}
	a.Op("SUBS $1, R1")
	a.Op("BNE block")
	a.Op("VUMAX V5.S4, V4.S4, V4.S4")
	a.Op("VUMAX V7.S4, V6.S4, V6.S4")
	a.Op("VUMAX V6.S4, V4.S4, V4.S4")
	a.Word(umaxv(4, 4))
	a.Op("FMOVS F4, ret+16(FP)")
	a.Op("RET")
}

func scaleNEON(a *asm.Text) {
	a.Func("scaleSumsNEON", "(c *float32, blocks int, row float32, cols *float32)", 0, 32,
		"Makes blocks of four integers numbers: c[j] = (float32(c[j])·row)·cols[j].")
	a.Op("MOVD c+0(FP), R0")
	a.Op("MOVD blocks+8(FP), R1")
	a.Op("FMOVS row+16(FP), F16")
	a.Op("MOVD cols+24(FP), R2")
	a.Op("VDUP V16.S[0], V16.S4")
	a.Label("block")
	a.Op("VLD1 (R0), [V0.S4]")
	a.Op("VLD1.P 16(R2), [V1.S4]")
	a.Word(scvtf(0, 0))
	a.Word(fmul(0, 0, 16))
	a.Word(fmul(0, 0, 1))
	a.Op("VST1.P [V0.S4], 16(R0)")
	a.Op("SUBS $1, R1")
	a.Op("BNE block")
	a.Op("RET")
}
