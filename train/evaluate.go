package train

import (
	"context"

	"github.com/fovea-ml/fovea/autograd"
)

// Evaluate calls pass with each batch of the loader's epoch 0, on a tape that records no gradients and does not behave as
// in training. It suits validation:
//
//	confusion := metrics.NewConfusion(classes)
//	err := train.Evaluate(ctx, loader, autograd.Options{Workers: workers}, func(t *autograd.Tape, b *vision.Batch) error {
//		logits := model.Forward(t.Input(b.Pixels, b.Shape()...))
//		return confusion.AddLogits(logits.Floats(nil), b.Labels)
//	})
//
// The tape is reset after each batch. o gives its other options, such as the workers. The error is that of the loader, of
// pass or of ctx, or an *autograd.ShapeError.
func Evaluate[B Sized](ctx context.Context, s Source[B], o autograd.Options, pass func(t *autograd.Tape, b B) error) error {
	o.Gradients, o.Training, o.Context = false, false, ctx
	tape := autograd.NewTape(o)
	for b, err := range s.EpochFrom(ctx, 0, 0) {
		if err == nil {
			err = tape.Try(func() error { return pass(tape, b) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}
