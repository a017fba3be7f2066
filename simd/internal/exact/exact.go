// Package exact computes, slowly and in plain Go, the bits that the SIMD kernels promise: one float32
// fused multiply-add is one rounding of the exact a·b + c. It is what tests compare kernels with.
package exact

import "math"

// FMA returns a·b + c, rounded once to float32 (to nearest, ties to even).
//
// The product of two float32 values is exact in float64. The sum with c is not always, and rounding it
// to float64 and then to float32 would round twice. So the sum is rounded to odd: when it is inexact,
// its last bit is made 1, which keeps it strictly between the float32 values and midpoints it lay
// between (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008). That holds
// because float64 has more than twice float32's 24 bits plus two, for denormal results too.
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
			// s is rounded to even; step towards the exact value, which makes the last bit 1.
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
