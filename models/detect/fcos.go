package detect

import (
	"math/rand/v2"

	"github.com/chewxy/math32"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/internal/boxes"
	"github.com/fovea-ml/fovea/models/internal/losses"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// FCOS is a detector without anchors (Tian et al., arXiv 1904.01355; torchvision/models/detection/fcos.py). Each place of a
// level of the feature pyramid predicts the classes, the distances to the edges of a box, and how central the place is in
// it.
type FCOS struct {
	Pyramid    *Pyramid
	ClassTower *HeadTower
	Class      *nn.Conv2d // to the classes
	BoxTower   *HeadTower
	Box        *nn.Conv2d // to 4 distances, with a ReLU
	Center     *nn.Conv2d // to the logit of the centerness

	resizing
	classes int
}

// NewFCOS returns a network with initial weights drawn from rng as torchvision draws them, or of zeros, to be loaded, when
// rng is nil. The configuration must be valid.
func NewFCOS(c Config, classes int, rng *rand.Rand) *FCOS {
	d := &FCOS{
		Pyramid:    newPyramid(c, 1).withP6P7(c, false),
		ClassTower: newFCOSTower(c.FPNChannels),
		Class:      prediction(c.FPNChannels, classes),
		BoxTower:   newFCOSTower(c.FPNChannels),
		Box:        prediction(c.FPNChannels, 4),
		Center:     prediction(c.FPNChannels, 1),
		resizing:   resizing{c.MinSize, c.MaxSize}, classes: classes,
	}
	d.Box.Act = autograd.ActRelu
	if rng != nil {
		d.Pyramid.init(rng)
		initHead([]any{d.ClassTower, d.Class, d.BoxTower, d.Box, d.Center}, d.Class, rng)
	}
	return d
}

// newFCOSTower returns a tower whose convolutions have biases beside their norms.
func newFCOSTower(channels int) *HeadTower {
	t := newTower(channels, true)
	for _, c := range t.Convs {
		c.Bias = autograd.NewParameter(channels)
	}
	return t
}

// fcosLevel are the predictions at a level: logits of classes, [n, places, classes], distances in strides, [n, places, 4], and
// logits of the centerness, [n, places, 1].
type fcosLevel struct {
	class, box, center *autograd.Tensor
	height, width      int
}

// forward maps pixels, [n, 3, h, w], to the predictions at each level.
func (d *FCOS) forward(pixels *autograd.Tensor) []fcosLevel {
	var levels []fcosLevel
	for _, x := range d.Pyramid.Forward(pixels) {
		box := d.BoxTower.Forward(x)
		levels = append(levels, fcosLevel{
			class:  rows(d.Class.Forward(d.ClassTower.Forward(x)), d.classes),
			box:    rows(d.Box.Forward(box), 4),
			center: rows(d.Center.Forward(box), 1),
			height: x.Dim(2), width: x.Dim(3),
		})
	}
	return levels
}

// anchors returns the squares around the places of a level, for pixels of the given size. Their side is the stride, of 8
// pixels at the first level.
func (l *fcosLevel) anchors(level, height, width int) []boxes.Box {
	a := boxes.Anchors{Sizes: []float32{float32(int(8) << level)}, Ratios: []float32{1}}
	return a.Grid(nil, l.height, l.width, float32(height/l.height), float32(width/l.width))
}

// find implements [Network].
func (d *FCOS) find(t *autograd.Tape, images []*vision.Image, l limits) []candidates {
	p := d.resizing.prepare(t, images)
	height, width := p.pixels.Dim(2), p.pixels.Dim(3)
	found := make([]candidates, len(images))
	for k, level := range d.forward(p.pixels) {
		anchors := level.anchors(k, height, width)
		class, box, center := level.class.Floats(nil), level.box.Floats(nil), level.center.Floats(nil)
		simd.Sigmoid(class, class)
		simd.Sigmoid(center, center)
		places := len(anchors)
		for i := range images {
			scores := class[i*places*d.classes:][:places*d.classes]
			for s := range scores {
				scores[s] = math32.Sqrt(scores[s] * center[i*places+s/d.classes])
			}
			decoded := make([]boxes.Box, places)
			boxes.Distances{}.Decode(decoded, box[4*i*places:][:4*places], anchors)
			for _, s := range best(scores, l.minScore, l.perLevel) {
				found[i].add(p.clip(i, decoded[s/d.classes]), scores[s], s%d.classes)
			}
		}
	}
	for i, m := range images {
		p.restore(i, m, found[i].boxes)
	}
	return found
}

func (d *FCOS) defaults() limits {
	return limits{minScore: 0.2, overlap: 0.6, most: 100, perLevel: perLevel}
}

// batch is 1, so that detections do not depend on the other images: smaller ones would get more zeros around them.
func (d *FCOS) batch() int { return 1 }

// FCOSLosses are the losses of a training step; their sum is minimized.
type FCOSLosses struct {
	Class  *autograd.Tensor // the focal loss of the classes
	Box    *autograd.Tensor // 1 less GIoU of the boxes
	Center *autograd.Tensor // the cross-entropy of the centerness
}

// Loss returns the losses of a batch of pixels, [n, 3, h, w], with the objects of each image. Sums are divided by the
// number of places that predict an object, or by 1 when there are none. It panics when there are more or fewer images
// than truths, and for objects that are not valid, as [Truth] says.
func (d *FCOS) Loss(pixels *autograd.Tensor, truth []Truth) FCOSLosses {
	n, height, width := pixels.Dim(0), pixels.Dim(2), pixels.Dim(3)
	checkCount("fcos", pixels, truth)
	check("fcos", truth, 0, d.classes)
	t := pixels.Tape()
	levels := d.forward(pixels)
	var anchors []boxes.Box
	var classes, distances, centers []autograd.Operand
	ends := make([]int, len(levels)) // of the places of each level
	for k, l := range levels {
		anchors = append(anchors, l.anchors(k, height, width)...)
		ends[k] = len(anchors)
		classes, distances, centers = append(classes, l.class), append(distances, l.box), append(centers, l.center)
	}
	places := len(anchors)
	targets := make([]float32, n*places*d.classes)
	var at []int // rows of places with an object
	var want []float32
	var centerness []float32
	var matched []boxes.Box // their anchors
	for i, objects := range truth {
		for place, object := range fcosMatch(anchors, ends, objects.Boxes) {
			if object < 0 {
				continue
			}
			row, b := i*places+place, objects.Boxes[object]
			targets[row*d.classes+objects.Classes[object]] = 1
			at, matched = append(at, row), append(matched, anchors[place])
			want = append(want, b.X0, b.Y0, b.X1, b.Y1)
			var code [4]float32
			boxes.Distances{}.Encode(code[:], []boxes.Box{b}, anchors[place:place+1])
			centerness = append(centerness, math32.Sqrt(min(code[0], code[2])/max(code[0], code[2])*(min(code[1], code[3])/max(code[1], code[3]))))
		}
	}
	scale := 1 / float32(max(1, len(at)))
	focal := losses.Focal(autograd.Concat(1, classes...), t.Borrow(targets, n, places, d.classes), losses.FocalOptions{})
	out := FCOSLosses{Class: autograd.Scale(autograd.Sum(focal, false), scale), Box: t.Full(0), Center: t.Full(0)}
	if len(at) == 0 {
		return out
	}
	rel := autograd.GatherRows(autograd.Reshape(autograd.Concat(1, distances...), n*places, 4), at)
	predicted := decodeDistances(t, rel, matched)
	out.Box = autograd.Scale(autograd.Sum(losses.BoxLoss(predicted, t.Input(want, len(at), 4), losses.GIoU), false), scale)
	logits := autograd.GatherRows(autograd.Reshape(autograd.Concat(1, centers...), n*places, 1), at)
	bce := autograd.BCEWithLogits(logits, t.Input(centerness, len(at), 1), autograd.BCEOptions{Reduction: autograd.LossEach})
	out.Center = autograd.Scale(autograd.Sum(bce, false), scale)
	return out
}

// Losses implements [Trainable].
func (d *FCOS) Losses(b Batch, _ *rand.Rand) Losses {
	b.check("fcos", 0, d.classes)
	l := d.Loss(b.Pixels, b.Truth)
	return Losses{{"class", l.Class}, {"box", l.Box}, {"center", l.Center}}
}

func (d *FCOS) background() int { return 0 }

func (d *FCOS) newHead(classes int, rng *rand.Rand) {
	d.Class, d.classes = prediction(d.Class.Weight.Shape()[1], classes), classes
	initHead(d.Class, d.Class, rng)
}

// decodeDistances is boxes.Distances.Decode on a tape: of distances [n, 4] it makes boxes [n, 4].
func decodeDistances(t *autograd.Tape, x *autograd.Tensor, anchors []boxes.Box) *autograd.Tensor {
	centers, sides := make([]float32, 4*len(anchors)), make([]float32, 4*len(anchors))
	for i, a := range anchors {
		cx, cy, w, h := 0.5*(a.X0+a.X1), 0.5*(a.Y0+a.Y1), a.X1-a.X0, a.Y1-a.Y0
		copy(centers[4*i:], []float32{cx, cy, cx, cy})
		copy(sides[4*i:], []float32{-w, -h, w, h})
	}
	return autograd.Add(autograd.Mul(x, t.Input(sides, len(anchors), 4)), t.Input(centers, len(anchors), 4))
}

// fcosMatch returns the object that each place predicts, or -1. A place predicts an object whose box it lies in, near the
// center (1.5 strides), when the farthest edge is in the range of its level: 4 to 8 strides, from 0 at the first level and
// without an end at the last. Of several it takes the smallest (compute_loss of torchvision's FCOS).
func fcosMatch(anchors []boxes.Box, ends []int, objects []Box) []int {
	matched := make([]int, len(anchors))
	for i, a := range anchors {
		matched[i] = -1
		x, y, size := (a.X0+a.X1)/2, (a.Y0+a.Y1)/2, a.X1-a.X0
		low, high := 4*size, 8*size
		if i < ends[0] {
			low = 0
		}
		if len(ends) > 1 && i >= ends[len(ends)-2] || len(ends) == 1 {
			high = math32.Inf(1)
		}
		var most float32
		for k, b := range objects {
			cx, cy := (b.X0+b.X1)/2, (b.Y0+b.Y1)/2
			left, top, right, bottom := x-b.X0, y-b.Y0, b.X1-x, b.Y1-y
			far := max(left, top, right, bottom)
			if !(max(math32.Abs(x-cx), math32.Abs(y-cy)) < 1.5*size && min(left, top, right, bottom) > 0 && far > low && far < high) {
				continue
			}
			// torchvision compares 1e8 less the area in float32, which makes nearly equal areas equal.
			if small := 1e8 - b.Area(); small >= 1e-5 && (matched[i] < 0 || small > most) {
				most, matched[i] = small, k
			}
		}
	}
	return matched
}

// fcosNames are the names of torchvision.
func fcosNames(c Config) checkpoint.Names {
	rules := pyramidNames(*c.Backbone)
	for _, head := range [][2]string{{"ClassTower", "head.classification_head"}, {"BoxTower", "head.regression_head"}} {
		rules = append(rules, fcosTower(head[0], head[1]+".conv")...)
	}
	return names(append(rules,
		checkpoint.Rule{"Class", "head.classification_head.cls_logits"},
		checkpoint.Rule{"Box", "head.regression_head.bbox_reg"},
		checkpoint.Rule{"Center", "head.regression_head.bbox_ctrness"},
	))
}
