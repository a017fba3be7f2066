package vit

import (
	"context"
	"errors"
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// Evaluate classifies the images of a data set, prepared as Preprocess says, and counts the answers. The classes of the
// data set are those of the head, in the same order. It serves as the measurement of train.Config.Validate:
//
//	confusion, err := model.Evaluate(ctx, held)
//	fmt.Println(confusion.Accuracy())
//
// It returns an error for a model without a classifier, for a data set with another number of classes, and for an image
// that cannot be read. ctx ends it with the context's error.
func (m *Model) Evaluate(ctx context.Context, data vision.Dataset) (*metrics.Confusion, error) {
	if m.Head == nil {
		return nil, errors.New("vit: the model has no classifier")
	}
	classes := data.Classes()
	if n := m.Head.Weight.Shape()[0]; n != len(classes) {
		return nil, fmt.Errorf("vit: evaluate: the data set has %d classes, the head %d", len(classes), n)
	}
	confusion := metrics.NewConfusion(len(classes))
	confusion.Names = classes
	loader := &vision.Loader{Data: data, Preprocess: m.Preprocess, Goroutines: m.Workers.Limit()}
	err := train.Evaluate(ctx, loader, autograd.Options{Workers: m.Workers}, func(t *autograd.Tape, b *vision.Batch) error {
		return confusion.AddLogits(m.Forward(t.Input(b.Pixels, b.Shape()...)).Floats(nil), b.Labels)
	})
	if err != nil {
		return nil, fmt.Errorf("vit: evaluate: %w", err)
	}
	return confusion, nil
}
