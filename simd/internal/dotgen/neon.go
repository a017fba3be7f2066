package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// neon writes the kernels of arm64. Registers:
//
//	R1           the next elements of a row
//	R5, R6       the next elements of the vector; how many are left
//	R7, R8       the output and the rows that are left
//	R9, R10      the row and the distance of rows
//
// The sums of a row's block are in registers 0 to 3, the sums of blocks in 4 to 7.
func neon() []byte {
	a := asm.New(generator)
	for _, k := range kinds {
		neonFloats(a, k)
	}
	neonInts(a)
	return a.Bytes()
}

func neonOpen(a *asm.Text, kernel, params string, frame, args, stride int, doc string) {
	a.Func("rowDots"+kernel+"NEON", params, frame, args, doc)
	a.Op("MOVD dst+0(FP), R7")
	a.Op("MOVD rows+16(FP), R9")
	a.Op("MOVD stride+%d(FP), R10", stride)
	a.Op("MOVD groups+%d(FP), R8", stride+16)
	a.Op("LSL $2, R8, R8")
	a.Label("row")
	a.Op("MOVD R9, R1")
	a.Op("MOVD x+8(FP), R5")
	a.Op("MOVD n+%d(FP), R6", stride+8)
}

// neonClose stores the lowest element of register 0 and goes on with the next row.
func neonClose(a *asm.Text) {
	a.Op("FMOVS F0, (R7)")
	a.Op("ADD $4, R7, R7")
	a.Op("ADD R10, R9, R9")
	a.Op("SUBS $1, R8, R8")
	a.Op("BNE row")
	a.Op("RET")
}

func neonFloats(a *asm.Text, k kind) {
	const frame = 64 + 64 + 16 // the tails of the vector and of a row
	neonOpen(a, k.name, fmt.Sprintf(floatParams, k.element), frame, floatArgs, 24, floatDoc)
	for i := range 8 {
		a.Word(asm.Zero(i))
	}
	a.Label("block")
	a.Op("SUBS $%d, R6, R6", block)
	a.Op("BLT rest")
	a.Op("MOVD $%d, R12", block/16)
	a.Label("turn")
	neonSixteen(a, k)
	a.Op("SUBS $1, R12, R12")
	a.Op("BNE turn")
	for i := range 4 {
		a.Word(fadd(4+i, 4+i, i))
		a.Word(asm.Zero(i))
	}
	a.Op("B block")
	a.Label("rest")
	a.Op("ADD $%d, R6, R6", block)
	a.Label("sixteen")
	a.Op("SUBS $16, R6, R6")
	a.Op("BLT tail")
	neonSixteen(a, k)
	a.Op("B sixteen")
	a.Label("tail")
	a.Op("ADDS $16, R6, R6")
	a.Op("BEQ done")
	a.Comment("The tails go to zeroed memory, which is read as a whole.")
	a.Op("MOVD $tails-%d(SP), R12", frame)
	a.Word(asm.Zero(16))
	for i := range 8 {
		a.Word(asm.StoreQ(16, 12, 16*i))
	}
	a.Op("ADD $64, R12, R14")
	load, store := "MOVWU", "MOVW"
	if k.size == 2 {
		load, store = "MOVHU", "MOVH"
	}
	a.Label("copy")
	a.Op("MOVWU.P 4(R5), R13")
	a.Op("MOVW.P R13, 4(R12)")
	a.Op("%s.P %d(R1), R13", load, k.size)
	a.Op("%s.P R13, %d(R14)", store, k.size)
	a.Op("SUBS $1, R6, R6")
	a.Op("BNE copy")
	a.Op("MOVD $tails-%d(SP), R5", frame)
	a.Op("ADD $64, R5, R1")
	neonSixteen(a, k)
	a.Label("done")
	for i := range 4 {
		a.Word(fadd(i, 4+i, i))
	}
	// Lane j with j+8, j+4, j+2 and j+1.
	a.Word(fadd(0, 0, 2))
	a.Word(fadd(1, 1, 3))
	a.Word(fadd(0, 0, 1))
	for _, bytes := range []int{8, 4} {
		a.Word(ext(16, 0, bytes))
		a.Word(fadd(0, 0, 16))
	}
	neonClose(a)
}

// neonSixteen multiplies 16 elements of the vector with those of a row, and goes on.
func neonSixteen(a *asm.Text, k kind) {
	for part := range 4 {
		a.Word(asm.LoadQ(16+part, 5, 16*part))
	}
	for i := range k.size {
		a.Word(asm.LoadQ(20+i, 1, 16*i))
	}
	from := 20
	if k.size == 2 {
		for i := range 2 {
			a.Word(asm.Encode(0x0e217800|(20+i)<<5|24+2*i, "fcvtl v%d.4s, v%d.4h", 24+2*i, 20+i))
			a.Word(asm.Encode(0x4e217800|(20+i)<<5|25+2*i, "fcvtl2 v%d.4s, v%d.8h", 25+2*i, 20+i))
		}
		from = 24
	}
	for part := range 4 {
		a.Word(asm.Encode(0x4e20cc00|(from+part)<<16|(16+part)<<5|part, "fmla v%d.4s, v%d.4s, v%d.4s", part, 16+part, from+part))
	}
	a.Op("ADD $64, R5, R5")
	a.Op("ADD $%d, R1, R1", 16*k.size)
}

// neonInts is the kernel of int8 rows and an int16 vector. The sums of a row are in registers 0 and 1.
func neonInts(a *asm.Text) {
	neonOpen(a, "Int8", intParams, 0, intArgs, 32, intDoc)
	a.Word(asm.Zero(0))
	a.Word(asm.Zero(1))
	a.Op("MOVW $0, R15")
	a.Label("step")
	a.Op("SUBS $16, R6, R6")
	a.Op("BLT tail")
	a.Word(asm.LoadQ(16, 5, 0))
	a.Word(asm.LoadQ(17, 5, 16))
	a.Word(asm.LoadQ(18, 1, 0))
	a.Word(asm.Encode(0x0f08a400|18<<5|19, "sshll v19.8h, v18.8b, #0"))
	a.Word(asm.Encode(0x4f08a400|18<<5|20, "sshll2 v20.8h, v18.16b, #0"))
	for i := range 2 {
		n, m := 16+i, 19+i
		a.Word(asm.Encode(0x0e608000|m<<16|n<<5|i, "smlal v%d.4s, v%d.4h, v%d.4h", i, n, m))
		a.Word(asm.Encode(0x4e608000|m<<16|n<<5|i, "smlal2 v%d.4s, v%d.8h, v%d.8h", i, n, m))
	}
	a.Op("ADD $32, R5, R5")
	a.Op("ADD $16, R1, R1")
	a.Op("B step")
	a.Label("tail")
	a.Op("ADDS $16, R6, R6")
	a.Op("BEQ fold")
	a.Label("one")
	a.Op("MOVH.P 2(R5), R13")
	a.Op("MOVB.P 1(R1), R14")
	a.Op("MADDW R13, R15, R14, R15")
	a.Op("SUBS $1, R6, R6")
	a.Op("BNE one")
	a.Label("fold")
	a.Word(asm.Encode(0x4ea08400|1<<16, "add v0.4s, v0.4s, v1.4s"))
	a.Word(asm.Encode(0x4eb1b800, "addv s0, v0.4s"))
	a.Op("VMOV V0.S[0], R13")
	a.Op("ADDW R15, R13, R13")
	a.Op("SCVTFWS R13, F0")
	a.Op("MOVD scales+24(FP), R11")
	a.Op("FMOVS (R11), F1")
	a.Op("FMULS F1, F0, F0")
	a.Op("ADD $4, R11, R11")
	a.Op("MOVD R11, scales+24(FP)")
	neonClose(a)
}

func fadd(d, n, m int) asm.Instruction {
	return asm.Encode(0x4e20d400|m<<16|n<<5|d, "fadd v%d.4s, v%d.4s, v%d.4s", d, n, m)
}

func ext(d, n, bytes int) asm.Instruction {
	return asm.Encode(0x6e000000|n<<16|bytes<<11|n<<5|d, "ext v%d.16b, v%d.16b, v%d.16b, #%d", d, n, n, bytes)
}
