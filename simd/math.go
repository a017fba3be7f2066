package simd

import (
	"fmt"
	"strings"
)

// Math is the arithmetic of a matrix product. It is asked for by name: nothing chooses another than Strict by itself.
type Math uint8

// The arithmetics.
const (
	// Strict is float32 with the same bits everywhere, as [Gemm] describes.
	Strict Math = iota
	// Accurate takes float32 operands in three parts of bfloat16 each, and sums the six largest of their nine products
	// in float32. Its error is not above that of Strict. It pays where a matrix unit multiplies bfloat16 (AMX); elsewhere
	// it is Strict. On a matrix unit, parts of numbers below 2^-126 count as zero, and an infinity makes the results of
	// its row or column NaN.
	Accurate
	// BF16 rounds operands to bfloat16, to nearest with ties to even, and sums their products in float32. Where an
	// instruction multiplies bfloat16, that may take operands and sums below 2^-126 for zero.
	BF16
	// Int8 rounds operands to integers of 8 bits. A has one scale for each row, found anew for each product; B has one
	// for each column: the largest magnitude is 127 times the scale. Sums are exact integers, so that its bits are the
	// same everywhere too:
	//
	//	C = float32(Σ a·b)·scale of the row·scale of the column + beta·C
	//
	// Sums of more than 98,304 products are added in float32 in segments of that length. Rows and columns whose largest
	// magnitude is below 2^-120 count as zero. A NaN or an infinity makes the results of its row or column NaN.
	Int8
)

var mathNames = [...]string{Strict: "strict", Accurate: "accurate", BF16: "bf16", Int8: "int8"}

// String returns the name: "strict", "accurate", "bf16" or "int8".
func (x Math) String() string {
	if int(x) >= len(mathNames) {
		return fmt.Sprintf("Math(%d)", uint8(x))
	}
	return mathNames[x]
}

// Valid reports whether x is one of the arithmetics.
func (x Math) Valid() bool { return int(x) < len(mathNames) }

// ParseMath returns the arithmetic of a name that [Math.String] gives.
func ParseMath(name string) (Math, error) {
	for x, n := range mathNames {
		if n == name {
			return Math(x), nil
		}
	}
	return Strict, fmt.Errorf("expected a math mode of %s, found %q", strings.Join(mathNames[:], ", "), name)
}

// MarshalText implements [encoding.TextMarshaler] by the name.
func (x Math) MarshalText() ([]byte, error) {
	if !x.Valid() {
		return nil, fmt.Errorf("simd: unknown arithmetic %v", x)
	}
	return []byte(x.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler] by [ParseMath], as for flag.TextVar.
func (x *Math) UnmarshalText(name []byte) (err error) {
	*x, err = ParseMath(string(name))
	return err
}

// Kernel says in a few words what computes products in the arithmetic x at the level in use: "avx512-bf16", or
// "avx2, float32 products of bfloat16 numbers".
func (x Math) Kernel() string {
	if k := x.words(); k != nil {
		return k.name
	}
	if x == Accurate {
		return level.String() + ", as strict: no matrix unit"
	}
	return level.String()
}

// Native reports whether instructions multiply the numbers of x at the level in use. Without them, BF16 multiplies rounded
// numbers in float32, and Accurate is Strict: neither is faster than Strict. Strict and Int8 always are native.
func (x Math) Native() bool {
	k := x.words()
	return x == Strict || k != nil && k.numbers > 1
}

// check panics unless x is one of the arithmetics.
func (x Math) check(op string) {
	if !x.Valid() {
		panic(fmt.Sprintf("simd: %s: unknown arithmetic %v", op, x))
	}
}

// product returns a run for a product in the arithmetic x at the level in use.
func (x Math) product(m, n, k int, beta float32) *gemmRun {
	g := gemmRuns.get()
	g.kern = gemmKernels[level]
	g.m, g.n, g.k, g.numbers, g.block, g.chain, g.beta = m, n, k, k, kBlock, kChain, beta
	if words := x.words(); words != nil {
		g.useWords(words)
	}
	return g
}

// Gemm is the function [Gemm] in the arithmetic x. Its result depends on the operands and the instruction set alone, not on
// threads or neighboring rows.
func (x Math) Gemm(w *Workers, m, n, k int, a, b Matrix, beta float32, c []float32, ldc int, ep *Epilogue) {
	x.check("Gemm")
	checkSizes("Gemm", m, n, k)
	checkView("Gemm", "A", a, m, k)
	checkView("Gemm", "B", b, k, n)
	checkStored("Gemm", "C", len(c), ldc, m, n)
	checkEpilogue("Gemm", ep, m, n)
	if m == 0 || n == 0 {
		return
	}
	g := x.product(m, n, k, beta)
	g.one = gemmOperands{a: a, b: b, c: c, ldc: ldc}
	g.setEpilogue(ep)
	g.run(w, 1)
}

// GemmBatch is the function [GemmBatch] in the arithmetic x.
func (x Math) GemmBatch(w *Workers, count, m, n, k int, beta float32, operands func(i int) (a, b Matrix, c []float32, ldc int)) {
	x.check("GemmBatch")
	checkSizes("GemmBatch", m, n, k)
	if count < 0 {
		panic(fmt.Sprintf("simd: GemmBatch: count %d is negative", count))
	}
	if count == 0 || m == 0 || n == 0 {
		return
	}
	g := x.product(m, n, k, beta)
	g.operands = operands
	g.run(w, count)
}
