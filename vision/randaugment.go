package vision

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/data"
)

// RandAugment changes an image by a few random operations (Cubuk et al., arXiv 1909.13719), as timm's RandAugment does.
// Layers times it draws one of the operations of Set, and applies it with probability Prob and the given magnitude. The
// operations, and their arguments for a magnitude, are timm's, with Pillow's bytes. Only the random numbers differ.
//
// [ParseRandAugment] reads timm's short form.
type RandAugment struct {
	Set RandSet // the operations
	// Magnitude is the strength of an operation; 10 is its full range. The strength that is drawn for an operation is
	// limited to MagnitudeMax. Without Increasing, a larger magnitude makes some operations of RandAll weaker.
	Magnitude float64
	// MagnitudeStd is the standard deviation of a normal distribution around Magnitude, from which each operation draws.
	// If it is infinite, each draws uniformly between 0 and Magnitude.
	MagnitudeStd float64
	MagnitudeMax float64  // 0 means 10
	Layers       *int     // operations per image; nil means 2
	Prob         *float64 // of each; nil means 0.5
	Increasing   bool     // let every operation of RandAll grow with the magnitude; those of other sets do
	Fill         [3]uint8
	// Filters are the filters among which an operation that moves pixels draws: Bilinear, Bicubic, or both. Empty means
	// both.
	Filters []Filter
}

// ParseRandAugment reads timm's short form, such as "rand-m9-mstd0.5-inc1". After "rand" come, in any order, each once:
//
//	m     the magnitude, 10 by default. Without mmax, m15 has the effect of m10
//	mstd  its deviation; above 100, the magnitude is uniform
//	mmax  the largest magnitude
//	n     the number of operations
//	p     the probability of each
//	inc1  operations grow with the magnitude
//	t     the operations: tweights, t3a or t3aw; see [RandSet]
//
// Fill is ImageNet's mean color. timm ignores sections that it does not know; here they are an error.
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
	seen := map[string]bool{}
	for _, section := range sections[1:] {
		if set, ok := strings.CutPrefix(section, "t"); ok {
			if seen["t"] {
				return fail("t is given twice")
			}
			seen["t"] = true
			i := slices.Index(randSetNames[:], set)
			if i <= int(RandAll) {
				return fail("the set %q is unknown", set)
			}
			a.Set = RandSet(i)
			continue
		}
		at := strings.IndexFunc(section, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' })
		if at < 0 {
			return fail("section %q has no number", section)
		}
		v, err := strconv.ParseFloat(section[at:], 64)
		if err != nil {
			return fail("section %q has no number", section)
		}
		key := section[:at]
		if seen[key] {
			return fail("%s is given twice", key)
		}
		seen[key] = true
		switch key {
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
	case a.Set >= randSetCount:
		return fmt.Errorf("vision: RandAugment: unknown set %d", a.Set)
	case !(a.Magnitude >= 0 && a.Magnitude < math.Inf(1)):
		return fmt.Errorf("vision: RandAugment: magnitude %v, expected 0 or more", a.Magnitude)
	case !(a.MagnitudeStd >= 0):
		return fmt.Errorf("vision: RandAugment: deviation %v, expected 0 or more", a.MagnitudeStd)
	case !(a.MagnitudeMax >= 0 && a.MagnitudeMax <= 100):
		return fmt.Errorf("vision: RandAugment: largest magnitude %v, expected up to 100", a.MagnitudeMax)
	case a.layers() < 0 || a.layers() > maxLayers:
		return fmt.Errorf("vision: RandAugment: %d operations, expected 0 to %d", a.layers(), maxLayers)
	case !(a.prob() >= 0 && a.prob() <= 1):
		return fmt.Errorf("vision: RandAugment: probability %v, expected 0 to 1", a.prob())
	}
	if all, once := a.choices(); once && a.layers() > len(all) {
		return fmt.Errorf("vision: RandAugment: %d different operations, the set %v has %d", a.layers(), a.Set, len(all))
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
	left, once := a.choices()
	for range a.layers() {
		i := pick(r, left)
		apply := operations[left[i].name]
		if once {
			left = slices.Delete(slices.Clone(left), i, i+1)
		}
		if prob := a.prob(); prob < 1 && r.Float64() >= prob {
			continue
		}
		m = apply(a, r, m, a.level(r))
	}
	return m
}

// pick draws one of the choices by their weights.
func pick(r *data.Rand, from []choice) int {
	total := 0.0
	for _, c := range from {
		if c.weight == 0 {
			return r.IntN(len(from))
		}
		total += c.weight
	}
	x := r.Uniform(0, total)
	for i, c := range from[:len(from)-1] {
		if x -= c.weight; x < 0 {
			return i
		}
	}
	return len(from) - 1
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
