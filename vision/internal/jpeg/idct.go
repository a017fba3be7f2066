package jpeg

import "encoding/binary"

// The inverse cosine transform of Loeffler, Ligtenberg and Moschytz in fixed point, with the constants and the rounding
// of libjpeg's accurate integer method. Cosines have 13 fractional bits, the values between the passes 2.
const (
	cosBits  = 13
	passBits = 2

	shiftFirst  = cosBits - passBits
	shiftSecond = cosBits + passBits + 3 // and the eighth that belongs to the transform
)

// Round(2^13 · x) for the numbers of the flow graph.
const (
	c0_298 = 2446
	c0_390 = 3196
	c0_541 = 4433
	c0_765 = 6270
	c0_899 = 7373
	c1_175 = 9633
	c1_501 = 12299
	c1_847 = 15137
	c1_961 = 16069
	c2_053 = 16819
	c2_562 = 20995
	c3_072 = 25172
)

// The odd half of the flow graph is linear, so its products can be collected by input. They are the shares of inputs 7,
// 5, 3 and 1 in each of its four sums.
const (
	k7a, k5a, k3a, k1a = c0_298 - c0_899 - c1_961 + c1_175, c1_175, c1_175 - c1_961, c1_175 - c0_899
	k7b, k5b, k3b, k1b = c1_175, c2_053 - c2_562 - c0_390 + c1_175, c1_175 - c2_562, c1_175 - c0_390
	k7c, k5c, k3c, k1c = c1_175 - c1_961, c1_175 - c2_562, c3_072 - c2_562 - c1_961 + c1_175, c1_175
	k7d, k5d, k3d, k1d = c1_175 - c0_899, c1_175 - c0_390, c1_175, c1_501 - c0_899 - c0_390 + c1_175
)

// transform is the one-dimensional transform; its results have cosBits more fractional bits.
func transform(x0, x1, x2, x3, x4, x5, x6, x7 int32) (y0, y1, y2, y3, y4, y5, y6, y7 int32) {
	s, d := (x0+x4)<<cosBits, (x0-x4)<<cosBits
	e := x2*c0_541 + x6*(c0_541-c1_847)
	f := x2*(c0_541+c0_765) + x6*c0_541
	e0, e3, e1, e2 := s+f, s-f, d+e, d-e
	o3 := x7*k7a + x5*k5a + x3*k3a + x1*k1a
	o2 := x7*k7b + x5*k5b + x3*k3b + x1*k1b
	o1 := x7*k7c + x5*k5c + x3*k3c + x1*k1c
	o0 := x7*k7d + x5*k5d + x3*k3d + x1*k1d
	return e0 + o0, e1 + o1, e2 + o2, e3 + o3, e3 - o3, e2 - o2, e1 - o1, e0 - o0
}

// inversePortable multiplies the coefficients of a block by the quantization table, transforms them, and writes
// 8×8 samples to dst, whose rows are stride apart. Products are kept to 16 bits, as libjpeg's vector code does.
func inversePortable(dst []uint8, stride int, b *block, q *[64]int16) {
	var w [64]int32
	for col := range 8 {
		i := 2 * place[col]
		x := func(at int) int32 { return int32(b[i+at] * q[i+at]) }
		x0 := x(0)
		if b[i+1]|b[i+16]|b[i+17]|b[i+32]|b[i+33]|b[i+48]|b[i+49] == 0 {
			v := sat16(x0 << passBits)
			for row := range 8 {
				w[8*row+col] = v
			}
			continue
		}
		y0, y1, y2, y3, y4, y5, y6, y7 := transform(x0, x(33), x(16), x(49), x(1), x(48), x(17), x(32))
		const half = 1 << (shiftFirst - 1)
		w[col] = sat16((y0 + half) >> shiftFirst)
		w[8+col] = sat16((y1 + half) >> shiftFirst)
		w[16+col] = sat16((y2 + half) >> shiftFirst)
		w[24+col] = sat16((y3 + half) >> shiftFirst)
		w[32+col] = sat16((y4 + half) >> shiftFirst)
		w[40+col] = sat16((y5 + half) >> shiftFirst)
		w[48+col] = sat16((y6 + half) >> shiftFirst)
		w[56+col] = sat16((y7 + half) >> shiftFirst)
	}
	for row := range 8 {
		x := w[8*row : 8*row+8 : 8*row+8]
		d := dst[row*stride:][:8:8]
		y0, y1, y2, y3, y4, y5, y6, y7 := transform(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7])
		d[0], d[1], d[2], d[3] = sample(y0, 0), sample(y1, 0), sample(y2, 0), sample(y3, 0)
		d[4], d[5], d[6], d[7] = sample(y4, 0), sample(y5, 0), sample(y6, 0), sample(y7, 0)
	}
}

// inverse writes the samples of a block. many says whether the block holds more than its first coefficient.
func (c *component) inverse(dst []uint8, stride int, b *block, many bool) {
	switch {
	case !many || c.size == 1:
		inverseFlat(dst, stride, b, &c.quant, c.size)
	case c.size == 8:
		inverse(dst, stride, b, &c.quant)
	case c.size == 4:
		inverse4(dst, stride, b, &c.quant)
	default:
		inverse2(dst, stride, b, &c.quant)
	}
}

// inverseFlat is inverse for a block that has only its first coefficient, so that all samples are equal.
func inverseFlat(dst []uint8, stride int, b *block, q *[64]int16, size int) {
	v := sample(int32(b[0]*q[0])<<(passBits+cosBits), 0)
	all := uint64(v) * 0x0101010101010101
	switch size {
	case 8:
		for row := range 8 {
			binary.LittleEndian.PutUint64(dst[row*stride:], all)
		}
	case 4:
		for row := range 4 {
			binary.LittleEndian.PutUint32(dst[row*stride:], uint32(all))
		}
	case 2:
		binary.LittleEndian.PutUint16(dst, uint16(all))
		binary.LittleEndian.PutUint16(dst[stride:], uint16(all))
	default:
		dst[0] = v
	}
}

// sample rounds a result of the second pass, which has more fractional bits than that of 8×8, and moves its middle,
// zero, to 128.
func sample(v int32, more uint) uint8 {
	return clip8((v+1<<(shiftSecond-1+more))>>(shiftSecond+more) + 128)
}

func sat16(v int32) int32 { return min(max(v, -1<<15), 1<<15-1) }

// clip8 limits v to 0..255.
func clip8(v int32) uint8 {
	if uint32(v) > 255 {
		v = ^(v >> 31) // 0 for a negative number, -1 (255 as a byte) for one too large
	}
	return uint8(v)
}
