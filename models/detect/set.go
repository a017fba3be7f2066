package detect

import (
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/vision"
)

// setNetwork is a network that predicts a set in images that a vision.Preprocess prepares.
type setNetwork interface {
	Network
	// preparing returns how images are prepared.
	preparing() *vision.Preprocess
}

// preparable returns an error for an image of which the preprocessing of a network leaves no pixels.
func preparable(n Network, m *vision.Image) error {
	set, ok := n.(setNetwork)
	if !ok {
		return nil
	}
	if h, w := set.preparing().OutputSize(m.Height, m.Width); h < 1 || w < 1 {
		return fmt.Errorf("%d×%d pixels become %d×%d: %w", m.Width, m.Height, w, h, vision.ErrSize)
	}
	return set.preparing().Validate()
}

// forSize returns a preprocessing whose shorter side is size, and whose other sides change in proportion. 0 leaves it.
func forSize(p vision.Preprocess, size int) vision.Preprocess {
	short := shorter(p)
	if size == 0 || short == 0 {
		return p
	}
	for _, side := range []*int{&p.Width, &p.Height, &p.MaxLong} {
		*side = scaled(*side, size, short)
	}
	return p
}

// shorter returns the shorter side of images that are prepared, 0 where they are not resized.
func shorter(p vision.Preprocess) int {
	if p.Mode != vision.ShortSide && p.Height != 0 {
		return min(p.Width, p.Height)
	}
	return p.Width
}

// setInput prepares an image, which is preparable. size is as for [Trainable].
func setInput(t *autograd.Tape, p vision.Preprocess, m *vision.Image, size int) input {
	p = forSize(p, size)
	pixels, height, width, err := p.Pixels(nil, t.Workers(), m)
	if err != nil {
		panic(&autograd.ShapeError{Op: "detect", Reason: err.Error()})
	}
	return stretched(pixels, height, width, m)
}

// findSet searches images one by one, so that detections do not depend on the other images. Each prediction is of its most
// probable class.
func findSet(t *autograd.Tape, images []*vision.Image, p vision.Preprocess, minScore float32, forward func(pixels *autograd.Tensor) (logits, boxes *autograd.Tensor)) []candidates {
	found := make([]candidates, len(images))
	for i, m := range images {
		in := setInput(t, p, m, 0)
		logits, predicted := forward(t.Borrow(in.pixels, 1, p.Channels(), in.height, in.width))
		scores, boxes := autograd.Softmax(logits).Floats(nil), predicted.Floats(nil)
		classes := logits.Dim(2)
		for q := range logits.Dim(1) {
			of := scores[q*classes:][:classes-1] // without no object
			best := 0
			for k, s := range of {
				if s > of[best] {
					best = k
				}
			}
			if !(of[best] > minScore) {
				continue
			}
			b := fromCenter(boxes[4*q:])
			w, h := float32(m.Width), float32(m.Height)
			found[i].add(Box{X0: b.X0 * w, Y0: b.Y0 * h, X1: b.X1 * w, Y1: b.Y1 * h}, of[best], best)
		}
	}
	return found
}

// sizesOf returns the sizes of images, where nil means that they fill their pixels.
func sizesOf(pixels *autograd.Tensor, sizes [][2]int) [][2]int {
	if sizes != nil {
		return sizes
	}
	sizes = make([][2]int, pixels.Dim(0))
	for i := range sizes {
		sizes[i] = [2]int{pixels.Dim(2), pixels.Dim(3)}
	}
	return sizes
}
