package simd

import "math"

// PackInt8 packs a k×n matrix of integers for products in [Int8]. Its elements are the integers, each multiplied by the
// scale of its column. The function rows writes len(dst) elements of column j, from row i on, to dst: the rows of a
// weight [n, k] are columns here. Several goroutines call it at once. Integers and scales of [F32ToInt8] give the bits
// that [Pack] of its numbers gives.
//
// PackInt8 panics when there are fewer than n scales.
func PackInt8(w *Workers, k, n int, rows func(dst []int8, j, i int), scales []float32) *Packed {
	const name = "PackInt8"
	checkSizes(name, 0, n, k)
	atLeast(name, "scales", len(scales), n)
	o := PackOptions{Math: Int8}
	p := o.packed(name, k, n)
	copy(p.scales, scales)
	x := p.word
	ones := make([]float32, x.kern.nr) // the numbers are rounded already
	Fill(ones, 1)
	p.fill(w, func(s *gemmScratch, dst []float32, k0, j0, kc, cols int) {
		from := k0 / x.words * x.numbers
		length := min(k-from, kc/x.words*x.numbers)
		codes, b := make([]int8, length), Matrix{Stride: length, Trans: true}
		s.a = grow(s.a, cols*length)
		b.Data = s.a
		for j := range cols {
			rows(codes, j0+j, from)
			Int8ToF32(b.Data[j*length:][:length], codes, 1)
		}
		x.packPanel(s, dst, b, length, 0, 0, kc, cols, ones)
	})
	return p
}

// Int8ToF32 stores float32(src[i]) multiplied by scale. It panics if src is shorter than dst.
func Int8ToF32(dst []float32, src []int8, scale float32) {
	atLeast("Int8ToF32", "src", len(src), len(dst))
	for i := range dst {
		dst[i] = float32(src[i]) * scale
	}
}

// F32ToInt8 rounds a row of numbers to integers of 8 bits and returns their scale, as [Int8] does with the columns of B.
// So src[i] is about dst[i]·scale, and the largest magnitude is 127 times the scale. A row of which every magnitude is
// below 2^-120 has zeros and the scale 0. So has one with a NaN or an infinity; ok is then false. F32ToInt8 panics if src
// is shorter than dst.
func F32ToInt8(dst []int8, src []float32) (scale float32, ok bool) {
	atLeast("F32ToInt8", "src", len(src), len(dst))
	most := uint32(0)
	for _, v := range src[:len(dst)] {
		most = max(most, math.Float32bits(v)&^signBit)
	}
	scale, inverse := scales(most)
	if inverse == 0 {
		clear(dst)
		return 0, scale == 0
	}
	for i := range dst {
		dst[i] = int8(math.RoundToEven(float64(src[i] * inverse)))
	}
	return scale, true
}
