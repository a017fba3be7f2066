package vision

import (
	"fmt"
	"image"
	"sync"

	"github.com/fovea-ml/fovea/simd"
)

// SourceBox is a rectangle of an image in pixels: [X0, X1) × [Y0, Y1), with fractional edges where wanted.
type SourceBox struct{ X0, Y0, X1, Y1 float32 }

// Resizer resizes images to the bytes that Pillow's Image.resize gives. The zero value is bilinear and serial.
// A Resizer may be used by many goroutines at once.
type Resizer struct {
	Filter  Filter
	Workers *simd.Workers // rows are shared out among these; nil works on the caller alone
	// RowsFirst filters along the rows before the columns at every size, as Pillow did before version 13.
	// Version 13 begins with the columns when that throws away more (see columnsFirst), and since the result of
	// the first pass is rounded, some pixels then differ by a level or two.
	RowsFirst bool
	// Tensor computes what torchvision's resize gives for 8-bit tensors on a CPU, with antialiasing: rows first,
	// and coefficients of 16 bits. Some pixels differ from Pillow's by a level.
	Tensor bool
}

// columnsFirst is Pillow 13's choice of order when both passes are needed.
func columnsFirst(inW, inH, outW, outH int) bool {
	return inH > outH && inH-outH > 2*(inW-outW)
}

// Resize returns m resized to width × height pixels. It is Resizer{Filter: f}.Resize.
func Resize(m *Image, width, height int, f Filter) (*Image, error) {
	return Resizer{Filter: f}.Resize(m, width, height)
}

// Resize returns m resized to width × height pixels, with as many channels; a copy when the size is the same.
// It returns an error that matches [ErrSize] when m or the size has no pixels.
//
// Four-channel images are resized with their colours multiplied by alpha and divided again, as Pillow does for
// RGBA, so that the colour of transparent pixels does not bleed into visible ones.
func (r Resizer) Resize(m *Image, width, height int) (*Image, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	return r.resize(m, SourceBox{0, 0, float32(m.Width), float32(m.Height)}, width, height)
}

// ResizeBox resizes the part of m inside box, Pillow's Image.resize(size, filter, box): pixels outside the box
// but within the kernel's reach still count, which sets it apart from cropping first. It returns an error that
// matches [ErrSize] when the box is empty or leaves the image.
func (r Resizer) ResizeBox(m *Image, box SourceBox, width, height int) (*Image, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	// Written so that NaN fails too.
	if !(box.X0 >= 0 && box.Y0 >= 0 && box.X1 <= float32(m.Width) && box.Y1 <= float32(m.Height) &&
		box.X0 < box.X1 && box.Y0 < box.Y1) {
		return nil, fmt.Errorf("vision: resize: box (%v, %v)-(%v, %v) is not inside an image of %d×%d pixels: %w",
			box.X0, box.Y0, box.X1, box.Y1, m.Width, m.Height, ErrSize)
	}
	return r.resize(m, box, width, height)
}

// ResizeRect crops m to rect and resizes the crop, without copying it first: pixels outside rect do not count.
// It returns an error that matches [ErrSize] when rect is empty or leaves the image.
func (r Resizer) ResizeRect(m *Image, rect image.Rectangle, width, height int) (*Image, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if rect.Empty() || !rect.In(m.Bounds()) {
		return nil, fmt.Errorf("vision: resize: %v is not inside an image of %d×%d pixels: %w", rect, m.Width, m.Height, ErrSize)
	}
	if rect == m.Bounds() {
		return r.Resize(m, width, height)
	}
	if m.Channels == 4 {
		c, err := m.Crop(rect)
		if err != nil {
			return nil, err
		}
		return r.Resize(c, width, height)
	}
	v := view{
		pix:    m.Pix[(rect.Min.Y*m.Width+rect.Min.X)*m.Channels:],
		stride: m.Width * m.Channels, width: rect.Dx(), height: rect.Dy(), channels: m.Channels,
	}
	return r.resizeView(v, SourceBox{0, 0, float32(v.width), float32(v.height)}, width, height)
}

func (r Resizer) resize(m *Image, box SourceBox, width, height int) (*Image, error) {
	v := m.view()
	if m.Channels != 4 || r.Filter == Nearest || width == m.Width && height == m.Height && v.full(box) {
		return r.resizeView(v, box, width, height)
	}
	p := NewImage(m.Width, m.Height, 4)
	premultiply(p.Pix, m.Pix)
	v.pix = p.Pix
	out, err := r.resizeView(v, box, width, height)
	if err == nil {
		unpremultiply(out.Pix)
	}
	return out, err
}

// view is a rectangle of pixels inside a larger image.
type view struct {
	pix                     []uint8
	stride                  int // samples from one row to the next
	width, height, channels int
}

func (m *Image) view() view {
	return view{pix: m.Pix, stride: m.Width * m.Channels, width: m.Width, height: m.Height, channels: m.Channels}
}

func (v view) full(b SourceBox) bool {
	return b == SourceBox{0, 0, float32(v.width), float32(v.height)}
}

// row returns n pixels of row y from column x.
func (v view) row(y, x, n int) []uint8 {
	o := y*v.stride + x*v.channels
	return v.pix[o : o+n*v.channels]
}

func (r Resizer) resizeView(v view, box SourceBox, width, height int) (*Image, error) {
	if r.Filter >= filterCount {
		return nil, fmt.Errorf("vision: resize: unknown filter %v", r.Filter)
	}
	out := &Image{Width: width, Height: height, Channels: v.channels}
	if err := out.checkShape(); err != nil {
		return nil, fmt.Errorf("vision: resize to %d×%d: %w", width, height, err)
	}
	return r.step(v, box, width, height)
}

// step is one call of Pillow's resize core.
func (r Resizer) step(v view, box SourceBox, width, height int) (*Image, error) {
	x0, y0 := int(box.X0), int(box.Y0)
	if float32(x0) == box.X0 && float32(y0) == box.Y0 && box.X1-box.X0 == float32(width) && box.Y1-box.Y0 == float32(height) {
		out := NewImage(width, height, v.channels)
		for y := range height {
			copy(out.row(y), v.row(y0+y, x0, width))
		}
		return out, nil
	}
	if r.Filter == Nearest {
		return nearest(v, box, width, height, r.Tensor), nil
	}
	return r.resample(v, box, width, height), nil
}

// nearest picks for each output the source sample under its centre.
func nearest(v view, box SourceBox, width, height int, tensor bool) *Image {
	out := NewImage(width, height, v.channels)
	xs := nearestAt(box.X0, box.X1, width, v.width, tensor)
	ys := nearestAt(box.Y0, box.Y1, height, v.height, tensor)
	for y, sy := range ys {
		s := v.row(sy, 0, v.width)
		d := out.row(y)
		for x, sx := range xs {
			copy(d[x*v.channels:(x+1)*v.channels], s[sx*v.channels:])
		}
	}
	return out
}

// nearestAt returns the source of each of n outputs. Pillow sums the positions up step by step, which at some sizes
// rounds otherwise than a product; PyTorch (mode nearest-exact) multiplies in single precision.
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

// scratch holds intermediate rows between resizes.
var scratch = sync.Pool{New: func() any { return new([]uint8) }}

// resample filters rows and columns, rounding to 8 bits in between.
func (r Resizer) resample(v view, box SourceBox, width, height int) *Image {
	horizontal := width != v.width || box.X0 != 0 || box.X1 != float32(width)
	vertical := height != v.height || box.Y0 != 0 || box.Y1 != float32(height)
	out := NewImage(width, height, v.channels)
	switch {
	case horizontal && vertical:
		tx := newTaps(v.width, box.X0, box.X1, width, r.Filter, r.Tensor)
		ty := newTaps(v.height, box.Y0, box.Y1, height, r.Filter, r.Tensor)
		mid := view{width: width, channels: v.channels}
		lo, hi := ty.span() // rows that no output needs are not filtered
		mid.height = hi - lo
		last := !r.RowsFirst && !r.Tensor && columnsFirst(v.width, v.height, width, height)
		if last {
			mid.width, mid.height = v.width, height
		}
		mid.stride = mid.width * mid.channels
		buf := scratch.Get().(*[]uint8)
		defer scratch.Put(buf)
		if n := mid.stride * mid.height; cap(*buf) < n {
			*buf = make([]uint8, n)
		}
		mid.pix = (*buf)[:mid.stride*mid.height]
		if last {
			r.columns(mid, v, ty, 0)
			r.rows(out.view(), mid, tx, 0)
		} else {
			r.rows(mid, v, tx, lo)
			r.columns(out.view(), mid, ty, lo)
		}
	case horizontal:
		r.rows(out.view(), v, newTaps(v.width, box.X0, box.X1, width, r.Filter, r.Tensor), 0)
	case vertical:
		r.columns(out.view(), v, newTaps(v.height, box.Y0, box.Y1, height, r.Filter, r.Tensor), 0)
	}
	return out
}

// rows filters along the rows: row y of dst from row lo+y of src.
func (r Resizer) rows(dst, src view, t *taps, lo int) {
	r.bands(dst.height, len(t.k)*src.channels, func(y0, y1 int) {
		for y := y0; y < y1; y++ {
			resizeRow(dst.row(y, 0, dst.width), src.row(lo+y, 0, src.width), t, src.channels)
		}
	})
}

// columns filters along the columns; row 0 of src is row lo of what t was made for.
func (r Resizer) columns(dst, src view, t *taps, lo int) {
	cost := len(t.k) / len(t.first) * src.width * src.channels
	r.bands(len(t.first), cost, func(j0, j1 int) {
		for j := j0; j < j1; j++ {
			resizeColumns(dst, src, t, j, lo)
		}
	})
}

// bands calls f on consecutive ranges that cover [0, n), by the workers when there is enough to do: about cost
// operations an index.
func (r Resizer) bands(n, cost int, f func(i0, i1 int)) {
	const least = 1 << 16
	k := min(n, 4*r.Workers.Limit(), n*cost/least+1)
	if k <= 1 || r.Workers.Limit() == 1 {
		f(0, n)
		return
	}
	r.Workers.For(k, func(i int) { f(i*n/k, (i+1)*n/k) })
}
