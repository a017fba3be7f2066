package modelfolder

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"

	"github.com/fovea-ml/fovea/vision"
)

// maxLarger bounds how many times longer the sides of prepared images may be than the model's: time grows with the
// fourth power. Published folders stay below 3.
const maxLarger = 4

// Resize sets the size of the images that the model takes, a field of its configuration, to LoadOptions.ImageSize, where
// the caller asked for that, and checks the configuration again. c points to the configuration that holds size.
func (f *Folder) Resize(size *int, c Configuration) error {
	f.resized = true
	if f.Options.ImageSize == 0 {
		return nil
	}
	*size = f.Options.ImageSize
	if err := c.Validate(); err != nil {
		return fmt.Errorf("images of %d pixels: %w", *size, err)
	}
	return nil
}

// Images says which images a configuration is for.
type Images struct {
	Height, Width int
	Channels      int
}

// Preprocess returns the preprocessing of the folder: preprocessor_config.json, or fallback where there is none, which is
// then assumed. Both prepare images of the size that the configuration is for; for LoadOptions.ImageSize all sizes change
// in proportion. A model of one channel gets gray images, and the average of three channels' means, as in timm. Only
// transformers' preprocessor_config.json is left as it is, which transformers cannot apply then. A model with another
// number of channels gets fallback.
func (f *Folder) Preprocess(fallback vision.Preprocess, images Images) (p vision.Preprocess, assumed bool, err error) {
	p, assumed = fallback, true
	if images.Channels == 1 || images.Channels == 3 {
		if p, assumed, err = readPreprocess(f.FS, fallback, images); err != nil {
			return p, false, err
		}
		switch p.Gray = images.Channels == 1; {
		case p.Gray && (assumed || f.Form == Timm):
			p = Gray(p)
		case p.Validate() != nil:
			p.Gray = false // a mean for each of three channels
		}
	}
	return f.Rescaled(p, images), assumed, nil
}

// Rescaled returns a preprocessing for images of the given size for LoadOptions.ImageSize: all sizes change in proportion.
func (f *Folder) Rescaled(p vision.Preprocess, images Images) vision.Preprocess {
	rescale(&p, f.Options.ImageSize, images)
	return p
}

// Gray returns a preprocessing with which a model of one channel gets gray images. Of the means and deviations of three
// channels it takes the average, as timm does (adapt_to_chs in timm/data/loader.py).
func Gray(p vision.Preprocess) vision.Preprocess {
	p.Gray, p.Mean, p.Std = true, average(p.Mean), average(p.Std)
	return p
}

// average returns the average of the channels for each of them: of the decimals that the float32 stand for, as in timm.
func average(v [3]float32) [3]float32 {
	sum := 0.0
	for _, x := range v {
		decimal, _ := strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', -1, 32), 64)
		sum += decimal
	}
	mean := float32(sum / 3)
	return [3]float32{mean, mean, mean}
}

// readPreprocess reads preprocessor_config.json. It refuses one that makes images which are much larger than those of
// the configuration.
func readPreprocess(fsys fs.FS, fallback vision.Preprocess, images Images) (p vision.Preprocess, assumed bool, err error) {
	p, err = vision.LoadPreprocess(fsys)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fallback, true, nil
	case err != nil:
		return vision.Preprocess{}, false, err
	}
	height, width, _ := p.FixedSize() // the least, where it is not fixed
	if p.Mode == vision.NoResize && p.CropWidth == 0 {
		height, width = 0, 0
	}
	if most := maxLarger * max(images.Width, images.Height); width > most || height > most {
		return vision.Preprocess{}, false, fmt.Errorf("images are prepared at %d×%d pixels, expected at most %d×%d for a model of %d×%d",
			width, height, most, most, images.Width, images.Height)
	}
	return p, false, nil
}

// rescale changes the sizes of a preprocessing for square images of the given size, in proportion. 0 leaves them.
func rescale(p *vision.Preprocess, size int, from Images) {
	if size == 0 {
		return
	}
	scale := func(side *int, from int) { *side = int(math.Round(float64(*side) * float64(size) / float64(from))) }
	width := from.Width
	if p.Mode == vision.ShortSide {
		width = min(from.Width, from.Height)
	}
	scale(&p.Width, width)
	scale(&p.Height, from.Height)
	scale(&p.CropWidth, from.Width)
	scale(&p.CropHeight, from.Height)
}
