package vision

import (
	"context"
	"fmt"
)

// ContactSheet draws the first images of an epoch as training sees them, augmented and mixed, in a grid: the picture
// to look at before a recipe is trusted. It returns the error that the epoch ends with when there is no image before it.
func (l *Loader) ContactSheet(ctx context.Context, epoch, rows, columns int) (*Image, error) {
	if rows <= 0 || columns <= 0 {
		return nil, fmt.Errorf("vision: contact sheet of %d×%d images: %w", rows, columns, ErrSize)
	}
	norm := l.Preprocess.Normalizer()
	var images []*Image
	var last error
	for b, err := range l.Epoch(ctx, epoch) {
		if err != nil {
			last = err
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
	if last != nil && len(images) == 0 {
		return nil, last
	}
	return Grid(images, columns, 4)
}
