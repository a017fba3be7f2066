package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// neon writes the kernels of arm64. Go's assembler knows few integer instructions of Advanced SIMD, so the arithmetic
// is words with LLVM's notation beside them; a test has an assembler compare the two.
//
// A step of a row kernel takes four pixels of two rows: 3 loads, 8 look-ups that widen the channels of a pixel to
// lanes and 8 multiplications by a weight. A step of the column kernel takes 16 samples of four rows.
func neon() []byte {
	a := asm.New(generator)
	for _, channels := range []int{3, 4} {
		name := fmt.Sprintf("resizeRows%dNEON", channels)
		a.Func(name, "(a *resizeRowsArgs)", 0, 8, fmt.Sprintf("Two rows of %d channels.", channels))
		a.Op("MOVD a+0(FP), R0")
		a.Op("LDP %d(R0), (R1, R2)", rowsSrc)
		a.Op("LDP %d(R0), (R3, R4)", rowsDst)
		a.Op("MOVD %d(R0), R5", rowsAt)
		a.Op("MOVD %d(R0), R6", rowsPacked)
		a.Op("MOVD %d(R0), R7", rowsSteps)
		a.Op("MOVD %d(R0), R8", rowsOutput)
		a.Op("MOVD $resizeSpread%dNEON<>(SB), R9", channels)
		for k := range 4 {
			a.Word(asm.LoadQ(16+k, 9, 16*k))
		}
		a.Label("output")
		a.Op("MOVW.P 4(R5), R10")
		if channels == 3 {
			a.Op("ADD R10<<1, R10, R10")
		} else {
			a.Op("LSL $2, R10, R10")
		}
		a.Op("ADD R10, R1, R11")
		a.Op("ADD R10, R2, R12")
		a.Op("MOVD R7, R13")
		// Sums of even and odd taps, of both rows.
		for r := range 4 {
			a.Word(asm.Zero(20 + r))
		}
		a.Label("step")
		for r := range 2 {
			if channels == 4 {
				a.Word(ldr16(r, 11+r))
				continue
			}
			a.Word(ldr8(r, 11+r))
			a.Word(ld4(r, 11+r))
		}
		a.Word(ldr16(2, 6))
		for k := range 4 {
			a.Word(tbl(4+2*k, 0, 16+k))
			a.Word(tbl(5+2*k, 1, 16+k))
		}
		for k := range 4 {
			a.Word(mla(20+k%2, 4+2*k, 2, k))
			a.Word(mla(22+k%2, 5+2*k, 2, k))
		}
		a.Op("SUBS $1, R13, R13")
		a.Op("BNE step")
		a.Word(half(3))
		for r := range 2 {
			a.Word(add(20+2*r, 20+2*r, 21+2*r))
			a.Word(add(20+2*r, 20+2*r, 3))
			a.Word(sshr(20+2*r, 20+2*r))
			a.Word(sqxtn(20+2*r, 20+2*r))
			a.Word(sqxtun(20+2*r, 20+2*r))
			a.Op("VMOV V%d.S[0], R%d", 20+2*r, 14+r)
		}
		a.Op("SUBS $1, R8, R8")
		if channels == 3 {
			a.Op("BEQ last")
		}
		a.Op("MOVW R14, (R3)")
		a.Op("MOVW R15, (R4)")
		a.Op("ADD $%d, R3, R3", channels)
		a.Op("ADD $%d, R4, R4", channels)
		if channels == 3 {
			a.Op("B output")
			a.Label("last")
			for r := range 2 {
				a.Op("MOVH R%d, (R%d)", 14+r, 3+r)
				a.Op("LSR $16, R%d, R%d", 14+r, 14+r)
				a.Op("MOVB R%d, 2(R%d)", 14+r, 3+r)
			}
		} else {
			a.Op("BNE output")
		}
		a.Op("RET")
	}
	columnsNEON(a)
	for _, channels := range []int{3, 4} {
		var b []byte
		for k := range 4 {
			b = append(b, spread(channels, 4, k)...)
		}
		table(a, fmt.Sprintf("resizeSpread%dNEON", channels), b)
	}
	var b []byte
	for i := range 16 {
		b = append(b, byte(i), 0x80, 0x80, 0x80)
	}
	table(a, "resizeWidenNEON", b)
	return a.Bytes()
}

func columnsNEON(a *asm.Text) {
	a.Func("resizeColumnsNEON", "(a *resizeColumnsArgs)", 0, 8, "One row of outputs from rows of samples, 16 at a time.")
	a.Op("MOVD a+0(FP), R0")
	a.Op("MOVD %d(R0), R1", columnsSrc)
	a.Op("MOVD %d(R0), R2", columnsDst)
	a.Op("MOVD %d(R0), R3", columnsStride)
	a.Op("MOVD %d(R0), R4", columnsPacked)
	a.Op("MOVD %d(R0), R5", columnsSteps)
	a.Op("MOVD %d(R0), R6", columnsBlocks)
	a.Op("MOVD $resizeWidenNEON<>(SB), R9")
	for k := range 4 {
		a.Word(asm.LoadQ(16+k, 9, 16*k))
	}
	a.Label("block")
	a.Op("MOVD R1, R7")
	a.Op("MOVD R4, R8")
	a.Op("MOVD R5, R10")
	for k := range 4 {
		a.Word(half(20 + k))
	}
	a.Label("step")
	a.Word(ldr16(2, 8))
	for k := range 4 {
		a.Word(asm.LoadQ(k%2, 7, 0))
		a.Op("ADD R3, R7, R7")
		for i := range 4 {
			a.Word(tbl(4+4*(k%2)+i, k%2, 16+i))
		}
		for i := range 4 {
			a.Word(mla(20+i, 4+4*(k%2)+i, 2, k))
		}
	}
	a.Op("SUBS $1, R10, R10")
	a.Op("BNE step")
	for i := range 4 {
		a.Word(sshr(20+i, 20+i))
	}
	a.Word(sqxtn(4, 20))
	a.Word(sqxtn2(4, 21))
	a.Word(sqxtn(5, 22))
	a.Word(sqxtn2(5, 23))
	a.Word(sqxtun(6, 4))
	a.Word(sqxtun2(6, 5))
	a.Word(str(6, 2))
	a.Op("ADD $16, R1, R1")
	a.Op("ADD $16, R2, R2")
	a.Op("SUBS $1, R6, R6")
	a.Op("BNE block")
	a.Op("RET")
}

// ldr16, ldr8 and ld4 load 16 bytes, 8 bytes, and the next 4 of those, and move on.
func ldr16(r, base int) asm.Instruction {
	return asm.Encode(0x3cc00400|16<<12|base<<5|r, "ldr q%d, [x%d], #16", r, base)
}

func ldr8(r, base int) asm.Instruction {
	return asm.Encode(0xfc400400|8<<12|base<<5|r, "ldr d%d, [x%d], #8", r, base)
}

func ld4(r, base int) asm.Instruction {
	return asm.Encode(0x4ddf8000|base<<5|r, "ld1 { v%d.s }[2], [x%d], #4", r, base)
}

func str(r, base int) asm.Instruction {
	return asm.Encode(0x3d800000|base<<5|r, "str q%d, [x%d]", r, base)
}

// half is 2²¹ in every lane.
func half(r int) asm.Instruction { return asm.Encode(0x4f014400|r, "movi v%d.4s, #32, lsl #16", r) }

func tbl(d, n, index int) asm.Instruction {
	return asm.Encode(0x4e000000|index<<16|n<<5|d, "tbl v%d.16b, { v%d.16b }, v%d.16b", d, n, index)
}

// mla is V<d> += V<n>·V<m>[lane], in four lanes.
func mla(d, n, m, lane int) asm.Instruction {
	return asm.Encode(0x6f800000|lane&1<<21|m<<16|lane>>1<<11|n<<5|d, "mla v%d.4s, v%d.4s, v%d.s[%d]", d, n, m, lane)
}

func add(d, n, m int) asm.Instruction {
	return asm.Encode(0x4ea08400|m<<16|n<<5|d, "add v%d.4s, v%d.4s, v%d.4s", d, n, m)
}

func sshr(d, n int) asm.Instruction {
	return asm.Encode(0x4f000400|(64-fraction)<<16|n<<5|d, "sshr v%d.4s, v%d.4s, #%d", d, n, fraction)
}

func sqxtn(d, n int) asm.Instruction {
	return asm.Encode(0x0e614800|n<<5|d, "sqxtn v%d.4h, v%d.4s", d, n)
}

func sqxtn2(d, n int) asm.Instruction {
	return asm.Encode(0x4e614800|n<<5|d, "sqxtn2 v%d.8h, v%d.4s", d, n)
}

func sqxtun(d, n int) asm.Instruction {
	return asm.Encode(0x2e212800|n<<5|d, "sqxtun v%d.8b, v%d.8h", d, n)
}

func sqxtun2(d, n int) asm.Instruction {
	return asm.Encode(0x6e212800|n<<5|d, "sqxtun2 v%d.16b, v%d.8h", d, n)
}
