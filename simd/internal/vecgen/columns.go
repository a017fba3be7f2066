package main

import (
	"fmt"
	"strings"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// A columnKernel adds sums over rows to dst, of one matrix or of the products of two. It keeps a block of columns
// in registers with all levels of the cascade, and adds all rows to it: first blocks of several registers, then
// of one, then the tail. There are at most portable.Rows rows, so that a cascade is never full.
type columnKernel struct {
	name     string
	matrices []string
}

var columnKernels = []columnKernel{
	{"ColumnSumsAdd", []string{"x"}},
	{"ColumnDotsAdd", []string{"a", "b"}},
}

func (c columnKernel) dot() bool { return len(c.matrices) == 2 }

// stride is the name of a matrix's stride.
func (c columnKernel) stride(matrix string) string {
	if c.dot() {
		return matrix + "Stride"
	}
	return "stride"
}

func (c columnKernel) params() string {
	var strides []string
	for _, m := range c.matrices {
		strides = append(strides, c.stride(m))
	}
	return fmt.Sprintf("(dst, %s *float32, rows, n, %s int)", strings.Join(c.matrices, ", "), strings.Join(strides, ", "))
}

// argument loads arguments by name in order.
func (c columnKernel) arguments(load func(name string, at int)) (size int) {
	names := append([]string{"dst"}, c.matrices...)
	names = append(names, "rows", "n")
	for _, m := range c.matrices {
		names = append(names, c.stride(m))
	}
	for i, n := range names {
		load(n, 8*i)
	}
	return 8 * len(names)
}

func (c columnKernel) size() int { return c.arguments(func(string, int) {}) }

// columns prints a kernel. DI is dst, SI and R12 are the matrices, R9 and R13 their strides, R10 and R11 rows of
// them. DX counts the rows left, AX those of a block.
func (m *x86) columns(p printer, c columnKernel) {
	p.Func(lower(c.name)+m.suffix(), c.params(), 0, c.size())
	regs := []string{"DI", "SI", "R8", "CX", "R9"}
	if c.dot() {
		regs = []string{"DI", "SI", "R12", "R8", "CX", "R9", "R13"}
	}
	c.arguments(func(name string, at int) {
		p.p("MOVQ %s+%d(FP), %s", name, at, regs[at/8])
	})
	p.p("SHLQ $2, R9")
	if c.dot() {
		p.p("SHLQ $2, R13")
	}
	for _, n := range m.columnStrips() {
		step := n * m.w
		after := fmt.Sprintf("after%d", n)
		p.p("SUBQ $%d, CX", step)
		p.p("JLT %s", after)
		p.label(fmt.Sprintf("strip%d", n))
		m.strip(p, c, n, false)
		p.p("ADDQ $%d, DI", 4*step)
		p.p("ADDQ $%d, SI", 4*step)
		if c.dot() {
			p.p("ADDQ $%d, R12", 4*step)
		}
		p.p("SUBQ $%d, CX", step)
		p.p("JGE strip%d", n)
		p.label(after)
		p.p("ADDQ $%d, CX", step)
	}
	p.p("JZ done")
	if m.wide() {
		p.p("MOVL $1, AX")
		p.p("SHLL CX, AX")
		p.p("DECL AX")
		p.p("KMOVW AX, K1")
	} else {
		p.p("LEAQ vecMaskAVX2<>(SB), AX")
		p.p("NEGQ CX")
		p.p("VMOVUPS 64(AX)(CX*4), Y15")
	}
	m.strip(p, c, 1, true)
	p.label("done")
	p.p("VZEROUPPER")
	p.p("RET")
}

// columnStrips lists the numbers of registers that strips take, the largest first.
func (m *x86) columnStrips() []int {
	if m.wide() {
		return []int{8, 4, 1}
	}
	return []int{6, 4, 2, 1}
}

// strip adds the sums of n registers of columns to dst. Registers 0 to n-1 hold a block, the next n the sum of those
// before. masked takes the columns of the tail alone.
func (m *x86) strip(p printer, c columnKernel, n int, masked bool) {
	low := func(r int) string { return m.reg(n + r) }
	temp := func(i int) string { return m.reg(m.registers() - 2 - i) }
	at := func(base string, r int) string { return fmt.Sprintf("%d(%s)", 4*m.w*r, base) }
	load := func(from, to string) {
		switch {
		case !masked:
			p.p("VMOVUPS %s, %s", from, to)
		case m.wide():
			p.p("VMOVUPS.Z %s, K1, %s", from, to)
		default:
			p.p("VMASKMOVPS %s, Y15, %s", from, to)
		}
	}
	// operand returns memory, or a register that holds its part below the mask.
	operand := func(from, to string) string {
		if !masked {
			return from
		}
		load(from, to)
		return to
	}
	id := fmt.Sprint(n)
	if masked {
		id = "Tail"
	}
	for r := range 2 * n {
		m.zero(p, r)
	}
	p.p("MOVQ SI, R10")
	if c.dot() {
		p.p("MOVQ R12, R11")
	}
	p.p("MOVQ R8, DX")
	p.label("block" + id)
	p.p("MOVQ $%d, AX", blockRows)
	p.p("CMPQ DX, AX")
	p.p("CMOVQLT DX, AX")
	p.p("SUBQ AX, DX")
	p.label("row" + id)
	for r := range n {
		if c.dot() {
			load(at("R10", r), temp(0))
			p.p("VFMADD231PS %s, %s, %s", operand(at("R11", r), temp(1)), temp(0), m.reg(r))
		} else {
			p.p("VADDPS %s, %s, %s", operand(at("R10", r), temp(0)), m.reg(r), m.reg(r))
		}
	}
	p.p("ADDQ R9, R10")
	if c.dot() {
		p.p("ADDQ R13, R11")
	}
	p.p("DECQ AX")
	p.p("JNZ row%s", id)
	p.p("TESTQ DX, DX")
	p.p("JZ end%s", id)
	for r := range n {
		p.p("VADDPS %s, %s, %s", m.reg(r), low(r), low(r))
		m.zero(p, r)
	}
	p.p("JMP block%s", id)
	p.label("end" + id)
	for r := range n {
		p.p("VADDPS %s, %s, %s", low(r), m.reg(r), m.reg(r))
		p.p("VADDPS %s, %s, %s", operand(at("DI", r), temp(0)), m.reg(r), m.reg(r))
		switch {
		case !masked:
			p.p("VMOVUPS %s, %s", m.reg(r), at("DI", r))
		case m.wide():
			p.p("VMOVUPS %s, K1, %s", m.reg(r), at("DI", r))
		default:
			p.p("VMASKMOVPS %s, Y15, %s", m.reg(r), at("DI", r))
		}
	}
}

// columns prints a kernel. R0 is dst, R1 and R2 are the matrices, R3 and R4 their strides, R10 and R11 rows of them.
// R5 is the number of rows, R6 that of columns left. R12 counts the rows left, R13 those of a block.
func (m *neon) columns(p printer, c columnKernel) {
	p.Func(lower(c.name)+"NEON", c.params(), 0, c.size())
	regs := []int{0, 1, 5, 6, 3}
	if c.dot() {
		regs = []int{0, 1, 2, 5, 6, 3, 4}
	}
	c.arguments(func(name string, at int) {
		p.p("MOVD %s+%d(FP), R%d", name, at, regs[at/8])
	})
	p.p("LSL $2, R3, R3")
	if c.dot() {
		p.p("LSL $2, R4, R4")
	}
	for _, n := range []int{8, 1} {
		step := 4 * n
		p.p("SUBS $%d, R6, R6", step)
		p.p("BLT after%d", n)
		p.label(fmt.Sprintf("strip%d", n))
		m.strip(p, c, n, fmt.Sprint(n))
		m.next(p, c, step)
		p.p("BGE strip%d", n)
		p.label(fmt.Sprintf("after%d", n))
		p.p("ADDS $%d, R6, R6", step)
	}
	p.p("BEQ done")
	p.label("stripTail")
	m.strip(p, c, 1, "Tail")
	m.next(p, c, 1)
	p.p("BNE stripTail")
	p.label("done")
	p.p("RET")
}

// next moves on by n columns and sets the flags by those left.
func (m *neon) next(p printer, c columnKernel, n int) {
	p.p("ADD $%d, R0, R0", 4*n)
	p.p("ADD $%d, R1, R1", 4*n)
	if c.dot() {
		p.p("ADD $%d, R2, R2", 4*n)
	}
	p.p("SUBS $%d, R6, R6", n)
}

// strip is that of x86. The tail is one column, in the lowest lane.
func (m *neon) strip(p printer, c columnKernel, n int, id string) {
	tail := id == "Tail"
	load := func(r, base, at int) {
		if tail {
			p.p("FMOVS (R%d), F%d", base, r)
		} else {
			p.ldr(r, base, at)
		}
	}
	add := func(a, b int) {
		p.w(0x4e20d400|b<<16|a<<5|a, "fadd v%d.4s, v%d.4s, v%d.4s", a, a, b)
	}
	low, temp := n, 24
	for r := range 2 * n {
		p.Word(asm.Zero(r))
	}
	p.p("MOVD R1, R10")
	if c.dot() {
		p.p("MOVD R2, R11")
	}
	p.p("MOVD R5, R12")
	p.label("block" + id)
	p.p("MOVD $%d, R13", blockRows)
	p.p("CMP R13, R12")
	p.p("CSEL LT, R12, R13, R13")
	p.p("SUB R13, R12, R12")
	p.label("row" + id)
	for r := range n {
		x, y := temp+r%8, temp+r%4*2+1
		if !c.dot() {
			load(x, 10, 16*r)
			add(r, x)
			continue
		}
		x = y - 1
		load(x, 10, 16*r)
		load(y, 11, 16*r)
		p.w(0x4e20cc00|y<<16|x<<5|r, "fmla v%d.4s, v%d.4s, v%d.4s", r, x, y)
	}
	p.p("ADD R3, R10, R10")
	if c.dot() {
		p.p("ADD R4, R11, R11")
	}
	p.p("SUBS $1, R13, R13")
	p.p("BNE row%s", id)
	p.p("CBZ R12, end%s", id)
	for r := range n {
		add(low+r, r)
		p.Word(asm.Zero(r))
	}
	p.p("B block%s", id)
	p.label("end" + id)
	for r := range n {
		load(temp, 0, 16*r)
		add(r, low+r)
		add(r, temp)
		if tail {
			p.p("FMOVS F%d, (R0)", r)
		} else {
			p.str(r, 0, 16*r)
		}
	}
}
