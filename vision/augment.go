package vision

import (
	"fmt"
	"image"
	"math"

	"github.com/fovea-ml/fovea/data"
)

// Augment is the random half of a training image's preparation: a random part of the image, resized to the model's
// size, a random reflection, and changes of color and shape. The zero value changes nothing. Random decisions are drawn
// in the order of the fields.
type Augment struct {
	// Crop resizes a random part of the image to the output size, instead of resizing and cropping.
	Crop bool
	// Scale is the range of the part's area, as a share of the image's. Zero means 0.08 to 1, as for supervised
	// training. Masked autoencoders use 0.2 to 1.
	Scale [2]float64
	// Ratio is the range of the part's width divided by its height. Its logarithm is drawn uniformly. Zero means 3/4
	// to 4/3.
	Ratio [2]float64
	// Flip is the probability of mirroring left to right.
	Flip float64
	// Shift moves the image by up to this number of pixels up or down and left or right. The pixels that enter are black
	// (torchvision's RandomCrop with this padding).
	Shift int
	// Jitter and Rand change the resized image; nil means no change. With Rand, most recipes leave Jitter out.
	Jitter *ColorJitter
	Rand   *RandAugment
	// Erase overwrites part of the normalized pixels. Apply does not use it: a [Loader] does, after it normalizes.
	Erase *RandomErasing
}

// Validate returns an error for invalid ranges and probabilities.
func (a *Augment) Validate() error {
	s, r := a.ranges()
	if !(s[0] > 0 && s[0] <= s[1] && s[1] <= 1) {
		return fmt.Errorf("vision: augment: scale from %v to %v, expected 0 < from ≤ to ≤ 1", s[0], s[1])
	}
	if !(r[0] > 0 && r[0] <= r[1] && r[1] < math.Inf(1)) {
		return fmt.Errorf("vision: augment: ratio from %v to %v, expected 0 < from ≤ to", r[0], r[1])
	}
	if !(a.Flip >= 0 && a.Flip <= 1) {
		return fmt.Errorf("vision: augment: flip with probability %v, expected 0 to 1", a.Flip)
	}
	if a.Shift < 0 || a.Shift > maxShift {
		return fmt.Errorf("vision: augment: shift by up to %d pixels, expected 0 to %d", a.Shift, maxShift)
	}
	if a.Jitter != nil {
		if err := a.Jitter.Validate(); err != nil {
			return err
		}
	}
	if a.Rand != nil {
		if err := a.Rand.Validate(); err != nil {
			return err
		}
	}
	if a.Erase != nil {
		return a.Erase.Validate()
	}
	return nil
}

// maxShift is the side of the largest images.
const maxShift = 1 << 16

func (a *Augment) ranges() (scale, ratio [2]float64) {
	scale, ratio = a.Scale, a.Ratio
	if scale == [2]float64{} {
		scale = [2]float64{0.08, 1}
	}
	if ratio == [2]float64{} {
		ratio = [2]float64{3. / 4, 4. / 3}
	}
	return scale, ratio
}

// Rect draws the part of an h × w image to keep, by the algorithm of torchvision's RandomResizedCrop. It draws an area
// uniform in Scale and a ratio log-uniform in Ratio, up to ten times, until the rectangle fits, and then a position. If
// none fits, it returns the largest central part whose ratio is allowed.
func (a *Augment) Rect(r *data.Rand, h, w int) image.Rectangle {
	scale, ratio := a.ranges()
	area := float64(w) * float64(h)
	lo, hi := math.Log(ratio[0]), math.Log(ratio[1])
	at := func(x, y, cw, ch int) image.Rectangle { return image.Rect(x, y, x+cw, y+ch) }
	for range 10 {
		target := area * r.Uniform(scale[0], scale[1])
		aspect := math.Exp(r.Uniform(lo, hi))
		cw := int(math.RoundToEven(math.Sqrt(target * aspect)))
		ch := int(math.RoundToEven(math.Sqrt(target / aspect)))
		if cw > 0 && cw <= w && ch > 0 && ch <= h {
			y := r.IntN(h - ch + 1)
			x := r.IntN(w - cw + 1)
			return at(x, y, cw, ch)
		}
	}
	cw, ch := w, h
	if f := float64(w) / float64(h); f < ratio[0] {
		ch = min(max(int(math.RoundToEven(float64(w)/ratio[0])), 1), h)
	} else if f > ratio[1] {
		cw = min(max(int(math.RoundToEven(float64(h)*ratio[1])), 1), w)
	}
	return at((w-cw)/2, (h-ch)/2, cw, ch)
}

// Apply returns the image prepared at random, as RGB, or with one channel where p is Gray. When a.Crop is set, a random
// part is resized to p's output size; otherwise p prepares the image. Then it may be mirrored and moved, and a.Jitter and
// a.Rand change it. Apply returns an error when a.Crop is set and p's output size depends on the image.
func (a *Augment) Apply(r *data.Rand, m *Image, p *Preprocess) (*Image, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	m = p.colors(m)
	var err error
	if a.Crop {
		height, width, ok := p.FixedSize()
		if !ok {
			return nil, fmt.Errorf("vision: augment: %w", errNoFixedSize)
		}
		z := Resizer{Filter: p.Filter, RowsFirst: p.RowsFirst}
		m, err = z.ResizeRect(m, a.Rect(r, m.Height, m.Width), height, width)
	} else {
		m, err = p.Geometry(m, nil)
	}
	if err != nil {
		return nil, err
	}
	if a.Flip > 0 && r.Float64() < a.Flip {
		m = m.FlipHorizontal()
	}
	if a.Shift > 0 {
		top, left := r.IntN(2*a.Shift+1)-a.Shift, r.IntN(2*a.Shift+1)-a.Shift
		m = m.window(image.Rect(left, top, left+m.Width, top+m.Height))
	}
	if a.Jitter != nil {
		m = a.Jitter.Apply(r, m)
	}
	if a.Rand != nil {
		m = a.Rand.Apply(r, m)
	}
	return m, nil
}

var errNoFixedSize = fmt.Errorf("the output size depends on the image, expected a stretch or a crop: %w", ErrSize)
