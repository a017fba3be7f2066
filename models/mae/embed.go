package mae

import (
	"context"
	"fmt"
	"image"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/run"
)

// Embed returns the features of each image: the class token after the encoder's last norm, Config.HiddenSize values. All
// patches are visible. Linear probing classifies this vector (MAE, appendix A.1; main_linprobe.py of
// facebookresearch/mae). The mean of the patch tokens is Embed of a [Model.Classifier] with a Pooling.
//
// The images may have any size. The results are in their order. ctx ends it between blocks and batches with an error that
// matches the context's; the model stays usable. It is safe for concurrent use. A model of one channel gets gray images.
// It returns an error for a Preprocess whose output has not the model's channels, or is no multiple of the patch size,
// and for an image without pixels, which it names by its position.
func (m *Model) Embed(ctx context.Context, images ...image.Image) ([][]float32, error) {
	in := run.ImageInput{Preprocess: &m.Preprocess, Channels: m.Config.NumChannels, Patch: m.Config.PatchSize}
	features, err := run.Rows(ctx, m.runner, m.tape(), images, in, func(pixels *autograd.Tensor) *autograd.Tensor {
		class := m.Encoder.First(pixels, 1)
		return autograd.Reshape(class, class.Dim(0), class.Dim(2))
	})
	if err != nil {
		return nil, fmt.Errorf("mae: %w", err)
	}
	return features, nil
}
