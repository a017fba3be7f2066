package template

import (
	"context"
	"errors"
	"fmt"
	"image"

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
	in := run.ImageInput{Preprocess: &m.Preprocess, Channels: m.Config.NumChannels, Patch: m.Config.PatchSize}
	// run.Over serves inputs that are not images.
	logits, err := run.Rows(ctx, m.runner, m.tape(), images, in, m.Forward)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	labels := m.Config.LabelsOf(m.Head.Weight.Shape()[0])
	out := make([]models.Prediction, len(logits))
	for i, row := range logits {
		out[i] = models.Predict(row, labels, m.Config.Problem)
	}
	return out, nil
}
