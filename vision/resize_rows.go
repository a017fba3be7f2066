package vision

// The inner loops of resampling. See taps for the arithmetic: each 64-bit sum holds two outputs.

// half is one half in both outputs of a sum, which rounds them.
const half = 1<<(precision-1) + 1<<(precision-1+32)

// unpack divides both outputs of a sum by 2²² and limits them to 0..255.
func unpack(s int64) (even, odd uint8) {
	e := int32(s)
	o := int32((s - int64(e)) >> 32)
	return clip8(e >> precision), clip8(o >> precision)
}

// resizeRow filters one row of interleaved samples.
func resizeRow(dst, src []uint8, t *taps, channels int) {
	switch channels {
	case 1:
		resizeRow1(dst, src, t)
	case 3:
		resizeRow3(dst, src, t)
	default:
		resizeRow4(dst, src, t)
	}
}

func resizeRow1(dst, src []uint8, t *taps) {
	for j, lo := range t.first {
		k := t.k[t.start[j]:t.start[j+1]]
		s := src[lo:][:len(k)]
		sum := int64(half)
		for i, c := range k {
			sum += c * int64(s[i])
		}
		e, o := unpack(sum)
		dst[2*j] = e
		if 2*j+1 < t.n {
			dst[2*j+1] = o
		}
	}
}

func resizeRow3(dst, src []uint8, t *taps) {
	for j, lo := range t.first {
		k := t.k[t.start[j]:t.start[j+1]]
		s := src[3*lo:][:3*len(k)]
		r, g, b := int64(half), int64(half), int64(half)
		for len(k) >= 4 && len(s) >= 12 {
			k4, s4 := (*[4]int64)(k), (*[12]uint8)(s) // one bounds check for all
			c := k4[0]
			r += c * int64(s4[0])
			g += c * int64(s4[1])
			b += c * int64(s4[2])
			c = k4[1]
			r += c * int64(s4[3])
			g += c * int64(s4[4])
			b += c * int64(s4[5])
			c = k4[2]
			r += c * int64(s4[6])
			g += c * int64(s4[7])
			b += c * int64(s4[8])
			c = k4[3]
			r += c * int64(s4[9])
			g += c * int64(s4[10])
			b += c * int64(s4[11])
			k, s = k[4:], s[12:]
		}
		for len(k) > 0 && len(s) >= 3 {
			c := k[0]
			r += c * int64(s[0])
			g += c * int64(s[1])
			b += c * int64(s[2])
			k, s = k[1:], s[3:]
		}
		r0, r1 := unpack(r)
		g0, g1 := unpack(g)
		b0, b1 := unpack(b)
		if 2*j+1 < t.n {
			d := dst[6*j : 6*j+6 : 6*j+6]
			d[0], d[1], d[2], d[3], d[4], d[5] = r0, g0, b0, r1, g1, b1
		} else {
			d := dst[6*j : 6*j+3 : 6*j+3]
			d[0], d[1], d[2] = r0, g0, b0
		}
	}
}

func resizeRow4(dst, src []uint8, t *taps) {
	for j, lo := range t.first {
		k := t.k[t.start[j]:t.start[j+1]]
		s := src[4*lo:][:4*len(k)]
		r, g, b, a := int64(half), int64(half), int64(half), int64(half)
		for _, c := range k {
			if len(s) < 4 {
				break
			}
			r += c * int64(s[0])
			g += c * int64(s[1])
			b += c * int64(s[2])
			a += c * int64(s[3])
			s = s[4:]
		}
		r0, r1 := unpack(r)
		g0, g1 := unpack(g)
		b0, b1 := unpack(b)
		a0, a1 := unpack(a)
		d := dst[8*j : 8*j+4 : 8*j+4]
		d[0], d[1], d[2], d[3] = r0, g0, b0, a0
		if 2*j+1 < t.n {
			d = dst[8*j+4 : 8*j+8 : 8*j+8]
			d[0], d[1], d[2], d[3] = r1, g1, b1, a1
		}
	}
}

// resizeColumns computes the pair of output rows 2j and 2j+1 from the rows of v, whose row 0 is row lo of what t
// was made for. Four neighbouring samples are summed at a time, so that sums stay in registers.
func resizeColumns(out, v view, t *taps, j, lo int) {
	y0, _ := t.window(j)
	k := t.k[t.start[j]:t.start[j+1]]
	n := v.width * v.channels
	even := out.row(2*j, 0, out.width)
	var odd []uint8
	if 2*j+1 < t.n {
		odd = out.row(2*j+1, 0, out.width)
	}
	base := (y0 - lo) * v.stride
	x := 0
	for ; x+4 <= n; x += 4 {
		a, b, c, d := int64(half), int64(half), int64(half), int64(half)
		o := base + x
		for _, w := range k {
			s := (*[4]uint8)(v.pix[o:])
			a += w * int64(s[0])
			b += w * int64(s[1])
			c += w * int64(s[2])
			d += w * int64(s[3])
			o += v.stride
		}
		a0, a1 := unpack(a)
		b0, b1 := unpack(b)
		c0, c1 := unpack(c)
		d0, d1 := unpack(d)
		*(*[4]uint8)(even[x:]) = [4]uint8{a0, b0, c0, d0}
		if odd != nil {
			*(*[4]uint8)(odd[x:]) = [4]uint8{a1, b1, c1, d1}
		}
	}
	for ; x < n; x++ {
		a := int64(half)
		o := base + x
		for _, w := range k {
			a += w * int64(v.pix[o])
			o += v.stride
		}
		e, f := unpack(a)
		even[x] = e
		if odd != nil {
			odd[x] = f
		}
	}
}

// premultiply writes src with its colours multiplied by alpha, both RGBA.
func premultiply(dst, src []uint8) {
	for i := 0; i+4 <= len(src); i += 4 {
		a := uint32(src[i+3])
		for c := range 3 {
			dst[i+c] = uint8(mulDiv255(uint32(src[i+c]), a))
		}
		dst[i+3] = src[i+3]
	}
}

// unpremultiply divides colours by alpha in place; where alpha is 0 they stay.
func unpremultiply(p []uint8) {
	for i := 0; i+4 <= len(p); i += 4 {
		if a := uint32(p[i+3]); a != 0 && a != 255 {
			for c := range 3 {
				p[i+c] = uint8(min(255*uint32(p[i+c])/a, 255))
			}
		}
	}
}
