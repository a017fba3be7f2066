package draw

import (
	"context"
	"fmt"

	"github.com/fovea-ml/fovea/vision"
)

// ContactSheet draws the first images of an epoch in a grid, augmented and mixed as training sees them. An epoch with
// fewer images fills a part of the grid. If the epoch fails before the grid is full, ContactSheet returns that error.
func ContactSheet(ctx context.Context, l *vision.Loader, epoch, rows, columns int) (*vision.Image, error) {
	if rows <= 0 || columns <= 0 {
		return nil, fmt.Errorf("draw: contact sheet of %d×%d images: %w", rows, columns, vision.ErrSize)
	}
	norm := l.Preprocess.Normalizer()
	var images []*vision.Image
	for b, err := range l.Epoch(ctx, epoch) {
		if err != nil {
			return nil, err
		}
		each := b.Channels * b.Height * b.Width
		for i := range b.Labels {
			if len(images) < rows*columns {
				images = append(images, norm.FromCHW(b.Pixels[i*each:(i+1)*each], b.Height, b.Width))
			}
		}
		if len(images) == rows*columns {
			break
		}
	}
	return Grid(images, GridOptions{Columns: columns, Gap: 4})
}
