// Package exact computes the bits that the SIMD kernels promise, slowly and in plain Go: each fused
// multiply-add of float32 rounds the exact a·b + c once. Tests compare the kernels with it.
package exact

import "math"

// FMA returns a·b + c, rounded once to float32 (to nearest, ties to even).
//
// The product of two float32 values is exact in float64. The sum with c may be inexact, and rounding it to
// float64 and then to float32 would round twice. So the sum is rounded to odd: when it is inexact, its last
// bit is set to 1. It then stays strictly between the same float32 values and midpoints as the exact sum
// (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008). This holds, for denormal
// results too, because float64 has more than twice float32's 24 bits plus two.
func FMA(a, b, c float32) float32 {
	p, q := float64(a)*float64(b), float64(c)
	s := p + q
	if math.IsInf(s, 0) || math.IsNaN(s) {
		return float32(s)
	}
	// The error of the sum, exactly (Knuth's TwoSum).
	t := s - p
	e := (p - (s - t)) + (q - t)
	if e != 0 {
		bits := math.Float64bits(s)
		if bits&1 == 0 {
			// The last bit is 0; one step towards the exact value sets it.
			if (e > 0) == (s > 0) {
				bits++
			} else {
				bits--
			}
			s = math.Float64frombits(bits)
		}
	}
	return float32(s)
}
