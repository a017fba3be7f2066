package main

import "fmt"

// The kernel of ColumnSumsAdd keeps a block of columns in registers and adds all rows to it: first blocks of
// eight registers, then narrower ones, then the tail.
const columnParams = "(dst, x *float32, rows, n, stride int)"

func (m *x86) columns(p printer) {
	p.Func("columnSumsAdd"+m.suffix(), columnParams, 0, 40)
	p.p("MOVQ dst+0(FP), DI")
	p.p("MOVQ x+8(FP), SI")
	p.p("MOVQ rows+16(FP), R8")
	p.p("MOVQ n+24(FP), CX")
	p.p("MOVQ stride+32(FP), R9")
	p.p("SHLQ $2, R9")
	for _, regs := range []int{8, 4, 1} {
		step := regs * m.w
		p.p("SUBQ $%d, CX", step)
		p.p("JLT after%d", regs)
		p.label(fmt.Sprintf("block%d", regs))
		for r := range regs {
			p.p("VMOVUPS %d(DI), %s", 4*m.w*r, m.reg(r))
		}
		p.p("MOVQ SI, R10")
		p.p("MOVQ R8, R11")
		p.label(fmt.Sprintf("row%d", regs))
		for r := range regs {
			p.p("VADDPS %d(R10), %s, %s", 4*m.w*r, m.reg(r), m.reg(r))
		}
		p.p("ADDQ R9, R10")
		p.p("DECQ R11")
		p.p("JNZ row%d", regs)
		for r := range regs {
			p.p("VMOVUPS %s, %d(DI)", m.reg(r), 4*m.w*r)
		}
		p.p("ADDQ $%d, DI", 4*step)
		p.p("ADDQ $%d, SI", 4*step)
		p.p("SUBQ $%d, CX", step)
		p.p("JGE block%d", regs)
		p.label(fmt.Sprintf("after%d", regs))
		p.p("ADDQ $%d, CX", step)
	}
	p.p("JZ done")
	if m.wide() {
		p.p("MOVL $1, AX")
		p.p("SHLL CX, AX")
		p.p("DECL AX")
		p.p("KMOVW AX, K1")
		p.p("VMOVUPS.Z (DI), K1, Z0")
		p.label("rowTail")
		p.p("VADDPS (SI), Z0, K1, Z0")
	} else {
		p.p("LEAQ vecMaskAVX2<>(SB), AX")
		p.p("NEGQ CX")
		p.p("VMOVUPS 64(AX)(CX*4), Y2")
		p.p("VMASKMOVPS (DI), Y2, Y0")
		p.label("rowTail")
		p.p("VMASKMOVPS (SI), Y2, Y1")
		p.p("VADDPS Y1, Y0, Y0")
	}
	p.p("ADDQ R9, SI")
	p.p("DECQ R8")
	p.p("JNZ rowTail")
	if m.wide() {
		p.p("VMOVUPS Z0, K1, (DI)")
	} else {
		p.p("VMASKMOVPS Y0, Y2, (DI)")
	}
	p.label("done")
	p.p("VZEROUPPER")
	p.p("RET")
}

func (m *neon) columns(p printer) {
	p.Func("columnSumsAddNEON", columnParams, 0, 40)
	p.p("MOVD dst+0(FP), R0")
	p.p("MOVD x+8(FP), R1")
	p.p("MOVD rows+16(FP), R2")
	p.p("MOVD n+24(FP), R3")
	p.p("MOVD stride+32(FP), R4")
	p.p("LSL $2, R4, R4")
	for _, regs := range []int{8, 1} {
		step := 4 * regs
		p.p("SUBS $%d, R3, R3", step)
		p.p("BLT after%d", regs)
		p.label(fmt.Sprintf("block%d", regs))
		for r := range regs {
			p.ldr(r, 0, 16*r)
		}
		p.p("MOVD R1, R5")
		p.p("MOVD R2, R6")
		p.label(fmt.Sprintf("row%d", regs))
		for r := range regs {
			p.ldr(8+r, 5, 16*r)
		}
		for r := range regs {
			p.w(0x4e20d400|(8+r)<<16|r<<5|r, "fadd v%d.4s, v%d.4s, v%d.4s", r, r, 8+r)
		}
		p.p("ADD R4, R5, R5")
		p.p("SUBS $1, R6, R6")
		p.p("BNE row%d", regs)
		for r := range regs {
			p.str(r, 0, 16*r)
		}
		p.p("ADD $%d, R0, R0", 4*step)
		p.p("ADD $%d, R1, R1", 4*step)
		p.p("SUBS $%d, R3, R3", step)
		p.p("BGE block%d", regs)
		p.label(fmt.Sprintf("after%d", regs))
		p.p("ADDS $%d, R3, R3", step)
	}
	p.p("BEQ done")
	p.label("column")
	p.p("FMOVS (R0), F0")
	p.p("MOVD R1, R5")
	p.p("MOVD R2, R6")
	p.label("rowTail")
	p.p("FMOVS (R5), F1")
	p.p("FADDS F1, F0, F0")
	p.p("ADD R4, R5, R5")
	p.p("SUBS $1, R6, R6")
	p.p("BNE rowTail")
	p.p("FMOVS F0, (R0)")
	p.p("ADD $4, R0, R0")
	p.p("ADD $4, R1, R1")
	p.p("SUBS $1, R3, R3")
	p.p("BNE column")
	p.label("done")
	p.p("RET")
}
