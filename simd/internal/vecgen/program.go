package main

import (
	"fmt"
	"math"
)

// An opcode is one operation on vectors. Arithmetic is IEEE 754 float32, rounded to nearest even.
type opcode int

const (
	opConst  opcode = iota // a constant, imm its bits, in every lane
	opScalar               // argument number imm, in every lane
	opLoad                 // the next elements of array imm
	opStore                // a to array imm
	opAcc                  // the lanes of accumulator imm
	opSetAcc               // a becomes the lanes of accumulator imm
	opAdd                  // a + b
	opSub                  // a - b
	opMul                  // a · b
	opDiv                  // a / b
	opSqrt                 // √a
	opFMA                  // a·b + c, rounded once
	opFNMA                 // c - a·b, rounded once
	opMax                  // a > b ? a : b
	opMin                  // a < b ? a : b
	opAnd                  // bits
	opOr                   // bits
	opXor                  // bits
	opIAdd                 // int32
	opISub                 // int32
	opShl                  // int32, by imm
	opSar                  // int32, arithmetic, by imm
	opFloat                // int32 to float32
	opSel                  // a cmp b ? c : d
)

// A comparison is the condition of opSel.
type comparison int

const (
	less  comparison = iota // a < b, false for NaN
	equal                   // a == b, false for NaN
	isNaN                   // a is NaN; b is a
)

// A folding tells how lanes become one number.
type folding int

const (
	foldSum    folding = iota // from +0 by additions
	foldMax                   // from -Inf by opMax
	foldMaxNaN                // the same, and NaN if any lane is
)

// A value is the index of the operation that made it.
type value int

type operation struct {
	code opcode
	args []value
	imm  uint32
	cmp  comparison
}

// An array is a slice argument of a kernel.
type array struct {
	name    string
	in, out bool
}

// A kernel is one function over slices.
type kernel struct {
	name    string // as in package portable
	accs    []string
	arrays  []array
	scalars []string
	ops     []operation
	fold    folding
	unroll  int // vectors (without accumulators) or groups of sixteen elements a turn of the main loop
}

func (k *kernel) push(o operation) value {
	if o.code == opConst || o.code == opScalar || o.code == opAcc {
		for i, p := range k.ops {
			if p.code == o.code && p.imm == o.imm {
				return value(i)
			}
		}
	}
	k.ops = append(k.ops, o)
	return value(len(k.ops) - 1)
}

func (k *kernel) op(c opcode, args ...value) value { return k.push(operation{code: c, args: args}) }

func index(names []string, name string) uint32 {
	for i, n := range names {
		if n == name {
			return uint32(i)
		}
	}
	panic("no such argument: " + name)
}

func (k *kernel) array(name string) uint32 {
	for i, a := range k.arrays {
		if a.name == name {
			return uint32(i)
		}
	}
	panic(fmt.Sprintf("%s has no array %s", k.name, name))
}

func (k *kernel) f(x float32) value {
	return k.push(operation{code: opConst, imm: math.Float32bits(x)})
}
func (k *kernel) bits(u uint32) value { return k.push(operation{code: opConst, imm: u}) }
func (k *kernel) scalar(name string) value {
	return k.push(operation{code: opScalar, imm: index(k.scalars, name)})
}
func (k *kernel) load(name string) value {
	return k.push(operation{code: opLoad, imm: k.array(name)})
}
func (k *kernel) store(name string, v value) {
	k.push(operation{code: opStore, imm: k.array(name), args: []value{v}})
}
func (k *kernel) acc(name string) value {
	return k.push(operation{code: opAcc, imm: index(k.accs, name)})
}
func (k *kernel) setAcc(name string, v value) {
	k.push(operation{code: opSetAcc, imm: index(k.accs, name), args: []value{v}})
}

func (k *kernel) add(a, b value) value     { return k.op(opAdd, a, b) }
func (k *kernel) sub(a, b value) value     { return k.op(opSub, a, b) }
func (k *kernel) mul(a, b value) value     { return k.op(opMul, a, b) }
func (k *kernel) div(a, b value) value     { return k.op(opDiv, a, b) }
func (k *kernel) sqrt(a value) value       { return k.op(opSqrt, a) }
func (k *kernel) fma(a, b, c value) value  { return k.op(opFMA, a, b, c) }
func (k *kernel) fnma(a, b, c value) value { return k.op(opFNMA, a, b, c) }
func (k *kernel) max(a, b value) value     { return k.op(opMax, a, b) }
func (k *kernel) min(a, b value) value     { return k.op(opMin, a, b) }
func (k *kernel) and(a, b value) value     { return k.op(opAnd, a, b) }
func (k *kernel) or(a, b value) value      { return k.op(opOr, a, b) }
func (k *kernel) xor(a, b value) value     { return k.op(opXor, a, b) }
func (k *kernel) iadd(a, b value) value    { return k.op(opIAdd, a, b) }
func (k *kernel) isub(a, b value) value    { return k.op(opISub, a, b) }
func (k *kernel) float(a value) value      { return k.op(opFloat, a) }
func (k *kernel) shl(a value, n uint32) value {
	return k.push(operation{code: opShl, args: []value{a}, imm: n})
}
func (k *kernel) sar(a value, n uint32) value {
	return k.push(operation{code: opSar, args: []value{a}, imm: n})
}
func (k *kernel) sel(c comparison, a, b, t, f value) value {
	return k.push(operation{code: opSel, cmp: c, args: []value{a, b, t, f}})
}

// horner is c[0] + c[1]·t + c[2]·t² + …
func (k *kernel) horner(c []float32, t value) value {
	p := k.f(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		p = k.fma(p, t, k.f(c[i]))
	}
	return p
}
