package clip

import (
	"context"
	"fmt"
	"image"

	"github.com/fovea-ml/fovea/autograd"
)

// Samples are vectors of images with their labels, computed once and used for any number of fits.
type Samples struct {
	Vectors [][]float32
	Labels  []int // from 0, one a vector
}

// check returns an error for samples that do not fit together.
func (s Samples) check(classes int) error {
	if len(s.Vectors) == 0 {
		return fmt.Errorf("expected samples, found none")
	}
	if len(s.Vectors) != len(s.Labels) {
		return fmt.Errorf("expected a label for each of %d vectors, found %d", len(s.Vectors), len(s.Labels))
	}
	for i, v := range s.Vectors {
		if len(v) != len(s.Vectors[0]) {
			return fmt.Errorf("sample %d: expected %d values, found %d", i, len(s.Vectors[0]), len(v))
		}
		if s.Labels[i] < 0 || s.Labels[i] >= classes {
			return fmt.Errorf("sample %d: expected a label from 0 to %d, found %d", i, classes-1, s.Labels[i])
		}
	}
	return nil
}

// every is the share of the samples that are held out: one of so many of each class.
const every = 5

// split holds the fifth, tenth and so on sample of each class out. A class with fewer than five has none there.
func (s Samples) split(classes int) (rest, held Samples) {
	seen := make([]int, classes)
	for i, label := range s.Labels {
		to := &rest
		if seen[label]++; seen[label]%every == 0 {
			to = &held
		}
		to.Vectors = append(to.Vectors, s.Vectors[i])
		to.Labels = append(to.Labels, label)
	}
	return rest, held
}

// ImageFeatures returns the features of each image before the projection, as the paper's linear probe uses them (arXiv
// 2103.00020, appendix A.3). They are not normalized. Images, order, ctx, errors and concurrent use are those of
// [Model.EncodeImages].
func (m *Model) ImageFeatures(ctx context.Context, images ...image.Image) ([][]float32, error) {
	return m.images(ctx, images, func(features *autograd.Tensor) *autograd.Tensor { return features })
}
