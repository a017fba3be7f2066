package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// A machine writes AVX2 (width 8) or AVX-512 (width 16). Registers:
//
//	SI           the next elements of a row
//	BX, CX       the next elements of the vector; how many are left
//	R10          the rows of a group that are left
//	R13, R8      the row and the distance of rows
//	DX, R12      the output and the groups that are left
//
// Rows are read one after another, because processors fetch memory ahead for a reader that goes straight on. Four rows
// side by side were half as fast. The sums of a row's block are in register 0 (and 1), the sums of blocks in 2 (and 3).
// The sums of the rows before are folded to four lanes, in registers 8 to 11: each row pushes them on by one.
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

func (m machine) open(kernel, params string, frame, args, stride int, doc string) {
	m.Func(m.name(kernel), params, frame, args, doc)
	m.Op("MOVQ dst+0(FP), DX")
	m.Op("MOVQ rows+16(FP), R13")
	m.Op("MOVQ stride+%d(FP), R8", stride)
	m.Op("MOVQ groups+%d(FP), R12", stride+16)
	m.Label("group")
	m.Op("MOVQ $%d, R10", group)
	m.Label("row")
	m.Op("MOVQ R13, SI")
	m.Op("MOVQ x+8(FP), BX")
	m.Op("MOVQ n+%d(FP), CX", stride+8)
}

// next goes on with the next row, whose fold is to be in register 11.
func (m machine) next() {
	m.Op("ADDQ R8, R13")
	m.Op("DECQ R10")
	m.Op("JNZ row")
}

// close goes on with the next group.
func (m machine) close() {
	m.Op("ADDQ $16, DX")
	m.Op("DECQ R12")
	m.Op("JNZ group")
	m.Op("VZEROUPPER")
	m.Op("RET")
}

// low is the register of a part of the sum of blocks; the block's own are registers 0 and up.
func (m machine) low(part int) int { return 2 + part }

func (m machine) floats(k kind) {
	frame := 0
	if !m.wide() && k.size == 2 {
		frame = 32 // the tail of a row
	}
	m.open(k.name, fmt.Sprintf(floatParams, k.element), frame, floatArgs, 24, floatDoc)
	for part := range m.parts() {
		m.zero(part)
		m.zero(m.low(part))
	}
	m.Op("SUBQ $%d, CX", block)
	m.Op("JLT rest")
	m.Label("block")
	for i := range block / 16 {
		m.sixteen(k, 64*i, 16*k.size*i)
	}
	m.Op("ADDQ $%d, BX", 4*block)
	m.Op("ADDQ $%d, SI", k.size*block)
	for part := range m.parts() {
		m.Op("VADDPS %s, %s, %s", m.reg(part), m.reg(m.low(part)), m.reg(m.low(part)))
		m.zero(part)
	}
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
	for part := range m.parts() {
		m.Op("VADDPS %s, %s, %s", m.reg(part), m.reg(m.low(part)), m.reg(part))
	}
	m.push()
	// Lane j of 16 is added to j+8, then to j+4.
	if m.wide() {
		m.Op("VEXTRACTF32X8 $1, Z0, Y1")
	}
	m.Op("VADDPS Y1, Y0, Y0")
	m.Op("VEXTRACTF128 $1, Y0, X1")
	m.Op("VADDPS X1, X0, X11")
	m.next()
	// Then to j+2 and j+1, for four rows together.
	for i := range 2 {
		m.Op("VUNPCKLPD X%d, X%d, X%d", 9+2*i, 8+2*i, 12)
		m.Op("VUNPCKHPD X%d, X%d, X%d", 9+2*i, 8+2*i, 13)
		m.Op("VADDPS X13, X12, X%d", 14+i)
	}
	m.Op("VSHUFPS $0x88, X15, X14, X12")
	m.Op("VSHUFPS $0xdd, X15, X14, X13")
	m.Op("VADDPS X13, X12, X12")
	m.Op("VMOVUPS X12, (DX)")
	m.close()
}

// push makes room for a row's fold in register 11.
func (m machine) push() {
	for r := 8; r < 11; r++ {
		m.Op("VMOVAPS X%d, X%d", r+1, r)
	}
}

// sixteen multiplies 16 elements of the vector with those of a row. Offsets are in bytes.
func (m machine) sixteen(k kind, x, at int) {
	for part := range m.parts() {
		from := fmt.Sprintf("%d(SI)", at+k.size*m.w*part)
		if k.size == 2 {
			m.Op("VCVTPH2PS %s, %s", from, m.reg(4+part))
		} else {
			m.Op("VMOVUPS %s, %s", from, m.reg(4+part))
		}
		m.Op("VFMADD231PS %d(BX), %s, %s", x+4*m.w*part, m.reg(4+part), m.reg(part))
	}
}

// tail multiplies the last CX < 16 elements. Lanes without an element multiply zeros.
func (m machine) tail(k kind) {
	if m.wide() {
		m.Op("MOVL $1, AX")
		m.Op("SHLL CX, AX")
		m.Op("DECL AX")
		m.Op("KMOVW AX, K1")
		m.Op("VMOVUPS.Z (BX), K1, Z5")
		if k.size == 2 {
			m.Op("VCVTPH2PS.Z (SI), K1, Z4")
		} else {
			m.Op("VMOVUPS.Z (SI), K1, Z4")
		}
		m.Op("VFMADD231PS Z4, Z5, Z0")
		return
	}
	if k.size == 2 {
		m.Op("VPXOR X5, X5, X5")
		m.Op("VMOVUPS Y5, (SP)")
		m.Op("XORQ DI, DI")
		m.Label("copy")
		m.Op("MOVWLZX (SI)(DI*2), AX")
		m.Op("MOVW AX, (SP)(DI*2)")
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
		m.Op("VMOVUPS (AX)(DI*4), Y6")
		m.Op("VMASKMOVPS %d(BX), Y6, Y5", 32*part)
		if k.size == 2 {
			m.Op("VCVTPH2PS %d(SP), Y4", 16*part)
		} else {
			m.Op("VMASKMOVPS %d(SI), Y6, Y4", 32*part)
		}
		m.Op("VFMADD231PS Y4, Y5, Y%d", part)
	}
}

// ints is the kernel of int8 rows and an int16 vector. The sums of a row are in register 0.
func (m machine) ints() {
	m.open("Int8", intParams, 0, intArgs, 32, intDoc)
	step := 2 * m.w
	m.zero(0)
	m.Op("XORL DI, DI")
	m.Op("SUBQ $%d, CX", step)
	m.Op("JLT tail")
	m.Label("step")
	m.Op("VPMOVSXBW (SI), %s", m.reg(4))
	m.Op("VPMADDWD (BX), %s, %s", m.reg(4), m.reg(4))
	m.Op("VPADDD %s, %s, %s", m.reg(4), m.reg(0), m.reg(0))
	m.Op("ADDQ $%d, BX", 2*step)
	m.Op("ADDQ $%d, SI", step)
	m.Op("SUBQ $%d, CX", step)
	m.Op("JGE step")
	m.Label("tail")
	m.Op("ADDQ $%d, CX", step)
	m.Op("JZ fold")
	if m.wide() {
		m.Op("MOVL $1, AX")
		m.Op("SHLL CX, AX")
		m.Op("DECL AX")
		m.Op("KMOVD AX, K1")
		m.Op("VMOVDQU16.Z (BX), K1, Z5")
		m.Op("VPMOVSXBW.Z (SI), K1, Z4")
		m.Op("VPMADDWD Z4, Z5, Z4")
		m.Op("VPADDD Z4, Z0, Z0")
	} else {
		m.Label("one")
		m.Op("MOVWLSX (BX), AX")
		m.Op("MOVBLSX (SI), R9")
		m.Op("IMULL AX, R9")
		m.Op("ADDL R9, DI")
		m.Op("ADDQ $2, BX")
		m.Op("INCQ SI")
		m.Op("DECQ CX")
		m.Op("JNZ one")
	}
	m.Label("fold")
	if m.wide() {
		m.Op("VEXTRACTI64X4 $1, Z0, Y1")
		m.Op("VPADDD Y1, Y0, Y0")
	}
	m.Op("VEXTRACTI128 $1, Y0, X1")
	m.push()
	if !m.wide() {
		m.Op("VMOVD DI, X2")
		m.Op("VPADDD X2, X0, X0")
	}
	m.Op("VPADDD X1, X0, X11")
	m.next()
	m.Op("VPHADDD X9, X8, X8")
	m.Op("VPHADDD X11, X10, X10")
	m.Op("VPHADDD X10, X8, X8")
	m.Op("MOVQ scales+24(FP), AX")
	m.Op("VCVTDQ2PS X8, X8")
	m.Op("VMULPS (AX), X8, X8")
	m.Op("ADDQ $16, AX")
	m.Op("MOVQ AX, scales+24(FP)")
	m.Op("VMOVUPS X8, (DX)")
	m.close()
}
