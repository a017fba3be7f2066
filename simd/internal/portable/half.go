package portable

import "math"

func F16ToF32(dst []float32, src []uint16) {
	for i := range dst {
		dst[i] = f16ToF32(src[i])
	}
}

func F32ToF16(dst []uint16, src []float32) {
	for i := range dst {
		dst[i] = f32ToF16(src[i])
	}
}

func BF16ToF32(dst []float32, src []uint16) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(src[i]) << 16)
	}
}

func F32ToBF16(dst []uint16, src []float32) {
	for i := range dst {
		u := math.Float32bits(src[i])
		r := (u + 0x7fff + u>>16&1) >> 16
		if u&0x7fffffff > 0x7f800000 {
			r = u>>16 | 0x40
		}
		dst[i] = uint16(r)
	}
}

func f16ToF32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	em := uint32(h & 0x7fff)
	switch {
	case em >= 0x7c00: // Inf, NaN; a signalling NaN becomes quiet
		u := sign | 0x7f800000 | (em&0x3ff)<<13
		if em > 0x7c00 {
			u |= 0x400000
		}
		return math.Float32frombits(u)
	case em >= 0x400:
		return math.Float32frombits(sign | (em<<13 + (127-15)<<23))
	}
	// Denormal: em·2^-24, exact in float32.
	return math.Float32frombits(sign | math.Float32bits(float32(em)*0x1p-24))
}

func f32ToF16(x float32) uint16 {
	u := math.Float32bits(x)
	sign := uint16(u >> 16 & 0x8000)
	a := u & 0x7fffffff
	switch {
	case a > 0x7f800000:
		return sign | 0x7e00 | uint16(a>>13&0x1ff)
	case a >= 0x477ff000: // 65520 and above round to infinity
		return sign | 0x7c00
	case a >= 0x38800000: // normal in float16
		a += 0xfff + a>>13&1
		return sign | uint16((a-0x38000000)>>13)
	}
	// Denormal or zero in float16: adding 0.5 leaves x·2^24, rounded to nearest even, in the low bits.
	f := math.Float32frombits(a) + 0.5
	return sign | uint16(math.Float32bits(f)-0x3f000000)
}
