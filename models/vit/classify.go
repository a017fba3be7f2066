package vit

import (
	"context"
	"errors"
	"fmt"
	"image"

	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/run"
)

// Prediction is a model's answer for one image.
type Prediction = models.Prediction

// Classify predicts the class of each image, in the order of the images, which may have any size. A model of one channel
// gets gray images. models.Predict documents the probabilities. A class without a name is called LABEL_0 and so on. ctx
// ends it between blocks and batches with an error that matches the context's; the model stays usable. It is safe for
// concurrent use.
//
// It returns an error for a model without a classifier, for an image without pixels, which it names by its position, and
// for a Preprocess whose output has not the model's channels, or is no multiple of the patch size.
func (m *Model) Classify(ctx context.Context, images ...image.Image) ([]Prediction, error) {
	if m.Head == nil {
		return nil, errors.New("vit: the model has no classifier; Embed gives features")
	}
	logits, err := run.Rows(ctx, m.runner, m.tape(), images, m.input(), m.Forward)
	if err != nil {
		return nil, fmt.Errorf("vit: %w", err)
	}
	labels := m.Config.LabelsOf(m.Head.Weight.Shape()[0])
	out := make([]Prediction, len(logits))
	for i, row := range logits {
		out[i] = models.Predict(row, labels, m.Config.Problem)
	}
	return out, nil
}

// Embed returns the features of each image, the vector of Config.FeatureSize() values that the head classifies. A model
// without a head has them too. Images, order, ctx, errors and concurrent use are those of [Model.Classify].
//
// The vectors are not scaled. Divide each by its length to compare them by their dot product.
func (m *Model) Embed(ctx context.Context, images ...image.Image) ([][]float32, error) {
	features, err := run.Rows(ctx, m.runner, m.tape(), images, m.input(), m.Pooled)
	if err != nil {
		return nil, fmt.Errorf("vit: %w", err)
	}
	return features, nil
}

// input says which pixels the model takes.
func (m *Model) input() run.ImageInput {
	return run.ImageInput{Preprocess: &m.Preprocess, Channels: m.Config.NumChannels, Patch: m.Config.PatchSize}
}
