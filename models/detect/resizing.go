package detect

import (
	"math"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/boxes"
	"github.com/fovea-ml/fovea/vision"
)

// resizing prepares images as torchvision's GeneralizedRCNNTransform.
type resizing struct{ min, max int }

// divisor divides the height and width of the pixels of a batch.
const divisor = 32

// size returns the size of an image after the resize.
func (r resizing) size(height, width int) (int, int) {
	scale := min(float64(r.min)/float64(min(height, width)), float64(r.max)/float64(max(height, width)))
	return max(1, int(float64(height)*scale)), max(1, int(float64(width)*scale))
}

// prepared are the pixels of a batch of images, and the size of each in it.
type prepared struct {
	pixels *autograd.Tensor // [n, 3, h, w], with zeros right of images and below
	sizes  [][2]int
}

// prepare normalizes images, resizes them by bilinear interpolation, and puts them in the upper left corners of a batch.
func (r resizing) prepare(t *autograd.Tape, images []*vision.Image) prepared {
	p := prepared{sizes: make([][2]int, len(images))}
	all := make([]planes, len(images))
	for i, m := range images {
		all[i] = r.input(t, m, 0).planes
		p.sizes[i] = [2]int{all[i].height, all[i].width}
	}
	pixels, h, w := batched(nil, all, divisor)
	p.pixels = t.Borrow(pixels, len(images), 3, h, w)
	return p
}

// input normalizes an image and resizes it by bilinear interpolation. size is [Model.Prepare]'s.
func (r resizing) input(t *autograd.Tape, m *vision.Image, size int) input {
	if size != 0 {
		r = resizing{size, scaled(r.max, size, r.min)}
	}
	height, width := r.size(m.Height, m.Width)
	x := t.Borrow(normalized(m), 1, 3, m.Height, m.Width)
	pixels := autograd.Resize2d(x, height, width, autograd.ResizeOptions{Mode: autograd.Bilinear}).Floats(nil)
	return stretched(pixels, height, width, m)
}

func (r *resizing) resized() *resizing { return r }

func (r resizing) multiple() int { return divisor }

// scaled returns a size that changes as another one does.
func scaled(size, to, from int) int {
	return int(math.Round(float64(size) * float64(to) / float64(from)))
}

// normalized returns the planes of an image less ImageNet's mean, over its deviation.
func normalized(m *vision.Image) []float32 {
	plane := m.Height * m.Width
	out := make([]float32, 3*plane)
	for c := range 3 {
		mean, std := vision.ImageNetMean[c], vision.ImageNetStd[c]
		for i := range plane {
			out[c*plane+i] = (float32(m.Pix[i*m.Channels+min(c, m.Channels-1)])/255 - mean) / std
		}
	}
	return out
}

// clip cuts a box to an image of the batch.
func (p *prepared) clip(i int, b boxes.Box) boxes.Box {
	return b.Clip(float32(p.sizes[i][1]), float32(p.sizes[i][0]))
}

// restore brings boxes in an image of the batch to pixels of the image.
func (p *prepared) restore(i int, m *vision.Image, all []boxes.Box) {
	x, y := float32(m.Width)/float32(p.sizes[i][1]), float32(m.Height)/float32(p.sizes[i][0])
	for k, b := range all {
		all[k] = boxes.Box{X0: b.X0 * x, Y0: b.Y0 * y, X1: b.X1 * x, Y1: b.Y1 * y}
	}
}
