package vision

import (
	"fmt"

	"github.com/fovea-ml/fovea/data"
)

// RandSet names the operations among which [RandAugment] draws.
type RandSet uint8

const (
	// RandAll are the fifteen operations of timm's default, each drawn with equal probability. Increasing chooses between
	// two forms of six of them.
	RandAll RandSet = iota
	// RandWeights are the fifteen with timm's weights ("tweights"): mostly rotations, shears and translations.
	RandWeights
	// Rand3A are the three of 3-Augment (Touvron et al., arXiv 2204.07118), as timm has them ("t3a"): solarizing, less
	// color, and a blur.
	Rand3A
	// Rand3AWeights are those three, and with less weight eleven others ("t3aw").
	Rand3AWeights
	randSetCount
)

// randSetNames are the values of timm's option t, except the first.
var randSetNames = [randSetCount]string{"all", "weights", "3a", "3aw"}

func (s RandSet) String() string {
	if s < randSetCount {
		return randSetNames[s]
	}
	return fmt.Sprintf("RandSet(%d)", uint8(s))
}

// choice is an operation of a set.
type choice struct {
	name   string  // timm's
	weight float64 // 0 in all of a set where each is as likely as any other
}

// choices returns the operations of the set. Those with weights are drawn at most once per image, as in timm.
func (a *RandAugment) choices() (all []choice, once bool) {
	switch a.Set {
	case RandWeights:
		return randWeights, true
	case Rand3AWeights:
		return rand3AWeights, true
	case Rand3A:
		return rand3A, false
	}
	if a.Increasing {
		return randIncreasing, false
	}
	return randAll, false
}

var (
	randAll = alike("AutoContrast", "Equalize", "Invert", "Rotate", "Posterize", "Solarize", "SolarizeAdd", "Color", "Contrast",
		"Brightness", "Sharpness", "ShearX", "ShearY", "TranslateXRel", "TranslateYRel")
	randIncreasing = alike("AutoContrast", "Equalize", "Invert", "Rotate", "PosterizeIncreasing", "SolarizeIncreasing", "SolarizeAdd",
		"ColorIncreasing", "ContrastIncreasing", "BrightnessIncreasing", "SharpnessIncreasing", "ShearX", "ShearY", "TranslateXRel",
		"TranslateYRel")
	rand3A      = alike("SolarizeIncreasing", "Desaturate", "GaussianBlur")
	randWeights = []choice{
		{"Rotate", 3}, {"ShearX", 2}, {"ShearY", 2}, {"TranslateXRel", 1}, {"TranslateYRel", 1}, {"ColorIncreasing", 0.25},
		{"SharpnessIncreasing", 0.25}, {"AutoContrast", 0.25}, {"SolarizeIncreasing", 0.05}, {"SolarizeAdd", 0.05},
		{"ContrastIncreasing", 0.05}, {"BrightnessIncreasing", 0.05}, {"Equalize", 0.05}, {"PosterizeIncreasing", 0.05},
		{"Invert", 0.05},
	}
	rand3AWeights = []choice{
		{"SolarizeIncreasing", 6}, {"Desaturate", 6}, {"GaussianBlur", 6}, {"Rotate", 3}, {"ShearX", 2}, {"ShearY", 2},
		{"PosterizeIncreasing", 1}, {"AutoContrast", 1}, {"ColorIncreasing", 1}, {"SharpnessIncreasing", 1},
		{"ContrastIncreasing", 1}, {"BrightnessIncreasing", 1}, {"Equalize", 1}, {"Invert", 1},
	}
)

func alike(names ...string) []choice {
	all := make([]choice, len(names))
	for i, name := range names {
		all[i] = choice{name: name}
	}
	return all
}

// operation changes an image by a level, in units of the full range.
type operation func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image

// The full range of operations.
const (
	randDegrees   = 30
	randShear     = 0.3
	randTranslate = 0.45 // of the side
	randAdd       = 110
)

// operations are those of timm's RandAugment, by timm's names.
var operations = map[string]operation{
	"AutoContrast": func(_ *RandAugment, _ *data.Rand, m *Image, _ float64) *Image { return autoContrast(m) },
	"Equalize":     func(_ *RandAugment, _ *data.Rand, m *Image, _ float64) *Image { return equalize(m) },
	"Invert":       func(_ *RandAugment, _ *data.Rand, m *Image, _ float64) *Image { return invert(m) },

	"Posterize": func(_ *RandAugment, _ *data.Rand, m *Image, level float64) *Image {
		return posterize(m, min(int(level*4), 8))
	},
	"PosterizeIncreasing": func(_ *RandAugment, _ *data.Rand, m *Image, level float64) *Image {
		return posterize(m, max(4-int(level*4), 0))
	},
	"Solarize": func(_ *RandAugment, _ *data.Rand, m *Image, level float64) *Image {
		return solarize(m, min(256, int(level*256)))
	},
	"SolarizeIncreasing": func(_ *RandAugment, _ *data.Rand, m *Image, level float64) *Image {
		return solarize(m, 256-min(256, int(level*256)))
	},
	"SolarizeAdd": func(_ *RandAugment, _ *data.Rand, m *Image, level float64) *Image {
		return solarizeAdd(m, min(128, int(level*randAdd)), 128)
	},

	"Color":                enhance(adjustSaturation),
	"ColorIncreasing":      enhanceIncreasing(adjustSaturation),
	"Contrast":             enhance(adjustContrast),
	"ContrastIncreasing":   enhanceIncreasing(adjustContrast),
	"Brightness":           enhance(adjustBrightness),
	"BrightnessIncreasing": enhanceIncreasing(adjustBrightness),
	"Sharpness":            enhance(adjustSharpness),
	"SharpnessIncreasing":  enhanceIncreasing(adjustSharpness),
	"Desaturate": func(_ *RandAugment, _ *data.Rand, m *Image, level float64) *Image {
		return adjustSaturation(m, 1-between(0.5, 1, level))
	},
	"GaussianBlur": func(_ *RandAugment, _ *data.Rand, m *Image, level float64) *Image {
		return gaussianBlur(m, between(0.1, 2, level))
	},

	"Rotate": func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return rotate(m, r.Sign(level*randDegrees), a.filter(r), a.Fill)
	},
	"ShearX": func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return a.warp(r, m, [6]float64{1, r.Sign(level * randShear), 0, 0, 1, 0})
	},
	"ShearY": func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return a.warp(r, m, [6]float64{1, 0, 0, r.Sign(level * randShear), 1, 0})
	},
	"TranslateXRel": func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return a.warp(r, m, [6]float64{1, 0, r.Sign(level*randTranslate) * float64(m.Width), 0, 1, 0})
	},
	"TranslateYRel": func(a *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return a.warp(r, m, [6]float64{1, 0, 0, 0, 1, r.Sign(level*randTranslate) * float64(m.Height)})
	},
}

// enhance turns an enhancement into an operation with factors from 0.1 to 1.9.
func enhance(adjust func(m *Image, factor float64) *Image) operation {
	return func(_ *RandAugment, _ *data.Rand, m *Image, level float64) *Image {
		return adjust(m, float64(level*1.8)+0.1)
	}
}

// enhanceIncreasing turns an enhancement into an operation with factors away from 1 in either direction.
func enhanceIncreasing(adjust func(m *Image, factor float64) *Image) operation {
	return func(_ *RandAugment, r *data.Rand, m *Image, level float64) *Image {
		return adjust(m, max(0.1, 1+r.Sign(float64(level*0.9))))
	}
}

// between returns the place from a to b that the level gives.
func between(a, b, level float64) float64 { return min(max(a, a+float64((b-a)*level)), b) }

// filter draws the filter of an operation that moves pixels.
func (a *RandAugment) filter(r *data.Rand) Filter {
	if len(a.Filters) == 0 {
		return [...]Filter{Bilinear, Bicubic}[r.IntN(2)]
	}
	return a.Filters[r.IntN(len(a.Filters))]
}

// warp moves the pixels of m by an affine map.
func (a *RandAugment) warp(r *data.Rand, m *Image, to [6]float64) *Image {
	return affine(m, to, a.filter(r), a.Fill)
}
