package vision

import (
	"fmt"
	"image"
	"image/color"
)

// FromImage converts any image.Image to RGB; an [Image] is returned as it is when it has three channels.
//
// Alpha is dropped, after colors are divided by it where they are premultiplied. 16-bit samples keep their high byte.
// CMYK becomes R = (255-K) - C·(255-K)/255. Subsampled YCbCr is assumed to come from image/jpeg: its chroma is
// interpolated as libjpeg-turbo does. ([Decode] knows the format of a file and treats WebP by WebP's own rules.)
// FromImage returns an error that matches [ErrSize] when m is nil or has no pixels.
func FromImage(m image.Image) (converted *Image, err error) {
	// A nil pointer in the interface, or planes shorter than the bounds promise, panic inside m's own methods.
	defer func() {
		if r := recover(); r != nil {
			converted, err = nil, fmt.Errorf("vision: a %T with inconsistent fields (%v): %w", m, r, ErrSize)
		}
	}()
	if m == nil {
		return nil, fmt.Errorf("vision: no image (nil): %w", ErrSize)
	}
	if v, ok := m.(*Image); ok {
		if err := v.Validate(); err != nil {
			return nil, err
		}
		return v.RGB(), nil
	}
	b := m.Bounds()
	shape := Image{Width: b.Dx(), Height: b.Dy(), Channels: 3}
	if err := shape.checkShape(); err != nil {
		return nil, err
	}
	return fromImage(m), nil
}

// fromImage is FromImage for an image that is known to have pixels.
func fromImage(m image.Image) *Image {
	b := m.Bounds()
	if y, ok := m.(*image.YCbCr); ok {
		return fromYCbCr(y)
	}
	out := NewImage(b.Dy(), b.Dx(), 3)
	d := out.Pix
	for y := b.Min.Y; y < b.Max.Y; y++ {
		o := (y - b.Min.Y) * out.Width * 3
		convertRow(d[o:o+out.Width*3], m, y)
	}
	return out
}

// convertRow writes row y of m, RGB interleaved, to d.
func convertRow(d []uint8, m image.Image, y int) {
	b := m.Bounds()
	w := b.Dx()
	switch m := m.(type) {
	case *image.Gray:
		o := m.PixOffset(b.Min.X, y)
		for i, v := range m.Pix[o : o+w] {
			d[3*i], d[3*i+1], d[3*i+2] = v, v, v
		}
	case *image.Gray16:
		s := m.Pix[m.PixOffset(b.Min.X, y):]
		for i := range w {
			v := s[2*i]
			d[3*i], d[3*i+1], d[3*i+2] = v, v, v
		}
	case *image.NRGBA:
		o := m.PixOffset(b.Min.X, y)
		s := m.Pix[o : o+4*w]
		for i := range w {
			d[3*i], d[3*i+1], d[3*i+2] = s[4*i], s[4*i+1], s[4*i+2]
		}
	case *image.NRGBA64:
		o := m.PixOffset(b.Min.X, y)
		s := m.Pix[o : o+8*w]
		for i := range w {
			d[3*i], d[3*i+1], d[3*i+2] = s[8*i], s[8*i+2], s[8*i+4]
		}
	case *image.RGBA:
		o := m.PixOffset(b.Min.X, y)
		s := m.Pix[o : o+4*w]
		for i := range w {
			r, g, bl, a := s[4*i], s[4*i+1], s[4*i+2], s[4*i+3]
			if a != 255 {
				c := color.NRGBAModel.Convert(color.RGBA{r, g, bl, a}).(color.NRGBA)
				r, g, bl = c.R, c.G, c.B
			}
			d[3*i], d[3*i+1], d[3*i+2] = r, g, bl
		}
	case *image.RGBA64:
		o := m.PixOffset(b.Min.X, y)
		s := m.Pix[o : o+8*w]
		for i := range w {
			r, g, bl := s[8*i], s[8*i+2], s[8*i+4]
			if s[8*i+6] != 255 || s[8*i+7] != 255 {
				r, g, bl = straight(m.At(b.Min.X+i, y))
			}
			d[3*i], d[3*i+1], d[3*i+2] = r, g, bl
		}
	case *image.CMYK:
		o := m.PixOffset(b.Min.X, y)
		s := m.Pix[o : o+4*w]
		for i := range w {
			d[3*i], d[3*i+1], d[3*i+2] = cmykToRGB(s[4*i], s[4*i+1], s[4*i+2], s[4*i+3])
		}
	case *image.NYCbCrA:
		for i := range w {
			c := m.YCbCrAt(b.Min.X+i, y)
			d[3*i], d[3*i+1], d[3*i+2] = ycbcrToRGB(c.Y, c.Cb, c.Cr)
		}
	case *image.Paletted:
		o := m.PixOffset(b.Min.X, y)
		for i, p := range m.Pix[o : o+w] {
			var r, g, bl uint8
			if int(p) < len(m.Palette) {
				r, g, bl = straight(m.Palette[p])
			}
			d[3*i], d[3*i+1], d[3*i+2] = r, g, bl
		}
	default:
		for i := range w {
			d[3*i], d[3*i+1], d[3*i+2] = straight(m.At(b.Min.X+i, y))
		}
	}
}

// straight returns the red, green and blue of a color without its alpha.
func straight(c color.Color) (r, g, b uint8) {
	switch c := c.(type) {
	case color.NRGBA:
		return c.R, c.G, c.B
	case color.NRGBA64:
		return uint8(c.R >> 8), uint8(c.G >> 8), uint8(c.B >> 8)
	}
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	return n.R, n.G, n.B
}

// cmykToRGB is the uncalibrated conversion of Pillow, with its rounding of a product of two bytes.
func cmykToRGB(c, m, y, k uint8) (r, g, b uint8) {
	n := 255 - uint32(k)
	f := func(v uint8) uint8 { return uint8(n - mulDiv255(uint32(v), n)) }
	return f(c), f(m), f(y)
}

// mulDiv255 is a·b/255, rounded, for a and b in 0..255.
func mulDiv255(a, b uint32) uint32 {
	t := a*b + 128
	return (t>>8 + t) >> 8
}
