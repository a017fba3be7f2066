package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// neon prints Advanced SIMD. Go's assembler knows few of its floating-point instructions, so every vector
// operation is a WORD with the instruction in LLVM's notation as a comment. A test assembles the comments with
// llvm-mc and compares.
//
// R0 to R7 hold the slices, R8 the number of elements left, R9 the constants. R10 to R14 serve the tail, which
// uses a scratch area on the stack: 64 bytes for each array.
type neon struct{}

func newNEON() machine { return &neon{} }

func (m *neon) suffix() string { return "NEON" }
func (m *neon) width() int     { return 4 }
func (m *neon) registers() int { return 32 }

func (m *neon) pointer(f *function, arr int) int { return arr }

func (m *neon) fetch(f *function, v value, r int) {
	o := f.ops[v]
	switch {
	case o.code == opScalar:
		// General registers hold the value, so no second vector register is needed.
		f.p("MOVWU %s, R10", f.scalarArg(o.imm))
		f.w(0x4e040c00|10<<5|r, "dup v%d.4s, w10", r)
	case o.imm == 0:
		f.Word(asm.Zero(r))
	default:
		f.ldr(r, 9, 16*f.consts.index(o.imm))
	}
}

func (m *neon) function(f *function) {
	a := f.frame()
	frame := m.frame(f)
	f.Func(f.name(), signature(f.kernel), frame, a.size)
	for i, at := range a.arrays {
		f.p("MOVD %s+%d(FP), R%d", f.arrays[i].name, at, m.pointer(f, i))
	}
	f.p("MOVD n+%d(FP), R8", a.n)
	f.p("MOVD $vecConstNEON<>(SB), R9")
	for i, part := range f.accs {
		for g, r := range part {
			if f.fold != foldSum {
				f.ldr(r, 9, 16*f.consts.index(negInf))
				continue
			}
			f.Word(asm.Zero(r))
			f.Word(asm.Zero(f.low[i][g]))
		}
	}
	for i := range f.ops {
		if r, ok := f.fixed[value(i)]; ok {
			m.fetch(f, value(i), r)
		}
	}
	step := f.step()
	if f.cascades() {
		m.blocks(f)
	}
	if f.unroll > 1 {
		f.p("SUBS $%d, R8, R8", f.unroll*step)
		f.p("BLT single")
		f.label("loop")
		f.body(f.unroll*f.groups, false)
		m.advance(f, f.unroll*step)
		f.p("BGE loop")
		f.label("single")
		f.p("ADD $%d, R8, R8", f.unroll*step)
	}
	f.p("SUBS $%d, R8, R8", step)
	f.p("BLT tail")
	f.label("singleLoop")
	f.body(f.groups, false)
	m.advance(f, step)
	f.p("BGE singleLoop")
	f.label("tail")
	f.p("ADDS $%d, R8, R8", step)
	f.p("BEQ done")
	for i, a := range f.arrays {
		if !a.in {
			continue
		}
		f.p("MOVD R%d, R11", m.pointer(f, i))
		m.copyTail(f, fmt.Sprintf("in%d", i), func() { f.p("MOVD $%s, R12", m.scratch(i, frame)) }, "R11", "R12")
	}
	if len(f.accs) > 0 {
		f.p("MOVD $vecMaskNEON<>+64(SB), R11")
		f.p("SUB R8<<2, R11, R11")
		for g := range f.groups {
			r := f.alloc()
			f.masks = append(f.masks, r)
			// The address is a multiple of 4 only, which the unscaled form accepts; the offset is signed.
			f.w(0x3cc00000|16*g<<12|11<<5|r, "ldur q%d, [x11, #%d]", r, 16*g)
		}
	}
	f.body(f.groups, true)
	for i, a := range f.arrays {
		if !a.out {
			continue
		}
		f.p("MOVD R%d, R12", m.pointer(f, i))
		m.copyTail(f, fmt.Sprintf("out%d", i), func() { f.p("MOVD $%s, R11", m.scratch(i, frame)) }, "R11", "R12")
	}
	f.label("done")
	for i, part := range f.accs {
		for g, r := range part {
			if f.cascades() {
				m.add(f, r, f.low[i][g])
			}
		}
		m.foldLanes(f, part)
		f.p("FMOVS F%d, %s+%d(FP)", part[0], f.kernel.accs[i], a.results[i])
	}
	f.p("RET")
}

// blocks adds the whole blocks of a cascade and leaves fewer elements than one has. R15 counts the turns of a block.
func (m *neon) blocks(f *function) {
	f.label("block")
	f.p("CMP $%d, R8", block)
	f.p("BLT rest")
	f.p("MOVD $%d, R15", block/16/f.unroll)
	f.label("turn")
	f.body(f.unroll*f.groups, false)
	m.advance(f, 16*f.unroll)
	f.p("SUBS $1, R15, R15")
	f.p("BNE turn")
	for i, part := range f.accs {
		for g, r := range part {
			m.add(f, f.low[i][g], r)
			f.Word(asm.Zero(r))
		}
	}
	f.p("B block")
	f.label("rest")
}

// add adds register b to a.
func (m *neon) add(f *function, a, b int) {
	f.w(0x4e20d400|b<<16|a<<5|a, "fadd v%d.4s, v%d.4s, v%d.4s", a, a, b)
}

// frame is the size of the stack.
func (m *neon) frame(f *function) int { return 64*len(f.arrays) + 16 }

// foldLanes leaves the sum or maximum of the sixteen lanes in the lowest element of the first register. It
// overwrites the constants.
func (m *neon) foldLanes(f *function, part []int) {
	var spare []int
	for r := 31; len(spare) < 2; r-- {
		if !f.isAcc(r) {
			spare = append(spare, r)
		}
	}
	t, u := spare[0], spare[1]
	combine := func(a, b int) {
		if f.fold == foldSum {
			m.add(f, a, b)
			return
		}
		f.w(0x6ea0e400|b<<16|a<<5|u, "fcmgt v%d.4s, v%d.4s, v%d.4s", u, a, b)
		f.w(0x6e601c00|b<<16|a<<5|u, "bsl v%d.16b, v%d.16b, v%d.16b", u, a, b)
		if f.fold == foldMaxNaN {
			// u where a is a number, a where it is NaN.
			f.w(0x4e20e400|a<<16|a<<5|b, "fcmeq v%d.4s, v%d.4s, v%d.4s", b, a, a)
			f.w(0x6ea01c00|b<<16|u<<5|a, "bit v%d.16b, v%d.16b, v%d.16b", a, u, b)
			return
		}
		f.mov(u, a)
	}
	combine(part[0], part[2])
	combine(part[1], part[3])
	combine(part[0], part[1])
	for _, bytes := range []int{8, 4} {
		f.w(0x6e000000|part[0]<<16|bytes<<11|part[0]<<5|t, "ext v%d.16b, v%d.16b, v%d.16b, #%d", t, part[0], part[0], bytes)
		combine(part[0], t)
	}
}

// scratch names the 64 bytes of an array on the stack.
func (m *neon) scratch(arr, frame int) string {
	return fmt.Sprintf("scratch%d-%d(SP)", arr, frame-64*arr)
}

// advance moves the slices on and counts down; the count sets the flags.
func (m *neon) advance(f *function, n int) {
	for i := range f.arrays {
		f.p("ADD $%d, R%d, R%d", 4*n, m.pointer(f, i), m.pointer(f, i))
	}
	f.p("SUBS $%d, R8, R8", n)
}

// copyTail copies R8 words.
func (m *neon) copyTail(f *function, label string, start func(), from, to string) {
	start()
	f.p("MOVD R8, R13")
	f.label(label)
	f.p("MOVWU.P 4(%s), R14", from)
	f.p("MOVW.P R14, 4(%s)", to)
	f.p("SUBS $1, R13, R13")
	f.p("BNE %s", label)
}

func (m *neon) load(f *function, arr, slot, r int) {
	if f.tail {
		m.scratchAddress(f, arr)
		f.ldr(r, 11, 16*slot)
		return
	}
	f.ldr(r, m.pointer(f, arr), 16*slot)
}

func (m *neon) store(f *function, arr, slot, r int) {
	if f.tail {
		m.scratchAddress(f, arr)
		f.str(r, 11, 16*slot)
		return
	}
	f.str(r, m.pointer(f, arr), 16*slot)
}

func (m *neon) scratchAddress(f *function, arr int) {
	f.p("MOVD $%s, R11", m.scratch(arr, m.frame(f)))
}

func (m *neon) merge(f *function, acc, r, slot int) {
	f.w(0x6ea01c00|f.masks[slot]<<16|r<<5|acc, "bit v%d.16b, v%d.16b, v%d.16b", acc, r, f.masks[slot])
}

func (f *function) mov(from, to int) {
	if from != to {
		f.w(0x4ea01c00|from<<16|from<<5|to, "mov v%d.16b, v%d.16b", to, from)
	}
}

var neonOps = map[opcode]struct {
	code int
	name string
	kind string
}{
	opAdd: {0x4e20d400, "fadd", "4s"}, opSub: {0x4ea0d400, "fsub", "4s"}, opMul: {0x6e20dc00, "fmul", "4s"},
	opDiv: {0x6e20fc00, "fdiv", "4s"}, opAnd: {0x4e201c00, "and", "16b"}, opOr: {0x4ea01c00, "orr", "16b"},
	opXor: {0x6e201c00, "eor", "16b"}, opIAdd: {0x4ea08400, "add", "4s"}, opISub: {0x6ea08400, "sub", "4s"},
}

func (m *neon) arithmetic(f *function, v copyOf, o operation) {
	arg := func(i int) int { return f.inRegister(v.slot, o.args[i]) }
	switch o.code {
	case opFMA, opFNMA:
		m.fma(f, v, o)
	case opSel:
		a, b, t, e := arg(0), arg(1), arg(2), arg(3)
		switch o.cmp {
		case less:
			m.choose(f, v, "fcmgt", 0x6ea0e400, b, a, t, e)
		case equal:
			m.choose(f, v, "fcmeq", 0x4e20e400, a, b, t, e)
		case isNaN:
			m.choose(f, v, "fcmeq", 0x4e20e400, a, a, e, t)
		}
	case opMax:
		a, b := arg(0), arg(1)
		m.choose(f, v, "fcmgt", 0x6ea0e400, a, b, a, b)
	case opMin:
		a, b := arg(0), arg(1)
		m.choose(f, v, "fcmgt", 0x6ea0e400, b, a, a, b)
	case opSqrt:
		a := arg(0)
		d := f.result(v, o.args)
		f.w(0x6ea1f800|a<<5|d, "fsqrt v%d.4s, v%d.4s", d, a)
	case opFloat:
		a := arg(0)
		d := f.result(v, o.args)
		f.w(0x4e21d800|a<<5|d, "scvtf v%d.4s, v%d.4s", d, a)
	case opShl:
		a := arg(0)
		d := f.result(v, o.args)
		f.w(0x4f005400|(32+int(o.imm))<<16|a<<5|d, "shl v%d.4s, v%d.4s, #%d", d, a, o.imm)
	case opSar:
		a := arg(0)
		d := f.result(v, o.args)
		f.w(0x4f000400|(64-int(o.imm))<<16|a<<5|d, "sshr v%d.4s, v%d.4s, #%d", d, a, o.imm)
	default:
		i := neonOps[o.code]
		a, b := arg(0), arg(1)
		d := f.result(v, o.args)
		f.w(i.code|b<<16|a<<5|d, "%s v%d.%s, v%d.%s, v%d.%s", i.name, d, i.kind, a, i.kind, b, i.kind)
	}
}

// choose is t where the comparison of a with b holds, e elsewhere. The mask becomes the result.
func (m *neon) choose(f *function, v copyOf, name string, code, a, b, t, e int) {
	d := f.fresh(v)
	f.w(code|b<<16|a<<5|d, "%s v%d.4s, v%d.4s, v%d.4s", name, d, a, b)
	f.w(0x6e601c00|e<<16|t<<5|d, "bsl v%d.16b, v%d.16b, v%d.16b", d, t, e)
	if r := f.forced(v); r >= 0 {
		f.mov(d, r)
		f.release(d)
		f.live[v] = r
	}
}

func (m *neon) fma(f *function, v copyOf, o operation) {
	a, b, c := f.inRegister(v.slot, o.args[0]), f.inRegister(v.slot, o.args[1]), o.args[2]
	d := f.forced(v)
	switch {
	case d >= 0 && (a == d || b == d):
		panic(f.kernel.name + ": an accumulator is multiplied")
	case d < 0 && f.dies(v.slot, c, o.args) && f.register(v.slot, c) != a && f.register(v.slot, c) != b:
		d = f.take(copyOf{v.slot, c})
	case d < 0:
		d = f.alloc()
	}
	f.live[v] = d
	if f.inMemory(v.slot, c) {
		m.fetch(f, c, d)
	} else if r := f.cRegister(v.slot, c, d); r != d {
		f.mov(r, d)
	}
	if o.code == opFMA {
		f.w(0x4e20cc00|b<<16|a<<5|d, "fmla v%d.4s, v%d.4s, v%d.4s", d, a, b)
	} else {
		f.w(0x4ea0cc00|b<<16|a<<5|d, "fmls v%d.4s, v%d.4s, v%d.4s", d, a, b)
	}
}

// cRegister returns register's result, or d for a value whose register has just been taken.
func (f *function) cRegister(slot int, v value, d int) int {
	switch f.ops[v].code {
	case opConst, opScalar, opAcc:
		return f.register(slot, v)
	}
	if r, ok := f.live[copyOf{slot, v}]; ok {
		return r
	}
	return d
}

func (m *neon) table(p printer, consts []uint32) {
	p.constants("vecConstNEON", 4, consts)
	p.mask("vecMaskNEON")
}
