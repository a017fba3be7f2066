package draw

import (
	"context"
	"fmt"

	"github.com/fovea-ml/fovea/vision"
)

// ContactSheet draws the first images of an epoch in a grid, augmented and mixed as training sees them. If the epoch
// ends with an error before its first image, ContactSheet returns that error.
func ContactSheet(ctx context.Context, l *vision.Loader, epoch, rows, columns int) (*vision.Image, error) {
	if rows <= 0 || columns <= 0 {
		return nil, fmt.Errorf("draw: contact sheet of %d×%d images: %w", rows, columns, vision.ErrSize)
	}
	norm := l.Preprocess.Normalizer()
	var images []*vision.Image
	for b, err := range l.Epoch(ctx, epoch) {
		if err != nil {
			if len(images) == 0 {
				return nil, err
			}
			break
		}
		each := 3 * b.Width * b.Height
		for i := range b.Labels {
			if len(images) < rows*columns {
				images = append(images, norm.FromCHW(b.Pixels[i*each:(i+1)*each], b.Width, b.Height))
			}
		}
		if len(images) == rows*columns {
			break
		}
	}
	return Grid(images, columns, 4)
}
