package mae

import (
	"context"
	"fmt"
	"image"
	"math"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/vision"
)

// Reconstruction shows what a model makes of one picture, at the model's size.
type Reconstruction struct {
	Original *vision.Image // as the model sees it
	Masked   *vision.Image // masked patches are grey
	Filled   *vision.Image // visible patches as they are, masked ones as predicted
}

// Reconstruct masks pictures at the configured ratio and rebuilds them. seed draws the masks. Where the model
// predicts normalised patches, each is given back the mean and variance of the original one, as the paper's
// figures are made; the visible patches are copied from the original.
func (m *Model) Reconstruct(ctx context.Context, seed uint64, pictures ...image.Image) ([]Reconstruction, error) {
	c := m.Config
	n, size, pd := len(pictures), c.ImageSize, c.PatchSize*c.PatchSize*c.NumChannels
	if n == 0 {
		return nil, nil
	}
	pixels, width, height, err := m.Preprocess.Pixels(nil, m.Workers, pictures...)
	if err != nil {
		return nil, fmt.Errorf("mae: %w", err)
	}
	if c.NumChannels != 3 || width != size || height != size {
		return nil, fmt.Errorf("mae: preprocessing gives 3×%d×%d values a picture, the model takes %d×%d×%d", height, width, c.NumChannels, size, size)
	}
	arena := m.arenas.Get()
	defer m.arenas.Put(arena)
	tape := autograd.NewTape(autograd.Options{Workers: m.Workers, Arena: arena, Context: ctx})
	masking := m.Masking(m.Noise(seed, 0, n), n)
	var pred, patches []float32
	err = tape.Try(func() error {
		x := tape.Input(pixels, n, c.NumChannels, size, size)
		patches = autograd.PatchifyLast(x, c.PatchSize).Floats(nil)
		pred = m.Predict(x, masking).Floats(nil)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]Reconstruction, n)
	for b := range n {
		masked := make([]bool, c.Patches())
		for _, i := range masking.Masked[b] {
			masked[i] = true
		}
		of := func(v []float32, i int) []float32 { return v[(b*c.Patches()+i)*pd:][:pd] }
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
					return denormalise(of(pred, i), of(patches, i))
				}
				return of(pred, i)
			}),
		}
	}
	return out, nil
}

// denormalise gives a predicted patch the mean and variance of the original one.
func denormalise(pred, original []float32) []float32 {
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

// grey is the level of a masked patch in pictures.
const grey = 128

// paint makes a picture of patches, whose values are in the order row, column, channel; nil is grey.
func (m *Model) paint(patch func(i int) []float32) *vision.Image {
	c := m.Config
	side := c.ImageSize / c.PatchSize
	img := vision.NewImage(c.ImageSize, c.ImageSize, 3)
	mean, std := m.Preprocess.Mean, m.Preprocess.Std
	if std == [3]float32{} { // Preprocess's default
		mean, std = [3]float32{.5, .5, .5}, [3]float32{.5, .5, .5}
	}
	for i := range c.Patches() {
		values := patch(i)
		for y := range c.PatchSize {
			for x := range c.PatchSize {
				at := ((i/side*c.PatchSize+y)*c.ImageSize + i%side*c.PatchSize + x) * 3
				for ch := range 3 {
					level := float32(grey)
					if values != nil {
						k := min(ch, c.NumChannels-1)
						v := values[(y*c.PatchSize+x)*c.NumChannels+k]
						level = (v*std[k] + mean[k]) * 255
					}
					img.Pix[at+ch] = uint8(min(max(level+0.5, 0), 255))
				}
			}
		}
	}
	return img
}
