package detect

import (
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
)

// Truth are the objects in an image of a batch, for training: boxes in pixels of the batch, and the class of each.
//
// Classes are numbers below the model's. They begin at 0. torchvision's files, which have 91 classes, leave 0 without
// objects. For [FasterRCNN] they begin at 1, because 0 is the background.
//
// The losses panic with an autograd.ShapeError, which names the image and the object, for a class outside of the model's, and
// for a box that is not valid, such as one without an area. They also panic unless there are as many classes as boxes.
type Truth struct {
	Boxes   []Box
	Classes []int
}

// checkCount panics unless there are the objects of each image.
func checkCount(detector string, pixels *autograd.Tensor, truth []Truth) {
	if len(truth) != pixels.Dim(0) {
		panic(&autograd.ShapeError{Op: detector, Shapes: [][]int{pixels.Shape(), {len(truth)}}, Reason: "expected the objects of each image"})
	}
}

// check panics for objects that a loss cannot take. first is the least class.
func check(detector string, truth []Truth, first, classes int) {
	fail := func(format string, args ...any) {
		panic(&autograd.ShapeError{Op: detector, Reason: fmt.Sprintf(format, args...)})
	}
	for i, o := range truth {
		if len(o.Boxes) != len(o.Classes) {
			fail("image %d: expected as many classes as boxes, found %d and %d", i, len(o.Classes), len(o.Boxes))
		}
		for k, b := range o.Boxes {
			if !b.Valid() {
				fail("image %d, object %d: expected a box of finite numbers with an area, found %v", i, k, b)
			}
			if class := o.Classes[k]; class < first || class >= classes {
				fail("image %d, object %d: expected a class from %d to %d, found %d", i, k, first, classes-1, class)
			}
		}
	}
}
