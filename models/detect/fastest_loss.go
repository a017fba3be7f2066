package detect

import (
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/losses"
)

// FastestDetLosses are the losses of a training step; their sum is minimized.
type FastestDetLosses struct {
	Box    *autograd.Tensor // 8 times the mean SIoU loss of the boxes (arXiv 2205.12740)
	Object *autograd.Tensor // 16 times the mean of the smooth absolute differences of the objectness, weighted
	Class  *autograd.Tensor // the cross-entropy of the classes
}

// The weights of the losses, and those of cells without and with an object (DetectorLoss in module/loss.py of
// dog-qiuqiu/FastestDet).
const (
	fastestBox, fastestObject            = 8, 16
	fastestBackground, fastestForeground = 0.75, 0.25
)

// Loss returns the losses of a batch of pixels, [n, 3, h, w], with the objects of each image. The cell that holds the
// center of an object, and those right of it, below, and below on the right, are its candidates. Cells of the first row
// and the first column are not, as in the release. Of all candidates of the batch, those count whose SIoU exceeds the
// mean. Their boxes and classes are compared with the object, and the objectness of their cells with the SIoU, from
// which the boxes get a gradient too. The objectness of all other cells is compared with 0.
//
// Of several objects that a cell is to predict, the last gives its objectness. Where no candidate exceeds the mean,
// such as in a batch without objects, Box and Class are 0; the release then gives NaN. It panics when there are more or
// fewer images than truths, and for objects that are not valid, as [Truth] says.
func (d *FastestDet) Loss(pixels *autograd.Tensor, truth []Truth) FastestDetLosses {
	if len(truth) != pixels.Dim(0) {
		panic(&autograd.ShapeError{Op: "fastestdet", Shapes: [][]int{pixels.Shape(), {len(truth)}}, Reason: "expected the objects of each image"})
	}
	check("fastestdet", truth, 0, d.Class.Predict.Conv.Weight.Shape()[0])
	object, box, class := d.Predict(pixels)
	return fastestLoss(object, box, class, truth)
}

// Losses implements [Trainable].
func (d *FastestDet) Losses(b Batch, _ *rand.Rand) Losses {
	b.check("fastestdet", 0, d.Class.Predict.Conv.Weight.Shape()[0])
	l := d.Loss(b.Pixels, b.Truth)
	return Losses{{"box", l.Box}, {"object", l.Object}, {"class", l.Class}}
}

// fastestCandidates are the cells that may predict objects: one row of each list for each.
type fastestCandidates struct {
	image, row []int     // of all cells of the batch
	corner     []float32 // [n, 2]: the column and the row of the cell
	boxes      []float32 // [n, 4]: of the object, in cells
	classes    []int
}

func newFastestCandidates(truth []Truth, height, width int) (c fastestCandidates) {
	for _, step := range [4][2]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		for i, o := range truth {
			for k, b := range o.Boxes {
				x0, y0, x1, y1 := b.X0/fastestStride, b.Y0/fastestStride, b.X1/fastestStride, b.Y1/fastestStride
				cx, cy := (x0+x1)/2, (y0+y1)/2
				if !(cx >= 0 && cy >= 0 && cx < float32(width) && cy < float32(height)) {
					continue
				}
				column, row := int(cx)+step[0], int(cy)+step[1]
				if column == 0 || row == 0 || column >= width || row >= height {
					continue
				}
				c.image, c.row = append(c.image, i), append(c.row, (i*height+row)*width+column)
				c.corner = append(c.corner, float32(column), float32(row))
				c.boxes, c.classes = append(c.boxes, x0, y0, x1, y1), append(c.classes, o.Classes[k])
			}
		}
	}
	return c
}

// fastestLoss compares predictions with objects.
func fastestLoss(object, box, class *autograd.Tensor, truth []Truth) FastestDetLosses {
	t := object.Tape()
	n, height, width := object.Dim(0), object.Dim(2), object.Dim(3)
	cells := n * height * width
	found := autograd.Reshape(autograd.Sigmoid(object), cells, 1)
	c := newFastestCandidates(truth, height, width)
	weights := make([]float32, cells) // of cells without an object
	for i := range weights {
		weights[i] = fastestBackground
	}
	out := FastestDetLosses{Box: t.Full(0), Class: t.Full(0), Object: t.Full(0)}
	if len(c.row) > 0 {
		each := losses.BoxLoss(fastestBoxes(box, c, height, width), t.Input(c.boxes, len(c.row), 4), losses.SIoU)
		if kept := belowMean(each.Floats(nil)); len(kept) > 0 {
			count := make([]int, n)
			holds := map[int]int{} // the last of kept, by the row of the cell
			rows, classes := make([]int, len(kept)), make([]int, len(kept))
			for i, k := range kept {
				count[c.image[k]]++
				holds[c.row[k]] = i
				rows[i], classes[i] = c.row[k], c.classes[k]
			}
			loss := autograd.IndexSelect(each, 0, kept)
			out.Box = autograd.Scale(autograd.Mean(loss, false), fastestBox)
			logits := autograd.GatherRows(rowsOf(class), rows)
			out.Class = autograd.CrossEntropy(logits, classes, autograd.CrossEntropyOptions{})

			var last, at []int
			var share []float32
			for i, k := range kept {
				if holds[c.row[k]] != i {
					continue
				}
				last, at = append(last, i), append(at, c.row[k])
				share = append(share, fastestForeground*float32(height*width)/float32(count[c.image[k]]))
				weights[c.row[k]] = 0
			}
			// The objectness less the SIoU, which is 1 less the loss.
			away := autograd.AddScalar(autograd.Add(autograd.GatherRows(found, at), autograd.Reshape(autograd.IndexSelect(loss, 0, last), len(at), 1)), -1)
			out.Object = autograd.Sum(autograd.Mul(smoothed(away), t.Input(share, len(at), 1)), false)
		}
	}
	rest := autograd.Sum(autograd.Mul(smoothed(found), t.Input(weights, cells, 1)), false)
	out.Object = autograd.Scale(autograd.Add(out.Object, rest), fastestObject/float32(cells))
	return out
}

// fastestBoxes returns the predicted boxes of candidates, [candidates, 4] in cells.
func fastestBoxes(box *autograd.Tensor, c fastestCandidates, height, width int) *autograd.Tensor {
	t, n := box.Tape(), len(c.row)
	codes := autograd.GatherRows(rowsOf(box), c.row)
	center := autograd.Add(autograd.Tanh(autograd.Slice(codes, 1, 0, 2)), t.Input(c.corner, n, 2))
	half := autograd.Mul(autograd.Sigmoid(autograd.Slice(codes, 1, 2, 4)), t.Input([]float32{float32(width) / 2, float32(height) / 2}, 2))
	return autograd.Concat(1, autograd.Sub(center, half), autograd.Add(center, half))
}

// rowsOf brings predictions, [n, values, h, w], to [n·h·w, values].
func rowsOf(x *autograd.Tensor) *autograd.Tensor {
	return autograd.Reshape(rows(x, x.Dim(1)), x.Dim(0)*x.Dim(2)*x.Dim(3), x.Dim(1))
}

// belowMean returns the positions of values below their mean.
func belowMean(values []float32) (at []int) {
	sum := 0.0
	for _, v := range values {
		sum += float64(v)
	}
	mean := sum / float64(len(values))
	for i, v := range values {
		if float64(v) < mean {
			at = append(at, i)
		}
	}
	return at
}

// smoothed returns x²/2 where |x| is below 1, and |x| - 1/2 elsewhere.
func smoothed(x *autograd.Tensor) *autograd.Tensor {
	x = autograd.Abs(x)
	m := autograd.Clamp(x, 0, 1)
	return autograd.Mul(m, autograd.Sub(x, autograd.Scale(m, 0.5)))
}
