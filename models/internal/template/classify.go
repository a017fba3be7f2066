package template

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

// Classify predicts the class of each image, in the order of the images, which may have any size. ctx ends it between
// blocks and batches with an error that matches the context's; the model stays usable. It is safe for concurrent use.
//
// It returns an error for a model without a classifier, for an image without pixels, which it names by its position, and
// for a Preprocess whose output has not the model's channels, or is no multiple of the patch size.
func (m *Model) Classify(ctx context.Context, images ...image.Image) ([]models.Prediction, error) {
	if m.Head == nil {
		return nil, errors.New("template: the model has no classifier")
	}
	classes := m.Head.Weight.Shape()[0]
	labels := m.Config.LabelsOf(classes)
	out := make([]models.Prediction, 0, len(images))
	in := run.ImageInput{Preprocess: &m.Preprocess, Channels: m.Config.NumChannels, Patch: m.Config.PatchSize}
	// run.Over does the same for inputs that are not images.
	err := run.Images(ctx, m.runner, m.Workers, images, in, func(pixels *autograd.Tensor, _ int) error {
		logits := m.Forward(pixels).Floats(nil) // values leave the tape by copying
		for row := range slices.Chunk(logits, classes) {
			out = append(out, models.Predict(slices.Clip(row), labels, m.Config.Problem))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return out, nil
}
