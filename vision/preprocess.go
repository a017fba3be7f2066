package vision

import (
	"fmt"
	"image"
	"math"

	"github.com/chewxy/math32"

	"github.com/fovea-ml/fovea/simd"
)

// ResizeMode says to which size a [Preprocess] resizes an image.
type ResizeMode uint8

const (
	// Stretch resizes to Height × Width and ignores the image's proportions.
	Stretch ResizeMode = iota
	// ShortSide keeps the proportions and makes the shorter side Width pixels long, or less where the longer side
	// would exceed MaxLong. Height is not used.
	ShortSide
	// LongSide keeps the proportions and makes the longer side Width pixels long. Height is not used.
	LongSide
	// Fit keeps the proportions and resizes to the largest size inside Height × Width.
	Fit
	// Cover keeps the proportions and resizes to the smallest size that covers Height × Width.
	Cover
	// NoResize keeps the size.
	NoResize
	resizeModeCount
)

func (m ResizeMode) String() string {
	if m < resizeModeCount {
		return [...]string{"stretch", "short side", "long side", "fit", "cover", "no resize"}[m]
	}
	return fmt.Sprintf("ResizeMode(%d)", uint8(m))
}

// Backend is the library whose pixels a [Preprocess] reproduces, to the last level of a sample and the last bit of a
// value. Between backends, some resized samples differ by a level, and a crop by one pixel where an odd number of
// pixels is left over.
type Backend uint8

const (
	// Pillow is the path of transformers' classes that end in Pil, called by their own names, and of all its classes before
	// version 5: Pillow resizes, [CenterFloor] crops, [RescaleFirst] normalizes.
	Pillow Backend = iota
	// Torchvision is the default path of transformers 5, and of "Fast" processors before: tensors of 8-bit samples are
	// resized ([Resizer.Tensor]), [CenterDown] crops, [Fused] normalizes.
	Torchvision
	// Timm is torchvision's transforms on Pillow's images, as timm and the papers' own repositories compose them:
	// Pillow resizes, [CenterEven] crops, [UnitFirst] normalizes.
	Timm
	backendCount
)

func (b Backend) String() string {
	if b < backendCount {
		return [...]string{"pillow", "torchvision", "timm"}[b]
	}
	return fmt.Sprintf("Backend(%d)", uint8(b))
}

// Preprocess makes a model's input of an image: resize, center crop, scale, normalize. A Preprocess that is not written
// to may be used by many goroutines at once.
type Preprocess struct {
	Backend Backend // Pillow by default

	Mode          ResizeMode
	Height, Width int    // of the resize
	MaxLong       int    // ShortSide: the limit of the longer side, which takes precedence over Width; 0 means none
	Multiple      int    // ShortSide with MaxLong: both sides are cut to multiples of it, as YOLOS's processor does; 0 means 1
	Filter        Filter // Bilinear by default

	// FloatResize scales and resizes in float32, without rounding to levels, as DINOv3's processor does. [Preprocess.Pixels]
	// and a [Loader] without augmentation follow it; [Preprocess.Geometry] and augmentation give an Image, whose samples are
	// rounded. It is for Bilinear and Bicubic, without a crop, and for the backend Torchvision.
	FloatResize bool

	CropHeight, CropWidth int      // of the center crop that follows; 0 means none
	Fill                  [3]uint8 // around an image smaller than the crop

	NoRescale   bool       // samples stay 0..255
	Scale       float64    // factor of the rescaling; 0 means 1/255
	NoNormalize bool       // Mean and Std are not used
	Mean, Std   [3]float32 // zeros in both mean ½ for both

	// Gray makes images gray first, as Pillow's convert("L") does. Images and pixels then have one channel, with one mean
	// and one deviation: the three of Mean and of Std must be equal. Of Fill, the first value counts.
	Gray bool
	// Alpha says what becomes of the alpha of an image. [DecodeOptions].Alpha keeps that of a file.
	Alpha AlphaRule
	// RowsFirst selects the resizing order of Pillow before version 13; see [Resizer].
	RowsFirst bool
	// MaxPixels limits the pixels after a resize or a padding; 0 means DefaultMaxPrepared. Sizes come from a file
	// beside the weights. And an image that is one pixel high becomes enormous when its shorter side grows.
	MaxPixels int
}

// DefaultMaxPrepared is the default limit of a [Preprocess] for the pixels of a resized or padded image: a square of
// 4096, 48 MiB of samples.
const DefaultMaxPrepared = 1 << 24

// Half is the preprocessing of Vision Transformers: stretch to size × size bilinearly, mean and deviation ½.
func Half(size int) Preprocess {
	return Preprocess{Height: size, Width: size, Mean: HalfMean, Std: HalfStd}
}

// ImageNet is the evaluation preprocessing of MAE and most classifiers. It resizes the shorter side to size·256/224
// pixels (bicubic), crops the center size × size, and normalizes with ImageNet's mean and deviation.
func ImageNet(size int) Preprocess {
	return Preprocess{
		Backend: Timm,
		Mode:    ShortSide, Width: int(math.Round(float64(size) * 256 / 224)), Filter: Bicubic,
		CropHeight: size, CropWidth: size,
		Mean: ImageNetMean, Std: ImageNetStd,
	}
}

// OutputSize returns the size of the output for an image of h × w pixels.
func (p *Preprocess) OutputSize(h, w int) (height, width int) {
	if p.CropHeight > 0 && p.CropWidth > 0 {
		return p.CropHeight, p.CropWidth
	}
	return p.resized(h, w)
}

// FixedSize returns the size of the output when it is the same for all images.
func (p *Preprocess) FixedSize() (height, width int, ok bool) {
	if p.CropHeight > 0 && p.CropWidth > 0 {
		return p.CropHeight, p.CropWidth, true
	}
	return p.Height, p.Width, p.Mode == Stretch
}

// Validate returns an error for unknown settings and for numbers that are not finite. For invalid sizes the error matches [ErrSize], and for more pixels
// than MaxPixels [ErrTooLarge].
func (p *Preprocess) Validate() error {
	both := p.Mode == Stretch || p.Mode == Fit || p.Mode == Cover
	switch {
	case p.Backend >= backendCount:
		return fmt.Errorf("vision: preprocess: unknown backend %d", p.Backend)
	case p.Mode >= resizeModeCount:
		return fmt.Errorf("vision: preprocess: unknown resize mode %d", p.Mode)
	case p.Filter >= filterCount:
		return fmt.Errorf("vision: preprocess: unknown filter %v", p.Filter)
	case p.Mode != NoResize && (p.Width <= 0 || p.Width > maxSide), both && (p.Height <= 0 || p.Height > maxSide):
		return fmt.Errorf("vision: preprocess: resize to %d×%d: %w", p.Width, p.Height, ErrSize)
	case p.MaxLong < 0 || p.MaxLong > maxSide:
		return fmt.Errorf("vision: preprocess: longer side of at most %d: %w", p.MaxLong, ErrSize)
	case p.Multiple < 0 || p.Multiple > maxSide || p.Multiple > 1 && (p.Mode != ShortSide || p.MaxLong == 0):
		return fmt.Errorf("vision: preprocess: Multiple: expected 0 or 1 unless the shorter side is resized and the longer one limited, found %d", p.Multiple)
	case !finite(p.Mean) || !finite(p.Std) || math.IsNaN(p.Scale) || math.IsInf(p.Scale, 0):
		return fmt.Errorf("vision: preprocess: expected finite numbers, found mean %v, standard deviation %v, scale %v", p.Mean, p.Std, p.Scale)
	case p.FloatResize && (p.CropWidth != 0 || p.Backend != Torchvision || p.Filter != Bilinear && p.Filter != Bicubic):
		return fmt.Errorf("vision: preprocess: FloatResize: expected Bilinear or Bicubic, no crop and the backend torchvision, found %v, a crop to %d×%d and %v",
			p.Filter, p.CropWidth, p.CropHeight, p.Backend)
	case p.Alpha > AlphaOnWhite:
		return fmt.Errorf("vision: preprocess: unknown Alpha %d", p.Alpha)
	case p.Gray && !p.NoNormalize && (p.Mean != uniform(p.Mean[0]) || p.Std != uniform(p.Std[0])):
		return fmt.Errorf("vision: preprocess: expected one mean and one deviation for gray images, found %v and %v", p.Mean, p.Std)
	case !p.NoNormalize && p.Std == uniform(0) && p.Mean != uniform(0):
		return fmt.Errorf("vision: preprocess: a mean of %v without a deviation", p.Mean)
	case p.CropWidth < 0 || p.CropHeight < 0 || (p.CropWidth == 0) != (p.CropHeight == 0):
		return fmt.Errorf("vision: preprocess: crop to %d×%d: %w", p.CropWidth, p.CropHeight, ErrSize)
	case p.Mode == Stretch && !p.preparable(p.Height, p.Width):
		return fmt.Errorf("vision: preprocess: resize to %d×%d: %w", p.Width, p.Height, ErrTooLarge)
	case !p.preparable(p.CropHeight, p.CropWidth):
		return fmt.Errorf("vision: preprocess: crop to %d×%d: %w", p.CropWidth, p.CropHeight, ErrTooLarge)
	}
	return nil
}

// finite reports whether no value is infinite or NaN.
func finite(v [3]float32) bool {
	for _, x := range v {
		if math32.IsNaN(x) || math32.IsInf(x, 0) {
			return false
		}
	}
	return true
}

// uniform is one value for every channel.
func uniform(v float32) [3]float32 { return [3]float32{v, v, v} }

// Channels returns the number of channels of the pixels: 1 or 3.
func (p *Preprocess) Channels() int {
	if p.Gray {
		return 1
	}
	return 3
}

// preparable compares with the limit without computing a product that could overflow.
func (p *Preprocess) preparable(height, width int) bool {
	limit := p.MaxPixels
	if limit <= 0 {
		limit = DefaultMaxPrepared
	}
	return width <= limit/max(1, height)
}

// Normalizer returns the arithmetic half of p, for images of as many channels as p has.
func (p *Preprocess) Normalizer() *Normalizer {
	n := p.normalizer()
	n.channels = p.Channels()
	return n
}

func (p *Preprocess) normalizer() *Normalizer {
	mean, std, scale := p.Mean, p.Std, p.Scale
	if std == [3]float32{} {
		mean, std = HalfMean, HalfStd
	}
	if p.NoRescale {
		scale = 1
	}
	a := RescaleFirst
	switch {
	case p.Backend == Torchvision && !p.NoNormalize:
		a = Fused
	case p.Backend == Timm && !p.NoRescale && p.Scale == 0:
		a = UnitFirst
	}
	if p.NoNormalize {
		mean, std = [3]float32{}, [3]float32{1, 1, 1}
		if p.Backend == Torchvision {
			// A tensor of bytes times a number: PyTorch rounds the number to float32 first.
			if scale == 0 {
				scale = 1. / 255
			}
			n := new(Normalizer)
			for x := range 256 {
				v := float32(x) * float32(scale)
				n.table[0][x], n.table[1][x], n.table[2][x] = v, v, v
			}
			return n
		}
	}
	return NewNormalizer(mean, std, scale, a)
}

// Geometry returns the image resized and cropped, as RGB, or with one channel where p is Gray. w shares out the work; nil
// is serial. A resize to more pixels than MaxPixels, as of a very long and narrow image, gives an error that matches
// [ErrTooLarge].
func (p *Preprocess) Geometry(m *Image, w *simd.Workers) (*Image, error) {
	return p.geometry(nil, m, w)
}

// colors returns the image in gray or as RGB, as p has it.
func (p *Preprocess) colors(m *Image) *Image {
	if p.Gray {
		return m.Gray()
	}
	return m.RGB()
}

// geometry is Geometry. It returns m itself, or uses the memory of out where that is enough. It computes only the pixels
// inside the crop.
func (p *Preprocess) geometry(out, m *Image, w *simd.Workers) (*Image, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if m.Channels == 4 && p.Alpha == AlphaOnWhite {
		m = m.onWhite()
	}
	filter, storage := p.Filter, m.Storage
	if p.Alpha == AlphaDroppedLast && storage == StoredPalette {
		filter = Nearest
	}
	if m.Channels != 4 || p.Alpha != AlphaDroppedLast || storage != StoredPixels {
		m = p.colors(m)
	}
	height, width := p.resized(m.Height, m.Width)
	whole := image.Rect(0, 0, width, height)
	crop := whole
	if p.CropWidth > 0 {
		centering := [...]Centering{Pillow: CenterFloor, Torchvision: CenterDown, Timm: CenterEven}[p.Backend]
		crop = centerRect(height, width, p.CropHeight, p.CropWidth, centering)
	}
	if width != m.Width || height != m.Height {
		if !p.preparable(height, width) {
			return nil, fmt.Errorf("vision: preprocess: resize of %d×%d pixels to %d×%d: %w", m.Width, m.Height, width, height, ErrTooLarge)
		}
		z := Resizer{Filter: filter, Workers: w, RowsFirst: p.RowsFirst, Tensor: p.Backend == Torchvision}
		kept := crop.Intersect(whole)
		var err error
		if m, err = z.resize(out, m, m.whole(), height, width, kept); err != nil {
			return nil, err
		}
		crop = crop.Sub(kept.Min)
	}
	m = p.colors(m)
	if crop != m.Bounds() {
		return m.windowOn(crop, p.Fill), nil
	}
	return m, nil
}

// Pixels prepares a batch of n images of any sizes. It returns [n, 3, height, width], or [n, 1, height, width] with
// Gray, in the memory of dst where that is enough, and the height and width. The workers w share out the work, image by
// image; nil is serial.
//
// All outputs must have the same size. Otherwise, and for an image without pixels, the error is a *[BatchError] that holds
// the image's position, and matches [ErrSize].
func (p *Preprocess) Pixels(dst []float32, w *simd.Workers, images ...image.Image) (pixels []float32, height, width int, err error) {
	if err := p.Validate(); err != nil {
		return nil, 0, 0, err
	}
	if len(images) == 0 {
		height, width, _ = p.FixedSize()
		return dst[:0], height, width, nil
	}
	norm := p.Normalizer()
	ready := make([]*Image, len(images))
	planes := make([][]float32, len(images)) // with FloatResize
	errs := make([]error, len(images))
	prepare := func(i int) {
		convert := FromImage
		if p.Alpha != AlphaDropped {
			convert = fromImageAlpha
		}
		m, err := convert(images[i])
		if err == nil {
			inner := w // one image: its rows are shared out
			if len(images) > 1 {
				inner = nil
			}
			if p.FloatResize {
				size := &Image{}
				planes[i], size.Height, size.Width, err = p.floatPixels(m, inner)
				m = size
			} else {
				m, err = p.Geometry(m, inner)
			}
		}
		ready[i], errs[i] = m, err
	}
	w.For(len(images), prepare)
	for i, err := range errs {
		if err != nil {
			return nil, 0, 0, &BatchError{i, err}
		}
		height, width = ready[0].Height, ready[0].Width
		if ready[i].Height != height || ready[i].Width != width {
			return nil, 0, 0, &BatchError{i, fmt.Errorf("%d×%d pixels after resizing, expected %d×%d as of the first of the batch: %w",
				ready[i].Width, ready[i].Height, width, height, ErrSize)}
		}
	}
	n := p.Channels() * height * width
	if cap(dst) < n*len(images) {
		dst = make([]float32, n*len(images))
	}
	dst = dst[:n*len(images)]
	w.For(len(images), func(i int) {
		if p.FloatResize {
			copy(dst[i*n:(i+1)*n], planes[i])
			return
		}
		norm.ToCHW(dst[i*n:(i+1)*n], ready[i])
	})
	return dst, height, width, nil
}
