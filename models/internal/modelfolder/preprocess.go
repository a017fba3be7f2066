package modelfolder

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"

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

// Preprocess returns the preprocessing of the folder: preprocessor_config.json, or fallback where there is none. size is
// that of the configuration, for which both prepare images; for LoadOptions.ImageSize all sizes change in proportion.
func (f *Folder) Preprocess(fallback vision.Preprocess, size int) (vision.Preprocess, error) {
	p, err := readPreprocess(f.FS, fallback, size)
	if err == nil {
		rescale(&p, cmp.Or(f.Options.ImageSize, size), size)
	}
	return p, err
}

// readPreprocess reads preprocessor_config.json. It refuses one that makes images which are much larger than size.
func readPreprocess(fsys fs.FS, fallback vision.Preprocess, size int) (vision.Preprocess, error) {
	p, err := vision.LoadPreprocess(fsys)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fallback, nil
	case err != nil:
		return vision.Preprocess{}, err
	}
	width, height, _ := p.FixedSize() // the least, where it is not fixed
	if p.Mode == vision.NoResize && p.CropWidth == 0 {
		width, height = 0, 0
	}
	if most := maxLarger * size; width > most || height > most {
		return vision.Preprocess{}, fmt.Errorf("images are prepared at %d×%d pixels, expected at most %d×%d for a model of %d×%d",
			width, height, most, most, size, size)
	}
	return p, nil
}

// rescale changes the sizes of a preprocessing for images of the given size, in proportion.
func rescale(p *vision.Preprocess, size, from int) {
	for _, side := range []*int{&p.Width, &p.Height, &p.CropWidth, &p.CropHeight} {
		*side = int(math.Round(float64(*side) * float64(size) / float64(from)))
	}
}
