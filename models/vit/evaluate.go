package vit

import (
	"context"
	"errors"
	"fmt"

	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/vision"
)

// Evaluate classifies the images of a data set, prepared as Preprocess says, and counts the answers. The classes of the
// data set are those of the head, in the same order. It serves as the measurement of train.Config.Validate:
//
//	confusion, err := model.Evaluate(ctx, held)
//	fmt.Println(confusion.Accuracy())
//
// It returns an error for a model without a classifier, for a data set with another number of classes or with a class whose
// name is that of another class of the model, for one without images, which matches [vision.ErrNoImages], and for an image that
// cannot be read. ctx ends it with the context's error.
func (m *Model) Evaluate(ctx context.Context, data vision.Dataset) (*metrics.Confusion, error) {
	if m.Head == nil {
		return nil, errors.New("vit: the model has no classifier")
	}
	confusion, err := run.Confusion(ctx, m.tape(), data, m.Preprocess, m.Config.LabelsOf(m.Head.Weight.Shape()[0]), m.Forward)
	if err != nil {
		return nil, fmt.Errorf("vit: evaluate: %w", err)
	}
	return confusion, nil
}

// EmbedDataset is [Model.Embed] for the images of a data set. They are decoded while others are embedded, and need not
// be in memory together. Its labels do not matter, but must be among its classes.
func (m *Model) EmbedDataset(ctx context.Context, data vision.Dataset) ([][]float32, error) {
	embeddings, err := run.DataRows(ctx, m.tape(), data, m.Preprocess, m.Pooled)
	if err != nil {
		return nil, fmt.Errorf("vit: embed: %w", err)
	}
	return embeddings, nil
}
