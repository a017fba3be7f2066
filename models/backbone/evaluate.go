package backbone

import (
	"context"
	"errors"
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// Evaluate classifies the images of a data set, prepared as Preprocess says, and counts the answers. The classes of the
// data set are those of the head, in the same order. It serves as the measurement of train.Config.Validate:
//
//	confusion, err := model.Evaluate(ctx, held)
//	fmt.Println(confusion.Accuracy())
//
// It returns an error for a model without a classifier, for a data set with another number of classes, for one without
// images, which matches [vision.ErrNoImages], and for an image that cannot be read. ctx ends it with the context's error.
func (m *Model) Evaluate(ctx context.Context, data vision.Dataset) (*metrics.Confusion, error) {
	if m.Head == nil {
		return nil, errors.New("backbone: the model has no classifier")
	}
	classes := data.Classes()
	if n := m.Head.Weight.Shape()[0]; n != len(classes) {
		return nil, fmt.Errorf("backbone: evaluate: the data set has %d classes, the head %d", len(classes), n)
	}
	confusion := metrics.NewConfusion(len(classes))
	confusion.Names = classes
	err := m.over(ctx, data, func(pixels *autograd.Tensor, b *vision.Batch) error {
		return confusion.AddLogits(m.Forward(pixels).Floats(nil), b.Labels)
	})
	if err == nil && confusion.Total() == 0 {
		err = vision.ErrNoImages
	}
	if err != nil {
		return nil, fmt.Errorf("backbone: evaluate: %w", err)
	}
	return confusion, nil
}

// EmbedDataset is [Model.Embed] for the images of a data set. They are decoded while others are embedded, and need not
// be in memory together. Its labels do not matter, but must be among its classes.
func (m *Model) EmbedDataset(ctx context.Context, data vision.Dataset) ([][]float32, error) {
	embeddings := make([][]float32, 0, data.Len())
	err := m.over(ctx, data, func(pixels *autograd.Tensor, _ *vision.Batch) error {
		embeddings = run.AppendRows(embeddings, m.Pooled(pixels))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("backbone: embed: %w", err)
	}
	return embeddings, nil
}

// over calls pass with the pixels of a data set, a batch at a time.
func (m *Model) over(ctx context.Context, data vision.Dataset, pass func(pixels *autograd.Tensor, b *vision.Batch) error) error {
	loader := &vision.Loader{Data: data, Preprocess: m.Preprocess, Goroutines: m.Workers.Limit()}
	return train.Evaluate(ctx, loader, autograd.Options{Workers: m.Workers}, func(t *autograd.Tape, b *vision.Batch) error {
		return pass(t.Input(b.Pixels, b.Shape()...), b)
	})
}
