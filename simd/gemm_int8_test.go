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
		{[]float32{0x1p-149, -0x1p-121}, []int8{0, 0}, 0, true},
		{[]float32{0x1p-120, -0x1p-121}, []int8{127, -64}, 0x1p-120 / 127, true},
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

// A weight that Int8 rounds and the integers it is rounded to are one packed form, at each level.
func TestPackInt8(t *testing.T) {
	for _, l := range Levels() {
		restore := SetLevel(l)
		for _, c := range [][2]int{{130, 37}, {1, 1}, {1600, 70}, {3, 100}, {0, 5}, {5, 0}} {
			testPackInt8(t, l, c[0], c[1])
		}
		restore()
	}
}

func testPackInt8(t *testing.T, l Level, k, n int) {
	const m = 5
	values := make([]float32, n*k)
	for i := range values {
		values[i] = float32(math.Sin(float64(i)*1.7)) * float32(1+i/k)
	}
	codes, scales := make([]int8, n*k), make([]float32, n)
	for j := range n {
		scales[j], _ = F32ToInt8(codes[j*k:][:k], values[j*k:])
	}
	p := PackInt8(NewWorkers(2), k, n, func(dst []int8, j, i int) { copy(dst, codes[j*k+i:]) }, scales)
	q := Pack(nil, k, n, Matrix{Data: values, Stride: k, Trans: true}, PackOptions{Math: Int8})
	a := Matrix{Data: make([]float32, m*k), Stride: k}
	for i := range a.Data {
		a.Data[i] = float32(math.Cos(float64(i)))
	}
	got, want := make([]float32, m*n), make([]float32, m*n)
	GemmPacked(nil, m, a, p, 0, got, n, nil)
	GemmPacked(nil, m, a, q, 0, want, n, nil)
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%v, %d×%d: element %d is %v, expected %v", l, k, n, i, got[i], want[i])
		}
	}
}

// Integers of another tool may be -128, which F32ToInt8 never gives.
func TestPackInt8Lowest(t *testing.T) {
	const k, n = 1000, 35
	for _, l := range Levels() {
		restore := SetLevel(l)
		scales := make([]float32, n)
		Fill(scales, 0.5)
		p := PackInt8(nil, k, n, func(dst []int8, j, i int) {
			for at := range dst {
				dst[at] = int8(-128 + (i+at)*j%3)
			}
		}, scales)
		a, got := make([]float32, k), make([]float32, n)
		Fill(a, -127)
		GemmPacked(nil, 1, Matrix{Data: a, Stride: k}, p, 0, got, n, nil)
		for j, v := range got {
			sum := 0
			for i := range k {
				sum += -128 + i*j%3
			}
			if want := float32(-127*sum) * 0.5; v != want {
				t.Errorf("%v: column %d is %v, expected %v", l, j, v, want)
			}
		}
		restore()
	}
}

// A packed form in memory of the caller has the products of one in its own, in each arithmetic.
func TestMathMemory(t *testing.T) {
	const m, k, n = 3, 70, 41
	b, a := Matrix{Data: make([]float32, n*k), Stride: k, Trans: true}, Matrix{Data: make([]float32, m*k), Stride: k}
	for i := range b.Data {
		b.Data[i] = float32(math.Sin(float64(i)))
	}
	for i := range a.Data {
		a.Data[i] = float32(math.Cos(float64(i)))
	}
	for _, l := range Levels() {
		restore := SetLevel(l)
		for x := Strict; x <= Int8; x++ {
			got, want := make([]float32, m*n), make([]float32, m*n)
			GemmPacked(nil, m, a, Pack(nil, k, n, b, PackOptions{Math: x, Memory: make([]float32, x.PackedLen(k, n))}), 0, got, n, nil)
			GemmPacked(nil, m, a, Pack(nil, k, n, b, PackOptions{Math: x}), 0, want, n, nil)
			for i := range got {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("%v, %v: element %d is %v, expected %v", l, x, i, got[i], want[i])
				}
			}
		}
		restore()
	}
}

func BenchmarkPackInt8(b *testing.B) {
	const k, n = 768, 3072
	codes, scales := make([]int8, k*n), make([]float32, n)
	for b.Loop() {
		PackInt8(nil, k, n, func(dst []int8, j, i int) { copy(dst, codes[j*k+i:]) }, scales)
	}
}
