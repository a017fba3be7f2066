package detect

import (
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/boxes"
	"github.com/fovea-ml/fovea/models/internal/losses"
)

// CenterNetLosses are the losses of a training step with the paper's weights (section 3); their sum is minimized.
type CenterNetLosses struct {
	Heatmap *autograd.Tensor // the focal loss of the heatmap
	Size    *autograd.Tensor // the absolute differences of the widths and heights, in cells; times 0.1
	Offset  *autograd.Tensor // those of the offsets
}

// centerSizeWeight is the weight of the loss of sizes.
const centerSizeWeight = 0.1

// centerOverlap is the IoU that a box around a wrong center in a spot of the heatmap still has.
const centerOverlap = 0.7

// Loss returns the losses of a batch of pixels, [n, 3, h, w], with the objects of each image (trains/ctdet.py and
// datasets/sample/ctdet.py of the release). Boxes are cut to the cells of the image, so that an object outside of it
// does not count. The heatmap's loss is divided by the number of objects, or by 1 when there are none. The others are
// divided by twice that number, and 1e-4. It panics when there are more or fewer images than truths, and for objects
// that are not valid, as [Truth] says. The release takes at most 128 objects of an image; here all count.
func (d *CenterNet) Loss(pixels *autograd.Tensor, truth []Truth) CenterNetLosses {
	n := pixels.Dim(0)
	checkCount("centernet", pixels, truth)
	check("centernet", truth, 0, d.classes)
	t := pixels.Tape()
	heatmap, size, offset := d.Forward(pixels)
	targets := centerTargets{rows: heatmap.Dim(2), columns: heatmap.Dim(3), classes: d.classes, published: !d.CorrectRadius}
	targets.heatmap = make([]float32, n*d.classes*targets.rows*targets.columns)
	for i := range truth {
		targets.image(i, truth[i])
	}
	out := CenterNetLosses{Heatmap: losses.HeatmapFocal(heatmap, t.Borrow(targets.heatmap, heatmap.Shape()...)), Size: t.Full(0), Offset: t.Full(0)}
	objects := len(targets.at)
	if objects == 0 {
		return out
	}
	distance := func(x *autograd.Tensor, want []float32, weight float64) *autograd.Tensor {
		rows := autograd.GatherRows(autograd.Reshape(autograd.Permute(x, 0, 2, 3, 1), n*targets.rows*targets.columns, 2), targets.at)
		sum := autograd.Sum(autograd.Abs(autograd.Sub(rows, t.Borrow(want, objects, 2))), false)
		return autograd.Scale(sum, float32(weight/(float64(2*objects)+1e-4)))
	}
	out.Size, out.Offset = distance(size, targets.sizes, centerSizeWeight), distance(offset, targets.offsets, 1)
	return out
}

// Losses implements [Trainable].
func (d *CenterNet) Losses(b Batch, _ *rand.Rand) Losses {
	b.check("centernet", 0, d.classes)
	l := d.Loss(b.Pixels, b.Truth)
	return Losses{{"heatmap", l.Heatmap}, {"size", l.Size}, {"offset", l.Offset}}
}

// centerTargets are the targets of the loss for a batch.
type centerTargets struct {
	rows, columns, classes int
	published              bool      // the radius of the release
	heatmap                []float32 // [n, classes, rows, columns]
	at                     []int     // the cells of the objects, [n, rows, columns]
	sizes, offsets         []float32 // [objects, 2]
}

// image adds the objects of image i.
func (c *centerTargets) image(i int, truth Truth) {
	cells := c.rows * c.columns
	right, bottom := float32(c.columns-1), float32(c.rows-1)
	for k, b := range truth.Boxes {
		b = boxes.Box{X0: b.X0 / centerStride, Y0: b.Y0 / centerStride, X1: b.X1 / centerStride, Y1: b.Y1 / centerStride}.Clip(right, bottom)
		w, h := b.X1-b.X0, b.Y1-b.Y0
		if !(w > 0 && h > 0) {
			continue
		}
		radius := int(boxes.Radius(math.Ceil(float64(h)), math.Ceil(float64(w)), centerOverlap, c.published))
		cx, cy := (b.X0+b.X1)/2, (b.Y0+b.Y1)/2
		x, y := int(cx), int(cy)
		heatmap := c.heatmap[(i*c.classes+truth.Classes[k])*cells:][:cells]
		boxes.DrawGaussian(heatmap, c.rows, c.columns, x, y, max(0, radius))
		c.at = append(c.at, i*cells+y*c.columns+x)
		c.sizes = append(c.sizes, w, h)
		c.offsets = append(c.offsets, cx-float32(x), cy-float32(y))
	}
}
