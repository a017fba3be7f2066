package simd

//go:generate go run ./internal/resizegen -out .

import "fmt"

// ResizeTaps holds the weights with which one direction of an image of 8-bit samples is resampled: output i is
//
//	limit((2²¹ + Σₖ wᵢₖ·src[firstᵢ+k]) >> 22)
//
// The weights w have 22 fractional bits, limit keeps 0..255, and the sum is an int32 that wraps around. That is the
// arithmetic of Pillow's resize. It is exact, so every instruction set gives the same bytes, in any order of
// additions. A ResizeTaps is read-only and may be used by many goroutines at once.
type ResizeTaps struct {
	length  int
	first   []int32 // by output: where its window begins
	start   []int32 // by output, and one more: where its weights begin
	weights []int32

	vector *resizeVector // the same for the instruction set, nil where it cannot run
}

// resizeFraction is the number of fractional bits of a weight: 32 less 8 for the sample and 2 for sums below 0 or
// above 1.
const resizeFraction = 32 - 8 - 2

// NewResizeTaps makes taps for lines of length samples (or pixels, or rows). Output i takes the positions from
// first[i] on with the weights from start[i] up to, not including, start[i+1]. start has one element more than there
// are outputs. NewResizeTaps keeps the slices, which must not change any more.
//
// It panics when a window is empty or leaves [0, length), or when start does not go from 0 to the end of weights.
func NewResizeTaps(length int, first, start, weights []int32) *ResizeTaps {
	if len(start) != len(first)+1 || start[0] != 0 || int(start[len(first)]) != len(weights) {
		panic(fmt.Sprintf("simd: NewResizeTaps: %d outputs, %d weights and %d starts that do not go from 0 to their end", len(first), len(weights), len(start)))
	}
	for i, f := range first {
		if n := int(start[i+1]) - int(start[i]); f < 0 || n <= 0 || int(start[i+1]) > len(weights) || int(f)+n > length {
			panic(fmt.Sprintf("simd: NewResizeTaps: output %d takes %d samples from %d on, a line has %d", i, n, f, length))
		}
	}
	t := &ResizeTaps{length: length, first: first, start: start, weights: weights}
	t.vector = newResizeVector(t, resizeKernelOf(level))
	return t
}

// Outputs returns the number of outputs.
func (t *ResizeTaps) Outputs() int { return len(t.first) }

// Length returns the number of source positions of a line.
func (t *ResizeTaps) Length() int { return t.length }

// Products returns the number of products that one line of one channel takes.
func (t *ResizeTaps) Products() int { return len(t.weights) }

// ResizeRows resamples along rows of interleaved samples. Row y of src begins at src[y·srcStride] and has t.Length()
// pixels of 1, 3 or 4 channels. Row y of dst begins at dst[y·dstStride] and gets t.Outputs() pixels. dst and src must
// not overlap. ResizeRows panics when a slice is too short, a stride is shorter than a row, or channels is another
// number.
func ResizeRows(dst []uint8, dstStride int, src []uint8, srcStride, rows, channels int, t *ResizeTaps) {
	if channels != 1 && channels != 3 && channels != 4 {
		panic(fmt.Sprintf("simd: ResizeRows: %d channels, expected 1, 3 or 4", channels))
	}
	resizeMatrix("ResizeRows", "dst", len(dst), dstStride, rows, channels*t.Outputs())
	resizeMatrix("ResizeRows", "src", len(src), srcStride, rows, channels*t.length)
	if rows <= 0 || t.Outputs() == 0 {
		return
	}
	if v := t.vector; v != nil && v.kernel.rows[channels] != nil {
		v.resizeRows(dst, dstStride, src, srcStride, rows, channels, t.Outputs())
		return
	}
	for y := range rows {
		resizeRowGeneric(dst[y*dstStride:], src[y*srcStride:], channels, t)
	}
}

// ResizeColumns resamples along columns. src holds t.Length() rows of n samples. Outputs from to to-1 of t, each a row
// of n samples, go to consecutive rows of dst, the first at dst[0]. Strides are the distances between the beginnings
// of rows. dst and src must not overlap. ResizeColumns panics when a slice is too short, a stride is shorter than a
// row, or [from, to) leaves the outputs.
func ResizeColumns(dst []uint8, dstStride int, src []uint8, srcStride, n int, t *ResizeTaps, from, to int) {
	if from < 0 || from > to || to > t.Outputs() {
		panic(fmt.Sprintf("simd: ResizeColumns: outputs [%d, %d) of %d", from, to, t.Outputs()))
	}
	resizeMatrix("ResizeColumns", "dst", len(dst), dstStride, to-from, n)
	resizeMatrix("ResizeColumns", "src", len(src), srcStride, t.length, n)
	if n <= 0 {
		return
	}
	if v := t.vector; v != nil && n >= v.kernel.block {
		v.resizeColumns(dst, dstStride, src, srcStride, n, from, to)
		return
	}
	for i := from; i < to; i++ {
		resizeColumnGeneric(dst[(i-from)*dstStride:][:n], src, srcStride, i, t)
	}
}

func resizeMatrix(f, operand string, have, stride, rows, n int) {
	if rows < 0 || n < 0 || stride < n {
		panic(fmt.Sprintf("simd: %s: %s has %d rows of %d samples, %d apart", f, operand, rows, n, stride))
	}
	if rows > 0 && n > 0 && have < (rows-1)*stride+n {
		panic(fmt.Sprintf("simd: %s: %s has %d samples, expected %d", f, operand, have, (rows-1)*stride+n))
	}
}

// resizeRowGeneric is ResizeRows for one row, in plain Go: the reference.
func resizeRowGeneric(dst, src []uint8, channels int, t *ResizeTaps) {
	for i, first := range t.first {
		w := t.weights[t.start[i]:t.start[i+1]]
		s := src[int(first)*channels:][:len(w)*channels]
		d := dst[i*channels:][:channels]
		switch channels {
		case 1:
			d[0] = resizeSum(w, s)
		case 3:
			resizeSum3(d, w, s)
		default:
			resizeSum4(d, w, s)
		}
	}
}

func resizeSum(w []int32, s []uint8) uint8 {
	sum := int32(1 << (resizeFraction - 1))
	for k, c := range w {
		sum += c * int32(s[k])
	}
	return resizeLimit(sum)
}

func resizeSum3(d []uint8, w []int32, s []uint8) {
	r, g, b := int32(1<<(resizeFraction-1)), int32(1<<(resizeFraction-1)), int32(1<<(resizeFraction-1))
	for len(w) >= 4 && len(s) >= 12 {
		w4, s4 := (*[4]int32)(w), (*[12]uint8)(s) // one bounds check for all
		r += w4[0]*int32(s4[0]) + w4[1]*int32(s4[3]) + w4[2]*int32(s4[6]) + w4[3]*int32(s4[9])
		g += w4[0]*int32(s4[1]) + w4[1]*int32(s4[4]) + w4[2]*int32(s4[7]) + w4[3]*int32(s4[10])
		b += w4[0]*int32(s4[2]) + w4[1]*int32(s4[5]) + w4[2]*int32(s4[8]) + w4[3]*int32(s4[11])
		w, s = w[4:], s[12:]
	}
	for k, c := range w {
		r += c * int32(s[3*k])
		g += c * int32(s[3*k+1])
		b += c * int32(s[3*k+2])
	}
	d[0], d[1], d[2] = resizeLimit(r), resizeLimit(g), resizeLimit(b)
}

func resizeSum4(d []uint8, w []int32, s []uint8) {
	r, g, b, a := int32(1<<(resizeFraction-1)), int32(1<<(resizeFraction-1)), int32(1<<(resizeFraction-1)), int32(1<<(resizeFraction-1))
	for _, c := range w {
		if len(s) < 4 {
			break
		}
		r += c * int32(s[0])
		g += c * int32(s[1])
		b += c * int32(s[2])
		a += c * int32(s[3])
		s = s[4:]
	}
	d[0], d[1], d[2], d[3] = resizeLimit(r), resizeLimit(g), resizeLimit(b), resizeLimit(a)
}

// resizeColumnGeneric computes output i of all columns, in plain Go: the reference. Four neighboring samples are
// summed at a time, so that sums stay in registers.
func resizeColumnGeneric(dst, src []uint8, stride, i int, t *ResizeTaps) {
	const half = 1 << (resizeFraction - 1)
	w := t.weights[t.start[i]:t.start[i+1]]
	base := int(t.first[i]) * stride
	x := 0
	for ; x+4 <= len(dst); x += 4 {
		a, b, c, d := int32(half), int32(half), int32(half), int32(half)
		o := base + x
		for _, k := range w {
			s := (*[4]uint8)(src[o:])
			a += k * int32(s[0])
			b += k * int32(s[1])
			c += k * int32(s[2])
			d += k * int32(s[3])
			o += stride
		}
		*(*[4]uint8)(dst[x:]) = [4]uint8{resizeLimit(a), resizeLimit(b), resizeLimit(c), resizeLimit(d)}
	}
	for ; x < len(dst); x++ {
		sum := int32(half)
		o := base + x
		for _, k := range w {
			sum += k * int32(src[o])
			o += stride
		}
		dst[x] = resizeLimit(sum)
	}
}

// resizeLimit divides a sum by 2²² and limits it to 0..255.
func resizeLimit(sum int32) uint8 {
	v := sum >> resizeFraction
	if uint32(v) > 255 {
		v = ^(v >> 31) // 0 for a negative number, -1 (255 as a byte) for one too large
	}
	return uint8(v)
}
