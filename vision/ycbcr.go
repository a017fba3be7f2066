package vision

import "image"

// JPEG files store colour at half the resolution of brightness. The decoder of the standard library repeats the
// samples; libjpeg-turbo, which made the pixels that published models were trained on, interpolates linearly
// between sample centres ("fancy upsampling"), with its own rounding. At sharp coloured edges the two differ by
// up to 45 levels. What follows restates libjpeg's integer formulas (its jdsample and jdcolor); subsampling
// other than 2:1 is repeated there as well.

// fromYCbCr converts a full-range (JFIF) YCbCr image to RGB.
func fromYCbCr(m *image.YCbCr) *Image {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := NewImage(w, h, 3)
	cw, ch, ok := chromaSize(m)
	if !ok { // a part of a larger image: its chroma grid may begin between two samples
		for y := range h {
			d := out.row(y)
			for x := range w {
				c := m.YCbCrAt(m.Rect.Min.X+x, m.Rect.Min.Y+y)
				d[3*x], d[3*x+1], d[3*x+2] = ycbcrToRGB(c.Y, c.Cb, c.Cr)
			}
		}
		return out
	}
	var up func(dst, plane []uint8, y int)
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio444:
	case image.YCbCrSubsampleRatio422:
		up = func(dst, plane []uint8, y int) { upsampleH2V1(dst, plane[y*m.CStride:][:cw]) }
	case image.YCbCrSubsampleRatio420:
		up = func(dst, plane []uint8, y int) {
			near, far := chromaRows(plane, m.CStride, cw, ch, y)
			upsampleH2V2(dst, near, far)
		}
	case image.YCbCrSubsampleRatio440:
		up = func(dst, plane []uint8, y int) {
			near, far := chromaRows(plane, m.CStride, cw, ch, y)
			upsampleH1V2(dst, near, far, y)
		}
	default: // 4:1:1 and 4:1:0
		vs := 1
		if m.SubsampleRatio == image.YCbCrSubsampleRatio410 {
			vs = 2
		}
		up = func(dst, plane []uint8, y int) {
			for x, v := range plane[y/vs*m.CStride:][:cw] {
				dst[4*x], dst[4*x+1], dst[4*x+2], dst[4*x+3] = v, v, v, v
			}
		}
	}
	buf := make([]uint8, 8*cw)
	cb, cr := buf[:4*cw], buf[4*cw:]
	for y := range h {
		if up == nil {
			cb, cr = m.Cb[y*m.CStride:], m.Cr[y*m.CStride:]
		} else {
			up(cb, m.Cb, y)
			up(cr, m.Cr, y)
		}
		ycbcrRow(out.row(y), m.Y[y*m.YStride:][:w], cb, cr)
	}
	return out
}

// chromaSize returns the size of the chroma planes, and whether the image begins at (0, 0) and holds them.
func chromaSize(m *image.YCbCr) (cw, ch int, ok bool) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	hs, vs := 1, 1
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		hs = 2
	case image.YCbCrSubsampleRatio420:
		hs, vs = 2, 2
	case image.YCbCrSubsampleRatio440:
		vs = 2
	case image.YCbCrSubsampleRatio411:
		hs = 4
	case image.YCbCrSubsampleRatio410:
		hs, vs = 4, 2
	}
	cw, ch = (w+hs-1)/hs, (h+vs-1)/vs
	need := (ch-1)*m.CStride + cw
	return cw, ch, m.Rect.Min == image.Point{} && len(m.Cb) >= need && len(m.Cr) >= need
}

// chromaRows returns the chroma row that covers row y, and the next nearest one; outside, the edge is repeated.
func chromaRows(plane []uint8, stride, cw, ch, y int) (near, far []uint8) {
	c := y / 2
	f := c - 1
	if y%2 == 1 {
		f = c + 1
	}
	f = min(max(f, 0), ch-1)
	return plane[c*stride:][:cw], plane[f*stride:][:cw]
}

// upsampleH2V1 doubles a row: each output is 3/4 of the nearer sample and 1/4 of the further one. The rounding
// constant alternates so that halves go up and down equally often. dst holds 2·len(src) samples.
func upsampleH2V1(dst, src []uint8) {
	n := len(src)
	if n <= 2 { // libjpeg repeats samples in images this narrow
		for x, v := range src {
			dst[2*x], dst[2*x+1] = v, v
		}
		return
	}
	dst = dst[:2*n]
	dst[0] = src[0]
	dst[1] = uint8((3*uint32(src[0]) + uint32(src[1]) + 2) >> 2)
	for x := 1; x < n-1; x++ {
		v := 3 * uint32(src[x])
		dst[2*x] = uint8((v + uint32(src[x-1]) + 1) >> 2)
		dst[2*x+1] = uint8((v + uint32(src[x+1]) + 2) >> 2)
	}
	dst[2*n-2] = uint8((3*uint32(src[n-1]) + uint32(src[n-2]) + 1) >> 2)
	dst[2*n-1] = src[n-1]
}

// upsampleH2V2 makes one row of twice the width out of two rows, weighting 9/16, 3/16, 3/16 and 1/16.
func upsampleH2V2(dst, near, far []uint8) {
	n := len(near)
	if n <= 2 {
		for x, v := range near {
			dst[2*x], dst[2*x+1] = v, v
		}
		return
	}
	dst, far = dst[:2*n], far[:n]
	this := 3*uint32(near[0]) + uint32(far[0])
	next := 3*uint32(near[1]) + uint32(far[1])
	dst[0] = uint8((4*this + 8) >> 4)
	dst[1] = uint8((3*this + next + 7) >> 4)
	last := this
	this = next
	for x := 1; x < n-1; x++ {
		next = 3*uint32(near[x+1]) + uint32(far[x+1])
		dst[2*x] = uint8((3*this + last + 8) >> 4)
		dst[2*x+1] = uint8((3*this + next + 7) >> 4)
		last, this = this, next
	}
	dst[2*n-2] = uint8((3*this + last + 8) >> 4)
	dst[2*n-1] = uint8((4*this + 7) >> 4)
}

// upsampleH1V2 makes row y out of two rows of the same width. Upper and lower rows round differently.
func upsampleH1V2(dst, near, far []uint8, y int) {
	bias := uint32(1 + y%2)
	for x, v := range near {
		dst[x] = uint8((3*uint32(v) + uint32(far[x]) + bias) >> 2)
	}
}

// chromaTables hold the products of the conversion: what Cr adds to red, Cb to blue, and both to green, the last
// two with 16 fractional bits and the half that rounds them in the second; and the limits of 0 and 255 for sums
// from -512 to 511, indexed by their last ten bits.
var chromaTables = func() (t struct {
	crR, cbB, crG, cbG [256]int32
	clip               [1024]uint8
}) {
	for i := range t.clip {
		t.clip[i] = clip8(int32(i<<22) >> 22)
	}
	for i := range int32(256) {
		v := i - 128
		t.crR[i] = (91881*v + 32768) >> 16
		t.cbB[i] = (116130*v + 32768) >> 16
		t.crG[i] = -46802 * v
		t.cbG[i] = -22554*v + 32768
	}
	return t
}()

// ycbcrRow converts one row; cb and cr have at least len(y) samples.
func ycbcrRow(dst, y, cb, cr []uint8) {
	t := &chromaTables
	cb, cr = cb[:len(y)], cr[:len(y)]
	for i, v := range y {
		if len(dst) < 3 {
			return
		}
		l, u, w := int32(v), cb[i], cr[i]
		dst[0] = t.clip[uint32(l+t.crR[w])&1023]
		dst[1] = t.clip[uint32(l+(t.cbG[u]+t.crG[w])>>16)&1023]
		dst[2] = t.clip[uint32(l+t.cbB[u])&1023]
		dst = dst[3:]
	}
}

// ycbcrToRGB is the JFIF conversion in 16-bit fixed point: 1.402, 0.344136, 0.714136 and 1.772.
func ycbcrToRGB(y, cb, cr uint8) (r, g, b uint8) {
	l := int32(y)
	u, v := int32(cb)-128, int32(cr)-128
	return clip8(l + (91881*v+32768)>>16),
		clip8(l + (-22554*u-46802*v+32768)>>16),
		clip8(l + (116130*u+32768)>>16)
}

// clip8 limits v to 0..255.
func clip8(v int32) uint8 {
	if uint32(v) > 255 {
		v = ^(v >> 31) // 0 for a negative number, -1 (255 as a byte) for one too large
	}
	return uint8(v)
}
