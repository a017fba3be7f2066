package vision

import (
	"fmt"
	"image"
	"image/color"
)

// Image is an 8-bit image: sample c of the pixel in column x of row y is Pix[(y*Width+x)*Channels+c].
//
// Channels is 1 (gray), 3 (red, green, blue) or 4 (red, green, blue and straight alpha). Decoded images have 3. The
// fields may be read and written freely. For fields that contradict each other, functions return an error, or panic if
// they have none to return. They never read outside Pix.
type Image struct {
	Pix           []uint8
	Height, Width int
	Channels      int
	// Storage is how the image was stored in its file. Decode sets it with DecodeOptions.Alpha; other functions do not keep
	// it.
	Storage Storage
}

// NewImage returns a black (and, with 4 channels, transparent) image. It panics when a size is not positive or
// the number of channels is not 1, 3 or 4.
func NewImage(height, width, channels int) *Image {
	m := &Image{Height: height, Width: width, Channels: channels}
	if err := m.checkShape(); err != nil {
		panic(err)
	}
	m.Pix = make([]uint8, height*width*channels)
	return m
}

// reshape returns an image of the given shape whose samples may be anything, in the memory of m where that is enough.
// m may be nil.
func (m *Image) reshape(height, width, channels int) *Image {
	n := height * width * channels
	if m == nil {
		m = new(Image)
	}
	if cap(m.Pix) < n {
		m.Pix = make([]uint8, n)
	}
	m.Pix, m.Height, m.Width, m.Channels = m.Pix[:n], height, width, channels
	return m
}

// maxSide keeps width·height·channels far inside an int64, and each side inside an int32.
const maxSide = 1 << 28

func (m *Image) checkShape() error {
	if m.Width <= 0 || m.Height <= 0 || m.Width > maxSide || m.Height > maxSide {
		return fmt.Errorf("vision: image of %d×%d pixels: %w", m.Width, m.Height, ErrSize)
	}
	if m.Channels != 1 && m.Channels != 3 && m.Channels != 4 {
		return fmt.Errorf("vision: image with %d channels, expected 1, 3 or 4: %w", m.Channels, ErrSize)
	}
	if uint64(m.Width)*uint64(m.Height)*uint64(m.Channels) > uint64(^uint(0)>>1) {
		return fmt.Errorf("vision: image of %d×%d pixels: %w", m.Width, m.Height, ErrTooLarge)
	}
	return nil
}

// Validate returns an error that matches [ErrSize] or [ErrTooLarge] when m is nil, has no pixels, or has fields that
// contradict each other.
func (m *Image) Validate() error {
	if m == nil {
		return fmt.Errorf("vision: no image (nil): %w", ErrSize)
	}
	if err := m.checkShape(); err != nil {
		return err
	}
	if n := m.Width * m.Height * m.Channels; len(m.Pix) != n {
		return fmt.Errorf("vision: image of %d×%d pixels and %d channels has %d samples, expected %d: %w",
			m.Width, m.Height, m.Channels, len(m.Pix), n, ErrSize)
	}
	return nil
}

// row returns the samples of row y.
func (m *Image) row(y int) []uint8 {
	n := m.Width * m.Channels
	return m.Pix[y*n : (y+1)*n : (y+1)*n]
}

// Clone returns a copy that shares no memory with m.
func (m *Image) Clone() *Image {
	c := *m
	c.Pix = append([]uint8(nil), m.Pix...)
	return &c
}

// RGB returns m with three channels. An RGB image is returned as it is. Otherwise gray is repeated, or alpha is dropped
// without compositing, as by Pillow's convert("RGB").
func (m *Image) RGB() *Image {
	if m.Channels == 3 {
		return m
	}
	out := NewImage(m.Height, m.Width, 3)
	d, s := out.Pix, m.Pix
	if m.Channels == 1 {
		for i, v := range s {
			d[3*i], d[3*i+1], d[3*i+2] = v, v, v
		}
		return out
	}
	for i := 0; i < m.Width*m.Height; i++ {
		copy(d[3*i:3*i+3], s[4*i:4*i+3])
	}
	return out
}

// withoutAlpha returns m with one channel or three.
func (m *Image) withoutAlpha() *Image {
	if m.Channels == 1 {
		return m
	}
	return m.RGB()
}

// Gray returns m with one channel: (19595·R + 38470·G + 7471·B + 32768) / 65536, the ITU-R 601 luma in the
// fixed-point form of Pillow's convert("L"). Alpha is ignored. A gray image is returned as it is.
func (m *Image) Gray() *Image {
	if m.Channels == 1 {
		return m
	}
	out := NewImage(m.Height, m.Width, 1)
	for i := range out.Pix {
		p := m.Pix[i*m.Channels : i*m.Channels+3]
		out.Pix[i] = uint8((uint32(p[0])*19595 + uint32(p[1])*38470 + uint32(p[2])*7471 + 0x8000) >> 16)
	}
	return out
}

// ColorModel returns color.GrayModel for one channel and color.NRGBAModel otherwise.
func (m *Image) ColorModel() color.Model {
	if m.Channels == 1 {
		return color.GrayModel
	}
	return color.NRGBAModel
}

// Bounds returns the rectangle from (0, 0) to (Width, Height).
func (m *Image) Bounds() image.Rectangle { return image.Rect(0, 0, m.Width, m.Height) }

// At returns the color of a pixel; outside the bounds it is transparent black.
func (m *Image) At(x, y int) color.Color {
	if x < 0 || y < 0 || x >= m.Width || y >= m.Height {
		return color.NRGBA{}
	}
	p := m.Pix[(y*m.Width+x)*m.Channels:]
	switch m.Channels {
	case 1:
		return color.Gray{Y: p[0]}
	case 3:
		return color.NRGBA{R: p[0], G: p[1], B: p[2], A: 255}
	default:
		return color.NRGBA{R: p[0], G: p[1], B: p[2], A: p[3]}
	}
}

// Opaque reports whether the image has no alpha below 255.
func (m *Image) Opaque() bool {
	if m.Channels != 4 {
		return true
	}
	for i := 3; i < len(m.Pix); i += 4 {
		if m.Pix[i] != 255 {
			return false
		}
	}
	return true
}
