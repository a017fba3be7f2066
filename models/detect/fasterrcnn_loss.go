package detect

import (
	"math/rand/v2"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/boxes"
	"github.com/fovea-ml/fovea/nn"
)

// FasterRCNNLosses are the losses of a training step; their sum is minimized.
type FasterRCNNLosses struct {
	Object  *autograd.Tensor // the cross-entropy of objects in anchors
	Offsets *autograd.Tensor // the smooth absolute differences of the anchors' offsets
	Class   *autograd.Tensor // the cross-entropy of the classes of proposals
	Box     *autograd.Tensor // the smooth absolute differences of the proposals' offsets
}

// The share of samples with an object, in both stages, and where the smooth absolute difference becomes linear.
var objectShare = [2]float64{0.5, 0.25}

const smoothBeta = 1. / 9

// Loss returns the losses of a batch of pixels, [n, 3, h, w], in which image i has the height sizes[i][0] and the width
// sizes[i][1], with the objects of each image. rng draws the anchors and the proposals that count: 256 and 512 an image, of
// which at most a half and a quarter have an object. Classes of objects begin at 1. It panics unless there are as many sizes
// and truths as images, and for objects that are not valid, as [Truth] says.
func (d *FasterRCNN) Loss(pixels *autograd.Tensor, sizes [][2]int, truth []Truth, rng *rand.Rand) FasterRCNNLosses {
	n := pixels.Dim(0)
	if len(truth) != n || len(sizes) != n {
		panic(&autograd.ShapeError{Op: "faster r-cnn", Shapes: [][]int{pixels.Shape(), {len(sizes)}, {len(truth)}}, Reason: "expected a size and the objects of each image"})
	}
	check("faster r-cnn", truth, 1, d.classes)
	levels := d.Pyramid.Forward(pixels)
	p := prepared{pixels: pixels, sizes: sizes}
	first := make([]proposing, len(levels))
	for k, x := range levels {
		first[k] = d.propose(x)
	}
	var out FasterRCNNLosses
	out.Object, out.Offsets = d.firstLoss(first, p, truth, rng)
	proposals := d.proposals(first, p, limits{perLevel: d.proposed, proposals: d.proposed, proposalIoU: proposalIoU})
	out.Class, out.Box = d.secondLoss(levels, proposals, p, truth, rng)
	return out
}

// Losses implements [Trainable].
func (d *FasterRCNN) Losses(b Batch, rng *rand.Rand) Losses {
	l := d.Loss(b.Pixels, b.Sizes, b.Truth, rng)
	return Losses{{"object", l.Object}, {"offsets", l.Offsets}, {"class", l.Class}, {"box", l.Box}}
}

func (d *FasterRCNN) background() int { return 1 }

// newHead draws the class logits and the offsets, which each class has.
func (d *FasterRCNN) newHead(classes int, rng *rand.Rand) {
	in := d.Class.Weight.Shape()[1]
	d.Class, d.Box, d.classes = nn.NewLinear(in, classes, true), nn.NewLinear(in, 4*classes, true), classes
	initClasses(rng, d.Class, d.Box)
}

// firstLoss compares the predictions for anchors with the objects they have: those of an IoU of at least 0.7, and of each
// object the best. An IoU below 0.3 is background.
func (d *FasterRCNN) firstLoss(levels []proposing, p prepared, truth []Truth, rng *rand.Rand) (object, offsets *autograd.Tensor) {
	t := p.pixels.Tape()
	var anchors []boxes.Box
	var logits, codes []autograd.Operand
	for k, l := range levels {
		anchors = append(anchors, l.anchors(k, p.pixels.Dim(2), p.pixels.Dim(3))...)
		logits, codes = append(logits, l.object), append(codes, l.offsets)
	}
	var rows, positive []int
	var targets []float32
	var matched, objects []boxes.Box
	for i, o := range truth {
		match := boxes.Matcher{High: 0.7, Low: 0.3, Best: true}.Match(o.Boxes, anchors)
		for _, a := range sample(match, d.sampled[0], objectShare[0], rng) {
			row := i*len(anchors) + a
			rows, targets = append(rows, row), append(targets, 0)
			if match[a] >= 0 {
				targets[len(targets)-1] = 1
				positive, matched, objects = append(positive, row), append(matched, anchors[a]), append(objects, o.Boxes[match[a]])
			}
		}
	}
	all := len(truth) * len(anchors)
	if len(rows) == 0 {
		return t.Full(0), t.Full(0)
	}
	chosen := autograd.GatherRows(autograd.Reshape(autograd.Concat(1, logits...), all, 1), rows)
	object = autograd.BCEWithLogits(chosen, t.Input(targets, len(rows), 1), autograd.BCEOptions{})
	if len(positive) == 0 {
		return object, t.Full(0)
	}
	found := autograd.GatherRows(autograd.Reshape(autograd.Concat(1, codes...), all, 4), positive)
	return object, smooth(found, boxes.Coder{}, objects, matched, len(rows))
}

// secondLoss compares the predictions for proposals with the objects they have: those of an IoU of at least 0.5. The objects
// themselves are proposals too.
func (d *FasterRCNN) secondLoss(levels []*autograd.Tensor, proposals [][]boxes.Box, p prepared, truth []Truth, rng *rand.Rand) (class, box *autograd.Tensor) {
	t := p.pixels.Tape()
	chosen := make([][]boxes.Box, len(proposals))
	var targets, cells []int // the class of each row, and the rows of the offsets of the class, where there is an object
	var matched, objects []boxes.Box
	for i, o := range truth {
		each := slices.Concat(proposals[i], o.Boxes)
		match := boxes.Matcher{High: 0.5, Low: 0.5}.Match(o.Boxes, each)
		for _, k := range sample(match, d.sampled[1], objectShare[1], rng) {
			label := 0
			if match[k] >= 0 {
				label = o.Classes[match[k]]
				cells = append(cells, len(targets)*d.classes+label)
				matched, objects = append(matched, each[k]), append(objects, o.Boxes[match[k]])
			}
			chosen[i], targets = append(chosen[i], each[k]), append(targets, label)
		}
	}
	if len(targets) == 0 {
		return t.Full(0), t.Full(0)
	}
	logits, codes := d.classify(levels, chosen, p)
	class = autograd.CrossEntropy(logits, targets, autograd.CrossEntropyOptions{})
	if len(cells) == 0 {
		return class, t.Full(0)
	}
	found := autograd.GatherRows(autograd.Reshape(codes, len(targets)*d.classes, 4), cells)
	return class, smooth(found, rcnnCoder, objects, matched, len(targets))
}

// smooth returns the sum of the smooth absolute differences of offsets from those of objects, divided by a count.
func smooth(codes *autograd.Tensor, coder boxes.Coder, objects, anchors []boxes.Box, count int) *autograd.Tensor {
	want := make([]float32, 4*len(objects))
	coder.Encode(want, objects, anchors)
	mean := autograd.SmoothL1(codes, codes.Tape().Input(want, len(objects), 4), smoothBeta)
	return autograd.Scale(mean, float32(len(want))/float32(count))
}

// sample returns the positions of at most most anchors, in order: those with an object, at most their share, and background
// (BalancedPositiveNegativeSampler in torchvision/models/detection/_utils.py).
func sample(match []int, most int, share float64, rng *rand.Rand) []int {
	var with, without []int
	for i, m := range match {
		switch {
		case m >= 0:
			with = append(with, i)
		case m == boxes.NoObject:
			without = append(without, i)
		}
	}
	draw := func(from []int, n int) []int {
		if n < len(from) {
			rng.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
			from = from[:n]
		}
		return from
	}
	with = draw(with, int(float64(most)*share))
	all := append(with, draw(without, most-len(with))...)
	slices.Sort(all)
	return all
}
