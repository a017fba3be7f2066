package vision

import (
	"image"
	"image/color"
)

// AlphaRule says what a [Preprocess] does with the alpha of an image.
type AlphaRule uint8

const (
	// AlphaDropped takes the colors without their alpha: Pillow's convert("RGB") before anything else.
	AlphaDropped AlphaRule = iota
	// AlphaDroppedLast resizes with alpha and drops it then, as torchvision's transforms do where convert("RGB") comes last:
	// OpenAI's code for CLIP, open_clip. There, images with a palette take the nearest pixels, whatever the filter
	// ([Image].Storage).
	AlphaDroppedLast
	// AlphaOnWhite lays the image on a white background: transformers with do_convert_rgb.
	AlphaOnWhite
)

// fromImageAlpha is FromImage that keeps alpha: an image that is not opaque everywhere gets four channels.
func fromImageAlpha(m image.Image) (*Image, error) {
	if v, ok := m.(*Image); ok {
		return v, v.Validate()
	}
	rgb, err := FromImage(m)
	if err != nil {
		return nil, err
	}
	var storage Storage
	if _, ok := m.(*image.Paletted); ok {
		storage = StoredPalette
	}
	rgb.Storage = storage
	if o, ok := m.(interface{ Opaque() bool }); ok && o.Opaque() {
		return rgb, nil
	}
	out := NewImage(rgb.Height, rgb.Width, 4)
	out.Storage = storage
	b := m.Bounds()
	opaque := true
	for y := range out.Height {
		for x := range out.Width {
			i := y*out.Width + x
			a := alphaAt(m, b.Min.X+x, b.Min.Y+y)
			opaque = opaque && a == 255
			copy(out.Pix[4*i:4*i+3], rgb.Pix[3*i:])
			out.Pix[4*i+3] = a
		}
	}
	if opaque {
		return rgb, nil
	}
	return out, nil
}

// alphaAt returns the alpha of a pixel; of 16 bits the high byte.
func alphaAt(m image.Image, x, y int) uint8 {
	switch m := m.(type) {
	case *image.NRGBA:
		return m.Pix[m.PixOffset(x, y)+3]
	case *image.RGBA:
		return m.Pix[m.PixOffset(x, y)+3]
	case *image.NRGBA64:
		return m.Pix[m.PixOffset(x, y)+6]
	}
	return uint8(color.NRGBA64Model.Convert(m.At(x, y)).(color.NRGBA64).A >> 8)
}

// onWhite returns an image with alpha on a white background, with the rounding of Pillow's alpha_composite
// (libImaging/AlphaComposite.c).
func (m *Image) onWhite() *Image {
	out := NewImage(m.Height, m.Width, 3)
	for i := range m.Height * m.Width {
		a := uint32(m.Pix[4*i+3])
		for c := range 3 {
			t := (uint32(m.Pix[4*i+c])*a+255*(255-a))<<7 + 128<<7
			out.Pix[3*i+c] = uint8((t>>8 + t) >> 8 >> 7)
		}
	}
	return out
}
