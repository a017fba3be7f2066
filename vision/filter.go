package vision

import (
	"fmt"
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// Filter is the kernel with which an image is resampled.
type Filter uint8

// The filters of Pillow. When an image shrinks, all but Nearest widen with the scale, so that every source pixel counts
// (antialiasing). The zero value is Bilinear, as in the preprocessing of Vision Transformers.
const (
	Bilinear Filter = iota // a triangle over 2 pixels
	Bicubic                // Keys' cubic with a = -1/2, over 4 pixels
	Lanczos                // sinc windowed by a wider sinc, over 6 pixels
	Box                    // the mean of the covered pixels
	Hamming                // sinc in a Hamming window, over 2 pixels
	Nearest                // the nearest pixel, no mixing
	filterCount
)

var filterNames = [filterCount]string{"bilinear", "bicubic", "lanczos", "box", "hamming", "nearest"}

// pillowFilters are the numbers that preprocessor_config.json uses.
var pillowFilters = [filterCount]int{2, 3, 1, 4, 5, 0}

func (f Filter) String() string {
	if f < filterCount {
		return filterNames[f]
	}
	return fmt.Sprintf("Filter(%d)", uint8(f))
}

// support is the kernel's half-width in output pixels.
func (f Filter) support() float64 {
	switch f {
	case Box:
		return 0.5
	case Bicubic:
		return 2
	case Lanczos:
		return 3
	}
	return 1
}

// weight is the kernel at distance x. On arm64 the compiler fuses products with sums, even across statements. The
// explicit float64 conversions, here and in taps, forbid that, so that coefficients and pixels are the same everywhere.
func (f Filter) weight(x float64) float64 {
	switch f {
	case Box:
		if x > -0.5 && x <= 0.5 {
			return 1
		}
		return 0
	case Bilinear:
		return max(0, 1-math.Abs(x))
	case Hamming:
		x = math.Abs(x)
		if x == 0 {
			return 1
		}
		if x >= 1 {
			return 0
		}
		x *= math.Pi
		// Pillow's window constants are single-precision numbers.
		return float64(math.Sin(x) / x * (float64(float32(0.54)) + float64(float64(float32(0.46))*math.Cos(x))))
	case Bicubic:
		const a = -0.5
		x = math.Abs(x)
		if x < 1 {
			return float64(float64(float64(float64((a+2)*x)-(a+3))*x)*x) + 1
		}
		if x < 2 {
			return float64((float64((float64((x-5)*x)+8)*x) - 4) * a)
		}
		return 0
	case Lanczos:
		if x < -3 || x >= 3 {
			return 0
		}
		return float64(sinc(x) * sinc(x/3))
	}
	return 0
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// precision is the number of fractional bits of a coefficient, as package simd has it.
const precision = 22

// axis is one direction of a resize: [in0, in1) of a line of inSize samples becomes outSize samples.
type axis struct {
	inSize   int
	in0, in1 float32
	outSize  int
	filter   Filter
	bits     int // fractional bits of coefficients; at most precision
}

// newAxis returns the axis with coefficients of 22 bits, or of fewer with narrow (see narrowBits).
func newAxis(inSize int, in0, in1 float32, outSize int, f Filter, narrow bool) axis {
	a := axis{inSize: inSize, in0: in0, in1: in1, outSize: outSize, filter: f, bits: precision}
	if narrow {
		most := 0.0
		var w []float64
		for o := range outSize {
			_, w = a.window(w, o)
			for _, v := range w {
				most = max(most, v)
			}
		}
		a.bits = narrowBits(most)
	}
	return a
}

// reach returns the scale in source samples per output, and the largest number of samples in a window.
func (a axis) reach() (scale, support float64, width int) {
	scale = float64(a.in1-a.in0) / float64(a.outSize)
	support = float64(a.filter.support() * max(scale, 1))
	return scale, support, min(int(math.Ceil(support))*2+1, a.inSize)
}

// window computes the coefficients of output o, appended to w[:0], and the source sample they begin at. The formulas are
// those of Pillow's Resample.c. With scale s = (in1-in0)/outSize and t = max(s, 1), output o has its center at
// c = in0 + (o+½)s. It takes the samples i from ⌊c - support·t + ½⌋ to ⌊c + support·t + ½⌋, weighted f((i-c+½)/t)
// and divided by the sum of weights.
func (a axis) window(w []float64, o int) (first int, weights []float64) {
	scale, support, _ := a.reach()
	ss := 1 / max(scale, 1)
	center := float64(a.in0) + float64((float64(o)+0.5)*scale)
	first = max(int(center-support+0.5), 0)
	w = w[:0]
	sum := 0.0
	for x := range min(int(center+support+0.5), a.inSize) - first {
		v := a.filter.weight(float64((float64(x+first) - center + 0.5) * ss))
		w = append(w, v)
		sum += v
	}
	if sum != 0 {
		for x := range w {
			w[x] /= sum
		}
	}
	return first, w
}

// taps are the windows and integer coefficients of consecutive outputs of an axis.
type taps struct {
	first   []int32 // by output: the window's first source sample
	start   []int32 // by output, and one more: where its coefficients begin
	weights []int32
}

// taps computes the coefficients of the outputs from, ..., to-1. They are rounded half away from zero to the axis's
// bits, and given with 22 bits. Zeros at the ends of a window are left out.
func (a axis) taps(from, to int) *taps {
	n := to - from
	_, _, width := a.reach()
	t := &taps{first: make([]int32, n), start: make([]int32, n+1), weights: make([]int32, 0, n*width)}
	w := make([]float64, 0, width)
	for i := range n {
		var first int
		first, w = a.window(w, from+i)
		base := len(t.weights)
		for _, v := range w {
			v = float64(v * float64(int(1)<<a.bits))
			c := int32(0.5 + v)
			if v < 0 {
				c = int32(-0.5 + v)
			}
			if c == 0 && len(t.weights) == base {
				first++
				continue
			}
			t.weights = append(t.weights, c<<(precision-a.bits))
		}
		end := len(t.weights)
		for end > base && t.weights[end-1] == 0 {
			end--
		}
		t.weights = t.weights[:end]
		if end == base { // all coefficients are zero, but a window may not be empty
			first = min(first, a.inSize-1)
			t.weights = append(t.weights, 0)
		}
		t.first[i] = int32(first)
		t.start[i+1] = int32(len(t.weights))
	}
	return t
}

// span returns the source positions [lo, hi) that any output reads.
func (t *taps) span() (lo, hi int) {
	first, last := t.first[0], int32(0)
	for i, f := range t.first {
		first = min(first, f)
		last = max(last, f+t.start[i+1]-t.start[i])
	}
	return int(first), int(last)
}

// within returns the taps for lines that hold only the positions [lo, hi).
func (t *taps) within(lo, hi int) *simd.ResizeTaps {
	for i := range t.first {
		t.first[i] -= int32(lo)
	}
	return simd.NewResizeTaps(hi-lo, t.first, t.start, t.weights)
}

// narrowBits is the number of fractional bits that PyTorch's resize of 8-bit tensors gives its 16-bit coefficients: as
// many as fit the largest coefficient, most, and at most 22. Shifting the coefficients up to 22 bits does not change
// the rounded sums, so that one kernel serves both.
func narrowBits(most float64) int {
	bits := 0
	for bits < precision && int(0.5+float64(most*float64(int(2)<<bits))) < 1<<15 {
		bits++
	}
	return bits
}
