package boxes

import (
	"fmt"
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// Coder turns boxes into offsets from anchors and back, as torchvision's BoxCoder (arXiv 1504.08083, appendix C). The offsets
// are those of the center, in widths and heights of the anchor, and the logarithms of the ratios of the sizes. Each is
// multiplied by its weight.
type Coder struct {
	Weights [4]float32 // of x, y, width and height; all 0 means 1
}

// sizeLimit bounds the logarithm of the ratio of the sizes: a box is at most 62.5 times as large as its anchor.
var sizeLimit = float32(math.Log(1000. / 16))

func (c Coder) weights() [4]float32 {
	if c.Weights == [4]float32{} {
		return [4]float32{1, 1, 1, 1}
	}
	return c.Weights
}

// Encode writes the offsets of each box from its anchor to codes [n, 4]. Boxes without area give infinities or NaN. It panics
// unless the lengths fit.
func (c Coder) Encode(codes []float32, boxes, anchors []Box) {
	fits("Encode", codes, boxes, anchors)
	w := c.weights()
	ratios := make([]float32, 2*len(boxes))
	for i, b := range boxes {
		aw, ah := anchors[i].X1-anchors[i].X0, anchors[i].Y1-anchors[i].Y0
		bw, bh := b.X1-b.X0, b.Y1-b.Y0
		ax, ay := anchors[i].X0+float32(0.5*aw), anchors[i].Y0+float32(0.5*ah)
		bx, by := b.X0+float32(0.5*bw), b.Y0+float32(0.5*bh)
		codes[4*i] = w[0] * (bx - ax) / aw
		codes[4*i+1] = w[1] * (by - ay) / ah
		ratios[2*i], ratios[2*i+1] = bw/aw, bh/ah
	}
	simd.Log(ratios, ratios)
	for i := range boxes {
		codes[4*i+2], codes[4*i+3] = w[2]*ratios[2*i], w[3]*ratios[2*i+1]
	}
}

// Decode writes the box of each code [n, 4] and anchor to boxes. It panics unless the lengths fit.
func (c Coder) Decode(boxes []Box, codes []float32, anchors []Box) {
	fits("Decode", codes, boxes, anchors)
	w := c.weights()
	sizes := make([]float32, 2*len(boxes))
	for i := range boxes {
		sizes[2*i] = min(codes[4*i+2]/w[2], sizeLimit)
		sizes[2*i+1] = min(codes[4*i+3]/w[3], sizeLimit)
	}
	simd.Exp(sizes, sizes)
	for i, a := range anchors {
		aw, ah := a.X1-a.X0, a.Y1-a.Y0
		x := float32(codes[4*i]/w[0]*aw) + (a.X0 + float32(0.5*aw))
		y := float32(codes[4*i+1]/w[1]*ah) + (a.Y0 + float32(0.5*ah))
		boxes[i] = FromCenter(x, y, sizes[2*i]*aw, sizes[2*i+1]*ah)
	}
}

// Distances turns boxes into the distances from the center of an anchor to the left, upper, right and lower edge, and back: as
// torchvision's BoxLinearCoder (FCOS, arXiv 1904.01355).
type Distances struct {
	// Pixels gives distances in pixels. Otherwise they are in widths and heights of the anchor, as in torchvision's FCOS.
	Pixels bool
}

// scale returns the units of horizontal and of vertical distances.
func (d Distances) scale(anchor Box) (w, h float32) {
	if d.Pixels {
		return 1, 1
	}
	return anchor.X1 - anchor.X0, anchor.Y1 - anchor.Y0
}

// Encode writes the distances of each box's edges to codes [n, 4]. They are negative where the center lies outside the box.
// It panics unless the lengths fit.
func (d Distances) Encode(codes []float32, boxes, anchors []Box) {
	fits("Encode", codes, boxes, anchors)
	for i, b := range boxes {
		w, h := d.scale(anchors[i])
		x, y := 0.5*(anchors[i].X0+anchors[i].X1), 0.5*(anchors[i].Y0+anchors[i].Y1)
		codes[4*i], codes[4*i+1], codes[4*i+2], codes[4*i+3] = (x-b.X0)/w, (y-b.Y0)/h, (b.X1-x)/w, (b.Y1-y)/h
	}
}

// Decode writes the box of each code [n, 4] and anchor to boxes. It panics unless the lengths fit.
func (d Distances) Decode(boxes []Box, codes []float32, anchors []Box) {
	fits("Decode", codes, boxes, anchors)
	for i, a := range anchors {
		w, h := d.scale(a)
		x, y := 0.5*(a.X0+a.X1), 0.5*(a.Y0+a.Y1)
		boxes[i] = Box{X0: x - float32(codes[4*i]*w), Y0: y - float32(codes[4*i+1]*h), X1: x + float32(codes[4*i+2]*w), Y1: y + float32(codes[4*i+3]*h)}
	}
}

// fits panics unless there is one code and one anchor for each box.
func fits(f string, codes []float32, boxes, anchors []Box) {
	if len(codes) != 4*len(boxes) || len(anchors) != len(boxes) {
		panic(fmt.Sprintf("boxes: %s: %d numbers, %d boxes and %d anchors, expected 4 numbers and an anchor for each box", f, len(codes), len(boxes), len(anchors)))
	}
}
