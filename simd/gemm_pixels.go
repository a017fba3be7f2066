package simd

import (
	"fmt"
	"math"
)

// A convolution in BF16 or Int8 is a gathered product of words, as in gemm_words.go. A word of a plane holds neighboring
// channels of one pixel, so that planes of words take the place of planes of numbers: K runs over (group of channels, tap).
// The filters have the same order and are laid out once. Where a group has fewer channels, the rest are zeros.

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

// PixelMost is the most numbers in a filter of [Int8]: their sum is exact in 32 bits.
const PixelMost = intSegment

// PixelZero returns the word of pixels that are zero, which surrounds planes. It panics where PixelChannels is 0.
func (x Math) PixelZero() float32 {
	return math.Float32frombits(x.needPixels("PixelZero").flip)
}

// PixelRows makes words of a part of an image:
//
//	dst[r·dstStride+c] = word of src[q][r·srcStride+c·step] for q < len(src), r < rows, c < cols
//
// src are the planes of the channels of a word, PixelChannels at most; missing ones are zeros. In Int8 the numbers of word
// (r, c) are multiplied by inverses[r·inverseStride+c] and rounded; BF16 has no inverses. PixelRows panics when a slice is too
// short, step is less than 1, there are too few or too many channels, or PixelChannels is 0. dst must not overlap src.
func (x Math) PixelRows(dst []float32, dstStride int, src [][]float32, srcStride, rows, cols, step int, inverses []float32, inverseStride int) {
	const op = "PixelRows"
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
		s.rows = grow(s.rows, pixelMost*cols)
	}
	for r := range rows {
		for q, plane := range src {
			line[q] = plane[r*srcStride:]
			if step != 1 {
				line[q] = s.rows[q*cols:][:cols]
				CopyRows(line[q], cols, plane[r*srcStride:], (cols-1)*step+1, 1, cols, step)
			}
		}
		if k.integers {
			k.pixels(dst[r*dstStride:][:cols], line, inverses[r*inverseStride:][:cols])
		} else {
			k.pixels(dst[r*dstStride:][:cols], line, nil)
		}
	}
}

// pixelMost is the most channels in a word.
const pixelMost = 4

// PixelScales sets scales to the scales of pixels in [Int8], and inverses to what PixelRows multiplies them by, for the largest
// magnitudes that [Largest] and [LargestRows] find. Magnitudes below 2^-120 count as zero. A NaN or an infinity makes a scale
// NaN, and with it all results. PixelScales panics if scale or inverse is shorter than largest.
func PixelScales(scale, inverse, largest []float32) {
	const op = "PixelScales"
	atLeast(op, "scale", len(scale), len(largest))
	atLeast(op, "inverse", len(inverse), len(largest))
	for i, v := range largest {
		scale[i], inverse[i] = scales(math.Float32bits(v) &^ signBit)
	}
}

// Largest returns the largest magnitude of x, 0 where x is empty. It is NaN where x has one.
func Largest(x []float32) float32 {
	most := mostGeneric
	if k := Int8.words(); k != nil {
		most = k.most
	}
	return math.Float32frombits(most(x))
}

// LargestRows sets dst[i] to the larger one of dst[i], which has no sign, and the magnitude of x[i]; a NaN is the largest. It panics
// if x is shorter than dst.
func LargestRows(dst, x []float32) {
	atLeast("LargestRows", "x", len(x), len(dst))
	if mostRows(dst, x) {
		return
	}
	for i, v := range x[:len(dst)] {
		dst[i] = math.Float32frombits(max(math.Float32bits(dst[i]), math.Float32bits(v)&^signBit))
	}
}

// PixelFilters is the weight of a convolution laid out for products in BF16 or Int8 at one level. It is immutable and may
// be shared by goroutines.
//
// In BF16, weights and pixels are rounded to bfloat16, to nearest with ties to even, and a sum is one of float32 in blocks.
// In Int8, a filter has a scale, and so have the pixels that it sees: those of an image have one, or each has its own where
// there is one tap. The largest magnitude is 127 times the scale. Sums are exact integers, which the scale of the filter and then
// that of the pixels multiply, so that the bits are the same at each level.
type PixelFilters struct {
	word           *wordKernel
	out, k         int // filters, and words of each
	taps, channels int
	pitch          int
	data           []float32
	scales         []float32
	sums           []int32 // of the integers of a filter, times the offset of the pixels
}

// PackPixels lays out the weight [out, channels, taps] of a convolution. In Int8, a filter has at most [PixelMost] numbers.
// Unless memory is nil, it holds the filters and belongs to them as long as they are used: [Math.PixelLen] elements or more.
// PackPixels panics when the weight has too few or too many numbers, memory is too short, or PixelChannels is 0.
func (x Math) PackPixels(w *Workers, out, channels, taps int, weight, memory []float32) *PixelFilters {
	const op = "PackPixels"
	k := x.needPixels(op)
	if out < 0 || channels < 1 || taps < 1 {
		panic(fmt.Sprintf("simd: %s: expected filters of at least one channel and one tap, found %d of %d and %d", op, out, channels, taps))
	}
	atLeast(op, "weight", len(weight), out*channels*taps)
	if k.integers && channels*taps > PixelMost {
		panic(fmt.Sprintf("simd: %s: expected at most %d numbers in a filter, found %d", op, PixelMost, channels*taps))
	}
	f := &PixelFilters{word: k, out: out, taps: taps, channels: channels}
	f.k = ceilDiv(channels, k.numbers) * taps
	f.pitch = roundUp(f.k, 2*lineFloats) + lineFloats
	if memory == nil {
		memory = Floats(x.PixelLen(out, channels, taps))
	}
	atLeast(op, "memory", len(memory), x.PixelLen(out, channels, taps))
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

// PixelLen returns the number of elements that PackPixels needs in memory for a weight [out, channels, taps]. It panics where
// PixelChannels is 0.
func (x Math) PixelLen(out, channels, taps int) int {
	words := ceilDiv(channels, x.needPixels("PixelLen").numbers) * taps
	return out*(roundUp(words, 2*lineFloats)+lineFloats) + lineFloats
}

// pack lays out filter i.
func (f *PixelFilters) pack(s *gemmScratch, i int, weight []float32) {
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

// Bytes returns the size of the filters in memory.
func (f *PixelFilters) Bytes() int { return 4 * (len(f.data) + len(f.scales) + len(f.sums)) }

// GemmPixels is [GemmGather] with filters and pixels of words: C is m×n, where m is the number of filters and n that of
// positions. The planes of b are words that PixelRows made, surrounded by PixelZero. Of the words of a filter, words from
// number from on are multiplied; in Int8, all of them. Blocks are block words long, each one chain. In Int8, scales has the
// scale of the pixels at each position, and beta is 0.
//
// GemmPixels panics like GemmGather, when b is transposed, and when an operand does not suit the arithmetic.
func GemmPixels(w *Workers, n int, f *PixelFilters, from, words int, b *Gather, scales []float32, block int, beta float32, c []float32, ldc int, ep *Epilogue) {
	const op = "GemmPixels"
	checkSizes(op, f.out, n, words)
	if from < 0 || from+words > f.k {
		panic(fmt.Sprintf("simd: %s: expected words of filters with %d, found %d from number %d on", op, f.k, words, from))
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

// int8PixelsGeneric returns a function that makes words of four integers of a row of pixels, and changes the bits of flip.
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

// int16PixelsGeneric makes words of two integers of a row of pixels.
func int16PixelsGeneric(dst []float32, src [][]float32, inverses []float32) {
	for j := range dst {
		var word uint32
		for q, row := range src {
			word |= uint32(uint16(integer(row[j], inverses[j]))) << (16 * q)
		}
		dst[j] = math.Float32frombits(word)
	}
}
