package mae

import (
	"context"
	"fmt"
	"image"
	"math"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/vision"
)

// Reconstruction shows how a model fills in the masked patches of one image, at the model's size.
type Reconstruction struct {
	Original *vision.Image // as the model sees it
	Masked   *vision.Image // masked patches are gray
	Filled   *vision.Image // visible patches as they are, masked ones as predicted
}

// Reconstruct masks images, which may have any size, at the configured ratio and rebuilds them. seed draws the
// masks, from the first image to the last. Visible patches are copied from the original. Where the model predicts
// normalized patches, each gets the mean and variance of the original one, as in the paper's figures.
//
// ctx ends it between blocks and batches with an error that matches the context's; the model stays usable. It is
// safe for concurrent use. A model of one channel gets gray images. It returns an error for a Preprocess whose output has
// not the model's channels and size, and for an image without pixels, which it names by its position.
func (m *Model) Reconstruct(ctx context.Context, seed uint64, images ...image.Image) ([]Reconstruction, error) {
	patches := m.Config.Patches()
	noise := m.Noise(seed, 0, len(images))
	out := make([]Reconstruction, 0, len(images))
	in := run.ImageInput{Preprocess: &m.Preprocess, Channels: m.Config.NumChannels, Height: m.Config.ImageSize, Width: m.Config.ImageSize}
	err := run.Images(ctx, m.runner, m.tape(), images, in, func(pixels *autograd.Tensor, first int) error {
		n := pixels.Dim(0)
		masking := m.Masking(noise[first*patches:(first+n)*patches], n)
		original := autograd.PatchifyLast(pixels, m.Config.PatchSize).Floats(nil)
		out = append(out, m.show(original, m.Predict(pixels, masking).Floats(nil), masking)...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("mae: %w", err)
	}
	return out, nil
}

// show turns the patches of a batch, the original and the predicted ones, into images.
func (m *Model) show(patches, pred []float32, masking *Masking) []Reconstruction {
	c := m.Config
	values := c.PatchSize * c.PatchSize * c.NumChannels
	out := make([]Reconstruction, masking.Batch)
	for b := range out {
		masked := make([]bool, masking.Patches)
		for _, i := range masking.Masked[b] {
			masked[i] = true
		}
		of := func(v []float32, i int) []float32 { return v[(b*masking.Patches+i)*values:][:values] }
		out[b] = Reconstruction{
			Original: m.paint(func(i int) []float32 { return of(patches, i) }),
			Masked: m.paint(func(i int) []float32 {
				if masked[i] {
					return nil
				}
				return of(patches, i)
			}),
			Filled: m.paint(func(i int) []float32 {
				switch {
				case !masked[i]:
					return of(patches, i)
				case c.NormPixLoss:
					return denormalize(of(pred, i), of(patches, i))
				}
				return of(pred, i)
			}),
		}
	}
	return out
}

// denormalize gives a predicted patch the mean and variance of the original one.
func denormalize(pred, original []float32) []float32 {
	mean, square := 0.0, 0.0
	for _, v := range original {
		mean += float64(v)
	}
	mean /= float64(len(original))
	for _, v := range original {
		square += (float64(v) - mean) * (float64(v) - mean)
	}
	std := math.Sqrt(square/float64(max(1, len(original)-1)) + 1e-6)
	out := make([]float32, len(pred))
	for i, v := range pred {
		out[i] = float32(float64(v)*std + mean)
	}
	return out
}

// gray is the level of a masked patch in images.
const gray = 128

// paint assembles an image from its patches, whose values are in the order row, column, channel. A patch that is nil is
// gray.
func (m *Model) paint(patch func(i int) []float32) *vision.Image {
	c := m.Config
	_, side := c.Grid()
	img := vision.NewImage(c.ImageSize, c.ImageSize, 3)
	norm := m.Preprocess.Normalizer()
	for i := range c.Patches() {
		values := patch(i)
		for y := range c.PatchSize {
			for x := range c.PatchSize {
				at := ((i/side*c.PatchSize+y)*c.ImageSize + i%side*c.PatchSize + x) * 3
				for ch := range 3 {
					img.Pix[at+ch] = gray
					if values != nil {
						img.Pix[at+ch] = norm.Level(ch, values[(y*c.PatchSize+x)*c.NumChannels+ch%c.NumChannels])
					}
				}
			}
		}
	}
	return img
}
