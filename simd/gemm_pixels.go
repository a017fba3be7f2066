package simd

import (
	"fmt"
	"math"
)

// A convolution in BF16 or Int8 is a gathered product of words, as in gemm_words.go. A word holds neighboring channels of one
// pixel, 2 in BF16 and 2 or 4 in Int8. Planes of words take the place of planes of numbers: K runs over (word, tap). Filters
// are packed once, in the same order. Channels that the last word has beyond the image's are zeros.

// pixelKernelOf returns the kernel of an arithmetic for convolutions at a level, or nil. Kernels that multiply groups of words
// have none.
func pixelKernelOf(l Level, x Math) *wordKernel {
	for _, k := range wordKernelsOf(l, x) {
		if k.pixels != nil {
			return k
		}
	}
	return nil
}

// pixelKernels holds, by level and arithmetic, the kernel for convolutions; nil stands for none.
var pixelKernels = func() (best [len(levelNames)][len(mathNames)]*wordKernel) {
	for _, l := range supportedLevels() {
		for x := range mathNames {
			best[l][x] = pixelKernelOf(l, Math(x))
		}
	}
	return best
}()

// pixels returns the kernel of x for convolutions at the level in use, or nil.
func (x Math) pixels() *wordKernel {
	if !x.Valid() {
		return nil
	}
	return pixelKernels[level][x]
}

// needPixels is pixels, and panics where there is none.
func (x Math) needPixels(op string) *wordKernel {
	k := x.pixels()
	if k == nil {
		panic(fmt.Sprintf("simd: %s: no instruction for convolutions in %v at the level %v", op, x, level))
	}
	return k
}

// PixelChannels returns how many channels of a pixel are in a word, where convolutions of the arithmetic x have
// instructions at the level in use: 2 or 4. Elsewhere, and for Strict and Accurate, it returns 0.
func (x Math) PixelChannels() int {
	if k := x.pixels(); k != nil {
		return k.numbers
	}
	return 0
}

// MaxInt8Filter is the largest number of weights in a filter of [Int8], channels·taps: the sum of so many products is exact
// in 32 bits.
const MaxInt8Filter = intSegment

// PixelZero returns the word whose channels are all zero: the padding around planes. It panics where PixelChannels is 0.
func (x Math) PixelZero() float32 {
	return math.Float32frombits(x.needPixels("PixelZero").flip)
}

// PackPixels packs the channels of a part of an image into words:
//
//	dst[r·dstStride+c] = word of src[q][r·srcStride+c·step] for q < len(src), r < rows, c < cols
//
// src are the planes of 1 to PixelChannels channels; missing ones are zeros. In Int8 the numbers of word (r, c) are multiplied
// by inverses[r·inverseStride+c] ([PixelScales]) and rounded; BF16 has no inverses. PackPixels panics when a slice is too short,
// step is less than 1, there are too few or too many channels, or PixelChannels is 0. dst must not overlap src.
func (x Math) PackPixels(dst []float32, dstStride int, src [][]float32, srcStride, rows, cols, step int, inverses []float32, inverseStride int) {
	const op = "PackPixels"
	k := x.needPixels(op)
	checkStep(op, step)
	checkMatrix(op, "dst", len(dst), rows, cols, dstStride)
	if len(src) < 1 || len(src) > k.numbers {
		panic(fmt.Sprintf("simd: %s: expected 1 to %d channels, found %d", op, k.numbers, len(src)))
	}
	for _, s := range src {
		checkMatrix(op, "src", len(s), rows, max(0, (cols-1)*step+1), srcStride)
	}
	if rows == 0 || cols == 0 {
		return
	}
	if k.integers {
		atLeast(op, "inverses", len(inverses), (rows-1)*inverseStride+cols)
	}
	s := gemmScratches.get()
	defer gemmScratches.put(s)
	line := s.planes[:len(src)]
	if step != 1 {
		s.rows = grow(s.rows, len(src)*rows*cols)
		for q, plane := range src {
			CopyRows(s.rows[q*rows*cols:], cols, plane, srcStride, rows, cols, step)
		}
	}
	for r := range rows {
		for q, plane := range src {
			if step != 1 {
				line[q] = s.rows[(q*rows+r)*cols:][:cols]
			} else {
				line[q] = plane[r*srcStride:]
			}
		}
		if k.integers {
			k.pixels(dst[r*dstStride:][:cols], line, inverses[r*inverseStride:][:cols])
		} else {
			k.pixels(dst[r*dstStride:][:cols], line, nil)
		}
	}
}

// maxPixelChannels is the largest number of channels in a word.
const maxPixelChannels = 4

// PixelScales sets scale to the scales of pixels in [Int8], maxAbs/127, and inverse to 127/maxAbs, by which [Math.PackPixels]
// multiplies them. maxAbs has the largest absolute values of the pixels ([MaxAbs], [MaxAbsRows]). Below 2^-120 both are 0, and
// the pixels count as zero. A NaN or an infinity makes a scale NaN, and with it all results of its pixels. PixelScales panics if
// scale or inverse is shorter than maxAbs.
func PixelScales(scale, inverse, maxAbs []float32) {
	const op = "PixelScales"
	atLeast(op, "scale", len(scale), len(maxAbs))
	atLeast(op, "inverse", len(inverse), len(maxAbs))
	for i, v := range maxAbs {
		scale[i], inverse[i] = scales(math.Float32bits(v) &^ signBit)
	}
}

// MaxAbs returns the largest absolute value of x: 0 for an empty x, NaN if any element is NaN.
func MaxAbs(x []float32) float32 {
	most := mostGeneric
	if k := Int8.words(); k != nil {
		most = k.most
	}
	return math.Float32frombits(most(x))
}

// MaxAbsRows sets dst[i] to max(dst[i], |x[i]|), or to NaN if one of them is. It serves for the largest absolute values over
// several rows x, beginning with zeros; dst must not be negative. It panics if x is shorter than dst.
func MaxAbsRows(dst, x []float32) {
	atLeast("MaxAbsRows", "x", len(x), len(dst))
	if mostRows(dst, x) {
		return
	}
	for i, v := range x[:len(dst)] {
		dst[i] = math.Float32frombits(max(math.Float32bits(dst[i]), math.Float32bits(v)&^signBit))
	}
}

// PackedFilters is the weight of a convolution, packed for [GemmPixels] in BF16 or Int8 at one level. It is immutable and may
// be shared by goroutines.
//
// In BF16, weights and pixels are rounded to bfloat16, to nearest with ties to even. Sums are of float32, in blocks.
// In Int8, each filter has a scale. Pixels have one for each image or, with one tap, one for each pixel. The largest absolute
// value is 127 times the scale. Sums are exact integers. They are multiplied by the scale of the filter and then by that of the
// pixels, so the bits are the same at each level.
type PackedFilters struct {
	word           *wordKernel
	out, k         int // filters, and words of each
	taps, channels int
	pitch          int
	data           []float32
	scales         []float32
	sums           []int32 // of the integers of a filter, times the offset of the pixels
}

// PackFilters packs the weight [out, channels, taps] of a convolution. Unless memory is nil, it holds the filters and belongs to
// them as long as they are used; it has at least [Math.PackedFiltersLen] elements. PackFilters panics when weight or memory is
// too short, when an Int8 filter has more than [MaxInt8Filter] weights, and where PixelChannels is 0.
func (x Math) PackFilters(w *Workers, out, channels, taps int, weight, memory []float32) *PackedFilters {
	const op = "PackFilters"
	k := x.needPixels(op)
	if out < 0 || channels < 1 || taps < 1 {
		panic(fmt.Sprintf("simd: %s: expected filters of at least one channel and one tap, found %d of %d and %d", op, out, channels, taps))
	}
	atLeast(op, "weight", len(weight), out*channels*taps)
	if k.integers && channels*taps > MaxInt8Filter {
		panic(fmt.Sprintf("simd: %s: expected at most %d numbers in a filter, found %d", op, MaxInt8Filter, channels*taps))
	}
	f := &PackedFilters{word: k, out: out, taps: taps, channels: channels}
	f.k = ceilDiv(channels, k.numbers) * taps
	f.pitch = rowPitch(f.k)
	if memory == nil {
		memory = Floats(x.PackedFiltersLen(out, channels, taps))
	}
	atLeast(op, "memory", len(memory), x.PackedFiltersLen(out, channels, taps))
	f.data = aligned(memory, out*f.pitch)
	if k.integers {
		f.scales, f.sums = make([]float32, out), make([]int32, out)
	}
	w.For(out, func(i int) {
		s := gemmScratches.get()
		defer gemmScratches.put(s)
		f.pack(s, i, weight[i*channels*taps:][:channels*taps])
	})
	return f
}

// PackedFiltersLen returns the number of elements that PackFilters needs in memory for a weight [out, channels, taps]. It
// panics where PixelChannels is 0.
func (x Math) PackedFiltersLen(out, channels, taps int) int {
	words := ceilDiv(channels, x.needPixels("PackedFiltersLen").numbers) * taps
	return out*rowPitch(words) + lineFloats
}

// pack packs filter i.
func (f *PackedFilters) pack(s *gemmScratch, i int, weight []float32) {
	k, n := f.word, f.word.numbers
	s.rows = grow(s.rows, f.k*n)
	row := s.rows[:f.k*n]
	if f.channels%n != 0 {
		clear(row)
	}
	for c := range f.channels {
		to := row[c/n*n*f.taps+c%n:]
		for t, v := range weight[c*f.taps:][:f.taps] {
			to[t*n] = v
		}
	}
	dst := f.data[i*f.pitch:][:f.k]
	if !k.integers {
		k.row(dst, row, 0, 0)
		return
	}
	var inverse float32
	f.scales[i], inverse = scales(k.most(row))
	f.sums[i] = k.offset * k.row(dst, row, inverse, 0)
}

// GemmPixels is [GemmGather] with packed filters and pixels. C is m×n, where m is the number of filters and n the number of
// positions. The planes of b hold words from [Math.PackPixels], surrounded by [Math.PixelZero]. GemmPixels multiplies the
// given number of words of each filter, beginning with number from. A block is block words long, and one chain.
//
// In Int8, all words of the filters are multiplied at once, scales has the scale of the pixels at each position, and beta is 0.
//
// GemmPixels panics like GemmGather, when b is transposed, and when an operand does not suit the arithmetic.
func GemmPixels(w *Workers, n int, f *PackedFilters, from, words int, b *Gather, scales []float32, block int, beta float32, c []float32, ldc int, ep *Epilogue) {
	const op = "GemmPixels"
	checkSizes(op, f.out, n, words)
	if from < 0 || from+words > f.k {
		panic(fmt.Sprintf("simd: %s: expected words within the %d of a filter, found %d to %d", op, f.k, from, from+words))
	}
	b.check(n, words)
	checkStored(op, "C", len(c), ldc, f.out, n)
	checkEpilogue(op, ep, f.out, n)
	switch {
	case block < 1:
		panic(fmt.Sprintf("simd: %s: expected a block of at least 1, found %d", op, block))
	case b.Trans:
		panic(fmt.Sprintf("simd: %s: expected a B that is not transposed", op))
	case f.word.integers && (from != 0 || words != f.k || beta != 0):
		panic(fmt.Sprintf("simd: %s: expected whole filters and a beta of 0 for products of integers", op))
	}
	if f.out == 0 || n == 0 {
		return
	}
	g := gemmRuns.get()
	g.kern, g.word, g.made = f.word.kern, f.word, true
	g.m, g.n, g.k, g.numbers, g.beta = f.out, n, words, words, beta
	g.gather, g.block, g.chain = b, block, block
	g.one = gemmOperands{a: Matrix{Data: f.data[from:], Stride: f.pitch}, c: c, ldc: ldc}
	if f.word.integers {
		atLeast(op, "scales", len(scales), n)
		g.quant = quantized{rows: f.scales, sums: f.sums, cols: scales}
	}
	g.setEpilogue(ep)
	g.run(w, 1)
}

// int8PixelsGeneric returns a function that packs four channels of a row of pixels into words, as integers of 8 bits. flip is
// XORed with each word: it makes signed integers unsigned.
func int8PixelsGeneric(flip uint32) func(dst []float32, src [][]float32, inverses []float32) {
	return func(dst []float32, src [][]float32, inverses []float32) {
		for j := range dst {
			var word uint32
			for q, row := range src {
				word |= uint32(uint8(integer(row[j], inverses[j]))) << (8 * q)
			}
			dst[j] = math.Float32frombits(word ^ flip)
		}
	}
}

// int16PixelsGeneric packs two channels of a row of pixels into words, as integers of 16 bits.
func int16PixelsGeneric(dst []float32, src [][]float32, inverses []float32) {
	for j := range dst {
		var word uint32
		for q, row := range src {
			word |= uint32(uint16(integer(row[j], inverses[j]))) << (16 * q)
		}
		dst[j] = math.Float32frombits(word)
	}
}
