package vision

import (
	"fmt"
	"image"
	"math"
)

// Crop returns a copy of the pixels inside r. It returns an error that matches [ErrSize] when r is empty or
// leaves the image.
func (m *Image) Crop(r image.Rectangle) (*Image, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if r.Empty() || !r.In(m.Bounds()) {
		return nil, fmt.Errorf("vision: crop: %v is not inside an image of %d×%d pixels: %w", r, m.Width, m.Height, ErrSize)
	}
	return m.window(r), nil
}

// window copies the rectangle r. Pixels outside the image are black.
func (m *Image) window(r image.Rectangle) *Image { return m.windowOn(r, [3]uint8{}) }

// windowOn copies the rectangle r of a gray or RGB image onto a background of one color.
func (m *Image) windowOn(r image.Rectangle, background [3]uint8) *Image {
	out := NewImage(r.Dy(), r.Dx(), m.Channels)
	if background != [3]uint8{} && !r.In(m.Bounds()) {
		for i := range out.Pix {
			out.Pix[i] = background[i%m.Channels%3]
		}
	}
	in := r.Intersect(m.Bounds())
	for y := in.Min.Y; y < in.Max.Y; y++ {
		s := m.row(y)[in.Min.X*m.Channels : in.Max.X*m.Channels]
		copy(out.row(y - r.Min.Y)[(in.Min.X-r.Min.X)*m.Channels:], s)
	}
	return out
}

// Centering says how a center crop rounds its offset when an odd number of pixels is left over.
type Centering uint8

const (
	// CenterFloor rounds the offset down: transformers' center_crop.
	CenterFloor Centering = iota
	// CenterEven rounds the offset half to even: torchvision's and timm's CenterCrop.
	CenterEven
	// CenterDown cuts the offset off, also where the image is padded: transformers on torchvision.
	CenterDown
)

// CenterCrop returns the middle height × width pixels. A smaller image is padded with black on both sides, split as the
// library behind c splits it. CenterCrop returns an error that matches [ErrSize] when a size is not positive.
func (m *Image) CenterCrop(height, width int, c Centering) (*Image, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	want := Image{Height: height, Width: width, Channels: m.Channels}
	if err := want.checkShape(); err != nil {
		return nil, fmt.Errorf("vision: center crop: %w", err)
	}
	return m.window(centerRect(m.Height, m.Width, height, width, c)), nil
}

// centerRect returns the crop's rectangle in the image's coordinates, negative where it is to be padded.
func centerRect(h, w, ch, cw int, c Centering) image.Rectangle {
	offset := func(n, want int) int {
		d := n - want
		switch {
		case c == CenterEven && d > 0:
			return int(math.RoundToEven(float64(d) / 2))
		case c != CenterFloor:
			return d / 2 // padding puts its smaller half before the image
		}
		return d >> 1 // floor: padding puts its larger half before the image
	}
	x, y := offset(w, cw), offset(h, ch)
	return image.Rect(x, y, x+cw, y+ch)
}

// ShortestEdge returns the size at which the shorter side of an h × w image is edge pixels long and the longer
// one ⌊edge·long/short⌋, as transformers and torchvision compute it.
func ShortestEdge(h, w, edge int) (height, width int) {
	if w <= h {
		return edge * h / w, edge
	}
	return edge, edge * w / h
}

// FlipHorizontal returns the image mirrored left to right.
func (m *Image) FlipHorizontal() *Image { return m.Orient(2) }

// Pad returns the image with a border of the given widths in the color fill. A gray image uses the first value of fill;
// alpha is 255. Pad returns an error that matches [ErrSize] when a width is negative.
func (m *Image) Pad(left, top, right, bottom int, fill [3]uint8) (*Image, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	out := &Image{Height: m.Height + top + bottom, Width: m.Width + left + right, Channels: m.Channels}
	if min(left, top, right, bottom) < 0 || max(left, top, right, bottom) > maxSide {
		return nil, fmt.Errorf("vision: pad by %d, %d, %d, %d pixels: %w", left, top, right, bottom, ErrSize)
	}
	if err := out.checkShape(); err != nil {
		return nil, fmt.Errorf("vision: pad: %w", err)
	}
	out = NewImage(out.Height, out.Width, out.Channels)
	color := [4]uint8{fill[0], fill[1], fill[2], 255}
	for i := 0; i < len(out.Pix); i += out.Channels {
		copy(out.Pix[i:i+out.Channels], color[:])
	}
	for y := range m.Height {
		copy(out.row(y + top)[left*m.Channels:], m.row(y))
	}
	return out, nil
}
