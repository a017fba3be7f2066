package vision

import (
	"fmt"
	"math"
)

// Filter is the kernel with which an image is resampled.
type Filter uint8

// The filters of Pillow. When an image shrinks, all but Nearest widen with the scale, so that every source
// pixel counts (antialiasing). The zero value is Bilinear, what a Vision Transformer's preprocessing uses.
const (
	Bilinear Filter = iota // a triangle over 2 pixels
	Bicubic                // Keys' cubic with a = -1/2, over 4 pixels
	Lanczos                // sinc windowed by a wider sinc, over 6 pixels
	Box                    // the mean of the pixels covered
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

// weight is the kernel at distance x. The explicit float64 conversions, here and in newTaps, forbid fusing a
// product with a sum, as the compiler does on arm64, even across statements: the coefficients, and so the pixels,
// are the same everywhere.
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

// precision is the number of fractional bits of a coefficient: 32 less 8 for the sample and 2 for sums below 0
// or above 1.
const precision = 32 - 8 - 2

// taps are the coefficients of one direction of a resize, two neighbouring outputs at a time.
//
// The windows of neighbouring outputs overlap, by all but the scale, and a product of a sample (8 bits) and a
// coefficient (23 bits and sign) leaves half of a 64-bit register idle. So outputs 2j and 2j+1 share one window,
// the union of theirs, and one multiplication serves both: coefficient k = kₑ + kₒ·2³² gives k·p = kₑ·p +
// kₒ·p·2³², the lower half holds the even sum and, after a borrow for its sign, the upper half the odd one.
type taps struct {
	n     int     // outputs
	first []int32 // per pair: the window's first source sample
	start []int32 // per pair, and one more: where its coefficients begin in k
	k     []int64
}

// newTaps computes the coefficients that map [in0, in1) of a line of inSize samples onto outSize samples.
// Formulas of Pillow's Resample.c: with scale s = (in1-in0)/outSize and t = max(s, 1), output x is centred on
// c = in0 + (x+½)s and takes samples from ⌊c - support·t + ½⌋ to ⌊c + support·t + ½⌋, weighted f((i-c+½)/t) and
// divided by the sum of weights in float64, then rounded half away from zero to 22 fractional bits, or to fewer
// with narrow (see narrowBits).
func newTaps(inSize int, in0, in1 float32, outSize int, f Filter, narrow bool) *taps {
	scale := float64(in1-in0) / float64(outSize)
	stretch := max(scale, 1)
	support := float64(f.support() * stretch)
	ss := 1 / stretch
	width := int(math.Ceil(support))*2 + 1
	w := make([]float64, width+1)
	// weights returns the window of output o and its coefficients, in w.
	weights := func(o int) (xmin, xmax int) {
		center := float64(in0) + float64((float64(o)+0.5)*scale)
		xmin = max(int(center-support+0.5), 0)
		xmax = max(min(int(center+support+0.5), inSize), xmin)
		w = w[:0]
		sum := 0.0
		for x := range xmax - xmin {
			v := f.weight(float64((float64(x+xmin) - center + 0.5) * ss))
			w = append(w, v)
			sum += v
		}
		if sum != 0 {
			for x := range w {
				w[x] /= sum
			}
		}
		return xmin, xmax
	}
	bits := precision
	if narrow {
		most := 0.0
		for o := range outSize {
			weights(o)
			for _, v := range w {
				most = max(most, v)
			}
		}
		bits = narrowBits(most)
	}
	t := &taps{n: outSize}
	pairs := (outSize + 1) / 2
	t.first = make([]int32, pairs)
	t.start = make([]int32, pairs+1)
	t.k = make([]int64, 0, pairs*(width+int(scale)+2))
	for j := range pairs {
		base := len(t.k)
		lo := 0
		for side := range min(2, outSize-2*j) {
			xmin, xmax := weights(2*j + side)
			if side == 0 {
				lo = xmin
			}
			for len(t.k)-base < xmax-lo {
				t.k = append(t.k, 0)
			}
			for x, v := range w {
				v = float64(v * float64(int(1)<<bits))
				c := int64(int32(0.5 + v))
				if v < 0 {
					c = int64(int32(-0.5 + v))
				}
				t.k[base+xmin-lo+x] += c << (precision - bits) << (32 * side)
			}
		}
		t.first[j] = int32(lo)
		t.start[j+1] = int32(len(t.k))
	}
	return t
}

// narrowBits is how many fractional bits PyTorch's resize of 8-bit tensors gives its 16-bit coefficients, of which
// the largest is most: as many as fit, 22 at the most. A sum of such coefficients, rounded at their bits, is what
// the same coefficients shifted up to 22 bits and rounded there give, so that one kernel serves both.
func narrowBits(most float64) int {
	bits := 0
	for bits < precision && int(0.5+float64(most*float64(int(2)<<bits))) < 1<<15 {
		bits++
	}
	return bits
}

// window returns the source samples [lo, hi) that output pair j reads.
func (t *taps) window(j int) (lo, hi int) {
	lo = int(t.first[j])
	return lo, lo + int(t.start[j+1]-t.start[j])
}

// span returns the source samples [lo, hi) that any output reads.
func (t *taps) span() (lo, hi int) {
	lo, _ = t.window(0)
	_, hi = t.window(len(t.first) - 1)
	return lo, hi
}
