package run

import (
	"context"
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// Confusion counts the answers of a classifier for the images of a data set, prepared by p. forward maps pixels to logits,
// [n, classes], for the classes of the data set in their order.
//
// It returns an error for a data set with another number of classes, for one without images, which matches
// [vision.ErrNoImages], and for an image that cannot be read. ctx ends it with the context's error.
func Confusion(ctx context.Context, o autograd.Options, data vision.Dataset, p vision.Preprocess, labels []string, forward func(pixels *autograd.Tensor) *autograd.Tensor) (*metrics.Confusion, error) {
	names := data.Classes()
	if len(labels) != len(names) {
		return nil, fmt.Errorf("the data set has %d classes, the head %d", len(names), len(labels))
	}
	for i, name := range names {
		if at := slices.Index(labels, name); at >= 0 && labels[i] != name {
			return nil, fmt.Errorf("class %d of the data set is %q, which is class %d of the model", i, name, at)
		}
	}
	confusion := metrics.NewConfusion(len(names))
	confusion.Names = names
	err := overData(ctx, o, data, p, func(pixels *autograd.Tensor, b *vision.Batch) error {
		return confusion.AddLogits(forward(pixels).Floats(nil), b.Labels)
	})
	if err == nil && confusion.Total() == 0 {
		err = vision.ErrNoImages
	}
	if err != nil {
		return nil, err
	}
	return confusion, nil
}

// DataRows is [Rows] for the images of a data set, prepared by p. They are decoded while others are computed, and need not be in
// memory together.
func DataRows(ctx context.Context, o autograd.Options, data vision.Dataset, p vision.Preprocess, forward func(pixels *autograd.Tensor) *autograd.Tensor) ([][]float32, error) {
	rows := make([][]float32, 0, data.Len())
	err := overData(ctx, o, data, p, func(pixels *autograd.Tensor, _ *vision.Batch) error {
		rows = AppendRows(rows, forward(pixels))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// overData calls pass with the pixels of a data set, a batch at a time.
func overData(ctx context.Context, o autograd.Options, data vision.Dataset, p vision.Preprocess, pass func(pixels *autograd.Tensor, b *vision.Batch) error) error {
	loader := &vision.Loader{Data: data, Preprocess: p, Goroutines: o.Workers.Limit()}
	return train.Evaluate(ctx, loader, o, func(t *autograd.Tape, b *vision.Batch) error {
		return pass(t.Input(b.Pixels, b.Shape()...), b)
	})
}
