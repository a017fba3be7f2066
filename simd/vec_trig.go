package simd

import (
	"math"
	"math/bits"

	"github.com/fovea-ml/fovea/simd/internal/coeff"
)

// Sin stores the sine of x[i], in radians, for numbers of any size. The error is at most 1.6 ULP. Infinities give
// NaN. dst may be x. Sin panics if x is shorter than dst.
func Sin(dst, x []float32) {
	atLeast("Sin", "x", len(x), len(dst))
	trig(dst, x, 0)
}

// Cos stores the cosine of x[i], in radians, for numbers of any size. The error is at most 1.6 ULP. Infinities give
// NaN. dst may be x. Cos panics if x is shorter than dst.
func Cos(dst, x []float32) {
	atLeast("Cos", "x", len(x), len(dst))
	trig(dst, x, 1)
}

// trigBlock is the number of elements that are looked at together.
const trigBlock = 256

// trig stores the sine of x[i] + turns·π/2.
func trig(dst, x []float32, turns uint32) {
	for len(dst) > trigBlock {
		trigOf(dst[:trigBlock], x[:trigBlock], turns)
		dst, x = dst[trigBlock:], x[trigBlock:]
	}
	trigOf(dst, x[:len(dst)], turns)
}

// trigOf is trig for up to trigBlock elements. The kernels take arguments up to coeff.TrigMax. Larger ones are reduced
// here first.
func trigOf(dst, x []float32, turns uint32) {
	// A number is not larger than the root of the sum of all squares, which is fast to compute.
	if SumSquares(x) <= coeff.TrigMax*coeff.TrigMax/2 || !anyLarge(x) {
		trigKernel(dst, x, turns)
		return
	}
	var in [trigBlock]float32
	copy(in[:], x)
	trigKernel(dst, x, turns)
	for i, v := range in[:len(dst)] {
		if !large(v) {
			continue
		}
		n, r := quarterTurns(v)
		n += turns
		one := [1]float32{r}
		trigKernel(one[:], one[:], n&1)
		dst[i] = math.Float32frombits(math.Float32bits(one[0]) ^ n&2<<30)
	}
}

// trigKernel stores the sine of x[i] + turns·π/2, turns 0 or 1, |x[i]| ≤ coeff.TrigMax.
func trigKernel(dst, x []float32, turns uint32) {
	if turns == 0 {
		vecSin(dst, x)
	} else {
		vecCos(dst, x)
	}
}

// large reports whether x is finite, and too large for the kernels.
func large(x float32) bool {
	u := math.Float32bits(x) & (1<<31 - 1)
	return math.Float32bits(coeff.TrigMax) < u && u < 0x7f800000
}

// anyLarge reports whether any of x is large, infinite or NaN, without a branch for each.
func anyLarge(x []float32) bool {
	limit := int32(math.Float32bits(coeff.TrigMax))
	under := int32(0)
	for _, v := range x {
		under |= limit - int32(math.Float32bits(v)&(1<<31-1))
	}
	return under < 0
}

// twoOverPi holds 64 zeros and the first 256 bits of 2/π behind the point.
var twoOverPi = [5]uint64{0, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561}

// quarterTurns returns r, |r| ≤ π/4, and n modulo 4 with x = n·π/2 + r, for finite |x| ≥ 2^16.
//
// With x = m·2^e, m a whole number, the bits of 2/π of weight 2^(2-e) and more give whole turns, so m is multiplied with
// the next 128 bits alone (Payne and Hanek, "Radian reduction for trigonometric functions", SIGNUM 18, 1983). The result
// has 2 bits of n, and 62 bits behind the point. No float32 is nearer than 2^-30 to a multiple of π/2, so r has 30
// correct bits or more.
func quarterTurns(x float32) (n uint32, r float32) {
	u := math.Float32bits(x)
	m := uint64(u&(1<<23-1) | 1<<23)
	e := int(u>>23&0xff) - 150
	hi, lo := twoOverPiBits(62+e), twoOverPiBits(62+e+64)
	carry, _ := bits.Mul64(m, lo)
	q := m*hi + carry
	n = uint32((q + 1<<61) >> 62)
	r = float32(float64(int64(q<<2)>>2) * (math.Pi / 2 / (1 << 62)))
	if u>>31 != 0 {
		return -n & 3, -r
	}
	return n & 3, r
}

// twoOverPiBits returns 64 bits of twoOverPi, from bit i on.
func twoOverPiBits(i int) uint64 {
	w, s := i/64, i%64
	return twoOverPi[w]<<s | twoOverPi[w+1]>>(64-s)
}
