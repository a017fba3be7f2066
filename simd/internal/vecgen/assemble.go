package main

import (
	"errors"
	"fmt"
	"sort"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// A machine prints operations for one instruction set.
type machine interface {
	suffix() string // of function names
	width() int     // floats in a vector register
	registers() int // vector registers

	function(f *function)                // everything around the bodies
	fetch(f *function, v value, reg int) // a constant or scalar into a register
	load(f *function, arr, slot, reg int)
	store(f *function, arr, slot, reg int)
	merge(f *function, acc, reg, slot int) // the tail's lanes of reg into acc
	arithmetic(f *function, c copyOf, o operation)
	columns(p printer, c columnKernel)
	half(p printer, t *constTable)
	table(p printer, consts []uint32)
}

// generator names this program in the files it writes.
const generator = "internal/vecgen"

// errRegisters reports that a kernel does not fit the registers with the unrolling and constants tried.
var errRegisters = errors.New("out of registers")

// assemble returns the assembly file of all kernels for one machine.
func assemble(ks []*kernel, m machine) []byte {
	p := printer{asm.New(generator)}
	t := &constTable{at: map[uint32]int{}}
	for _, k := range ks {
		p.Write(assembleKernel(k, m, t))
	}
	for _, c := range columnKernels {
		m.columns(p, c)
	}
	m.half(p, t)
	m.table(p, t.bits)
	return p.Bytes()
}

// assembleKernel keeps as many constants and scalars in registers as fit, the most used first, and
// unrolls less if none fits.
func assembleKernel(k *kernel, m machine, t *constTable) []byte {
	fixed := k.fixedByUse()
	for unroll := k.unroll; unroll > 0; unroll /= 2 {
		for n := len(fixed); n >= 0; n-- {
			f := newFunction(k, m, t, unroll, fixed[:n])
			if text, err := f.try(); err == nil {
				return text
			}
		}
	}
	panic(k.name + " does not fit the registers")
}

// fixedByUse returns the constants and scalars of a kernel, the most used first.
func (k *kernel) fixedByUse() []value {
	uses := make([]int, len(k.ops))
	for _, o := range k.ops {
		for i, a := range o.args {
			uses[a]++
			// The first operand of these cannot come from memory.
			if i == 0 && (o.code == opMax || o.code == opMin || o.code == opSub || o.code == opDiv) {
				uses[a] += 2
			}
		}
	}
	var vs []value
	for i, o := range k.ops {
		if (o.code == opConst || o.code == opScalar) && uses[i] > 0 {
			vs = append(vs, value(i))
		}
	}
	for _, v := range vs {
		// AVX2 has to broadcast a scalar again for every use.
		if k.ops[v].code == opScalar {
			uses[v] += 3
		}
	}
	sort.SliceStable(vs, func(i, j int) bool { return uses[vs[i]] > uses[vs[j]] })
	return vs
}

// A constTable collects the constants of a file.
type constTable struct {
	bits []uint32
	at   map[uint32]int
}

func (t *constTable) index(bits uint32) int {
	i, ok := t.at[bits]
	if !ok {
		i = len(t.bits)
		t.at[bits] = i
		t.bits = append(t.bits, bits)
	}
	return i
}

// A copyOf is a value in one of the interleaved copies of a body.
type copyOf struct {
	slot int // which vector
	v    value
}

// A function is one kernel being printed.
type function struct {
	*kernel
	printer
	m      machine
	consts *constTable
	unroll int

	groups int           // vector registers of sixteen elements; 1 without accumulators
	free   []int         // unused registers, the last is taken first
	fixed  map[value]int // constants and scalars that stay in registers
	accs   [][]int       // by accumulator, by part
	low    [][]int       // the same, for the sum of blocks of a cascade; nil if it is on the stack
	masks  []int         // registers of the tail's masks

	tail   bool
	live   map[copyOf]int // registers
	uses   map[copyOf]int // arguments still to be read
	temps  []int          // to be given back after the operation in hand
	setsAt map[value]int  // value → accumulator it becomes
}

func newFunction(k *kernel, m machine, t *constTable, unroll int, fixed []value) *function {
	f := &function{kernel: k, printer: printer{new(asm.Text)}, m: m, consts: t, unroll: unroll, groups: 1}
	f.fixed = map[value]int{}
	for _, v := range fixed {
		f.fixed[v] = -1
	}
	f.setsAt = map[value]int{}
	for _, o := range k.ops {
		if o.code == opSetAcc {
			f.setsAt[o.args[0]] = int(o.imm)
		}
	}
	return f
}

// step is the number of elements a body with one copy (or group of copies) covers.
func (f *function) step() int {
	if len(f.kernel.accs) > 0 {
		return 16
	}
	return f.m.width()
}

func (f *function) try() (text []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			if r != errRegisters {
				panic(r)
			}
			err = errRegisters
		}
	}()
	for r := f.m.registers() - 1; r >= 0; r-- {
		f.free = append(f.free, r)
	}
	if len(f.kernel.accs) > 0 {
		f.groups = 16 / f.m.width()
		f.accs = f.lanes()
		// Where registers are few, long kernels need them all.
		if f.cascades() && (f.m.registers() == 32 || len(f.kernel.fixedByUse()) < 4) {
			f.low = f.lanes()
		}
	}
	for i := range f.ops {
		if _, ok := f.fixed[value(i)]; ok {
			f.fixed[value(i)] = f.alloc()
		}
	}
	f.m.function(f)
	return f.Bytes(), nil
}

// lanes takes registers for the lanes of every accumulator.
func (f *function) lanes() (accs [][]int) {
	for range f.kernel.accs {
		var part []int
		for range f.groups {
			part = append(part, f.alloc())
		}
		accs = append(accs, part)
	}
	return accs
}

// cascades reports whether the accumulators are sums, which are added in levels (package portable, cascade.go).
// Then accs holds a block and low the sum of those before, from the first whole one on.
func (f *function) cascades() bool { return len(f.kernel.accs) > 0 && f.fold == foldSum }

// The sizes of blocks in elements of a row and in rows of a matrix, as in package portable.
const (
	block     = 128
	blockRows = 16
)

func (f *function) alloc() int {
	if len(f.free) == 0 {
		panic(errRegisters)
	}
	r := f.free[len(f.free)-1]
	f.free = f.free[:len(f.free)-1]
	return r
}

func (f *function) release(r int) { f.free = append(f.free, r) }

// temp is a register for the operation in hand.
func (f *function) temp() int {
	r := f.alloc()
	f.temps = append(f.temps, r)
	return r
}

// A frame holds the offsets of a function's arguments and results, and the size of all.
type frame struct {
	arrays, scalars, results []int
	n, size                  int
}

func (f *function) frame() (a frame) {
	take := func(size int) int {
		at := a.size
		a.size += size
		return at
	}
	for range f.arrays {
		a.arrays = append(a.arrays, take(8))
	}
	a.n = take(8)
	for range f.scalars {
		a.scalars = append(a.scalars, take(4))
	}
	if len(f.kernel.accs) > 0 {
		a.size = (a.size + 7) &^ 7
		for range f.kernel.accs {
			a.results = append(a.results, take(4))
		}
	}
	return a
}

func (f *function) name() string {
	return lower(f.kernel.name) + f.m.suffix()
}

func (f *function) scalarArg(i uint32) string {
	return fmt.Sprintf("%s+%d(FP)", f.scalars[i], f.frame().scalars[i])
}

// body prints the operations for the given number of copies. The copies take turns, one operation each. A
// copy that reads an accumulator waits until the copy before it has written it.
func (f *function) body(copies int, tail bool) {
	f.tail = tail
	f.live = map[copyOf]int{}
	f.uses = map[copyOf]int{}
	setAt := map[uint32]int{}
	for c := range copies {
		for i, o := range f.ops {
			for _, a := range o.args {
				f.uses[copyOf{c, a}]++
			}
			if o.code == opSetAcc {
				setAt[o.imm] = i
			}
		}
	}
	next := make([]int, copies)
	ready := func(c int) bool {
		if c < f.groups {
			return true
		}
		for _, a := range f.ops[next[c]].args {
			if o := f.ops[a]; o.code == opAcc && next[c-f.groups] <= setAt[o.imm] {
				return false
			}
		}
		return true
	}
	for left := copies; left > 0; {
		for c := range copies {
			for next[c] < len(f.ops) && ready(c) {
				printed := f.one(c, next[c])
				next[c]++
				if next[c] == len(f.ops) {
					left--
				}
				if printed {
					break
				}
			}
		}
	}
	if len(f.live) > 0 {
		panic(f.kernel.name + ": values left over")
	}
}

// one prints operation i of copy c and reports whether there was anything to print.
func (f *function) one(c, i int) bool {
	o := f.ops[i]
	v := copyOf{c, value(i)}
	switch o.code {
	case opConst, opScalar, opAcc:
		return false
	case opLoad:
		r := f.alloc()
		f.live[v] = r
		f.m.load(f, int(o.imm), c, r)
	case opStore:
		f.m.store(f, int(o.imm), c, f.inRegister(c, o.args[0]))
	case opSetAcc:
		if f.tail {
			f.m.merge(f, f.accs[o.imm][c%f.groups], f.live[copyOf{c, o.args[0]}], c)
		}
	default:
		f.m.arithmetic(f, v, o)
	}
	for _, a := range o.args {
		u := copyOf{c, a}
		if f.uses[u]--; f.uses[u] > 0 {
			continue
		}
		if r, ok := f.live[u]; ok {
			delete(f.live, u)
			if !f.isAcc(r) {
				f.release(r)
			}
		}
	}
	for _, r := range f.temps {
		f.release(r)
	}
	f.temps = f.temps[:0]
	return o.code != opSetAcc || f.tail
}

func (f *function) isAcc(r int) bool {
	for _, part := range f.accs {
		for _, a := range part {
			if a == r {
				return true
			}
		}
	}
	return false
}

// register returns the register of a value, or -1 for a constant or scalar that has none.
func (f *function) register(c int, v value) int {
	switch o := f.ops[v]; o.code {
	case opConst, opScalar:
		if r, ok := f.fixed[v]; ok {
			return r
		}
		return -1
	case opAcc:
		return f.accs[o.imm][c%f.groups]
	}
	return f.live[copyOf{c, v}]
}

// dies reports whether the operation in hand, which has the given arguments, is the last to read v.
func (f *function) dies(c int, v value, args []value) bool {
	r, ok := f.live[copyOf{c, v}]
	if !ok || f.isAcc(r) {
		return false
	}
	n := 0
	for _, a := range args {
		if a == v {
			n++
		}
	}
	return f.uses[copyOf{c, v}] == n
}

// forced returns the accumulator register that a result has to be in, or -1.
func (f *function) forced(v copyOf) int {
	if a, ok := f.setsAt[v.v]; ok && !f.tail {
		return f.accs[a][v.slot%f.groups]
	}
	return -1
}

// result gives value v a register: that of the accumulator it becomes, that of a dying argument, or a fresh
// one. A dying argument's register then belongs to the result.
func (f *function) result(v copyOf, args []value) int {
	r := f.forced(v)
	if r < 0 {
		for _, a := range args {
			if f.dies(v.slot, a, args) {
				r = f.take(copyOf{v.slot, a})
				break
			}
		}
	}
	if r < 0 {
		r = f.alloc()
	}
	f.live[v] = r
	return r
}

// fresh gives value v a register that no argument is in.
func (f *function) fresh(v copyOf) int {
	r := f.alloc()
	f.live[v] = r
	return r
}

// take removes a dying value and returns its register.
func (f *function) take(u copyOf) int {
	r := f.live[u]
	delete(f.live, u)
	return r
}

// inRegister returns the register of a value, loading a constant or scalar that has none.
func (f *function) inRegister(c int, v value) int {
	r := f.register(c, v)
	if r < 0 {
		r = f.temp()
		f.m.fetch(f, v, r)
	}
	return r
}

func (f *function) inMemory(c int, v value) bool { return f.register(c, v) < 0 }
