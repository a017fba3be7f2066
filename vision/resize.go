package vision

import (
	"fmt"
	"image"

	"github.com/fovea-ml/fovea/simd"
)

// SourceBox is a rectangle of an image in pixels: [X0, X1) × [Y0, Y1), with fractional edges where wanted.
type SourceBox struct{ X0, Y0, X1, Y1 float32 }

// Resizer resizes images to the bytes of Pillow's Image.resize. The zero value is bilinear and serial. Many goroutines
// may use a Resizer at once.
type Resizer struct {
	Filter  Filter
	Workers *simd.Workers // share the rows; nil works on the caller's goroutine
	// RowsFirst filters along the rows before the columns at every size, as Pillow did before version 13. Version 13
	// begins with the columns when that shrinks the image more. The result of the first pass is rounded, so some pixels
	// then differ by a level or two.
	RowsFirst bool
	// Tensor gives the result of torchvision's resize of 8-bit tensors on a CPU, with antialiasing: rows first, and
	// coefficients of 16 bits. Some pixels differ from Pillow's by a level.
	Tensor bool
}

// columnsFirst is Pillow 13's choice of order when both passes are needed.
func columnsFirst(inH, inW, outH, outW int) bool {
	return inH > outH && inH-outH > 2*(inW-outW)
}

// Resize returns m resized to height × width pixels. It is Resizer{Filter: f}.Resize.
func Resize(m *Image, height, width int, f Filter) (*Image, error) {
	return Resizer{Filter: f}.Resize(m, height, width)
}

// Resize returns m resized to height × width pixels, with the same channels. It returns a copy when the size is the
// same, and an error that matches [ErrSize] when m or the size has no pixels.
//
// In four-channel images, colors are multiplied by alpha before the resize and divided by it after, as Pillow does for
// RGBA. So the color of transparent pixels does not bleed into visible ones.
func (r Resizer) Resize(m *Image, height, width int) (*Image, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return r.resize(nil, m, m.whole(), height, width, image.Rect(0, 0, width, height))
}

// ResizeBox resizes the part of m inside box, as Pillow's Image.resize(size, filter, box) does. Unlike after a crop,
// pixels outside the box but within the kernel's reach still count. It returns an error that matches [ErrSize] when the
// box is empty or leaves the image.
func (r Resizer) ResizeBox(m *Image, box SourceBox, height, width int) (*Image, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	// Written so that NaN fails too.
	if !(box.X0 >= 0 && box.Y0 >= 0 && box.X1 <= float32(m.Width) && box.Y1 <= float32(m.Height) &&
		box.X0 < box.X1 && box.Y0 < box.Y1) {
		return nil, fmt.Errorf("vision: resize: box (%v, %v)-(%v, %v) is not inside an image of %d×%d pixels: %w",
			box.X0, box.Y0, box.X1, box.Y1, m.Width, m.Height, ErrSize)
	}
	return r.resize(nil, m, box, height, width, image.Rect(0, 0, width, height))
}

// ResizeRect crops m to rect and resizes the crop, without copying it first. Pixels outside rect do not count. It
// returns an error that matches [ErrSize] when rect is empty or leaves the image.
func (r Resizer) ResizeRect(m *Image, rect image.Rectangle, height, width int) (*Image, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if rect.Empty() || !rect.In(m.Bounds()) {
		return nil, fmt.Errorf("vision: resize: %v is not inside an image of %d×%d pixels: %w", rect, m.Width, m.Height, ErrSize)
	}
	part := image.Rect(0, 0, width, height)
	if rect == m.Bounds() {
		return r.resize(nil, m, m.whole(), height, width, part)
	}
	if m.Channels == 4 {
		c, err := m.Crop(rect)
		if err != nil {
			return nil, err
		}
		return r.resize(nil, c, c.whole(), height, width, part)
	}
	v := view{
		pix:    m.Pix[(rect.Min.Y*m.Width+rect.Min.X)*m.Channels:],
		stride: m.Width * m.Channels, height: rect.Dy(), width: rect.Dx(), channels: m.Channels,
	}
	return r.resizeView(nil, v, SourceBox{0, 0, float32(v.width), float32(v.height)}, height, width, part)
}

// resize returns the given part of m's box resized to height × width: pixels of m that only the rest depends on are
// not read. The memory of out is used again where it is enough; nil is for new memory.
func (r Resizer) resize(out, m *Image, box SourceBox, height, width int, part image.Rectangle) (*Image, error) {
	v := m.view()
	if m.Channels != 4 || r.Filter == Nearest || width == m.Width && height == m.Height && box == m.whole() {
		return r.resizeView(out, v, box, height, width, part)
	}
	p := NewImage(m.Height, m.Width, 4)
	premultiply(p.Pix, m.Pix)
	v.pix = p.Pix
	out, err := r.resizeView(out, v, box, height, width, part)
	if err == nil {
		unpremultiply(out.Pix)
	}
	return out, err
}

// view is a rectangle of pixels inside a larger image.
type view struct {
	pix                     []uint8
	stride                  int // samples from one row to the next
	height, width, channels int
}

func (m *Image) view() view {
	return view{pix: m.Pix, stride: m.Width * m.Channels, height: m.Height, width: m.Width, channels: m.Channels}
}

// whole is the box around all of m.
func (m *Image) whole() SourceBox { return SourceBox{0, 0, float32(m.Width), float32(m.Height)} }

// row returns n pixels of row y from column x.
func (v view) row(y, x, n int) []uint8 {
	o := y*v.stride + x*v.channels
	return v.pix[o : o+n*v.channels]
}

// from returns the samples from the pixel in column x of row y on.
func (v view) from(x, y int) []uint8 { return v.pix[y*v.stride+x*v.channels:] }

// resizeView is one call of Pillow's resize core.
func (r Resizer) resizeView(out *Image, v view, box SourceBox, height, width int, part image.Rectangle) (*Image, error) {
	if r.Filter >= filterCount {
		return nil, fmt.Errorf("vision: resize: unknown filter %v", r.Filter)
	}
	if err := (&Image{Height: height, Width: width, Channels: v.channels}).checkShape(); err != nil {
		return nil, fmt.Errorf("vision: resize to %d×%d: %w", width, height, err)
	}
	out = out.reshape(part.Dy(), part.Dx(), v.channels)
	x0, y0 := int(box.X0), int(box.Y0)
	switch {
	case float32(x0) == box.X0 && float32(y0) == box.Y0 && box.X1-box.X0 == float32(width) && box.Y1-box.Y0 == float32(height):
		for y := part.Min.Y; y < part.Max.Y; y++ {
			copy(out.row(y-part.Min.Y), v.row(y0+y, x0+part.Min.X, out.Width))
		}
	case r.Filter == Nearest:
		nearest(out, v, box, height, width, part, r.Tensor)
	default:
		x := newAxis(v.width, box.X0, box.X1, width, r.Filter, r.Tensor)
		y := newAxis(v.height, box.Y0, box.Y1, height, r.Filter, r.Tensor)
		r.resample(out.view(), v, x, y, part)
	}
	return out, nil
}

// nearest picks for each output the source sample under its center.
func nearest(out *Image, v view, box SourceBox, height, width int, part image.Rectangle, tensor bool) {
	xs := nearestAt(box.X0, box.X1, width, v.width, tensor)[part.Min.X:part.Max.X]
	ys := nearestAt(box.Y0, box.Y1, height, v.height, tensor)[part.Min.Y:part.Max.Y]
	for i := range xs {
		xs[i] *= v.channels
	}
	for y, sy := range ys {
		s := v.row(sy, 0, v.width)
		d := out.row(y)
		switch v.channels {
		case 1:
			for i, x := range xs {
				d[i] = s[x]
			}
		case 3:
			for _, x := range xs {
				if len(d) < 3 {
					break
				}
				*(*[3]uint8)(d) = [3]uint8(s[x:])
				d = d[3:]
			}
		default:
			for _, x := range xs {
				if len(d) < 4 {
					break
				}
				*(*[4]uint8)(d) = [4]uint8(s[x:])
				d = d[4:]
			}
		}
	}
}

// nearestAt returns the source of each of n outputs. Pillow adds up the positions step by step, which at some sizes
// rounds differently from a product. PyTorch (mode nearest-exact) multiplies in single precision.
func nearestAt(in0, in1 float32, n, inSize int, tensor bool) []int {
	sources := make([]int, n)
	step := float64(in1-in0) / float64(n)
	at := float64(in0) + float64(step*0.5)
	single := (in1 - in0) / float32(n)
	for i := range sources {
		x := int(at)
		if tensor {
			x = int(in0 + float32((float32(i)+0.5)*single))
		}
		sources[i] = min(x, inSize-1)
		at += step
	}
	return sources
}
