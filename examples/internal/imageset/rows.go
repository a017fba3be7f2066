package imageset

import (
	"context"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// Rows returns f of the pixels of each image of a loader, [images, width], on tapes of the options o, with a bar.
func Rows(ctx context.Context, out *console.Console, what string, l *vision.Loader, o autograd.Options, f func(pixels *autograd.Tensor) *autograd.Tensor) (rows []float32, err error) {
	show := out.Phase(what, console.Steps, int64(l.Batches()))
	defer show.End()
	err = train.Evaluate(ctx, l, o, func(t *autograd.Tape, b *vision.Batch) error {
		rows = append(rows, f(t.Input(b.Pixels, b.Shape()...)).Floats(nil)...)
		show.At(int64(b.Number + 1))
		return nil
	})
	return rows, err
}

// Small returns p, or a preprocessing to side×side pixels where p's images are larger. The time and memory of logistic
// regression on pixels grow with their number.
func Small(p vision.Preprocess, side int) vision.Preprocess {
	if height, width, _ := p.FixedSize(); max(height, width) <= side {
		return p
	}
	small := vision.Half(side)
	small.Gray = p.Gray
	return small
}
