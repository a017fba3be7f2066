package simd

import "math"

// Pow stores x[i] to the power y[i], within 0.51 ULP. Special cases are those of C's pow: the power 0 gives 1, also of
// NaN, and a negative number has whole powers alone, others are NaN. dst may be x or y. Pow panics if x or y is shorter
// than dst.
func Pow(dst, x, y []float32) {
	atLeast("Pow", "x", len(x), len(dst))
	atLeast("Pow", "y", len(y), len(dst))
	for i := range dst {
		dst[i] = pow(x[i], y[i])
	}
}

// PowScalar stores x[i] to the power y, as [Pow] does. dst may be x. It panics if x is shorter than dst.
func PowScalar(dst, x []float32, y float32) {
	atLeast("PowScalar", "x", len(x), len(dst))
	switch x = x[:len(dst)]; y {
	case 0:
		Fill(dst, 1)
	case 1:
		copy(dst, x)
	case 2:
		Mul(dst, x, x)
	default:
		for i, v := range x {
			dst[i] = pow(v, y)
		}
	}
}

// pow computes in float64, with every product rounded on its own, so that all machines have the same bits.
func pow(x, y float32) float32 {
	if y == 0 || x == 1 {
		return 1
	}
	if x != x || y != y {
		return float32(math.NaN())
	}
	u := math.Float32bits(x)
	size := math.Float32frombits(u &^ (1 << 31))
	v := float32(1)
	if size != 1 {
		v = exp2(float64(y) * log2(size))
	}
	if u>>31 == 0 || y-y != 0 { // an infinite power counts as even
		return v
	}
	if y < 1<<24 && y > -1<<24 { // larger ones are even
		n := int32(y)
		switch {
		case float32(n) != y && size != 0 && size <= math.MaxFloat32:
			return float32(math.NaN())
		case float32(n) == y && n&1 != 0:
			return -v
		}
	}
	return v
}

// log2 returns the logarithm of x ≥ 0 to the base 2 with a relative error of 2^-38: -Inf of 0, Inf of Inf.
func log2(x float32) float64 {
	switch {
	case x == 0:
		return math.Inf(-1)
	case x > math.MaxFloat32:
		return math.Inf(1)
	}
	// x = 2^e·m, m between √½ and √2.
	const sqrtHalf = 0x3fe6a09e667f3bcd // bits
	i := int64(math.Float64bits(float64(x))) - sqrtHalf
	e := float64(i >> 52)
	m := math.Float64frombits(uint64(i)&(1<<52-1) + sqrtHalf)
	// log m = 2·atanh(s) = 2·(s + s³/3 + s⁵/5 + …), |s| < 0.172
	s := (m - 1) / (m + 1)
	z := float64(s * s)
	p := 1.0 / 17
	for k := 15; k >= 1; k -= 2 {
		p = float64(p*z) + powSeries[k]
	}
	return e + float64(float64(s*p)*(2*math.Log2E))
}

// powSeries holds the terms 1/k of atanh.
var powSeries = [16]float64{1: 1, 3: 1. / 3, 5: 1. / 5, 7: 1. / 7, 9: 1. / 9, 11: 1. / 11, 13: 1. / 13, 15: 1. / 15}

// exp2 returns 2^z, rounded once from a relative error of 2^-36.
func exp2(z float64) float32 {
	switch {
	case z >= 129:
		return float32(math.Inf(1))
	case z <= -151:
		return 0
	}
	const magic = 0x1.8p52
	t := z + magic // leaves z, rounded, in the low bits
	r := float64((z - (t - magic)) * math.Ln2)
	p := 1.0 / 3628800
	for k := 9; k >= 0; k-- {
		p = float64(p*r) + expSeries[k]
	}
	n := int64(math.Float64bits(t)<<32) >> 32
	return float32(p * math.Float64frombits(uint64(n+1023)<<52))
}

// expSeries holds the terms 1/k! of e^r.
var expSeries = [10]float64{1, 1, 1. / 2, 1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040, 1. / 40320, 1. / 362880}
