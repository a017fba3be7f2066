package simd

import (
	"math"
	"testing"
)

// halfValue is the number that a half precision pattern encodes (IEEE 754, 5 bits of exponent).
func halfValue(h uint16) float64 {
	s, e, m := 1.0, int(h>>10&31), float64(h&1023)
	if h>>15 != 0 {
		s = -1
	}
	switch {
	case e == 31 && m == 0:
		return s * math.Inf(1)
	case e == 31:
		return math.NaN()
	case e == 0:
		return math.Copysign(m*0x1p-24, s)
	}
	return s * math.Ldexp(1+m/1024, e-15)
}

func TestHalfExhaustive(t *testing.T) {
	all, back := make([]uint16, 1<<16), make([]uint16, 1<<16)
	for i := range all {
		all[i] = uint16(i)
	}
	f := make([]float32, 1<<16)
	onLevels(t, Levels(), func(t *testing.T) {
		F16ToF32(f, all)
		F32ToF16(back, f)
		for i, v := range f {
			want := halfValue(all[i])
			if !sameBits(v, float32(want)) {
				t.Fatalf("F16ToF32(%#04x) = %g, want %g", i, v, want)
			}
			if v == v && back[i] != all[i] || v != v && back[i]&0x7c00 != 0x7c00 || v != v && back[i]&0x3ff == 0 {
				t.Fatalf("F32ToF16(F16ToF32(%#04x)) = %#04x", i, back[i])
			}
		}
		BF16ToF32(f, all)
		F32ToBF16(back, f)
		for i, v := range f {
			if math.Float32bits(v) != uint32(i)<<16 {
				t.Fatalf("BF16ToF32(%#04x) = %#08x", i, math.Float32bits(v))
			}
			if v == v && back[i] != all[i] || v != v && back[i] != all[i]|0x40 {
				t.Fatalf("F32ToBF16(BF16ToF32(%#04x)) = %#04x", i, back[i])
			}
		}
	})
}

// nearest returns the pattern of a non-negative finite number closest to x, ties to the even pattern.
// overflow is the first number past the largest.
func nearest(x float64, value func(uint16) float64, inf uint16, overflow float64) uint16 {
	lo, hi := uint16(0), inf
	at := func(h uint16) float64 {
		if h == inf {
			return overflow
		}
		return value(h)
	}
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; at(mid) <= x {
			lo = mid
		} else {
			hi = mid
		}
	}
	switch below, above := x-at(lo), at(hi)-x; {
	case below < above || below == above && lo%2 == 0:
		return lo
	}
	return hi
}

// Rounding to 16 bits agrees with a search for the nearest number, at each number and in the middle between
// all pairs of neighbors.
func TestHalfRounding(t *testing.T) {
	bf := func(h uint16) float64 { return float64(math.Float32frombits(uint32(h) << 16)) }
	for _, c := range []struct {
		name     string
		to       func([]uint16, []float32)
		value    func(uint16) float64
		inf      uint16
		overflow float64
	}{
		{"F32ToF16", F32ToF16, halfValue, 0x7c00, 65536},
		{"F32ToBF16", F32ToBF16, bf, 0x7f80, 0x1p128},
	} {
		var x []float32
		for h := uint16(0); h < c.inf; h++ {
			a, b := c.value(h), c.overflow
			if h+1 < c.inf {
				b = c.value(h + 1)
			}
			if m := float32((a + b) / 2); !math.IsInf(float64(m), 0) {
				x = append(x, m, math.Nextafter32(m, 0), math.Nextafter32(m, math.MaxFloat32))
			}
		}
		x = append(x, math.MaxFloat32, 1e-45, float32(math.Inf(1)))
		got := make([]uint16, len(x))
		neg, gotNeg := make([]float32, len(x)), make([]uint16, len(x))
		Neg(neg, x)
		t.Run(c.name, func(t *testing.T) {
			onLevels(t, Levels(), func(t *testing.T) {
				c.to(got, x)
				c.to(gotNeg, neg)
				for i, v := range x {
					want := c.inf
					if float64(v) < c.overflow {
						want = nearest(float64(v), c.value, c.inf, c.overflow)
					}
					if got[i] != want || gotNeg[i] != want|0x8000 {
						t.Fatalf("±%g gives %#04x and %#04x, want %#04x", v, got[i], gotNeg[i], want)
					}
				}
			})
		})
	}
}

func TestHalfTails(t *testing.T) {
	mf, mh := newGuarded(t, 4096), newGuarded(t, 4096)
	onLevels(t, Levels(), func(t *testing.T) {
		for n := range 68 {
			for _, atEnd := range []bool{true, false} {
				f, h := mf.floats(n, atEnd), mh.halves(n, atEnd)
				ordinary(f, uint64(n))
				want := append([]float32(nil), f...)
				for _, c := range []struct {
					name string
					to   func([]uint16, []float32)
					from func([]float32, []uint16)
					bits int
				}{
					{"f16", F32ToF16, F16ToF32, 11}, {"bf16", F32ToBF16, BF16ToF32, 8},
				} {
					copy(f, want)
					c.to(h, f)
					c.from(f, h)
					for i, v := range f {
						if d := math.Abs(float64(v - want[i])); d > math.Ldexp(math.Abs(float64(want[i])), -c.bits)+0x1p-25 {
							t.Fatalf("%s, n = %d: element %d came back as %g, was %g", c.name, n, i, v, want[i])
						}
					}
				}
			}
		}
	})
}
