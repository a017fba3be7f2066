package main

import "fmt"

// neon writes the kernels of arm64. Go's assembler knows few integer instructions of Advanced SIMD, so the arithmetic
// is words with the instruction in LLVM's notation beside them; a test asks an assembler whether they agree.
//
// A step of a row kernel takes four pixels of two rows: 3 loads, 8 look-ups that widen the channels of a pixel to
// lanes and 8 multiplications by a weight. A step of the column kernel takes 16 samples of four rows.
func neon() []byte {
	a := newAsm()
	for _, channels := range []int{3, 4} {
		name := fmt.Sprintf("resizeRows%dNEON", channels)
		a.text(name, "resizeRowsArgs", fmt.Sprintf("Two rows of %d channels.", channels))
		a.p("MOVD a+0(FP), R0")
		a.p("LDP %d(R0), (R1, R2)", rowsSrc)
		a.p("LDP %d(R0), (R3, R4)", rowsDst)
		a.p("MOVD %d(R0), R5", rowsAt)
		a.p("MOVD %d(R0), R6", rowsPacked)
		a.p("MOVD %d(R0), R7", rowsSteps)
		a.p("MOVD %d(R0), R8", rowsOutput)
		a.p("MOVD $resizeSpread%dNEON<>(SB), R9", channels)
		for k := range 4 {
			a.w(ldr(16+k, 9, 16*k))
		}
		a.l("output")
		a.p("MOVW.P 4(R5), R10")
		if channels == 3 {
			a.p("ADD R10<<1, R10, R10")
		} else {
			a.p("LSL $2, R10, R10")
		}
		a.p("ADD R10, R1, R11")
		a.p("ADD R10, R2, R12")
		a.p("MOVD R7, R13")
		// Sums of even and odd taps, of both rows.
		for r := range 4 {
			a.w(zero(20 + r))
		}
		a.l("step")
		for r := range 2 {
			if channels == 4 {
				a.w(ldr16(r, 11+r))
				continue
			}
			a.w(ldr8(r, 11+r))
			a.w(ld4(r, 11+r))
		}
		a.w(ldr16(2, 6))
		for k := range 4 {
			a.w(tbl(4+2*k, 0, 16+k))
			a.w(tbl(5+2*k, 1, 16+k))
		}
		for k := range 4 {
			a.w(mla(20+k%2, 4+2*k, 2, k))
			a.w(mla(22+k%2, 5+2*k, 2, k))
		}
		a.p("SUBS $1, R13, R13")
		a.p("BNE step")
		a.w(half(3))
		for r := range 2 {
			a.w(add(20+2*r, 20+2*r, 21+2*r))
			a.w(add(20+2*r, 20+2*r, 3))
			a.w(sshr(20+2*r, 20+2*r))
			a.w(sqxtn(20+2*r, 20+2*r))
			a.w(sqxtun(20+2*r, 20+2*r))
			a.p("VMOV V%d.S[0], R%d", 20+2*r, 14+r)
		}
		a.p("SUBS $1, R8, R8")
		if channels == 3 {
			a.p("BEQ last")
		}
		a.p("MOVW R14, (R3)")
		a.p("MOVW R15, (R4)")
		a.p("ADD $%d, R3, R3", channels)
		a.p("ADD $%d, R4, R4", channels)
		if channels == 3 {
			a.p("B output")
			a.l("last")
			for r := range 2 {
				a.p("MOVH R%d, (R%d)", 14+r, 3+r)
				a.p("LSR $16, R%d, R%d", 14+r, 14+r)
				a.p("MOVB R%d, 2(R%d)", 14+r, 3+r)
			}
		} else {
			a.p("BNE output")
		}
		a.p("RET")
	}
	columnsNEON(a)
	for _, channels := range []int{3, 4} {
		var b []byte
		for k := range 4 {
			b = append(b, spread(channels, 4, k)...)
		}
		a.table(fmt.Sprintf("resizeSpread%dNEON", channels), b)
	}
	var b []byte
	for i := range 16 {
		b = append(b, byte(i), 0x80, 0x80, 0x80)
	}
	a.table("resizeWidenNEON", b)
	return a.Bytes()
}

func columnsNEON(a *asm) {
	a.text("resizeColumnsNEON", "resizeColumnsArgs", "One row of outputs from rows of samples, 16 at a time.")
	a.p("MOVD a+0(FP), R0")
	a.p("MOVD %d(R0), R1", columnsSrc)
	a.p("MOVD %d(R0), R2", columnsDst)
	a.p("MOVD %d(R0), R3", columnsStride)
	a.p("MOVD %d(R0), R4", columnsPacked)
	a.p("MOVD %d(R0), R5", columnsSteps)
	a.p("MOVD %d(R0), R6", columnsBlocks)
	a.p("MOVD $resizeWidenNEON<>(SB), R9")
	for k := range 4 {
		a.w(ldr(16+k, 9, 16*k))
	}
	a.l("block")
	a.p("MOVD R1, R7")
	a.p("MOVD R4, R8")
	a.p("MOVD R5, R10")
	for k := range 4 {
		a.w(half(20 + k))
	}
	a.l("step")
	a.w(ldr16(2, 8))
	for k := range 4 {
		a.w(ldr(k%2, 7, 0))
		a.p("ADD R3, R7, R7")
		for i := range 4 {
			a.w(tbl(4+4*(k%2)+i, k%2, 16+i))
		}
		for i := range 4 {
			a.w(mla(20+i, 4+4*(k%2)+i, 2, k))
		}
	}
	a.p("SUBS $1, R10, R10")
	a.p("BNE step")
	for i := range 4 {
		a.w(sshr(20+i, 20+i))
	}
	a.w(sqxtn(4, 20))
	a.w(sqxtn2(4, 21))
	a.w(sqxtn(5, 22))
	a.w(sqxtn2(5, 23))
	a.w(sqxtun(6, 4))
	a.w(sqxtun2(6, 5))
	a.w(str(6, 2))
	a.p("ADD $16, R1, R1")
	a.p("ADD $16, R2, R2")
	a.p("SUBS $1, R6, R6")
	a.p("BNE block")
	a.p("RET")
}

// An instruction is its encoding and its text for LLVM.
type instruction struct {
	code uint32
	text string
}

func (a *asm) w(i instruction) { a.p("WORD $0x%08x // %s", i.code, i.text) }

func ins(code int, format string, args ...any) instruction {
	return instruction{uint32(code), fmt.Sprintf(format, args...)}
}

func ldr(r, base, offset int) instruction {
	return ins(0x3dc00000|offset/16<<10|base<<5|r, "ldr q%d, [x%d, #%d]", r, base, offset)
}

// ldr16, ldr8 and ld4 load 16 bytes, 8 bytes, and the next 4 of those, and move on.
func ldr16(r, base int) instruction {
	return ins(0x3cc00400|16<<12|base<<5|r, "ldr q%d, [x%d], #16", r, base)
}

func ldr8(r, base int) instruction {
	return ins(0xfc400400|8<<12|base<<5|r, "ldr d%d, [x%d], #8", r, base)
}

func ld4(r, base int) instruction {
	return ins(0x4ddf8000|base<<5|r, "ld1 { v%d.s }[2], [x%d], #4", r, base)
}

func str(r, base int) instruction { return ins(0x3d800000|base<<5|r, "str q%d, [x%d]", r, base) }

func zero(r int) instruction {
	return ins(0x6e201c00|r<<16|r<<5|r, "eor v%d.16b, v%d.16b, v%d.16b", r, r, r)
}

// half is 2²¹ in every lane.
func half(r int) instruction { return ins(0x4f014400|r, "movi v%d.4s, #32, lsl #16", r) }

func tbl(d, n, index int) instruction {
	return ins(0x4e000000|index<<16|n<<5|d, "tbl v%d.16b, { v%d.16b }, v%d.16b", d, n, index)
}

// mla is V<d> += V<n>·V<m>[lane], in four lanes.
func mla(d, n, m, lane int) instruction {
	return ins(0x6f800000|lane&1<<21|m<<16|lane>>1<<11|n<<5|d, "mla v%d.4s, v%d.4s, v%d.s[%d]", d, n, m, lane)
}

func add(d, n, m int) instruction {
	return ins(0x4ea08400|m<<16|n<<5|d, "add v%d.4s, v%d.4s, v%d.4s", d, n, m)
}

func sshr(d, n int) instruction {
	return ins(0x4f000400|(64-fraction)<<16|n<<5|d, "sshr v%d.4s, v%d.4s, #%d", d, n, fraction)
}

func sqxtn(d, n int) instruction { return ins(0x0e614800|n<<5|d, "sqxtn v%d.4h, v%d.4s", d, n) }

func sqxtn2(d, n int) instruction { return ins(0x4e614800|n<<5|d, "sqxtn2 v%d.8h, v%d.4s", d, n) }

func sqxtun(d, n int) instruction { return ins(0x2e212800|n<<5|d, "sqxtun v%d.8b, v%d.8h", d, n) }

func sqxtun2(d, n int) instruction { return ins(0x6e212800|n<<5|d, "sqxtun2 v%d.16b, v%d.8h", d, n) }
