package simd

import "math"

// PackInt8 packs a k×n matrix of integers for products in [Int8]. Its elements are the integers, each multiplied by the
// scale of its column. The function rows writes len(dst) elements of column j, from row i on, to dst: the rows of a
// weight [n, k] are columns here. Several goroutines call it at once. Nothing is rounded.
//
// PackInt8 panics when there are fewer than n scales.
func PackInt8(w *Workers, k, n int, rows func(dst []int8, j, i int), scales []float32) *Packed {
	checkSizes("PackInt8", 0, n, k)
	atLeast("PackInt8", "scales", len(scales), n)
	codes := make([]int8, k)
	b := Matrix{Data: make([]float32, k*n), Stride: k, Trans: true}
	for j := range n {
		rows(codes, j, 0)
		Int8ToF32(b.Data[j*k:][:k], codes, scales[j])
	}
	p := Pack(w, k, n, b, PackOptions{})
	p.math = Int8
	return p
}

// Int8ToF32 stores float32(src[i]) multiplied by scale. It panics if src is shorter than dst.
func Int8ToF32(dst []float32, src []int8, scale float32) {
	atLeast("Int8ToF32", "src", len(src), len(dst))
	for i := range dst {
		dst[i] = float32(src[i]) * scale
	}
}

// F32ToInt8 rounds a row of numbers to integers of 8 bits, to nearest with ties to even, and returns their scale: the
// largest magnitude divided by 127. So src[i] is about dst[i]·scale, as the weights of a product in [Int8]. A row of
// zeros has the scale 0. So has one with a NaN or an infinity, which has no such integers: ok is then false. F32ToInt8
// panics if src is shorter than dst.
func F32ToInt8(dst []int8, src []float32) (scale float32, ok bool) {
	atLeast("F32ToInt8", "src", len(src), len(dst))
	top := float32(0)
	for _, v := range src[:len(dst)] {
		top = max(top, v, -v)
	}
	scale = top / 127
	if scale == 0 || !(top <= math.MaxFloat32) {
		clear(dst)
		return 0, top <= math.MaxFloat32
	}
	for i := range dst {
		// A scale that is a denormal number may be too small by half.
		dst[i] = int8(max(-127, min(127, math.RoundToEven(float64(src[i])/float64(scale)))))
	}
	return scale, true
}
