package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// neon writes the kernels of arm64. Registers:
//
//	R1 to R4      the next elements of four rows
//	R5, R6        the next elements of the vector; how many are left
//	R7, R8, R9    the output, the groups left, row 0 of the group
//	R10           the distance of rows
//
// The sums of a row's block are 4 vector registers, from 4·row on; the sums of blocks are on the stack, 64 bytes a row.
// 64 more bytes for the vector and for each row take the tail.
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
	a.Label("group")
	a.Op("MOVD R9, R1")
	for r := 1; r < group; r++ {
		a.Op("ADD R10, R%d, R%d", r, r+1)
	}
	a.Op("MOVD x+8(FP), R5")
	a.Op("MOVD n+%d(FP), R6", stride+8)
}

func neonClose(a *asm.Text) {
	a.Op("ADD $16, R7, R7")
	a.Op("ADD R10<<2, R9, R9")
	a.Op("SUBS $1, R8, R8")
	a.Op("BNE group")
	a.Op("RET")
}

const (
	neonLow     = 64 * group       // bytes of the sums of blocks
	neonScratch = 64 * (group + 1) // bytes of tails
)

func neonFloats(a *asm.Text, k kind) {
	const frame = neonLow + neonScratch + 16
	neonOpen(a, k.name, fmt.Sprintf(floatParams, k.element), frame, floatArgs, 24, floatDoc)
	a.Op("MOVD $low-%d(SP), R11", frame)
	for i := range 4 * group {
		a.Word(asm.Zero(i))
		a.Word(asm.StoreQ(i, 11, 16*i))
	}
	a.Label("block")
	a.Op("SUBS $%d, R6, R6", block)
	a.Op("BLT rest")
	a.Op("MOVD $%d, R12", block/16)
	a.Label("turn")
	neonSixteen(a, k)
	neonAdvance(a, k)
	a.Op("SUBS $1, R12, R12")
	a.Op("BNE turn")
	for i := range 4 * group {
		a.Word(asm.LoadQ(16, 11, 16*i))
		a.Word(fadd(16, 16, i))
		a.Word(asm.StoreQ(16, 11, 16*i))
		a.Word(asm.Zero(i))
	}
	a.Op("B block")
	a.Label("rest")
	a.Op("ADD $%d, R6, R6", block)
	a.Label("sixteen")
	a.Op("SUBS $16, R6, R6")
	a.Op("BLT tail")
	neonSixteen(a, k)
	neonAdvance(a, k)
	a.Op("B sixteen")
	a.Label("tail")
	a.Op("ADDS $16, R6, R6")
	a.Op("BEQ done")
	a.Comment("The tails go to zeroed memory, which is read as a whole.")
	a.Op("MOVD $tails-%d(SP), R12", frame-neonLow)
	a.Word(asm.Zero(16))
	for i := range neonScratch / 16 {
		a.Word(asm.StoreQ(16, 12, 16*i))
	}
	a.Op("ADD $%d, R12, R14", 64*group)
	a.Label("copy")
	load, store := "MOVWU", "MOVW"
	if k.size == 2 {
		load, store = "MOVHU", "MOVH"
	}
	for r := range group {
		a.Op("%s.P %d(R%d), R13", load, k.size, 1+r)
		a.Op("%s R13, %d(R12)", store, 64*r)
	}
	a.Op("MOVWU.P 4(R5), R13")
	a.Op("MOVW.P R13, 4(R14)")
	a.Op("ADD $%d, R12, R12", k.size)
	a.Op("SUBS $1, R6, R6")
	a.Op("BNE copy")
	a.Op("MOVD $tails-%d(SP), R1", frame-neonLow)
	for r := 1; r <= group; r++ {
		a.Op("ADD $64, R%d, R%d", r, r+1)
	}
	neonSixteen(a, k)
	a.Label("done")
	for r := range group {
		for part := range 4 {
			i := 4*r + part
			a.Word(asm.LoadQ(16, 11, 16*i))
			a.Word(fadd(i, 16, i))
		}
		// Lane j with j+8, then j+4.
		a.Word(fadd(4*r, 4*r, 4*r+2))
		a.Word(fadd(4*r+1, 4*r+1, 4*r+3))
		a.Word(fadd(4*r, 4*r, 4*r+1))
		// Then j+2 and j+1.
		for _, bytes := range []int{8, 4} {
			a.Word(ext(16, 4*r, bytes))
			a.Word(fadd(4*r, 4*r, 16))
		}
		a.Op("FMOVS F%d, %d(R7)", 4*r, 4*r)
	}
	neonClose(a)
}

// neonSixteen multiplies 16 elements of the vector with those of four rows.
func neonSixteen(a *asm.Text, k kind) {
	for part := range 4 {
		a.Word(asm.LoadQ(16+part, 5, 16*part))
	}
	for r := range group {
		for i := range k.size {
			a.Word(asm.LoadQ(20+i, 1+r, 16*i))
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
			a.Word(asm.Encode(0x4e20cc00|(from+part)<<16|(16+part)<<5|4*r+part, "fmla v%d.4s, v%d.4s, v%d.4s", 4*r+part, 16+part, from+part))
		}
	}
}

// neonAdvance goes on by 16 elements.
func neonAdvance(a *asm.Text, k kind) {
	for r := range group {
		a.Op("ADD $%d, R%d, R%d", 16*k.size, 1+r, 1+r)
	}
	a.Op("ADD $64, R5, R5")
}

// neonInts is the kernel of int8 rows and an int16 vector. The sums of a row are registers 2·row and 2·row + 1.
func neonInts(a *asm.Text) {
	neonOpen(a, "Int8", intParams, 0, intArgs, 32, intDoc)
	a.Op("MOVD scales+24(FP), R11")
	for i := range 2 * group {
		a.Word(asm.Zero(i))
	}
	// The sums of the tail.
	for r := range group {
		a.Op("MOVW $0, R%d", 20+r)
	}
	a.Label("step")
	a.Op("SUBS $16, R6, R6")
	a.Op("BLT tail")
	a.Word(asm.LoadQ(16, 5, 0))
	a.Word(asm.LoadQ(17, 5, 16))
	a.Op("ADD $32, R5, R5")
	for r := range group {
		a.Word(asm.LoadQ(18, 1+r, 0))
		a.Op("ADD $16, R%d, R%d", 1+r, 1+r)
		a.Word(asm.Encode(0x0f08a400|18<<5|19, "sshll v19.8h, v18.8b, #0"))
		a.Word(asm.Encode(0x4f08a400|18<<5|20, "sshll2 v20.8h, v18.16b, #0"))
		for i := range 2 {
			d, n, m := 2*r+i, 16+i, 19+i
			a.Word(asm.Encode(0x0e608000|m<<16|n<<5|d, "smlal v%d.4s, v%d.4h, v%d.4h", d, n, m))
			a.Word(asm.Encode(0x4e608000|m<<16|n<<5|d, "smlal2 v%d.4s, v%d.8h, v%d.8h", d, n, m))
		}
	}
	a.Op("B step")
	a.Label("tail")
	a.Op("ADDS $16, R6, R6")
	a.Op("BEQ fold")
	a.Label("one")
	a.Op("MOVH.P 2(R5), R13")
	for r := range group {
		a.Op("MOVB.P 1(R%d), R14", 1+r)
		a.Op("MADDW R13, R%d, R14, R%d", 20+r, 20+r)
	}
	a.Op("SUBS $1, R6, R6")
	a.Op("BNE one")
	a.Label("fold")
	addp := func(d, n, m int) {
		a.Word(asm.Encode(0x4ea0bc00|m<<16|n<<5|d, "addp v%d.4s, v%d.4s, v%d.4s", d, n, m))
	}
	for r := range group {
		addp(2*r, 2*r, 2*r+1)
	}
	addp(0, 0, 2)
	addp(4, 4, 6)
	addp(0, 0, 4)
	for r := range group {
		a.Op("VMOV R%d, V1.S[%d]", 20+r, r)
	}
	a.Word(asm.Encode(0x4ea08400|1<<16|0<<5|0, "add v0.4s, v0.4s, v1.4s"))
	a.Word(asm.Encode(0x4e21d800|0<<5|0, "scvtf v0.4s, v0.4s"))
	a.Word(asm.LoadQ(1, 11, 0))
	a.Op("ADD $16, R11, R11")
	a.Op("MOVD R11, scales+24(FP)")
	a.Word(asm.Encode(0x6e20dc00|1<<16|0<<5|0, "fmul v0.4s, v0.4s, v1.4s"))
	a.Word(asm.StoreQ(0, 7, 0))
	neonClose(a)
}

func fadd(d, n, m int) asm.Instruction {
	return asm.Encode(0x4e20d400|m<<16|n<<5|d, "fadd v%d.4s, v%d.4s, v%d.4s", d, n, m)
}

func ext(d, n, bytes int) asm.Instruction {
	return asm.Encode(0x6e000000|n<<16|bytes<<11|n<<5|d, "ext v%d.16b, v%d.16b, v%d.16b, #%d", d, n, n, bytes)
}
