package detect

import (
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/vision"
)

// LossPart is a part of the loss of a training step.
type LossPart struct {
	Name  string
	Value *autograd.Tensor // of one element
}

// Losses are the parts of the loss of a training step. Their sum is minimized.
type Losses []LossPart

// Sum returns the sum of the parts.
func (l Losses) Sum() *autograd.Tensor {
	sum := l[0].Value
	for _, part := range l[1:] {
		sum = autograd.Add(sum, part.Value)
	}
	return sum
}

// Trainable is a [Network] that has a loss.
type Trainable interface {
	Network
	// Losses returns the parts of the loss of a batch: always the same parts, in the same order. rng makes the random
	// choices, such as which boxes Faster R-CNN samples and which noise RT-DETR adds. It panics for a batch whose lengths differ, and for objects that are not valid, as [Truth] says.
	Losses(b Batch, rng *rand.Rand) Losses

	// input prepares an image as find does. size, when it is not 0, takes the place of the configured one.
	input(t *autograd.Tape, m *vision.Image, size int) input
	// multiple divides the height and the width of a batch.
	multiple() int
	// background is the number of classes before those of objects.
	background() int
	// newHead draws the layers anew that depend on the classes. Their number includes the background.
	newHead(classes int, rng *rand.Rand)
}

// Batch is a batch of images that [Model.Prepare] prepared, with the objects in them.
type Batch struct {
	Pixels *autograd.Tensor // [n, 3, h, w]
	Sizes  [][2]int         // the height and the width of each image, in the upper left corner of its pixels
	Truth  []Truth
}

// check panics unless there are a size and a truth for each image, and all objects are valid. first is the least class.
func (b Batch) check(detector string, first, classes int) {
	if n := b.Pixels.Dim(0); len(b.Sizes) != n || len(b.Truth) != n {
		panic(&autograd.ShapeError{Op: detector, Shapes: [][]int{b.Pixels.Shape(), {len(b.Sizes)}, {len(b.Truth)}}, Reason: "expected a size and the objects of each image"})
	}
	check(detector, b.Truth, first, classes)
}
