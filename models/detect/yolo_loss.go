package detect

import (
	"math"
	"math/rand/v2"

	"github.com/chewxy/math32"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/boxes"
)

// YOLOv1Losses are the losses of a training step with the paper's weights (equation 3); their sum is minimized.
type YOLOv1Losses struct {
	Box    *autograd.Tensor // the squared errors of the centers, and of the roots of the sizes; times 5
	Object *autograd.Tensor // that of the confidence of the boxes that predict an object
	Empty  *autograd.Tensor // that of the confidence of the others; times 0.5
	Class  *autograd.Tensor // those of the classes in cells with an object
}

// The weights of equation 3: of boxes, and of confidences without an object.
const yoloCoord, yoloEmpty = 5, 0.5

// Loss returns the losses of a batch of pixels, [n, 3, size, size], with the objects of each image: the means over the images.
//
// An object belongs to the cell in which its center lies, or to the nearest one. Of several in a cell, the first
// counts. The box whose IoU with the object is largest predicts it; where no box overlaps the object, that with the
// least squared error. The target of its confidence is the IoU, as a constant. It panics when there are more or fewer
// images than truths, and for objects that are not valid, as [Truth] says.
func (d *YOLOv1) Loss(pixels *autograd.Tensor, truth []Truth) YOLOv1Losses {
	return d.outputs.loss(pixels, d.size, truth, d.Forward)
}

// loss returns the losses of pixels of a size, from which forward makes predictions.
func (o yoloOutputs) loss(pixels *autograd.Tensor, size int, truth []Truth, forward func(*autograd.Tensor) *autograd.Tensor) YOLOv1Losses {
	n := pixels.Dim(0)
	checkCount("yolov1", pixels, truth)
	check("yolov1", truth, 0, o.classes)
	t, x := pixels.Tape(), forward(pixels)
	values := x.Floats(nil)
	targets := yoloTargets{values: make([]float32, len(values))}
	for i := range targets.weights {
		targets.weights[i] = make([]float32, len(values))
	}
	for i := range truth {
		targets.image(o, values[i*o.count():][:o.count()], i*o.count(), truth[i], float32(size))
	}
	square := autograd.Square(autograd.Sub(x, t.Borrow(targets.values, n, o.count())))
	sum := func(part int, weight float32) *autograd.Tensor {
		return autograd.Scale(autograd.Sum(autograd.Mul(square, t.Borrow(targets.weights[part], n, o.count())), false), weight/float32(n))
	}
	return YOLOv1Losses{Box: sum(0, yoloCoord), Object: sum(1, 1), Empty: sum(2, yoloEmpty), Class: sum(3, 1)}
}

// Losses implements [Trainable].
func (d *YOLOv1) Losses(b Batch, _ *rand.Rand) Losses {
	b.check("yolov1", 0, d.outputs.classes)
	return d.Loss(b.Pixels, b.Truth).parts()
}

func (l YOLOv1Losses) parts() Losses {
	return Losses{{"box", l.Box}, {"object", l.Object}, {"empty", l.Empty}, {"class", l.Class}}
}

// yoloTargets are the values that a batch of predictions should have, and which of them count for the box, object, empty and
// class losses: weights of 0 or 1.
type yoloTargets struct {
	values  []float32
	weights [4][]float32
}

// image fills in the targets of an image, whose predictions begin at the given position.
func (y *yoloTargets) image(o yoloOutputs, values []float32, at int, truth Truth, size float32) {
	set := func(part, i int, v float32) {
		y.values[at+i], y.weights[part][at+i] = v, 1
	}
	for cell := range o.cells() {
		for b := range o.boxes {
			set(2, o.confidence(cell, b), 0)
		}
	}
	taken := make([]bool, o.cells())
	for k, b := range truth.Boxes {
		b = boxes.Box{X0: b.X0 / size, Y0: b.Y0 / size, X1: b.X1 / size, Y1: b.Y1 / size}
		cx, cy, w, h := b.Center()
		last := float32(o.grid - 1)
		cx, cy = float32(cx*float32(o.grid)), float32(cy*float32(o.grid)) // rounded before what follows
		column, row := int(min(max(cx, 0), last)), int(min(max(cy, 0), last))
		cell := row*o.grid + column
		if taken[cell] {
			continue
		}
		taken[cell] = true
		best, overlap := o.responsible(values, cell, b)
		set(1, o.confidence(cell, best), overlap)
		y.weights[2][at+o.confidence(cell, best)] = 0
		for i, v := range [4]float32{cx - float32(column), cy - float32(row), math32.Sqrt(w), math32.Sqrt(h)} {
			set(0, o.box(cell, best)+i, v)
		}
		for c := range o.classes {
			set(3, o.class(cell)+c, 0)
		}
		set(3, o.class(cell)+truth.Classes[k], 1)
	}
}

// responsible returns the box of a cell that predicts an object, and their IoU.
func (o yoloOutputs) responsible(values []float32, cell int, object boxes.Box) (best int, overlap float32) {
	cx, cy, w, h := object.Center()
	least := math.Inf(1)
	for b := range o.boxes {
		box := o.decode(values, cell, b)
		if iou := box.IoU(object); iou > overlap {
			best, overlap = b, iou
		}
		if overlap > 0 {
			continue
		}
		x, y, width, height := box.Center()
		far := 0.0
		for _, v := range [4]float32{x - cx, y - cy, width - w, height - h} {
			far += float64(float64(v) * float64(v))
		}
		if far < least {
			best, least = b, far
		}
	}
	return best, overlap
}
