package vit

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/run"
)

// Prediction is a model's answer for one image.
type Prediction = models.Prediction

// Classify predicts the class of each image, in the order of the images, which may have any size. A model of one channel
// gets gray images. models.Predict says what the probabilities are. ctx ends it between blocks and batches with an error
// that matches the context's; the model stays usable. It is safe for concurrent use.
//
// It returns an error for a model without a classifier, for an image without pixels, which it names by its position, and
// for a Preprocess whose output has not the model's channels, or is no multiple of the patch size.
func (m *Model) Classify(ctx context.Context, images ...image.Image) ([]Prediction, error) {
	if m.Head == nil {
		return nil, errors.New("vit: the model has no classifier")
	}
	labels := m.Config.LabelsOf(m.Head.Weight.Shape()[0])
	out := make([]Prediction, 0, len(images))
	in := run.ImageInput{Preprocess: &m.Preprocess, Channels: m.Config.NumChannels, Patch: m.Config.PatchSize}
	err := run.Images(ctx, m.runner, m.Workers, images, in, func(pixels *autograd.Tensor, _ int) error {
		logits := m.Forward(pixels)
		for row := range slices.Chunk(logits.Floats(nil), logits.Dim(1)) {
			out = append(out, models.Predict(slices.Clip(row), labels, m.Config.Problem))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("vit: %w", err)
	}
	return out, nil
}
