package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// A machine writes AVX2 (width 8) or AVX-512 (width 16). Registers:
//
//	SI, R8, R9    the next elements of row 0 of a group; the distance of rows, and three times that
//	BX, CX        the next elements of the vector; how many are left
//	DX, R12, R13  the output, the groups left, row 0 of the group
//
// With AVX-512, the sums of blocks are in registers 0 to 3 and the block's in 4 to 7. AVX2 has 16 registers: the block's
// sums take 8, the sums of blocks are on the stack.
type machine struct {
	*asm.Text
	w int
}

func x86(w int) []byte {
	m := machine{asm.New(generator), w}
	for _, k := range kinds {
		m.floats(k)
	}
	m.ints()
	if !m.wide() {
		var mask []string
		for i := range 16 {
			mask = append(mask, []string{"0xffffffff", "0"}[i/8])
		}
		m.Table("dotsMaskAVX2", 4, mask...)
	}
	return m.Bytes()
}

func (m machine) wide() bool { return m.w == 16 }

// parts is the number of registers of 16 lanes.
func (m machine) parts() int { return 16 / m.w }

func (m machine) name(kernel string) string {
	if m.wide() {
		return "rowDots" + kernel + "AVX512"
	}
	return "rowDots" + kernel + "AVX2"
}

// reg names a register of the full width.
func (m machine) reg(r int) string {
	if m.wide() {
		return fmt.Sprintf("Z%d", r)
	}
	return fmt.Sprintf("Y%d", r)
}

func (m machine) zero(r int) {
	if m.wide() {
		m.Op("VPXORD Z%d, Z%d, Z%d", r, r, r)
		return
	}
	m.Op("VPXOR Y%d, Y%d, Y%d", r, r, r)
}

// row addresses bytes of a row of the group.
func row(r, offset int) string {
	at := []string{"(SI)", "(SI)(R8*1)", "(SI)(R8*2)", "(SI)(R9*1)"}[r]
	if offset == 0 {
		return at
	}
	return fmt.Sprintf("%d%s", offset, at)
}

func (m machine) open(kernel, params string, frame, args, stride int, doc string) {
	m.Func(m.name(kernel), params, frame, args, doc)
	m.Op("MOVQ dst+0(FP), DX")
	m.Op("MOVQ rows+16(FP), R13")
	m.Op("MOVQ stride+%d(FP), R8", stride)
	m.Op("MOVQ groups+%d(FP), R12", stride+16)
	m.Op("LEAQ (R8)(R8*2), R9")
	m.Label("group")
	m.Op("MOVQ R13, SI")
	m.Op("MOVQ x+8(FP), BX")
	m.Op("MOVQ n+%d(FP), CX", stride+8)
}

// close goes on with the next group.
func (m machine) close() {
	m.Op("ADDQ $16, DX")
	m.Op("LEAQ (R13)(R8*4), R13")
	m.Op("DECQ R12")
	m.Op("JNZ group")
	m.Op("VZEROUPPER")
	m.Op("RET")
}

// acc is the register of a part of the sum of a row's block.
func (m machine) acc(r, part int) int {
	if m.wide() {
		return 4 + r
	}
	return 2*r + part
}

// low is the place of the same part of the sum of blocks.
func (m machine) low(r, part int) string {
	if m.wide() {
		return m.reg(r)
	}
	return fmt.Sprintf("%d(SP)", 64*r+32*part)
}

func (m machine) floats(k kind) {
	frame := 0
	if !m.wide() {
		frame = 64 * group
		if k.size == 2 {
			frame += 32 * group // the tails of rows
		}
	}
	m.open(k.name, fmt.Sprintf(floatParams, k.element), frame, floatArgs, 24, floatDoc)
	if m.wide() {
		for r := range 2 * group {
			m.zero(r)
		}
	} else {
		for r := range 2 * group {
			m.zero(r)
			m.Op("VMOVUPS Y%d, %d(SP)", r, 32*r)
		}
	}
	m.Op("SUBQ $%d, CX", block)
	m.Op("JLT rest")
	m.Label("block")
	for i := range block / 16 {
		m.sixteen(k, 64*i, 16*k.size*i)
	}
	m.Op("ADDQ $%d, BX", 4*block)
	m.Op("ADDQ $%d, SI", k.size*block)
	m.addBlock(true)
	m.Op("SUBQ $%d, CX", block)
	m.Op("JGE block")
	m.Label("rest")
	m.Op("ADDQ $%d, CX", block-16)
	m.Op("JLT tail")
	m.Label("sixteen")
	m.sixteen(k, 0, 0)
	m.Op("ADDQ $64, BX")
	m.Op("ADDQ $%d, SI", 16*k.size)
	m.Op("SUBQ $16, CX")
	m.Op("JGE sixteen")
	m.Label("tail")
	m.Op("ADDQ $16, CX")
	m.Op("JZ done")
	m.tail(k)
	m.Label("done")
	m.addBlock(false)
	m.foldFloats()
	m.close()
}

// sixteen multiplies 16 elements of the vector with those of four rows. Offsets are in bytes.
func (m machine) sixteen(k kind, x, at int) {
	for part := range m.parts() {
		v := 8 + part // AVX2 has registers 8 and up, and AVX-512 too
		m.Op("VMOVUPS %d(BX), %s", x+4*m.w*part, m.reg(v))
		for r := range group {
			from := row(r, at+k.size*m.w*part)
			if k.size == 2 {
				m.Op("VCVTPH2PS %s, %s", from, m.reg(10+r))
				from = m.reg(10 + r)
			}
			m.Op("VFMADD231PS %s, %s, %s", from, m.reg(v), m.reg(m.acc(r, part)))
		}
	}
}

// tail multiplies the last CX < 16 elements. Lanes without an element multiply zeros, or are left out.
func (m machine) tail(k kind) {
	if m.wide() {
		m.Op("MOVL $1, AX")
		m.Op("SHLL CX, AX")
		m.Op("DECL AX")
		m.Op("KMOVW AX, K1")
		m.Op("VMOVUPS.Z (BX), K1, Z8")
		for r := range group {
			if k.size == 2 {
				m.Op("VCVTPH2PS.Z %s, K1, Z%d", row(r, 0), 10+r)
			} else {
				m.Op("VMOVUPS.Z %s, K1, Z%d", row(r, 0), 10+r)
			}
			m.Op("VFMADD231PS Z%d, Z8, Z%d", 10+r, m.acc(r, 0))
		}
		return
	}
	if k.size == 2 {
		const scratch = 64 * group
		m.Op("VPXOR X8, X8, X8")
		for i := range 2 * group {
			m.Op("VMOVUPS X8, %d(SP)", scratch+16*i)
		}
		m.Op("XORQ DI, DI")
		m.Label("copy")
		for r := range group {
			m.Op("MOVWLZX %s, AX", row(r, 0))
			m.Op("MOVW AX, %d(SP)(DI*2)", scratch+32*r)
		}
		m.Op("ADDQ $2, SI")
		m.Op("INCQ DI")
		m.Op("CMPQ DI, CX")
		m.Op("JLT copy")
	}
	m.Op("LEAQ dotsMaskAVX2<>+32(SB), AX")
	for part := range 2 {
		// Ones for the elements that are left, at most 8, then zeros.
		if part == 0 {
			m.Op("MOVQ $8, DI")
			m.Op("CMPQ CX, DI")
			m.Op("CMOVQLT CX, DI")
		} else {
			m.Op("SUBQ $8, CX")
			m.Op("JLE done")
			m.Op("MOVQ CX, DI")
		}
		m.Op("NEGQ DI")
		m.Op("VMOVUPS (AX)(DI*4), Y9")
		m.Op("VMASKMOVPS %d(BX), Y9, Y8", 32*part)
		for r := range group {
			if k.size == 2 {
				m.Op("VCVTPH2PS %d(SP), Y10", 64*group+32*r+16*part)
			} else {
				m.Op("VMASKMOVPS %s, Y9, Y10", row(r, 32*part))
			}
			m.Op("VFMADD231PS Y10, Y8, Y%d", m.acc(r, part))
		}
	}
}

// addBlock adds the sums of a block to those before. They stay on the stack or, at the end, in the block's registers.
func (m machine) addBlock(more bool) {
	for r := range group {
		for part := range m.parts() {
			a := m.acc(r, part)
			switch {
			case m.wide() && more:
				m.Op("VADDPS Z%d, Z%d, Z%d", a, r, r)
				m.zero(a)
			default:
				m.Op("VADDPS %s, %s, %s", m.low(r, part), m.reg(a), m.reg(a))
				if more {
					m.Op("VMOVUPS %s, %s", m.reg(a), m.low(r, part))
					m.zero(a)
				}
			}
		}
	}
}

// foldFloats stores the folded lanes of four rows: lane j with j+8, then j+4, j+2 and j+1.
func (m machine) foldFloats() {
	for r := range group {
		a := m.acc(r, 0)
		if m.wide() {
			m.Op("VEXTRACTF32X8 $1, Z%d, Y%d", a, 8+r)
			m.Op("VADDPS Y%d, Y%d, Y%d", 8+r, a, a)
		} else {
			m.Op("VADDPS Y%d, Y%d, Y%d", a+1, a, a)
		}
	}
	for r := range group {
		a := m.acc(r, 0)
		m.Op("VEXTRACTF128 $1, Y%d, X%d", a, 8+r)
		m.Op("VADDPS X%d, X%d, X%d", 8+r, a, 8+r)
	}
	// Registers 8 to 11 hold four lanes of each row.
	for i := range 2 {
		m.Op("VUNPCKLPD X%d, X%d, X%d", 9+2*i, 8+2*i, 12)
		m.Op("VUNPCKHPD X%d, X%d, X%d", 9+2*i, 8+2*i, 13)
		m.Op("VADDPS X13, X12, X%d", 14+i)
	}
	m.Op("VSHUFPS $0x88, X15, X14, X12")
	m.Op("VSHUFPS $0xdd, X15, X14, X13")
	m.Op("VADDPS X13, X12, X12")
	m.Op("VMOVUPS X12, (DX)")
}

// ints is the kernel of int8 rows and an int16 vector. The sums of rows are in registers 0 to 3.
func (m machine) ints() {
	frame := 0
	if !m.wide() {
		frame = 16
	}
	m.open("Int8", intParams, frame, intArgs, 32, intDoc)
	step := 2 * m.w
	for r := range group {
		m.zero(r)
	}
	m.Op("SUBQ $%d, CX", step)
	m.Op("JLT tail")
	m.Label("step")
	m.Op("VMOVDQU%s (BX), %s", map[bool]string{true: "16"}[m.wide()], m.reg(8))
	for r := range group {
		m.Op("VPMOVSXBW %s, %s", row(r, 0), m.reg(9+r))
		m.Op("VPMADDWD %s, %s, %s", m.reg(9+r), m.reg(8), m.reg(9+r))
		m.Op("VPADDD %s, %s, %s", m.reg(9+r), m.reg(r), m.reg(r))
	}
	m.Op("ADDQ $%d, BX", 2*step)
	m.Op("ADDQ $%d, SI", step)
	m.Op("SUBQ $%d, CX", step)
	m.Op("JGE step")
	m.Label("tail")
	if !m.wide() {
		m.Op("VPXOR X8, X8, X8")
		m.Op("VMOVDQU X8, (SP)")
	}
	m.Op("ADDQ $%d, CX", step)
	m.Op("JZ fold")
	if m.wide() {
		m.Op("MOVL $1, AX")
		m.Op("SHLL CX, AX")
		m.Op("DECL AX")
		m.Op("KMOVD AX, K1")
		m.Op("VMOVDQU16.Z (BX), K1, Z8")
		for r := range group {
			m.Op("VPMOVSXBW.Z %s, K1, Z%d", row(r, 0), 9+r)
			m.Op("VPMADDWD Z%d, Z8, Z%d", 9+r, 9+r)
			m.Op("VPADDD Z%d, Z%d, Z%d", 9+r, r, r)
		}
	} else {
		m.Label("one")
		m.Op("MOVWLSX (BX), AX")
		for r := range group {
			m.Op("MOVBLSX %s, DI", row(r, 0))
			m.Op("IMULL AX, DI")
			m.Op("ADDL DI, %d(SP)", 4*r)
		}
		m.Op("ADDQ $2, BX")
		m.Op("INCQ SI")
		m.Op("DECQ CX")
		m.Op("JNZ one")
	}
	m.Label("fold")
	for r := range group {
		if m.wide() {
			m.Op("VEXTRACTI64X4 $1, Z%d, Y%d", r, 8+r)
			m.Op("VPADDD Y%d, Y%d, Y%d", 8+r, r, r)
		}
		m.Op("VEXTRACTI128 $1, Y%d, X%d", r, 8+r)
		m.Op("VPADDD X%d, X%d, X%d", 8+r, r, r)
	}
	m.Op("VPHADDD X1, X0, X0")
	m.Op("VPHADDD X3, X2, X2")
	m.Op("VPHADDD X2, X0, X0")
	if !m.wide() {
		m.Op("VPADDD (SP), X0, X0")
	}
	m.Op("MOVQ scales+24(FP), AX")
	m.Op("VCVTDQ2PS X0, X0")
	m.Op("VMULPS (AX), X0, X0")
	m.Op("ADDQ $16, AX")
	m.Op("MOVQ AX, scales+24(FP)")
	m.Op("VMOVUPS X0, (DX)")
	m.close()
}
