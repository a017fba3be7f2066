package simd

import (
	"math"
	"testing"
)

func TestInt8Rows(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		x     []float32
		codes []int8
		scale float32
		ok    bool
	}{
		{[]float32{127, -127, 2.5, 3.5, -.5, 0}, []int8{127, -127, 2, 4, 0, 0}, 1, true},
		{[]float32{0, 0}, []int8{0, 0}, 0, true},
		{nil, nil, 0, true},
		{[]float32{1, nan}, []int8{0, 0}, 0, false},
		{[]float32{-inf, 1}, []int8{0, 0}, 0, false},
		{[]float32{math.MaxFloat32, 0}, []int8{127, 0}, math.MaxFloat32 / 127, true},
		{[]float32{0x1p-149, -0x1p-142}, []int8{1, -127}, 0x1p-149, true}, // 128/127 rounds to 1
	} {
		codes := make([]int8, len(c.x))
		scale, ok := F32ToInt8(codes, c.x)
		if scale != c.scale || ok != c.ok {
			t.Errorf("%v: scale %v, %t; expected %v, %t", c.x, scale, ok, c.scale, c.ok)
		}
		back := make([]float32, len(codes))
		Int8ToF32(back, codes, scale)
		for i := range codes {
			if codes[i] != c.codes[i] || back[i] != float32(c.codes[i])*c.scale {
				t.Errorf("%v: %v and %v, expected %v", c.x, codes, back, c.codes)
			}
		}
	}
}

// A weight that Int8 rounds and the integers it is rounded to give the same product.
func TestPackInt8(t *testing.T) {
	const m, n, k = 5, 37, 130
	values := make([]float32, n*k)
	for i := range values {
		values[i] = float32(math.Sin(float64(i)*1.7)) * float32(1+i/k)
	}
	codes, scales := make([]int8, n*k), make([]float32, n)
	for j := range n {
		scales[j], _ = F32ToInt8(codes[j*k:][:k], values[j*k:])
	}
	p := PackInt8(nil, k, n, func(dst []int8, j, i int) { copy(dst, codes[j*k+i:]) }, scales)
	q := Pack(nil, k, n, Matrix{Data: values, Stride: k, Trans: true}, PackOptions{Math: Int8})
	a := Matrix{Data: values[:m*k], Stride: k}
	got, want := make([]float32, m*n), make([]float32, m*n)
	GemmPacked(nil, m, a, p, 0, got, n, nil)
	GemmPacked(nil, m, a, q, 0, want, n, nil)
	for i := range got {
		if d := math.Abs(float64(got[i] - want[i])); d > 1e-5*math.Abs(float64(want[i]))+1e-3 {
			t.Errorf("element %d: %v, expected %v", i, got[i], want[i])
		}
	}
}
