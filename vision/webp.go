package vision

import "image"

// A lossy WebP frame holds brightness in 16..235 and colour at half resolution. image.YCbCr knows only the full
// range of JPEG, so that converting what x/image decodes by the standard library's rules gives washed-out
// pixels. This file restates libwebp's conversion: bilinear chroma and 14-bit fixed-point BT.601.

// fromWebP converts what x/image/webp decoded. Alpha is dropped.
func fromWebP(m image.Image) *Image {
	switch m := m.(type) {
	case *image.YCbCr:
		return fromVP8(m)
	case *image.NYCbCrA:
		return fromVP8(&m.YCbCr)
	}
	return fromImage(m)
}

func fromVP8(m *image.YCbCr) *Image {
	cw, ch, ok := chromaSize(m)
	if !ok || m.SubsampleRatio != image.YCbCrSubsampleRatio420 {
		return fromImage(m)
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := NewImage(w, h, 3)
	buf := make([]uint8, 4*cw+4)
	u, v := buf[:2*cw+2], buf[2*cw+2:]
	for y := range h {
		near, far := chromaRows(m.Cb, m.CStride, cw, ch, y)
		upsampleVP8(u, near, far)
		near, far = chromaRows(m.Cr, m.CStride, cw, ch, y)
		upsampleVP8(v, near, far)
		d := out.row(y)
		for x, l := range m.Y[y*m.YStride:][:w] {
			d[3*x], d[3*x+1], d[3*x+2] = vp8ToRGB(int32(l), int32(u[x]), int32(v[x]))
		}
	}
	return out
}

// upsampleVP8 doubles a row of chroma. With a the nearest sample, b its neighbour in the row, c the one in the
// other row and d the diagonal one, the value is (9a+3b+3c+d+8)/16, computed with libwebp's two roundings.
func upsampleVP8(dst, near, far []uint8) {
	n := len(near)
	edge := func(i int) uint8 { return uint8((3*uint32(near[i]) + uint32(far[i]) + 2) >> 2) }
	dst[0] = edge(0)
	for x := 1; x < n; x++ {
		a, b := uint32(near[x-1]), uint32(near[x])
		c, d := uint32(far[x-1]), uint32(far[x])
		sum := a + b + c + d + 8
		dst[2*x-1] = uint8(((sum+2*(b+c))>>3 + a) >> 1)
		dst[2*x] = uint8(((sum+2*(a+d))>>3 + b) >> 1)
	}
	dst[2*n-1] = edge(n - 1)
}

func vp8ToRGB(y, u, v int32) (r, g, b uint8) {
	l := y * 19077 >> 8
	return vp8Clip(l + v*26149>>8 - 14234),
		vp8Clip(l - u*6419>>8 - v*13320>>8 + 8708),
		vp8Clip(l + u*33050>>8 - 17685)
}

func vp8Clip(v int32) uint8 { return clip8(v >> 6) }
