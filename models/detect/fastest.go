package detect

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/boxes"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// FastestDet is a detector without anchors (github.com/dog-qiuqiu/FastestDet, module/detector.py). A ShuffleNetV2 of few
// channels gives features at three strides, which are brought to stride 16. Three chains of large depthwise convolutions see
// surroundings of three sizes. Each cell of the grid predicts one object.
type FastestDet struct {
	Body     *backbone.ShuffleNetV2
	Reduce   *nn.ConvNorm      // 1×1, of the features of all strides
	Branches [3][]*nn.ConvNorm // one, two and three depthwise 5×5 convolutions
	Merge    *nn.ConvNorm      // 1×1, of the branches; added to what they began with
	Shared   *nn.ConvNorm      // 1×1
	Object   FastestHead       // whether there is an object
	Box      FastestHead       // four numbers of its box
	Class    FastestHead       // its class

	size int // of images
}

// FastestHead is one of the predictions of [FastestDet]: a depthwise 5×5 convolution and a 1×1 convolution.
type FastestHead struct {
	Spatial *nn.ConvNorm
	Predict *nn.ConvNorm
}

const fastestWidth = 96

// fastestBody is the form of ShuffleNetV2 that FastestDet has.
func fastestBody() backbone.Config {
	c := backbone.ShuffleNetV2x05()
	c.FinalSize = 0
	return c
}

// NewFastestDet returns a network with initial weights drawn from rng, or of zeros, to be loaded, when rng is nil. The
// configuration must be valid.
func NewFastestDet(c Config, classes int, rng *rand.Rand) *FastestDet {
	wide := func(act autograd.Activation) *nn.ConvNorm {
		return nn.NewConvNorm(fastestWidth, fastestWidth, 5, act, autograd.Conv2dOptions{Padding: [2]int{2, 2}, Groups: fastestWidth})
	}
	point := func(in, out int, act autograd.Activation) *nn.ConvNorm {
		return nn.NewConvNorm(in, out, 1, act, autograd.Conv2dOptions{})
	}
	head := func(out int) FastestHead {
		return FastestHead{wide(autograd.ActRelu), point(fastestWidth, out, autograd.ActNone)}
	}
	d := &FastestDet{Body: backbone.NewShuffleNetV2(fastestBody()), size: c.ImageSize}
	d.Body.ShuffleFirst = true
	in := 0
	for _, channels := range d.Body.Channels() {
		in += channels
	}
	d.Reduce = point(in, fastestWidth, autograd.ActRelu)
	for i := range d.Branches {
		for range i + 1 {
			d.Branches[i] = append(d.Branches[i], wide(autograd.ActRelu))
		}
	}
	d.Merge = point(3*fastestWidth, fastestWidth, autograd.ActRelu)
	d.Shared = point(fastestWidth, fastestWidth, autograd.ActRelu)
	d.Object, d.Box, d.Class = head(1), head(4), head(classes)
	if rng != nil {
		backbone.Init(d, rng)
	}
	return d
}

func (d *FastestDet) background() int { return 0 }

// multiple is that of a square: all images of a batch have its size.
func (d *FastestDet) multiple() int { return squareDivisor }

func (d *FastestDet) newHead(classes int, rng *rand.Rand) {
	c := d.Class.Predict.Conv
	d.Class.Predict = nn.NewConvNorm(c.Weight.Shape()[1], classes, 1, autograd.ActNone, autograd.Conv2dOptions{})
	backbone.Init(d.Class.Predict, rng)
}

// Predict maps pixels, [n, 3, h, w], to the predictions for each cell: logits of an object, [n, 1, h/16, w/16], four numbers
// of its box, and logits of its class. Pixels are blue, green and red, from 0 to 1. Height and width are multiples of 32, or
// it panics with an autograd.ShapeError.
func (d *FastestDet) Predict(pixels *autograd.Tensor) (object, box, class *autograd.Tensor) {
	levels := d.Body.Forward(pixels)
	t := pixels.Tape()
	x := t.Segment(func(fine *autograd.Tensor) *autograd.Tensor {
		middle, deep := levels[1], levels[2]
		fine = autograd.AvgPool2d(fine, autograd.PoolOptions{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Padding: [2]int{1, 1}})
		deep = autograd.Resize2d(deep, 2*deep.Dim(2), 2*deep.Dim(3), autograd.ResizeOptions{Mode: autograd.Nearest})
		return d.Reduce.Forward(autograd.Concat(1, fine, middle, deep))
	}, levels[0])
	x = t.Segment(func(x *autograd.Tensor) *autograd.Tensor {
		parts := make([]autograd.Operand, len(d.Branches))
		for i, branch := range d.Branches {
			y := x
			for _, c := range branch {
				y = c.Forward(y)
			}
			parts[i] = y
		}
		return d.Shared.Forward(d.Merge.ForwardAdd(autograd.Concat(1, parts...), x))
	}, x)
	predict := func(h *FastestHead) *autograd.Tensor { return h.Predict.Forward(h.Spatial.Forward(x)) }
	return predict(&d.Object), predict(&d.Box), predict(&d.Class)
}

// input stretches an image to a square.
func (d *FastestDet) input(_ *autograd.Tape, m *vision.Image, size int) input {
	size = cmp.Or(size, d.size)
	pixels := make([]float32, 3*size*size)
	d.prepare(pixels, m, size)
	return stretched(pixels, size, size, m)
}

// prepare writes the pixels of an image: stretched to a square, blue first, from 0 to 1.
func (d *FastestDet) prepare(dst []float32, m *vision.Image, size int) {
	square := stretch(m, size, size)
	plane := size * size
	for i := range plane {
		for c := range 3 {
			dst[c*plane+i] = float32(square[3*i+2-c]) / 255
		}
	}
}

// find implements [Network].
func (d *FastestDet) find(t *autograd.Tape, images []*vision.Image, l limits) []candidates {
	plane := 3 * d.size * d.size
	pixels := make([]float32, len(images)*plane)
	t.Workers().For(len(images), func(i int) { d.prepare(pixels[i*plane:][:plane], images[i], d.size) })
	object, box, class := d.Predict(t.Borrow(pixels, len(images), 3, d.size, d.size))
	h, w := object.Dim(2), object.Dim(3)
	raw := fastestRaw{cells: h * w, classes: class.Dim(1), object: object.Floats(nil), box: box.Floats(nil), class: class.Floats(nil)}
	found := make([]candidates, len(images))
	for i, m := range images {
		found[i] = raw.decode(i, w, h, m, l.minScore)
	}
	return found
}

func (d *FastestDet) defaults() limits { return limits{minScore: 0.65, overlap: 0.45} }

// batchPixels bounds the pixels of a batch: 16 images of 512×512, or one of the largest.
const batchPixels = squareMaxSize * squareMaxSize

func (d *FastestDet) batch() int { return min(run.Batch, batchPixels/(d.size*d.size)) }

// fastestRaw are predictions for images, by channel and cell.
type fastestRaw struct {
	cells, classes     int
	object, box, class []float32
}

// probabilities returns those of an object, [cells], and of the classes, [cells, classes], of image i.
func (r *fastestRaw) probabilities(i int) (object, class []float32) {
	object = make([]float32, r.cells)
	simd.Sigmoid(object, r.object[i*r.cells:][:r.cells])
	class = make([]float32, r.cells*r.classes)
	logits := r.class[i*r.cells*r.classes:]
	for cell := range r.cells {
		for k := range r.classes {
			class[cell*r.classes+k] = logits[k*r.cells+cell]
		}
		row := class[cell*r.classes:][:r.classes]
		simd.Softmax(row, row, 1)
	}
	return object, class
}

// decode returns the objects in image i whose score exceeds the least (handle_preds in utils/tool.py). The score is
// object^0.6 · class^0.4.
func (r *fastestRaw) decode(i, columns, rows int, m *vision.Image, minScore float32) (found candidates) {
	object, class := r.probabilities(i)
	box := r.box[4*i*r.cells:]
	for cell := range r.cells {
		best := 0
		probabilities := class[cell*r.classes:][:r.classes]
		for k, p := range probabilities {
			if p > probabilities[best] {
				best = k
			}
		}
		score := power(object[cell], 0.6) * power(probabilities[best], 0.4)
		if !(score > minScore) {
			continue
		}
		x, y := float64(box[cell]), float64(box[r.cells+cell])
		cx := float32(math.Tanh(x)+float64(cell%columns)) / float32(columns)
		cy := float32(math.Tanh(y)+float64(cell/columns)) / float32(rows)
		w, h := sigmoid(box[2*r.cells+cell]), sigmoid(box[3*r.cells+cell])
		b := boxes.FromCenter(cx, cy, w, h)
		iw, ih := float32(m.Width), float32(m.Height)
		found.add(boxes.Box{X0: b.X0 * iw, Y0: b.Y0 * ih, X1: b.X1 * iw, Y1: b.Y1 * ih}, score, best)
	}
	return found
}

func power(x float32, y float64) float32 { return float32(math.Pow(float64(x), y)) }

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

// fastestNames are the names of the release.
var fastestNames = func() checkpoint.Names {
	rules := checkpoint.Nest("Body", []string{"backbone"}, backbone.ShuffleNames("first_conv", "branch_proj", "branch_main")...)
	add := func(path, name string, at int) { // at is the number of the convolution in a series of layers
		rules = append(rules, checkpoint.Rule{path + ".Conv", fmt.Sprintf("%s.%d", name, at)}, checkpoint.Rule{path + ".Norm", fmt.Sprintf("%s.%d", name, at+1)})
	}
	add("Reduce", "SPP.Conv1x1.conv1x1", 0)
	for branch := range 3 {
		for i := range branch + 1 {
			add(fmt.Sprintf("Branches.%d.%d", branch, i), fmt.Sprintf("SPP.S%d", branch+1), 3*i)
		}
	}
	add("Merge", "SPP.output", 0)
	add("Shared", "detect_head.conv1x1.conv1x1", 0)
	for _, head := range [][2]string{{"Object", "obj"}, {"Box", "reg"}, {"Class", "cls"}} {
		name := "detect_head." + head[1] + "_layers.conv5x5"
		add(head[0]+".Spatial", name, 0)
		add(head[0]+".Predict", name, 3)
	}
	return names(rules)
}()
