package vision

import (
	"fmt"
	"image"
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// ResizeMode says what a [Preprocess] resizes an image to.
type ResizeMode uint8

const (
	// Stretch resizes to Width × Height whatever the image's proportions.
	Stretch ResizeMode = iota
	// ShortSide resizes so that the shorter side is Width pixels long and keeps the proportions; Height is not
	// used.
	ShortSide
	// NoResize leaves the size alone.
	NoResize
)

// Preprocess is the way from an image to a model's input: resize, centre crop, scale, normalise. The zero value of
// a field means what its comment says. A Preprocess is read-only while in use and may be shared.
type Preprocess struct {
	Mode          ResizeMode
	Width, Height int    // of the resize
	Filter        Filter // Bilinear by default

	CropWidth, CropHeight int      // of the centre crop that follows; 0 means none
	Centring              Centring // CentreFloor by default

	NoRescale   bool       // samples stay 0..255
	Scale       float64    // factor of the rescaling; 0 means 1/255
	NoNormalize bool       // mean and deviation are not used
	Mean, Std   [3]float32 // all zero Std means a mean and deviation of one half
	Arithmetic  Arithmetic // RescaleFirst by default

	// RowsFirst asks for the resizing order of Pillow before version 13; see [Resizer].
	RowsFirst bool
}

// Half is the preprocessing of Vision Transformers: stretched to size × size bilinearly, mean and deviation ½.
func Half(size int) Preprocess {
	return Preprocess{Width: size, Height: size, Mean: HalfMean, Std: HalfStd}
}

// ImageNet is the evaluation preprocessing of MAE and most classifiers: the shorter side to size·256/224 pixels,
// bicubic, then the centre size × size, with ImageNet's mean and deviation.
func ImageNet(size int) Preprocess {
	return Preprocess{
		Mode: ShortSide, Width: int(math.Round(float64(size) * 256 / 224)), Filter: Bicubic,
		CropWidth: size, CropHeight: size, Centring: CentreEven,
		Mean: ImageNetMean, Std: ImageNetStd, Arithmetic: UnitFirst,
	}
}

// OutputSize returns the size that an image of w × h pixels is brought to.
func (p *Preprocess) OutputSize(w, h int) (width, height int) {
	if p.CropWidth > 0 && p.CropHeight > 0 {
		return p.CropWidth, p.CropHeight
	}
	return p.resized(w, h)
}

func (p *Preprocess) resized(w, h int) (width, height int) {
	switch p.Mode {
	case Stretch:
		return p.Width, p.Height
	case ShortSide:
		return ShortestEdge(w, h, p.Width)
	}
	return w, h
}

// FixedSize returns the size of the output when it is the same for all images.
func (p *Preprocess) FixedSize() (width, height int, ok bool) {
	if p.CropWidth > 0 && p.CropHeight > 0 {
		return p.CropWidth, p.CropHeight, true
	}
	return p.Width, p.Height, p.Mode == Stretch
}

// maxPrepared bounds the pixels of an image while it is prepared. The sizes come from a file beside the weights,
// and the shorter side of a picture that is one pixel high makes the longer one as long as it likes.
const maxPrepared = 1 << 26

// Validate returns an error for sizes that cannot be, and one that matches ErrTooLarge for more than 64 Mi pixels.
func (p *Preprocess) Validate() error {
	switch {
	case p.Mode > NoResize:
		return fmt.Errorf("vision: preprocess: unknown resize mode %d", p.Mode)
	case p.Filter >= filterCount:
		return fmt.Errorf("vision: preprocess: unknown filter %v", p.Filter)
	case p.Mode != NoResize && (p.Width <= 0 || p.Width > maxSide), p.Mode == Stretch && (p.Height <= 0 || p.Height > maxSide):
		return fmt.Errorf("vision: preprocess: resize to %d×%d: %w", p.Width, p.Height, ErrSize)
	case p.CropWidth < 0 || p.CropHeight < 0 || (p.CropWidth == 0) != (p.CropHeight == 0):
		return fmt.Errorf("vision: preprocess: crop to %d×%d: %w", p.CropWidth, p.CropHeight, ErrSize)
	case p.Mode == Stretch && !preparable(p.Width, p.Height):
		return fmt.Errorf("vision: preprocess: resize to %d×%d: %w", p.Width, p.Height, ErrTooLarge)
	case !preparable(p.CropWidth, p.CropHeight):
		return fmt.Errorf("vision: preprocess: crop to %d×%d: %w", p.CropWidth, p.CropHeight, ErrTooLarge)
	}
	return nil
}

func preparable(width, height int) bool { return int64(width) <= maxPrepared/int64(max(1, height)) }

// Normalizer returns the arithmetic half of p.
func (p *Preprocess) Normalizer() *Normalizer {
	mean, std, scale := p.Mean, p.Std, p.Scale
	if std == [3]float32{} {
		mean, std = HalfMean, HalfStd
	}
	if p.NoRescale {
		scale = 1
	}
	a := p.Arithmetic
	if a == UnitFirst && (p.NoRescale || p.Scale != 0) {
		a = RescaleFirst
	}
	if p.NoNormalize {
		mean, std = [3]float32{}, [3]float32{1, 1, 1}
		if a == Fused {
			a = RescaleFirst
		}
	}
	return NewNormalizer(mean, std, scale, a)
}

// Geometry returns the image resized and cropped, as RGB. w shares out the work; nil is serial. An image so long
// and narrow that it would be resized to more than 64 Mi pixels gives an error that matches ErrTooLarge.
func (p *Preprocess) Geometry(m *Image, w *simd.Workers) (*Image, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	m = m.RGB()
	width, height := p.resized(m.Width, m.Height)
	var err error
	if width != m.Width || height != m.Height {
		if !preparable(width, height) {
			return nil, fmt.Errorf("vision: preprocess: resize of %d×%d pixels to %d×%d: %w", m.Width, m.Height, width, height, ErrTooLarge)
		}
		m, err = Resizer{Filter: p.Filter, Workers: w, RowsFirst: p.RowsFirst}.Resize(m, width, height)
		if err != nil {
			return nil, err
		}
	}
	if p.CropWidth > 0 && (p.CropWidth != m.Width || p.CropHeight != m.Height) {
		return m.CentreCrop(p.CropWidth, p.CropHeight, p.Centring)
	}
	return m, nil
}

// Pixels prepares a batch of images of any sizes: it returns [n, 3, height, width], appended to dst[:0] when that
// has room, with the height and width of the output. All images must come out the same size; otherwise, and for an
// image without pixels, the error names the image by its position. w shares out the work, image by image; nil is
// serial.
func (p *Preprocess) Pixels(dst []float32, w *simd.Workers, images ...image.Image) (pixels []float32, width, height int, err error) {
	if err := p.Validate(); err != nil {
		return nil, 0, 0, err
	}
	if len(images) == 0 {
		width, height, _ = p.FixedSize()
		return dst[:0], width, height, nil
	}
	norm := p.Normalizer()
	ready := make([]*Image, len(images))
	errs := make([]error, len(images))
	prepare := func(i int) {
		m, err := FromImage(images[i])
		if err == nil {
			inner := w // one image: its rows are shared out
			if len(images) > 1 {
				inner = nil
			}
			m, err = p.Geometry(m, inner)
		}
		ready[i], errs[i] = m, err
	}
	w.For(len(images), prepare)
	for i, err := range errs {
		if err != nil {
			return nil, 0, 0, fmt.Errorf("vision: image %d: %w", i, err)
		}
		width, height = ready[0].Width, ready[0].Height
		if ready[i].Width != width || ready[i].Height != height {
			return nil, 0, 0, fmt.Errorf("vision: image %d: %d×%d pixels after resizing, image 0 has %d×%d: one batch has one size: %w",
				i, ready[i].Width, ready[i].Height, width, height, ErrSize)
		}
	}
	n := 3 * width * height
	if cap(dst) < n*len(images) {
		dst = make([]float32, n*len(images))
	}
	dst = dst[:n*len(images)]
	w.For(len(images), func(i int) { norm.ToCHW(dst[i*n:(i+1)*n], ready[i]) })
	return dst, width, height, nil
}
