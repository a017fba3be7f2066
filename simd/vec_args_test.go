package simd

import (
	"math"
	"strings"
	"testing"
)

// A short operand panics before anything is written; the text names the function and the operand.
func TestShortOperands(t *testing.T) {
	long, short := make([]float32, 8), make([]float32, 7)
	halves := make([]uint16, 7)
	for _, c := range []struct {
		want string
		f    func()
	}{
		{"Add: b has 7 elements, need 8", func() { Add(long, long, short) }},
		{"AddRelu: b has 7 elements, need 8", func() { AddRelu(long, long, short) }},
		{"AddScalarRelu: x has 7 elements, need 8", func() { AddScalarRelu(long, short, 1) }},
		{"Exp: x has 7 elements, need 8", func() { Exp(long, short) }},
		{"Cos: x has 7 elements, need 8", func() { Cos(long, short) }},
		{"Pow: y has 7 elements, need 8", func() { Pow(long, long, short) }},
		{"GeluGrad: dy has 7 elements, need 8", func() { GeluGrad(long, long, short) }},
		{"Dot: b has 7 elements, need 8", func() { Dot(long, short) }},
		{"Softmax: x has 7 elements, need 8", func() { Softmax(long, short, 1) }},
		{"LayerNorm: gamma has 7 elements, need 8", func() { LayerNorm(long, long, short, nil, 0) }},
		{"LayerNormGrad: dbeta has 7 elements, need 8", func() { LayerNormGrad(nil, long, long, nil, 0, 1, nil, short) }},
		{"BatchNormGrad: dy has 7 elements, need 8", func() { BatchNormGrad(long, short, long, 0, 0, 0, 1) }},
		{"MaxShifted: xAt has 7 elements, need 8", func() { MaxShifted(long, long, long, short, 1) }},
		{"ColumnDotsAdd: b has 8 elements, too few", func() { ColumnDotsAdd(long, long, long, 2, 4, 4, 5) }},
		{"AdamW: v has 7 elements, need 8", func() { AdamW(long, long, long, short, AdamWStep{}) }},
		{"F16ToF32: src has 7 elements, need 8", func() { F16ToF32(long, halves) }},
		{"SoftmaxRows: x has 8 elements, too few for 3 rows of 2 at stride 4", func() { SoftmaxRows(long, long, 3, 2, 2, 4, 1) }},
		{"ColumnSumsAdd: x has 2 rows of 4 elements at stride 3", func() { ColumnSumsAdd(long, long, 2, 4, 3) }},
		{"CopyRows: src has 8 elements, too few for 1 rows of 9", func() { CopyRows(long[:5], 5, append(long, 0)[:8], 9, 1, 5, 2) }},
		{"CopyRows: expected a step of at least 1, found 0", func() { CopyRows(long, 8, long, 8, 1, 8, 0) }},
		{"Spread: dst has 8 elements, need 9", func() { Spread(long, long[:5], 2, false) }},
		{"Spread: expected a step of at least 1, found 0", func() { Spread(long, long[:1], 0, true) }},
		{"RowDots: expected a stride of at least 8, found 7", func() { RowDots(long, long, long, 7) }},
		{"RowDots: rows has 15 elements, too few for 2 rows of 8 at stride 8", func() { RowDots(long[:2], long, make([]float32, 15), 8) }},
		{"RowDotsF16: rows has 7 elements, too few for 1 rows of 8 at stride 8", func() { RowDotsF16(long[:1], long, halves, 8) }},
		{"RowDotsInt8: scales has 1 elements, need 2", func() { RowDotsInt8(long[:2], nil, nil, 0, long[:1]) }},
		{"too few", func() { ColumnSumsAdd(long, long, math.MaxInt/2, 2, math.MaxInt/2) }},
	} {
		func() {
			defer func() {
				got, _ := recover().(string)
				if !strings.Contains(got, c.want) {
					t.Errorf("panic %q, want %q", got, c.want)
				}
			}()
			c.f()
		}()
	}
}

// Kernels allocate nothing.
func TestVecAllocs(t *testing.T) {
	x, y := make([]float32, 100), make([]float32, 100)
	if n := testing.AllocsPerRun(10, func() {
		Gelu(y, x)
		Sin(y, x)
		Pow(y, x, x)
		Softmax(y, x, 1)
		LayerNorm(y, x, x, x, 1e-6)
		LayerNormGrad(y, x, x, x, 0, 1, y, y)
		Sum(x)
		ColumnSumsAdd(y, x, 10, 10, 10)
		LogSumExp(x, 1)
		MaxValue(x)
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
