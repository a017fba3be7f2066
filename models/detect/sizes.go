package detect

import (
	"fmt"

	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// resizeSquare applies LoadOptions.ImageSize to a detector that takes squares of any size.
func resizeSquare(f *modelfolder.Folder, c *Config) error { return f.Resize(&c.ImageSize, c) }

// resizePyramid applies it as the length of the shorter side.
func resizePyramid(f *modelfolder.Folder, c *Config) error {
	before := c.MinSize
	if size := f.Options.ImageSize; size != 0 {
		c.MaxSize = scaled(c.MaxSize, size, before)
	}
	return f.Resize(&c.MinSize, c)
}

// resizeYOLO applies it to a YOLOv1, whose fully connected layers take one size.
func resizeYOLO(f *modelfolder.Folder, c *Config) error {
	if size := f.Options.ImageSize; size != 0 && size != c.ImageSize && c.HeadSize != 0 {
		return fmt.Errorf("LoadOptions.ImageSize: the fully connected layers take images of %d pixels alone, found %d", c.ImageSize, size)
	} else if size != 0 {
		c.GridSize = size * c.GridSize / c.ImageSize
	}
	return f.Resize(&c.ImageSize, c)
}

// resizeDarknet applies it to a Darknet, which takes one size.
func resizeDarknet(f *modelfolder.Folder, c *Config) error {
	if size := f.Options.ImageSize; size != 0 && size != c.ImageSize {
		return fmt.Errorf("LoadOptions.ImageSize: the network takes images of %d pixels alone, found %d", c.ImageSize, size)
	}
	return nil
}

// SetSize sets Config.MinSize and Config.MaxSize (min_size and max_size of torchvision's constructors): the length in pixels to
// which images are resized, of the shorter side, or of the longer one where that makes a smaller image. It is for [FCOS],
// [RetinaNet] and [FasterRCNN]; for other detectors, and for lengths that are not from 1 to 4,096, it returns an error. It must
// not be called while others use the model.
func (m *Model) SetSize(minSize, maxSize int) error {
	r, ok := m.Network.(interface{ resized() *resizing })
	if !ok {
		return fmt.Errorf("detect: SetSize: a %s does not resize images by their sides; LoadOptions.ImageSize sets the size", m.Config.ModelType)
	}
	c := m.Config
	c.MinSize, c.MaxSize = minSize, maxSize
	if err := c.Validate(); err != nil {
		return fmt.Errorf("detect: SetSize: %w", err)
	}
	m.Config, *r.resized() = c, resizing{minSize, maxSize}
	return nil
}

// fitsResized returns an error for a size that no configuration of the detector has.
func fitsResized(c Config, size int) error {
	if c.ImageSize != 0 {
		c.ImageSize = size
	} else {
		c.MinSize, c.MaxSize = size, scaled(c.MaxSize, size, c.MinSize)
	}
	return c.Validate()
}

// fitsAlone returns an error for another size than that of the configuration.
func fitsAlone(c Config, size int) error {
	if size != c.ImageSize {
		return fmt.Errorf("image_size: the network takes images of %d pixels alone, found %d", c.ImageSize, size)
	}
	return nil
}

// fitsAny returns an error for a size that is out of bounds.
func fitsAny(_ Config, size int) error {
	if size < 1 || size > maxSize {
		return fmt.Errorf("size: expected 1 to %d, found %d", maxSize, size)
	}
	return nil
}

// fitsRTDETR returns an error for a side of squares that an RT-DETR does not take.
func fitsRTDETR(c Config, size int) error {
	if err := fitsAny(c, size); err != nil {
		return err
	}
	return c.RTDETR.fits(size, size, false)
}
