package main

import "fmt"

// x86 prints AVX2 (width 8) and AVX-512 (width 16). Elements are addressed as base + index, with the index in
// DX and the number of elements left in CX. AVX-512 reads constants and scalars from memory by broadcast; for
// AVX2 each constant is stored eight times. The mask of the tail is in K1 (AVX-512), or in one vector register
// for each eight elements (AVX2).
type x86 struct{ w int }

func newX86(w int) machine { return &x86{w} }

func (m *x86) wide() bool     { return m.w == 16 }
func (m *x86) width() int     { return m.w }
func (m *x86) registers() int { return 2 * m.w }

func (m *x86) suffix() string {
	if m.wide() {
		return "AVX512"
	}
	return "AVX2"
}

func (m *x86) reg(r int) string {
	if m.wide() {
		return fmt.Sprintf("Z%d", r)
	}
	return fmt.Sprintf("Y%d", r)
}

// negInf is -Inf, from which maxima start.
const negInf = 0xff800000

var x86Pointers = []string{"DI", "SI", "R8", "R9", "R10", "R11", "R12", "R13"}

func (m *x86) pointer(f *function, arr int) string {
	return x86Pointers[arr]
}

// fetch loads a constant or scalar into a register.
func (m *x86) fetch(f *function, v value, r int) {
	switch o := f.ops[v]; {
	case o.code == opConst && o.imm == 0:
		m.zero(f.printer, r)
	case o.code == opConst && !m.wide():
		f.p("VMOVUPS %s, %s", m.constant(f, o.imm), m.reg(r))
	case o.code == opConst:
		f.p("VBROADCASTSS %s, %s", m.constant(f, o.imm), m.reg(r))
	default:
		f.p("VBROADCASTSS %s, %s", f.scalarArg(o.imm), m.reg(r))
	}
}

func (m *x86) constant(f *function, bits uint32) string {
	return fmt.Sprintf("vecConst%s<>+%d(SB)", m.suffix(), m.constSize()*f.consts.index(bits))
}

// constSize is the size of a constant in memory.
func (m *x86) constSize() int {
	if m.wide() {
		return 4
	}
	return 32
}

func (m *x86) function(f *function) {
	a := f.frame()
	stack := 0
	if f.cascades() && f.low == nil {
		stack = 64 * len(f.accs)
	}
	f.Func(f.name(), signature(f.kernel), stack, a.size)
	for i, at := range a.arrays {
		f.p("MOVQ %s+%d(FP), %s", f.arrays[i].name, at, m.pointer(f, i))
	}
	f.p("MOVQ n+%d(FP), CX", a.n)
	for i, part := range f.accs {
		for g, r := range part {
			if f.fold != foldSum {
				f.p("VBROADCASTSS %s, %s", m.constant(f, negInf), m.reg(r))
				continue
			}
			m.zero(f.printer, r)
			if f.low != nil {
				m.zero(f.printer, f.low[i][g])
			}
		}
	}
	for i := range f.ops {
		if r, ok := f.fixed[value(i)]; ok {
			m.fetch(f, value(i), r)
		}
	}
	f.p("XORQ DX, DX")
	step := f.step()
	if f.cascades() {
		m.blocks(f)
	}
	if f.unroll > 1 {
		f.p("SUBQ $%d, CX", f.unroll*step)
		f.p("JLT single")
		f.p("PCALIGN $32")
		f.label("loop")
		f.body(f.unroll*f.groups, false)
		f.p("ADDQ $%d, DX", f.unroll*step)
		f.p("SUBQ $%d, CX", f.unroll*step)
		f.p("JGE loop")
		f.label("single")
		f.p("ADDQ $%d, CX", f.unroll*step)
	}
	f.p("SUBQ $%d, CX", step)
	f.p("JLT tail")
	f.label("singleLoop")
	f.body(f.groups, false)
	f.p("ADDQ $%d, DX", step)
	f.p("SUBQ $%d, CX", step)
	f.p("JGE singleLoop")
	f.label("tail")
	f.p("ADDQ $%d, CX", step)
	f.p("JZ done")
	if m.wide() {
		f.p("MOVL $1, AX")
		f.p("SHLL CX, AX")
		f.p("DECL AX")
		f.p("KMOVW AX, K1")
	} else {
		f.p("LEAQ vecMaskAVX2<>(SB), AX")
		f.p("NEGQ CX")
		for g := range f.groups {
			r := f.alloc()
			f.masks = append(f.masks, r)
			f.p("VMOVUPS %d(AX)(CX*4), %s", 64+32*g, m.reg(r))
		}
	}
	f.body(f.groups, true)
	f.label("done")
	if f.cascades() {
		f.p("CMPQ DX, $%d", block)
		f.p("JLT fold")
		for i, part := range f.accs {
			for g, r := range part {
				f.p("VADDPS %s, %s, %s", m.low(f, i, g), m.reg(r), m.reg(r))
			}
		}
		f.label("fold")
	}
	for i, part := range f.accs {
		m.foldLanes(f, part)
		f.p("VMOVSS X%d, %s+%d(FP)", part[0], f.kernel.accs[i], a.results[i])
	}
	f.p("VZEROUPPER")
	f.p("RET")
}

// blocks adds the whole blocks of a cascade and leaves fewer elements than one has.
func (m *x86) blocks(f *function) {
	f.p("SUBQ $%d, CX", block)
	f.p("JLT rest")
	if f.low == nil {
		for i, part := range f.accs {
			for g, r := range part {
				f.p("VMOVUPS %s, %s", m.reg(r), m.low(f, i, g))
			}
		}
	}
	f.p("PCALIGN $32")
	f.label("block")
	f.p("MOVQ $%d, AX", block/16/f.unroll)
	f.label("turn")
	f.body(f.unroll*f.groups, false)
	f.p("ADDQ $%d, DX", 16*f.unroll)
	f.p("DECQ AX")
	f.p("JNZ turn")
	for i, part := range f.accs {
		for g, r := range part {
			if f.low != nil {
				f.p("VADDPS %s, %s, %s", m.reg(r), m.low(f, i, g), m.low(f, i, g))
			} else {
				f.p("VADDPS %s, %s, %s", m.low(f, i, g), m.reg(r), m.reg(r))
				f.p("VMOVUPS %s, %s", m.reg(r), m.low(f, i, g))
			}
			m.zero(f.printer, r)
		}
	}
	f.p("SUBQ $%d, CX", block)
	f.p("JGE block")
	f.label("rest")
	f.p("ADDQ $%d, CX", block)
}

// low is the place of a part of an accumulator's sum of blocks.
func (m *x86) low(f *function, acc, part int) string {
	if f.low != nil {
		return m.reg(f.low[acc][part])
	}
	return fmt.Sprintf("%d(SP)", 64*acc+4*m.w*part)
}

func (m *x86) zero(p printer, r int) {
	p.p("VPXOR%s %s, %s, %s", map[bool]string{true: "D"}[m.wide()], m.reg(r), m.reg(r), m.reg(r))
}

// foldLanes leaves the sum or maximum of the sixteen lanes in the lowest element of the first register. The
// registers are below X16, as the moves below need. It overwrites the constants.
func (m *x86) foldLanes(f *function, part []int) {
	a := part[0]
	t := 15
	for f.isAcc(t) {
		t--
	}
	combine := func(kind string, a, b int) {
		switch f.fold {
		case foldSum:
			f.p("VADDPS %s%d, %s%d, %s%d", kind, b, kind, a, kind, a)
		case foldMax:
			f.p("VMAXPS %s%d, %s%d, %s%d", kind, b, kind, a, kind, a)
		case foldMaxNaN:
			// Takes a where a is NaN. VMAXPS has already given b where b is NaN.
			u := t - 1
			for f.isAcc(u) {
				u--
			}
			f.p("VCMPPS $3, %s%d, %s%d, %s%d", kind, a, kind, a, kind, u)
			f.p("VMAXPS %s%d, %s%d, %s%d", kind, b, kind, a, kind, b)
			f.p("VBLENDVPS %s%d, %s%d, %s%d, %s%d", kind, u, kind, a, kind, b, kind, a)
		}
	}
	if m.wide() {
		f.p("VEXTRACTF32X8 $1, Z%d, Y%d", a, t)
		combine("Y", a, t)
	} else {
		combine("Y", a, part[1])
	}
	f.p("VEXTRACTF128 $1, Y%d, X%d", a, t)
	combine("X", a, t)
	f.p("VMOVHLPS X%d, X%d, X%d", a, a, t)
	combine("X", a, t)
	f.p("VMOVSHDUP X%d, X%d", a, t)
	combine("X", a, t)
}

func (m *x86) address(f *function, arr, slot int) string {
	base := m.pointer(f, arr)
	if slot == 0 {
		return fmt.Sprintf("(%s)(DX*4)", base)
	}
	return fmt.Sprintf("%d(%s)(DX*4)", slot*4*m.w, base)
}

func (m *x86) load(f *function, arr, slot, r int) {
	at := m.address(f, arr, slot)
	switch {
	case !f.tail:
		f.p("VMOVUPS %s, %s", at, m.reg(r))
	case m.wide():
		f.p("VMOVUPS.Z %s, K1, %s", at, m.reg(r))
	default:
		f.p("VMASKMOVPS %s, %s, %s", at, m.reg(f.masks[slot]), m.reg(r))
	}
}

func (m *x86) store(f *function, arr, slot, r int) {
	at := m.address(f, arr, slot)
	switch {
	case !f.tail:
		f.p("VMOVUPS %s, %s", m.reg(r), at)
	case m.wide():
		f.p("VMOVUPS %s, K1, %s", m.reg(r), at)
	default:
		f.p("VMASKMOVPS %s, %s, %s", m.reg(r), m.reg(f.masks[slot]), at)
	}
}

func (m *x86) merge(f *function, acc, r, slot int) {
	if m.wide() {
		f.p("VMOVAPS %s, K1, %s", m.reg(r), m.reg(acc))
		return
	}
	f.p("VBLENDVPS %s, %s, %s, %s", m.reg(f.masks[slot]), m.reg(r), m.reg(acc), m.reg(acc))
}

// An operand is a register or memory; suffix tells how memory is broadcast.
type operand struct {
	text   string
	suffix string // of the mnemonic
}

// source returns a value as an operand; it may be in memory.
func (m *x86) source(f *function, c int, v value) operand {
	if f.inMemory(c, v) {
		o := f.ops[v]
		if o.code == opConst && m.wide() {
			return operand{m.constant(f, o.imm), ".BCST"}
		}
		if o.code == opConst {
			return operand{m.constant(f, o.imm), ""}
		}
		if m.wide() {
			return operand{f.scalarArg(o.imm), ".BCST"}
		}
	}
	return operand{m.reg(f.inRegister(c, v)), ""}
}

var x86Names = map[opcode]string{
	opAdd: "VADDPS", opSub: "VSUBPS", opMul: "VMULPS", opDiv: "VDIVPS", opMax: "VMAXPS", opMin: "VMINPS",
	opAnd: "VANDPS", opOr: "VORPS", opXor: "VXORPS", opIAdd: "VPADDD", opISub: "VPSUBD",
}

func (m *x86) arithmetic(f *function, v copyOf, o operation) {
	c := v.slot
	switch o.code {
	case opFMA, opFNMA:
		m.fma(f, v, o)
	case opSel:
		m.sel(f, v, o)
	case opSqrt:
		a := m.reg(f.inRegister(c, o.args[0]))
		f.p("VSQRTPS %s, %s", a, m.reg(f.result(v, o.args)))
	case opFloat:
		a := m.reg(f.inRegister(c, o.args[0]))
		f.p("VCVTDQ2PS %s, %s", a, m.reg(f.result(v, o.args)))
	case opShl, opSar:
		name := map[opcode]string{opShl: "VPSLLD", opSar: "VPSRAD"}[o.code]
		a := m.reg(f.inRegister(c, o.args[0]))
		f.p("%s $%d, %s, %s", name, o.imm, a, m.reg(f.result(v, o.args)))
	default:
		a, b := o.args[0], o.args[1]
		switch o.code {
		case opAdd, opMul, opAnd, opOr, opXor, opIAdd:
			if f.inMemory(c, a) {
				a, b = b, a
			}
		}
		x := m.reg(f.inRegister(c, a))
		y := m.source(f, c, b)
		f.p("%s%s %s, %s, %s", x86Names[o.code], y.suffix, y.text, x, m.reg(f.result(v, o.args)))
	}
}

// fma picks the form that overwrites an argument that is no longer needed.
func (m *x86) fma(f *function, v copyOf, o operation) {
	s := v.slot
	a, b, c := o.args[0], o.args[1], o.args[2]
	name := "VFMADD"
	if o.code == opFNMA {
		name = "VFNMADD"
	}
	if f.inMemory(s, a) {
		a, b = b, a
	}
	if !f.dies(s, a, o.args) && f.dies(s, b, o.args) {
		a, b = b, a
	}
	forced := f.forced(v)
	switch {
	case forced >= 0 && f.register(s, c) == forced, f.dies(s, c, o.args) && forced < 0:
		// c += a·b
		if f.inMemory(s, a) {
			a, b = b, a
		}
		x := m.reg(f.inRegister(s, a))
		y := m.source(f, s, b)
		var d int
		if forced >= 0 {
			d = forced
		} else {
			d = f.take(copyOf{s, c})
		}
		f.live[v] = d
		f.p("%s231PS%s %s, %s, %s", name, y.suffix, y.text, x, m.reg(d))
	case f.dies(s, a, o.args) && forced < 0:
		if f.inMemory(s, b) {
			// a = a·b + c, b from memory
			z := m.reg(f.inRegister(s, c))
			y := m.source(f, s, b)
			d := f.take(copyOf{s, a})
			f.live[v] = d
			f.p("%s132PS%s %s, %s, %s", name, y.suffix, y.text, z, m.reg(d))
			return
		}
		y := m.reg(f.inRegister(s, b))
		z := m.source(f, s, c)
		d := f.take(copyOf{s, a})
		f.live[v] = d
		f.p("%s213PS%s %s, %s, %s", name, z.suffix, z.text, y, m.reg(d))
	default:
		if f.inMemory(s, a) {
			a, b = b, a
		}
		x := m.reg(f.inRegister(s, a))
		y := m.source(f, s, b)
		d := forced
		if d < 0 {
			d = f.alloc()
		}
		if f.inMemory(s, c) {
			m.fetch(f, c, d)
		} else {
			f.p("VMOVAPS %s, %s", m.reg(f.register(s, c)), m.reg(d))
		}
		f.live[v] = d
		f.p("%s231PS%s %s, %s, %s", name, y.suffix, y.text, x, m.reg(d))
	}
}

func (m *x86) sel(f *function, v copyOf, o operation) {
	c := v.slot
	// Ordered, quiet predicates; 3 is unordered.
	pred := map[comparison]int{less: 0x11, equal: 0, isNaN: 3}[o.cmp]
	a := m.reg(f.inRegister(c, o.args[0]))
	b := m.source(f, c, o.args[1])
	if m.wide() {
		k := fmt.Sprintf("K%d", 2+c%6)
		f.p("VCMPPS%s $%d, %s, %s, %s", b.suffix, pred, b.text, a, k)
		t := m.source(f, c, o.args[2])
		e := m.reg(f.inRegister(c, o.args[3]))
		f.p("VBLENDMPS%s %s, %s, %s, %s", t.suffix, t.text, e, k, m.reg(f.result(v, o.args)))
		return
	}
	k := m.reg(f.temp())
	f.p("VCMPPS $%d, %s, %s, %s", pred, b.text, a, k)
	t := m.source(f, c, o.args[2])
	e := m.reg(f.inRegister(c, o.args[3]))
	f.p("VBLENDVPS %s, %s, %s, %s", k, t.text, e, m.reg(f.result(v, o.args)))
}

func (m *x86) table(p printer, consts []uint32) {
	if m.wide() {
		p.constants("vecConstAVX512", 1, consts)
		return
	}
	p.constants("vecConstAVX2", 8, consts)
	p.mask("vecMaskAVX2")
}
