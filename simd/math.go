package simd

import (
	"fmt"
	"math"
	"strings"
)

// Math is the arithmetic of a matrix product. It is asked for by name: nothing chooses another than Strict by itself.
type Math uint8

// The arithmetics.
const (
	// Strict is float32 with the same bits everywhere, as [Gemm] describes.
	Strict Math = iota
	// Accurate takes float32 operands in three parts of bfloat16 each, and sums the six largest of their nine products
	// in float32. Its error is about that of Strict. It pays where a matrix unit multiplies bfloat16 (AMX); elsewhere
	// it is Strict.
	Accurate
	// BF16 rounds operands to bfloat16, to nearest with ties to even, and sums their products in float32.
	BF16
	// Int8 rounds operands to integers of 8 bits. A has one scale for each row, found anew for each product; B has one
	// for each column. Sums are exact integers, so that its bits are the same everywhere too.
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

// Gemm is the function [Gemm] in the arithmetic x. Its result depends on the operands and the instruction set alone, not on
// threads or neighboring rows.
func (x Math) Gemm(w *Workers, m, n, k int, a, b Matrix, beta float32, c []float32, ldc int, ep *Epilogue) {
	switch x {
	case BF16, Int8:
		checkSizes("Gemm", m, n, k)
		checkView("Gemm", "A", a, m, k)
		checkView("Gemm", "B", b, k, n)
		a, b = x.round(a, m, k, true), x.round(b, k, n, false)
	}
	Gemm(w, m, n, k, a, b, beta, c, ldc, ep)
}

// GemmBatch is the function [GemmBatch] in the arithmetic x.
func (x Math) GemmBatch(w *Workers, count, m, n, k int, beta float32, operands func(i int) (a, b Matrix, c []float32, ldc int)) {
	if x == BF16 || x == Int8 {
		exact := operands
		operands = func(i int) (Matrix, Matrix, []float32, int) {
			a, b, c, ldc := exact(i)
			return x.round(a, m, k, true), x.round(b, k, n, false), c, ldc
		}
	}
	GemmBatch(w, count, m, n, k, beta, operands)
}

// round returns a rows×cols matrix with the numbers of x: with scales by row, or by column.
func (x Math) round(a Matrix, rows, cols int, byRow bool) Matrix {
	r := Matrix{Data: make([]float32, rows*cols), Stride: cols}
	if rows == 0 || cols == 0 {
		return r
	}
	for i := range rows {
		for j := range cols {
			v := a.at(i, j)[0]
			if x == BF16 {
				var h [1]uint16
				F32ToBF16(h[:], []float32{v})
				var f [1]float32
				BF16ToF32(f[:], h[:])
				v = f[0]
			}
			r.Data[i*cols+j] = v
		}
	}
	if x == Int8 {
		lines, length, step, next := rows, cols, 1, cols
		if !byRow {
			lines, length, step, next = cols, rows, cols, 1
		}
		for i := range lines {
			most := float32(0)
			for j := range length {
				most = max(most, r.Data[i*next+j*step], -r.Data[i*next+j*step])
			}
			if scale := most / 127; scale > 0 {
				for j := range length {
					v := &r.Data[i*next+j*step]
					*v = float32(math.RoundToEven(float64(*v/scale))) * scale
				}
			}
		}
	}
	return r
}
