package vision

import (
	"image"

	"github.com/fovea-ml/fovea/vision/internal/jpeg"
)

// The standard library decodes a JPEG file to an image.YCbCr, mostly with color at half the resolution of brightness, and
// repeats the samples of color. Here they are interpolated as in libjpeg-turbo and package jpeg. At sharp colored edges
// the two differ by up to 45 levels.

// fromYCbCr converts a full-range (JFIF) YCbCr image to RGB.
func fromYCbCr(m *image.YCbCr) *Image {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := NewImage(h, w, 3)
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
	up := chromaRow(m, cw, ch)
	buf := make([]uint8, 8*cw)
	cb, cr := buf[:4*cw], buf[4*cw:]
	for y := range h {
		jpeg.YCbCrToRGB(out.row(y), m.Y[y*m.YStride:][:w], up(cb, m.Cb, y), up(cr, m.Cr, y))
	}
	return out
}

// chromaRow returns the function that gives row y of a plane at full width, in place or in dst. Across no more than
// two samples libjpeg repeats.
func chromaRow(m *image.YCbCr, cw, ch int) func(dst, plane []uint8, y int) []uint8 {
	repeated := func(h, v int) func(dst, plane []uint8, y int) []uint8 {
		return func(dst, plane []uint8, y int) []uint8 {
			jpeg.Repeat(dst, plane[y/v*m.CStride:][:cw], h)
			return dst
		}
	}
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		if cw <= 2 {
			return repeated(2, 1)
		}
		return func(dst, plane []uint8, y int) []uint8 {
			jpeg.UpsampleH2V1(dst, plane[y*m.CStride:][:cw])
			return dst
		}
	case image.YCbCrSubsampleRatio420:
		if cw <= 2 {
			return repeated(2, 2)
		}
		return func(dst, plane []uint8, y int) []uint8 {
			near, far := chromaRows(plane, m.CStride, cw, ch, y)
			jpeg.UpsampleH2V2(dst, near, far)
			return dst
		}
	case image.YCbCrSubsampleRatio440:
		return func(dst, plane []uint8, y int) []uint8 {
			near, far := chromaRows(plane, m.CStride, cw, ch, y)
			jpeg.UpsampleH1V2(dst, near, far, y)
			return dst
		}
	case image.YCbCrSubsampleRatio411:
		return repeated(4, 1)
	case image.YCbCrSubsampleRatio410:
		return repeated(4, 2)
	}
	return func(_, plane []uint8, y int) []uint8 { return plane[y*m.CStride:][:cw] }
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
