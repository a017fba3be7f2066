package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/boxes"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// CenterNet finds objects by their centers (Zhou et al., "Objects as Points", arXiv 1904.07850;
// github.com/xingyizhou/CenterNet). A heatmap of each class, a fourth of the size of the image, has peaks at the
// centers. Beside it stand the size of the object, and where in its cell the center lies.
//
// The fields after the heads change how the network is used. Set them before the first call.
type CenterNet struct {
	Body    backbone.Body
	Up      []*UpStage // of a residual network
	DLAUp   *DLAUp     // of a DLA
	Heatmap CenterHead // to logits of the classes
	Size    CenterHead // to the width and the height, in cells
	Offset  CenterHead // to the place of the center, right of and below the upper left corner of its cell

	// Flip averages the predictions for an image and its mirror image.
	Flip bool
	// Scales are the sizes in which an image is searched, relative to its own; nil means 1 alone. The paper has 0.5,
	// 0.75, 1, 1.25 and 1.5. What is found in several is merged by soft non-maximum suppression, with an IoU without
	// the extra pixel that the release adds to each side, and without the boxes that the release drops and keeps a copy
	// of.
	Scales []float64
	// KeepSize searches images in their own size, extended to a multiple of 32 pixels, as the published figures of COCO were
	// measured. Otherwise an image is fitted into a square of Config.ImageSize pixels. Images of more than 4,096 pixels a side
	// are then refused.
	KeepSize bool
	// CorrectRadius makes the spots of the heatmap in Loss as small as the formulas of CornerNet say. The release has a
	// mistake in them, and learned larger spots.
	CorrectRadius bool

	size, classes int
}

// CenterHead is one of the predictions of [CenterNet].
type CenterHead struct {
	Conv    *nn.Conv2d // 3×3, with a ReLU
	Predict *nn.Conv2d // 1×1
}

func newCenterHead(in, width, out int) CenterHead {
	return CenterHead{
		nn.NewConv2d(in, width, 3, true, autograd.Conv2dOptions{Padding: [2]int{1, 1}, Act: autograd.ActRelu}),
		nn.NewConv2d(width, out, 1, true, autograd.Conv2dOptions{}),
	}
}

// Forward maps [n, in, h, w] to [n, out, h, w].
func (h *CenterHead) Forward(x *autograd.Tensor) *autograd.Tensor {
	return h.Predict.Forward(h.Conv.Forward(x))
}

// NewCenterNet returns a network with initial weights drawn from rng, or of zeros, to be loaded, when rng is nil. The body is
// drawn as [backbone.New] does, and the other layers as in the release. The configuration must be valid.
func NewCenterNet(c Config, classes int, rng *rand.Rand) *CenterNet {
	d := &CenterNet{Body: backbone.NewBody(*c.Backbone), size: c.ImageSize, classes: classes}
	channels := d.Body.Channels()
	in := channels[len(channels)-1]
	for _, out := range c.UpSizes {
		d.Up = append(d.Up, newUpStage(in, out, c.Deformable))
		in = out
	}
	if c.Backbone.ModelType == "dla" {
		d.DLAUp, in = newDLAUp(channels), channels[0]
	}
	d.Heatmap = newCenterHead(in, c.HeadSize, classes)
	d.Size, d.Offset = newCenterHead(in, c.HeadSize, 2), newCenterHead(in, c.HeadSize, 2)
	if rng != nil {
		d.init(c, rng)
	}
	return d
}

// init draws initial weights. The networks of the release differ: networks/{pose_dla_dcn,resnet_dcn,msra_resnet}.py.
func (d *CenterNet) init(c Config, rng *rand.Rand) {
	const small = 0.001
	backbone.Init(d.Body, rng)
	initDeform(d.DLAUp, rng)
	initDeform(d.Up, rng)
	for _, up := range nn.Layers[nn.ConvTranspose2d](d.DLAUp) {
		up.Weight.Update(func(v []float32) {
			kernel := up.Weight.Shape()[2]
			for each := range slices.Chunk(v, kernel*kernel) {
				bilinear(each, kernel)
			}
		})
	}
	for _, s := range d.Up {
		if s.Deform == nil {
			nn.Normal(rng, s.Up.Weight, small)
			continue
		}
		// The release fills the kernels to the first channel alone. The others stay as PyTorch draws them.
		nn.Uniform(rng, s.Up.Weight, 1/math.Sqrt(float64(s.Up.Weight.Shape()[1]*16)))
		s.Up.Weight.Update(func(v []float32) {
			for each := range slices.Chunk(v, s.Up.Weight.Shape()[1]*16) {
				bilinear(each[:16], 4)
			}
		})
	}
	for i, h := range []CenterHead{d.Heatmap, d.Size, d.Offset} {
		initConv(h.Conv, rng)
		initConv(h.Predict, rng)
		for k, conv := range []*nn.Conv2d{h.Conv, h.Predict} {
			switch {
			case i == 0:
			case d.DLAUp != nil:
				nn.Constant(conv.Bias, 0)
			case c.Deformable || k == 1:
				nn.Normal(rng, conv.Weight, small)
				nn.Constant(conv.Bias, 0)
			}
		}
	}
	d.initHeatmap()
}

// initHeatmap makes every probability nearly 0.1.
func (d *CenterNet) initHeatmap() { nn.Constant(d.Heatmap.Predict.Bias, -2.19) }

// initConv draws a convolution as PyTorch does.
func initConv(c *nn.Conv2d, rng *rand.Rand) {
	nn.KaimingUniform(rng, c.Weight, math.Sqrt(5))
	nn.Uniform(rng, c.Bias, 1/math.Sqrt(float64(c.Weight.Len()/c.Weight.Shape()[0])))
}

func (d *CenterNet) background() int { return 0 }

func (d *CenterNet) multiple() int { return squareDivisor }

func (d *CenterNet) newHead(classes int, rng *rand.Rand) {
	d.classes = classes
	d.Heatmap.Predict = nn.NewConv2d(d.Heatmap.Predict.Weight.Shape()[1], classes, 1, true, autograd.Conv2dOptions{})
	initConv(d.Heatmap.Predict, rng)
	d.initHeatmap()
}

// Forward maps pixels, [n, 3, h, w], to the logits of the heatmap, [n, classes, h/4, w/4], and to the width and height and the
// offset right and down, each [n, 2, h/4, w/4] in cells. Pixels are blue, green and red, from 0 to 1, less the mean, over the
// deviation, as the release prepares them. Height and width are multiples of 32, or it panics with an autograd.ShapeError.
func (d *CenterNet) Forward(pixels *autograd.Tensor) (heatmap, size, offset *autograd.Tensor) {
	if len(pixels.Shape()) != 4 || pixels.Dim(2)%squareDivisor != 0 || pixels.Dim(3)%squareDivisor != 0 {
		reason := fmt.Sprintf("expected a height and width of a multiple of %d", squareDivisor)
		panic(&autograd.ShapeError{Op: "centernet", Shapes: [][]int{pixels.Shape()}, Reason: reason})
	}
	levels := d.Body.Forward(pixels)
	x := levels[len(levels)-1]
	if d.DLAUp != nil {
		x = d.DLAUp.Forward(levels)
	}
	for _, up := range d.Up {
		x = x.Tape().Segment(up.Forward, x)
	}
	return d.Heatmap.Forward(x), d.Size.Forward(x), d.Offset.Forward(x)
}

// centerMost is the number of peaks that an image has at most (K of the release, and its max_per_image).
const centerMost = 100

// find implements [Network].
func (d *CenterNet) find(t *autograd.Tape, images []*vision.Image, l limits) []candidates {
	scales := d.Scales
	if len(scales) == 0 {
		scales = []float64{1}
	}
	found := make([]candidates, len(images))
	group := len(images)
	if d.KeepSize {
		group = 1 // they have sizes of their own
	}
	for first := 0; first < len(images); first += group {
		some := images[first:min(first+group, len(images))]
		for _, scale := range scales {
			views := make([]view, len(some))
			for i, m := range some {
				views[i] = d.view(m, d.size, scale)
			}
			d.search(t, some, views, l.minScore, found[first:])
		}
	}
	if len(scales) > 1 {
		for i := range found {
			found[i].soften(centerSigma, max(l.minScore, centerLeast))
		}
	}
	return found
}

// The sigma of soft non-maximum suppression, and the score at which it ends, as in the release.
const centerSigma, centerLeast = 0.5, 0.001

// soften lowers the scores of boxes that overlap better ones of their class, and drops those with the least score.
func (c *candidates) soften(sigma float64, least float32) {
	kept, scores := boxes.SoftNMSGaussian(c.boxes, c.scores, c.classes, sigma, least)
	out := candidates{scores: scores}
	for _, k := range kept {
		out.boxes, out.classes = append(out.boxes, c.boxes[k]), append(out.classes, c.classes[k])
	}
	*c = out
}

// search adds the candidates of a batch of views, which have one size.
func (d *CenterNet) search(t *autograd.Tape, images []*vision.Image, views []view, minScore float32, found []candidates) {
	height, width := views[0].height, views[0].width
	plane, n := height*width, len(views)
	pixels := make([]float32, n*3*plane)
	t.Workers().For(n, func(i int) { views[i].pixels(pixels[i*3*plane:][:3*plane], images[i]) })
	x := t.Borrow(pixels, n, 3, height, width)
	if d.Flip {
		x = autograd.Concat(0, x, t.Borrow(mirrored(pixels, width), n, 3, height, width))
	}
	heat, size, offset := d.Forward(x)
	rows, columns := height/centerStride, width/centerStride
	scores, sizes, offsets := heat.Floats(nil), size.Floats(nil), offset.Floats(nil)
	simd.Sigmoid(scores, scores)
	if d.Flip {
		scores, sizes = halves(scores, columns), halves(sizes, columns)
	}
	cells := rows * columns
	for i, v := range views {
		heat := scores[i*d.classes*cells:][:d.classes*cells]
		size, offset := sizes[2*i*cells:], offsets[2*i*cells:]
		for _, at := range best(peaks(heat, rows, columns), minScore, centerMost) {
			class, cell := at/cells, at%cells
			cx := float32(cell%columns) + offset[cell]
			cy := float32(cell/columns) + offset[cells+cell]
			b := boxes.FromCenter(cx, cy, size[cell], size[cells+cell])
			found[i].add(v.restore(b), heat[at], class)
		}
	}
}

// peaks returns the scores of cells that no neighbor exceeds, of every class, and 0 elsewhere.
func peaks(heat []float32, rows, columns int) []float32 {
	out := make([]float32, len(heat))
	for first := 0; first < len(heat); first += rows * columns {
		for cell := range rows * columns {
			y, x := cell/columns, cell%columns
			score, top := heat[first+cell], true
			for j := max(0, y-1); j <= min(rows-1, y+1) && top; j++ {
				for _, v := range heat[first+j*columns+max(0, x-1) : first+j*columns+min(columns, x+2)] {
					top = top && v <= score
				}
			}
			if top {
				out[first+cell] = score
			}
		}
	}
	return out
}

// mirrored returns rows of values from right to left.
func mirrored(values []float32, width int) []float32 {
	out := slices.Clone(values)
	for row := range slices.Chunk(out, width) {
		slices.Reverse(row)
	}
	return out
}

// halves returns the means of the first half of predictions, and of the second half, which mirror images gave.
func halves(values []float32, width int) []float32 {
	n := len(values) / 2
	mirror := mirrored(values[n:], width)
	out := values[:n]
	for i, v := range mirror {
		out[i] = (out[i] + v) / 2
	}
	return out
}

// defaults are those of the release's demonstration, which drops no overlapping boxes.
func (d *CenterNet) defaults() limits { return limits{minScore: 0.3, overlap: 1, most: centerMost} }

func (d *CenterNet) batch() int {
	if d.KeepSize {
		return 1
	}
	return max(1, min(run.Batch, batchPixels/(d.size*d.size)))
}

// centerNames are the names of the release.
func centerNames(c Config) checkpoint.Names {
	stem, rules := "", upNames(c.Deformable)
	var ignore []string
	if c.Backbone.ModelType == "dla" {
		stem, rules = "base", dlaUpNames()
		ignore = []string{"base.level*.project.*", "base.fc.*"} // parts that the release has and does not use
	}
	rules = append(rules, checkpoint.Nest("Body", []string{stem}, backbone.BodyNames(*c.Backbone)...)...)
	for _, head := range [][2]string{{"Heatmap", "hm"}, {"Size", "wh"}, {"Offset", "reg"}} {
		rules = append(rules, checkpoint.Rule{head[0] + ".Conv", head[1] + ".0"}, checkpoint.Rule{head[0] + ".Predict", head[1] + ".2"})
	}
	n := names(rules)
	n.Ignore = ignore
	return n
}
