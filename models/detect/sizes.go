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
