package vision

import (
	"fmt"

	"github.com/fovea-ml/fovea/data"
)

// ColorJitter changes brightness, contrast, saturation and hue at random, in random order, as torchvision's
// transform of that name does to Pillow images. The zero value changes nothing.
type ColorJitter struct {
	// Brightness, Contrast and Saturation are the largest distance of the factor from 1. Factors below 0 count as 0.
	Brightness, Contrast, Saturation float64
	// Hue is the largest turn, as a share of the circle, from 0 to 0.5.
	Hue float64
}

// Validate returns an error for negative numbers and for a hue above 0.5.
func (j *ColorJitter) Validate() error {
	for _, v := range []float64{j.Brightness, j.Contrast, j.Saturation} {
		if !(v >= 0 && v <= 1e6) {
			return fmt.Errorf("vision: color jitter by %v, expected 0 or more", v)
		}
	}
	if !(j.Hue >= 0 && j.Hue <= 0.5) {
		return fmt.Errorf("vision: color jitter: hue by %v, expected 0 to 0.5", j.Hue)
	}
	return nil
}

// Apply returns m changed at random. Alpha is dropped, and gray stays gray.
func (j *ColorJitter) Apply(r *data.Rand, m *Image) *Image {
	m = m.withoutAlpha()
	order := r.Perm(4)
	factor := func(by float64) float64 { return r.Uniform(max(0, 1-by), 1+by) }
	b, c, s, h := factor(j.Brightness), factor(j.Contrast), factor(j.Saturation), r.Uniform(-j.Hue, j.Hue)
	for _, i := range order {
		switch {
		case i == 0 && j.Brightness > 0:
			m = adjustBrightness(m, b)
		case i == 1 && j.Contrast > 0:
			m = adjustContrast(m, c)
		case i == 2 && j.Saturation > 0:
			m = adjustSaturation(m, s)
		case i == 3 && j.Hue > 0:
			m = shiftHue(m, h)
		}
	}
	return m
}
