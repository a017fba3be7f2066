// Package describe says in words how a model's images are prepared:
//
//	describe.Preprocess(&model.Preprocess) // shorter side to 248 (bicubic), center 224×224, mean 0.5, deviation 0.5
//
// Sizes are height×width.
package describe

import (
	"fmt"
	"strings"

	"github.com/fovea-ml/fovea/vision"
)

// Assumed says that the folder of a model does not tell how its images are prepared, and how they are.
func Assumed(p *vision.Preprocess) string {
	return "no preprocessor_config.json beside the weights: assuming images " + Preprocess(p)
}

// Preprocess returns the steps of a preprocessing, in their order.
func Preprocess(p *vision.Preprocess) string {
	var steps []string
	add := func(format string, args ...any) { steps = append(steps, fmt.Sprintf(format, args...)) }
	if p.Gray {
		add("gray")
	}
	switch p.Mode {
	case vision.Stretch:
		add("stretched to %d×%d (%v)", p.Height, p.Width, p.Filter)
	case vision.ShortSide:
		add("shorter side to %d (%v)", p.Width, p.Filter)
	case vision.LongSide:
		add("longer side to %d (%v)", p.Width, p.Filter)
	case vision.Fit:
		add("resized into %d×%d (%v)", p.Height, p.Width, p.Filter)
	case vision.Cover:
		add("resized to cover %d×%d (%v)", p.Height, p.Width, p.Filter)
	}
	if p.CropWidth > 0 {
		add("center %d×%d", p.CropHeight, p.CropWidth)
	}
	switch {
	case p.NoNormalize:
		add("not normalized")
	case p.Std == [3]float32{}:
		add("mean 0.5, deviation 0.5")
	default:
		add("mean %s, deviation %s", channels(p.Mean), channels(p.Std))
	}
	return strings.Join(steps, ", ")
}

// channels prints a value for each channel, or one for all.
func channels(v [3]float32) string {
	if v[0] == v[1] && v[1] == v[2] {
		return fmt.Sprint(v[0])
	}
	return fmt.Sprintf("%v/%v/%v", v[0], v[1], v[2])
}
