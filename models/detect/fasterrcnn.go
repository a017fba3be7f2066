package detect

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/chewxy/math32"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/internal/boxes"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// FasterRCNN is a detector in two stages (Ren et al., arXiv 1506.01497; with a feature pyramid, arXiv 1612.03144;
// torchvision/models/detection/faster_rcnn.py). The first proposes boxes that may hold an object. The second classifies the
// features inside each, and moves its edges. Class 0 is the background.
type FasterRCNN struct {
	Pyramid *Pyramid
	// The first stage: convolutions, then for three anchors at each place the logit of an object and the offsets of its box.
	Propose []*nn.Conv2d
	Object  *nn.Conv2d
	Offsets *nn.Conv2d
	// The second stage: convolutions over 7×7 features of a box in torchvision's second version, fully connected layers, the
	// logits of classes, and offsets for each class.
	Convs []*nn.ConvNorm
	FC    []*nn.Linear
	Class *nn.Linear
	Box   *nn.Linear

	resizing
	classes  int
	sampled  [2]int // anchors and proposals of an image that count in training
	proposed int    // proposals of a level, and of an image, in training
}

const (
	rcnnAnchors  = 3    // at a place: three shapes
	proposalsPer = 1000 // of a level, and of an image, in inference by default
	proposalIoU  = 0.7  // by default
	binsOfBox    = 7    // rows and columns of features of a box
	leastSide    = 1e-3
	leastBox     = 1e-2
)

// rcnnCoder has the weights of the second stage.
var rcnnCoder = boxes.Coder{Weights: [4]float32{10, 10, 5, 5}}

// NewFasterRCNN returns a network with initial weights drawn from rng as torchvision draws them, or of zeros, to be loaded,
// when rng is nil. The classes include the background. The configuration must be valid.
func NewFasterRCNN(c Config, classes int, rng *rand.Rand) *FasterRCNN {
	width, same := c.FPNChannels, autograd.Conv2dOptions{Padding: [2]int{1, 1}}
	d := &FasterRCNN{
		Pyramid: newPyramid(c, 0), Object: nn.NewConv2d(width, rcnnAnchors, 1, true, autograd.Conv2dOptions{}),
		Offsets:  nn.NewConv2d(width, 4*rcnnAnchors, 1, true, autograd.Conv2dOptions{}),
		Class:    nn.NewLinear(c.HeadSize, classes, true),
		Box:      nn.NewLinear(c.HeadSize, 4*classes, true),
		resizing: resizing{c.MinSize, c.MaxSize}, classes: classes, sampled: [2]int{256, 512}, proposed: 2 * proposalsPer,
	}
	d.Pyramid.FPN.Pool = true
	active := same
	active.Act = autograd.ActRelu
	d.Propose = []*nn.Conv2d{nn.NewConv2d(width, width, 3, true, active)}
	d.FC = []*nn.Linear{nn.NewLinear(width*binsOfBox*binsOfBox, c.HeadSize, true)}
	if c.SecondVersion {
		d.Pyramid.FPN.AddNorms()
		d.Propose = append(d.Propose, nn.NewConv2d(width, width, 3, true, active))
		for range towerDepth {
			d.Convs = append(d.Convs, nn.NewConvNorm(width, width, 3, autograd.ActRelu, same))
		}
	} else {
		d.FC = append(d.FC, nn.NewLinear(c.HeadSize, c.HeadSize, true))
	}
	if rng != nil {
		d.init(rng)
	}
	return d
}

func (d *FasterRCNN) init(rng *rand.Rand) {
	d.Pyramid.init(rng)
	for _, c := range nn.Layers[nn.Conv2d]([]any{d.Propose, d.Object, d.Offsets}) {
		nn.Normal(rng, c.Weight, 0.01)
	}
	for _, c := range d.Convs {
		nn.KaimingNormal(rng, c.Conv.Weight, true)
	}
	initClasses(rng, append([]*nn.Linear{d.Class, d.Box}, d.FC...)...)
}

// initClasses draws the fully connected layers of the second stage as PyTorch draws linear layers, without their biases.
func initClasses(rng *rand.Rand, layers ...*nn.Linear) {
	for _, l := range layers {
		nn.KaimingUniform(rng, l.Weight, math.Sqrt(5))
	}
}

// proposing are the predictions of the first stage at a level: logits, [n, anchors], and offsets, [n, anchors, 4].
type proposing struct {
	object, offsets *autograd.Tensor
	height, width   int
}

// propose maps a level to the predictions of the first stage.
func (d *FasterRCNN) propose(x *autograd.Tensor) proposing {
	p := proposing{height: x.Dim(2), width: x.Dim(3)}
	for _, c := range d.Propose {
		x = c.Forward(x)
	}
	p.object, p.offsets = rows(d.Object.Forward(x), 1), rows(d.Offsets.Forward(x), 4)
	return p
}

// anchors returns those of a level, for pixels of the given size: of 32 pixels at the first level.
func (p *proposing) anchors(level, height, width int) []boxes.Box {
	a := boxes.Anchors{Sizes: []float32{float32(int(32) << level)}, Ratios: retinaRatios}
	return a.Grid(nil, p.height, p.width, float32(height/p.height), float32(width/p.width))
}

// proposals returns the boxes that may hold an object in each image of a batch: the best of each level, without those that
// overlap a better one of the level (filter_proposals in torchvision/models/detection/rpn.py).
func (d *FasterRCNN) proposals(levels []proposing, p prepared, lim limits) [][]boxes.Box {
	height, width := p.pixels.Dim(2), p.pixels.Dim(3)
	found := make([]candidates, len(p.sizes))
	for k, l := range levels {
		anchors := l.anchors(k, height, width)
		object, offsets := l.object.Floats(nil), l.offsets.Floats(nil)
		for i := range found {
			logits := object[i*len(anchors):][:len(anchors)]
			top := best(logits, math32.Inf(-1), lim.perLevel)
			scores := make([]float32, len(logits))
			simd.Sigmoid(scores, logits)
			codes := offsets[4*i*len(anchors):]
			for _, a := range top {
				var b [1]boxes.Box
				boxes.Coder{}.Decode(b[:], codes[4*a:][:4], anchors[a:a+1])
				if clipped := p.clip(i, b[0]); large(clipped, leastSide) && scores[a] >= lim.proposalScore {
					found[i].add(clipped, scores[a], k) // levels stand for classes
				}
			}
		}
	}
	out := make([][]boxes.Box, len(found))
	for i, c := range found {
		kept := boxes.NMSByClass(c.boxes, c.scores, c.classes, lim.proposalIoU)
		for _, k := range kept[:min(len(kept), lim.proposals)] {
			out[i] = append(out[i], c.boxes[k])
		}
	}
	return out
}

// large reports whether both sides of a box have at least the given length.
func large(b boxes.Box, side float32) bool { return b.X1-b.X0 >= side && b.Y1-b.Y0 >= side }

// classify maps the levels of the pyramid, and boxes in each image, to logits of classes, [boxes, classes], and
// offsets, [boxes, 4·classes].
func (d *FasterRCNN) classify(levels []*autograd.Tensor, proposals [][]boxes.Box, p prepared) (class, offsets *autograd.Tensor) {
	x := d.pool(levels[:4], proposals, p)
	for _, c := range d.Convs {
		x = c.Forward(x)
	}
	x = autograd.Reshape(x, x.Dim(0), x.Dim(1)*binsOfBox*binsOfBox)
	for _, l := range d.FC {
		x = l.ForwardAct(x, autograd.ActRelu)
	}
	return d.Class.Forward(x), d.Box.Forward(x)
}

// pool returns the features of boxes, [boxes, channels, 7, 7], from the level that suits the size of each: a box of 224 pixels
// has those of stride 16 (arXiv 1612.03144, equation 1; torchvision/ops/poolers.py).
func (d *FasterRCNN) pool(levels []*autograd.Tensor, proposals [][]boxes.Box, p prepared) *autograd.Tensor {
	var size [2]int // of the largest image, without the zeros around it
	for _, s := range p.sizes {
		size = [2]int{max(size[0], s[0]), max(size[1], s[1])}
	}
	strides := make([]int, len(levels)) // as powers of 2
	for k, l := range levels {
		strides[k] = -int(math32.Round(math32.Log2(float32(float64(l.Dim(2)) / float64(size[0])))))
	}
	rois := make([][]autograd.Roi, len(levels))
	places := make([][]int, len(levels)) // of the boxes of each level among all
	total := 0
	for i, each := range proposals {
		for _, b := range each {
			side := math32.Sqrt(b.Area())
			at := int(math32.Floor(4 + math32.Log2(side/224) + 1e-6))
			k := min(max(at, strides[0]), strides[len(strides)-1]) - strides[0]
			rois[k] = append(rois[k], autograd.Roi{Image: i, X0: b.X0, Y0: b.Y0, X1: b.X1, Y1: b.Y1})
			places[k] = append(places[k], total)
			total++
		}
	}
	order := make([]int, total)
	var parts []autograd.Operand
	done := 0
	for k, l := range levels {
		if len(rois[k]) == 0 {
			continue
		}
		parts = append(parts, autograd.RoiAlign(l, rois[k], autograd.RoiOptions{
			OutH: binsOfBox, OutW: binsOfBox, SpatialScale: math.Ldexp(1, -strides[k]), SamplingRatio: 2,
		}))
		for _, place := range places[k] {
			order[place] = done
			done++
		}
	}
	return autograd.IndexSelect(autograd.Concat(0, parts...), 0, order)
}

// find implements [Network].
func (d *FasterRCNN) find(t *autograd.Tape, images []*vision.Image, l limits) []candidates {
	p := d.resizing.prepare(t, images)
	levels := d.Pyramid.Forward(p.pixels)
	var first []proposing
	for _, x := range levels {
		first = append(first, d.propose(x))
	}
	proposals := d.proposals(first, p, l)
	found := make([]candidates, len(images))
	total := 0
	for _, each := range proposals {
		total += len(each)
	}
	if total == 0 {
		return found
	}
	class, offsets := d.classify(levels, proposals, p)
	scores, codes := class.Floats(nil), offsets.Floats(nil)
	for each := range slices.Chunk(scores, d.classes) {
		simd.Softmax(each, each, 1)
	}
	row := 0
	for i, each := range proposals {
		for _, proposal := range each {
			for k := 1; k < d.classes; k++ {
				score := scores[row*d.classes+k]
				if !(score > l.minScore) {
					continue
				}
				var b [1]boxes.Box
				rcnnCoder.Decode(b[:], codes[4*(row*d.classes+k):][:4], []boxes.Box{proposal})
				if clipped := p.clip(i, b[0]); large(clipped, leastBox) {
					found[i].add(clipped, score, k)
				}
			}
			row++
		}
		p.restore(i, images[i], found[i].boxes)
	}
	return found
}

func (d *FasterRCNN) defaults() limits {
	return limits{minScore: 0.05, overlap: 0.5, most: 100, perLevel: proposalsPer, proposals: proposalsPer, proposalIoU: proposalIoU}
}

func (d *FasterRCNN) batch() int { return 1 } // as of FCOS

// rcnnNames are the names of torchvision, of new files and of old ones.
func rcnnNames(c Config) checkpoint.Names {
	rules := append(pyramidNames(*c.Backbone),
		checkpoint.Rule{"Propose.{}", "rpn.head.conv.{}.0"},
		checkpoint.Rule{"Propose.0", "rpn.head.conv"},
		checkpoint.Rule{"Object", "rpn.head.cls_logits"},
		checkpoint.Rule{"Offsets", "rpn.head.bbox_pred"},
		checkpoint.Rule{"Class", "roi_heads.box_predictor.cls_score"},
		checkpoint.Rule{"Box", "roi_heads.box_predictor.bbox_pred"},
	)
	if !c.SecondVersion {
		return names(append(rules, checkpoint.Rule{"FC.0", "roi_heads.box_head.fc6"}, checkpoint.Rule{"FC.1", "roi_heads.box_head.fc7"}))
	}
	return names(append(rules,
		checkpoint.Rule{"Convs.{}.Conv", "roi_heads.box_head.{}.0"},
		checkpoint.Rule{"Convs.{}.Norm", "roi_heads.box_head.{}.1"},
		checkpoint.Rule{"FC.0", "roi_heads.box_head.5"}, // a layer that flattens comes before
	))
}

// rcnnClaim is the least that the weights are.
func (c Config) rcnnClaim() modelfolder.Claim {
	width, head := float64(c.FPNChannels), float64(c.HeadSize)
	values := 5*9*width*width + width*binsOfBox*binsOfBox*head
	if c.SecondVersion {
		values += (1 + towerDepth) * 9 * width * width
	} else {
		values += head * head
	}
	return c.Backbone.Claim().Plus(modelfolder.Claim{Values: values})
}
