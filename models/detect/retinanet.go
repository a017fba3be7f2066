package detect

import (
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/internal/boxes"
	"github.com/fovea-ml/fovea/models/internal/losses"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// RetinaNet is a detector with anchors in one stage (Lin et al., arXiv 1708.02002; torchvision/models/detection/retinanet.py).
// Nine anchors at each place of a level of the feature pyramid predict the classes of an object and the offsets of its box.
type RetinaNet struct {
	Pyramid    *Pyramid
	ClassTower *HeadTower
	Class      *nn.Conv2d // to the classes of each anchor
	BoxTower   *HeadTower
	Box        *nn.Conv2d // to the offsets of each anchor

	resizing
	classes int
}

// retinaRatios are the shapes of anchors, height over width, each in three sizes.
var retinaRatios = []float32{0.5, 1, 2}

const retinaAnchors = 9

// NewRetinaNet returns a network with initial weights drawn from rng as torchvision draws them, or of zeros, to be loaded,
// when rng is nil. The configuration must be valid.
func NewRetinaNet(c Config, classes int, rng *rand.Rand) *RetinaNet {
	d := &RetinaNet{
		Pyramid:    newPyramid(c, 1).withP6P7(c, c.SecondVersion),
		ClassTower: newTower(c.FPNChannels, c.SecondVersion),
		Class:      prediction(c.FPNChannels, retinaAnchors*classes),
		BoxTower:   newTower(c.FPNChannels, c.SecondVersion),
		Box:        prediction(c.FPNChannels, retinaAnchors*4),
		resizing:   resizing{c.MinSize, c.MaxSize}, classes: classes,
	}
	if rng != nil {
		d.Pyramid.init(rng)
		initHead([]any{d.ClassTower, d.Class, d.BoxTower, d.Box}, d.Class, rng)
	}
	return d
}

// retinaLevel are the predictions at a level: logits of classes, [n, anchors, classes], and offsets, [n, anchors, 4].
type retinaLevel struct {
	class, box    *autograd.Tensor
	height, width int
}

// forward maps pixels, [n, 3, h, w], to the predictions at each level.
func (d *RetinaNet) forward(pixels *autograd.Tensor) []retinaLevel {
	var levels []retinaLevel
	for _, x := range d.Pyramid.Forward(pixels) {
		levels = append(levels, retinaLevel{
			class:  rows(d.Class.Forward(d.ClassTower.Forward(x)), d.classes),
			box:    rows(d.Box.Forward(d.BoxTower.Forward(x)), 4),
			height: x.Dim(2), width: x.Dim(3),
		})
	}
	return levels
}

// anchors returns those of a level, for pixels of the given size. They have three sizes, a third of an octave apart and cut to
// whole pixels, from 32 pixels on at the first level.
func (l *retinaLevel) anchors(level, height, width int) []boxes.Box {
	side := float64(int(32) << level)
	a := boxes.Anchors{Ratios: retinaRatios}
	for third := range 3 {
		a.Sizes = append(a.Sizes, float32(int(side*math.Pow(2, float64(third)/3))))
	}
	return a.Grid(nil, l.height, l.width, float32(height/l.height), float32(width/l.width))
}

// find implements [Network].
func (d *RetinaNet) find(t *autograd.Tape, images []*vision.Image, l limits) []candidates {
	p := d.resizing.prepare(t, images)
	height, width := p.pixels.Dim(2), p.pixels.Dim(3)
	found := make([]candidates, len(images))
	for k, level := range d.forward(p.pixels) {
		anchors := level.anchors(k, height, width)
		class, box := level.class.Floats(nil), level.box.Floats(nil)
		simd.Sigmoid(class, class)
		for i := range images {
			scores := class[i*len(anchors)*d.classes:][:len(anchors)*d.classes]
			codes := box[4*i*len(anchors):]
			for _, s := range best(scores, l.minScore, l.perLevel) {
				a := s / d.classes
				var b [1]boxes.Box
				boxes.Coder{}.Decode(b[:], codes[4*a:][:4], anchors[a:a+1])
				found[i].add(p.clip(i, b[0]), scores[s], s%d.classes)
			}
		}
	}
	for i, m := range images {
		p.restore(i, m, found[i].boxes)
	}
	return found
}

func (d *RetinaNet) defaults() limits {
	return limits{minScore: 0.05, overlap: 0.5, most: 300, perLevel: perLevel}
}

func (d *RetinaNet) batch() int { return 1 } // as of FCOS

// retinaNames are the names of torchvision, of new files and of old ones.
func retinaNames(c Config) checkpoint.Names {
	rules := pyramidNames(*c.Backbone)
	for _, head := range [][2]string{{"ClassTower", "head.classification_head.conv"}, {"BoxTower", "head.regression_head.conv"}} {
		rules = append(rules, retinaTower(head[0], head[1])...)
	}
	return names(append(rules,
		checkpoint.Rule{"Class", "head.classification_head.cls_logits"},
		checkpoint.Rule{"Box", "head.regression_head.bbox_reg"},
	))
}

// RetinaNetLosses are the losses of a training step; their sum is minimized.
type RetinaNetLosses struct {
	Class *autograd.Tensor // the focal loss of the classes
	Box   *autograd.Tensor // the absolute differences of the offsets, or 1 less GIoU of the boxes with Config.SecondVersion
}

// Loss returns the losses of a batch of pixels, [n, 3, h, w], with the objects of each image. An anchor predicts the object of
// the largest IoU, of at least 0.5; each object also has the anchors of its largest IoU. Those between 0.4 and 0.5 do not
// count. The sums of an image are divided by the number of anchors that predict an object, or by 1, and then averaged. It
// panics when there are more or fewer images than truths, and for objects that are not valid, as [Truth] says.
func (d *RetinaNet) Loss(pixels *autograd.Tensor, truth []Truth) RetinaNetLosses {
	n, height, width := pixels.Dim(0), pixels.Dim(2), pixels.Dim(3)
	checkCount("retinanet", pixels, truth)
	check("retinanet", truth, 0, d.classes)
	t := pixels.Tape()
	var anchors []boxes.Box
	var classes, offsets []autograd.Operand
	for k, l := range d.forward(pixels) {
		anchors = append(anchors, l.anchors(k, height, width)...)
		classes, offsets = append(classes, l.class), append(offsets, l.box)
	}
	places := len(anchors)
	targets, weights := make([]float32, n*places*d.classes), make([]float32, n*places)
	var at []int // rows of anchors with an object
	var share []float32
	var matched, objects []boxes.Box
	matcher := boxes.Matcher{High: 0.5, Low: 0.4, Best: true}
	for i, o := range truth {
		found := 0
		match := matcher.Match(o.Boxes, anchors)
		for place, object := range match {
			row := i*places + place
			if object >= 0 {
				targets[row*d.classes+o.Classes[object]] = 1
				at, matched, objects = append(at, row), append(matched, anchors[place]), append(objects, o.Boxes[object])
				found++
			}
		}
		scale := 1 / (float32(n) * float32(max(1, found)))
		for place, object := range match {
			if object != boxes.Between {
				weights[i*places+place] = scale
			}
		}
		for range found {
			share = append(share, scale)
		}
	}
	focal := losses.Focal(autograd.Concat(1, classes...), t.Borrow(targets, n, places, d.classes), losses.FocalOptions{})
	out := RetinaNetLosses{Class: autograd.Sum(autograd.Mul(focal, t.Borrow(weights, n, places, 1)), false), Box: t.Full(0)}
	if len(at) == 0 {
		return out
	}
	codes := autograd.GatherRows(autograd.Reshape(autograd.Concat(1, offsets...), n*places, 4), at)
	if len(d.BoxTower.Norms) > 0 {
		want := make([]float32, 0, 4*len(at))
		for _, b := range objects {
			want = append(want, b.X0, b.Y0, b.X1, b.Y1)
		}
		each := losses.BoxLoss(decodeOffsets(t, codes, matched), t.Input(want, len(at), 4), losses.GIoU)
		out.Box = autograd.Sum(autograd.Mul(each, t.Borrow(share, len(at))), false)
		return out
	}
	want := make([]float32, 4*len(at))
	boxes.Coder{}.Encode(want, objects, matched)
	each := autograd.Abs(autograd.Sub(codes, t.Borrow(want, len(at), 4)))
	out.Box = autograd.Sum(autograd.Mul(each, t.Borrow(share, len(at), 1)), false)
	return out
}

// Losses implements [Trainable].
func (d *RetinaNet) Losses(b Batch, _ *rand.Rand) Losses {
	b.check("retinanet", 0, d.classes)
	l := d.Loss(b.Pixels, b.Truth)
	return Losses{{"class", l.Class}, {"box", l.Box}}
}

func (d *RetinaNet) background() int { return 0 }

func (d *RetinaNet) newHead(classes int, rng *rand.Rand) {
	d.Class, d.classes = prediction(d.Class.Weight.Shape()[1], retinaAnchors*classes), classes
	initHead(d.Class, d.Class, rng)
}

// decodeOffsets is boxes.Coder.Decode on a tape: of offsets [n, 4] it makes boxes [n, 4].
func decodeOffsets(t *autograd.Tape, codes *autograd.Tensor, anchors []boxes.Box) *autograd.Tensor {
	n := len(anchors)
	sizes, centers := make([]float32, 2*n), make([]float32, 2*n)
	for i, a := range anchors {
		w, h := a.X1-a.X0, a.Y1-a.Y0
		sizes[2*i], sizes[2*i+1] = w, h
		centers[2*i], centers[2*i+1] = a.X0+0.5*w, a.Y0+0.5*h
	}
	size, most := t.Borrow(sizes, n, 2), float32(math.Log(1000./16))
	center := autograd.Add(autograd.Mul(autograd.Slice(codes, 1, 0, 2), size), t.Borrow(centers, n, 2))
	half := autograd.Scale(autograd.Mul(autograd.Exp(autograd.Clamp(autograd.Slice(codes, 1, 2, 4), -math.MaxFloat32, most)), size), 0.5)
	return autograd.Concat(1, autograd.Sub(center, half), autograd.Add(center, half))
}
