package vision

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/data"
)

// RandAugment changes an image by a few random operations (Cubuk et al., arXiv 1909.13719), as timm's RandAugment does.
// Layers times it draws one of fifteen operations, and applies it with probability Prob and the given magnitude. The
// operations, and their arguments for a magnitude, are timm's, with Pillow's bytes. Only the random numbers differ.
//
// [ParseRandAugment] reads timm's short form.
type RandAugment struct {
	// Magnitude is the strength of an operation, from 0 to MagnitudeMax. Without Increasing, a larger magnitude makes
	// some operations weaker.
	Magnitude float64
	// MagnitudeStd is the standard deviation of a normal distribution around Magnitude, from which each operation draws.
	// If it is infinite, each draws uniformly between 0 and Magnitude.
	MagnitudeStd float64
	MagnitudeMax float64  // 0 means 10, the magnitude at which operations have their full range
	Layers       *int     // operations per image; nil means 2
	Prob         *float64 // of each; nil means 0.5
	Increasing   bool     // let every operation grow with the magnitude
	Fill         [3]uint8
	// Filters are the filters among which an operation that moves pixels draws: Bilinear, Bicubic, or both. Empty means
	// both.
	Filters []Filter
}

// ParseRandAugment reads timm's short form, such as "rand-m9-mstd0.5-inc1". After "rand" come, in any order:
//
//	m     the magnitude
//	mstd  its deviation; above 100, the magnitude is uniform
//	mmax  the largest magnitude
//	n     the number of operations
//	p     the probability of each
//	inc1  operations grow with the magnitude
//
// Fill is ImageNet's mean color.
func ParseRandAugment(s string) (*RandAugment, error) {
	fail := func(format string, args ...any) (*RandAugment, error) {
		return nil, fmt.Errorf("vision: RandAugment %q: %s, expected a form like rand-m9-mstd0.5-inc1", s, fmt.Sprintf(format, args...))
	}
	sections := strings.Split(s, "-")
	if sections[0] != "rand" {
		return fail("it begins with %q", sections[0])
	}
	a := &RandAugment{Magnitude: 10}
	for c, mean := range ImageNetMean {
		a.Fill[c] = uint8(min(255, math.RoundToEven(255*float64(mean))))
	}
	for _, section := range sections[1:] {
		at := strings.IndexFunc(section, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' })
		if at < 0 {
			return fail("section %q has no number", section)
		}
		v, err := strconv.ParseFloat(section[at:], 64)
		if err != nil {
			return fail("section %q has no number", section)
		}
		switch section[:at] {
		case "m":
			a.Magnitude = v
		case "mstd":
			if a.MagnitudeStd = v; v > 100 {
				a.MagnitudeStd = math.Inf(1)
			}
		case "mmax":
			a.MagnitudeMax = v
		case "inc":
			a.Increasing = v != 0
		case "n":
			if v != math.Trunc(v) || v > maxLayers {
				return fail("%v operations", v)
			}
			a.Layers = new(int(v))
		case "p":
			a.Prob = new(v)
		default:
			return fail("section %q is unknown", section)
		}
	}
	if err := a.Validate(); err != nil {
		return fail("%v", err)
	}
	return a, nil
}

// Validate returns an error for numbers out of range and for other filters.
func (a *RandAugment) Validate() error {
	switch {
	case !(a.Magnitude >= 0 && a.Magnitude <= a.most()):
		return fmt.Errorf("vision: RandAugment: magnitude %v, expected 0 to %v", a.Magnitude, a.most())
	case !(a.MagnitudeStd >= 0):
		return fmt.Errorf("vision: RandAugment: deviation %v, expected 0 or more", a.MagnitudeStd)
	case !(a.MagnitudeMax >= 0 && a.MagnitudeMax <= 100):
		return fmt.Errorf("vision: RandAugment: largest magnitude %v, expected up to 100", a.MagnitudeMax)
	case a.layers() < 0 || a.layers() > maxLayers:
		return fmt.Errorf("vision: RandAugment: %d operations, expected 0 to %d", a.layers(), maxLayers)
	case !(a.prob() >= 0 && a.prob() <= 1):
		return fmt.Errorf("vision: RandAugment: probability %v, expected 0 to 1", a.prob())
	}
	for _, f := range a.Filters {
		if f != Bilinear && f != Bicubic {
			return fmt.Errorf("vision: RandAugment: filter %v, expected bilinear or bicubic", f)
		}
	}
	return nil
}

// maxLayers bounds the time that an image takes.
const maxLayers = 100

func (a *RandAugment) layers() int   { return or(a.Layers, 2) }
func (a *RandAugment) prob() float64 { return or(a.Prob, 0.5) }

func (a *RandAugment) most() float64 {
	if a.MagnitudeMax > 0 {
		return a.MagnitudeMax
	}
	return 10
}

// Apply returns m changed at random. Alpha is dropped. Gray stays gray, and is filled with the first value of Fill.
func (a *RandAugment) Apply(r *data.Rand, m *Image) *Image {
	m = m.withoutAlpha()
	for range a.layers() {
		op := randOps[r.IntN(len(randOps))]
		if prob := a.prob(); prob < 1 && r.Float64() >= prob {
			continue
		}
		m = op(a, r, m, a.level(r))
	}
	return m
}

// level draws the magnitude of an operation, in units of its full range.
func (a *RandAugment) level(r *data.Rand) float64 {
	v := a.Magnitude
	switch {
	case math.IsInf(a.MagnitudeStd, 1):
		v = r.Uniform(0, v)
	case a.MagnitudeStd > 0:
		v += float64(a.MagnitudeStd * r.Normal())
	}
	return min(max(v, 0), a.most()) / 10
}

// filter draws the filter of an operation that moves pixels.
func (a *RandAugment) filter(r *data.Rand) Filter {
	if len(a.Filters) == 0 {
		return [...]Filter{Bilinear, Bicubic}[r.IntN(2)]
	}
	return a.Filters[r.IntN(len(a.Filters))]
}

// enhance returns the factor of an enhancement: away from 1 in either direction, or from 0.1 to 1.9.
func (a *RandAugment) enhance(r *data.Rand, level float64) float64 {
	if a.Increasing {
		return max(0.1, 1+r.Sign(float64(level*0.9)))
	}
	return float64(level*1.8) + 0.1
}

// warp moves the pixels of m by an affine map.
func (a *RandAugment) warp(r *data.Rand, m *Image, to [6]float64) *Image {
	return affine(m, to, a.filter(r), a.Fill)
}

// The full range of operations.
const (
	randDegrees   = 30
	randShear     = 0.3
	randTranslate = 0.45 // of the side
	randAdd       = 110
)

// randOps are the operations of timm's RandAugment.
var randOps = [...]func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image{
	func(_ *RandAugment, _ *data.Rand, m *Image, _ float64) *Image { return autoContrast(m) },
	func(_ *RandAugment, _ *data.Rand, m *Image, _ float64) *Image { return equalize(m) },
	func(_ *RandAugment, _ *data.Rand, m *Image, _ float64) *Image { return invert(m) },
	func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return rotate(m, r.Sign(level*randDegrees), a.filter(r), a.Fill)
	},
	func(a *RandAugment, _ *data.Rand, m *Image, level float64) *Image {
		bits := int(level * 4)
		if a.Increasing {
			bits = 4 - bits
		}
		return posterize(m, min(max(bits, 0), 8))
	},
	func(a *RandAugment, _ *data.Rand, m *Image, level float64) *Image {
		threshold := min(256, int(level*256))
		if a.Increasing {
			threshold = 256 - threshold
		}
		return solarize(m, threshold)
	},
	func(_ *RandAugment, _ *data.Rand, m *Image, level float64) *Image {
		return solarizeAdd(m, min(128, int(level*randAdd)), 128)
	},
	func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return adjustSaturation(m, a.enhance(r, level))
	},
	func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return adjustContrast(m, a.enhance(r, level))
	},
	func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return adjustBrightness(m, a.enhance(r, level))
	},
	func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return adjustSharpness(m, a.enhance(r, level))
	},
	func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return a.warp(r, m, [6]float64{1, r.Sign(level * randShear), 0, 0, 1, 0})
	},
	func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return a.warp(r, m, [6]float64{1, 0, 0, r.Sign(level * randShear), 1, 0})
	},
	func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return a.warp(r, m, [6]float64{1, 0, r.Sign(level*randTranslate) * float64(m.Width), 0, 1, 0})
	},
	func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return a.warp(r, m, [6]float64{1, 0, 0, 0, 1, r.Sign(level*randTranslate) * float64(m.Height)})
	},
}
