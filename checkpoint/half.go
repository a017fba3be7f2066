package checkpoint

import "math"

// fromF16 widens an IEEE 754 binary16 number, exactly.
func fromF16(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h>>10) & 0x1f
	frac := uint32(h & 0x3ff)
	switch exp {
	case 0: // zero or subnormal: frac·2⁻²⁴
		f := float32(frac) * 0x1p-24
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}

// toF16 rounds to the nearest binary16, ties to even. ok is false when a finite number exceeds the largest, 65504.
func toF16(f float32) (h uint16, ok bool) {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00 | uint16(b>>13)&0x3ff, true // NaN stays NaN, with the high bits of its payload
	case b == 0x7f800000:
		return sign | 0x7c00, true
	case b >= 0x477ff000: // 65520: from here on the nearest is an infinity
		return sign | 0x7c00, false
	case b < 0x38800000: // below 2⁻¹⁴: subnormal; adding 0.5 leaves the rounded frac in the low bits
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-0x3f000000), true
	}
	b += 0xfff + b>>13&1
	return sign | uint16((b>>13)-(127-15)<<10), true
}

// toBF16 rounds to the nearest bfloat16, ties to even. ok is false when a finite number rounds to an infinity.
func toBF16(f float32) (h uint16, ok bool) {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40, true
	}
	finite := b&0x7f800000 != 0x7f800000
	b += 0x7fff + b>>16&1
	return uint16(b >> 16), !finite || b&0x7f800000 != 0x7f800000
}
