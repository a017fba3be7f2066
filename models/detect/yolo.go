package detect

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/boxes"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// YOLOv1 is a detector in one stage without anchors (Redmon et al., "You Only Look Once", arXiv 1506.02640). A grid
// divides the image. Each cell predicts a few boxes, how sure it is of each, and one probability for each class. The
// object whose center lies in a cell belongs to it.
//
// The backbone is a modern one, in place of the paper's first 20 convolutions. Four convolutions and two fully
// connected layers follow as in section 2.2. The convolutions have batch normalizations here, and no biases.
type YOLOv1 struct {
	Body    backbone.Body
	Convs   []*nn.ConvNorm // 3×3, with a leaky ReLU; the second may halve the size
	Hidden  *nn.Linear     // of all values of the last convolution, by channel, row and column; with a leaky ReLU
	Predict *nn.Linear     // to the predictions
	// Cells predicts those of a cell by a 1×1 convolution, in a network without fully connected layers.
	Cells *nn.Conv2d

	// Dropout is the share of the values of Hidden that training leaves out. New sets the paper's.
	Dropout float32

	size    int // of images
	outputs yoloOutputs
}

// yoloSlope is that of the leaky ReLU (equation 2).
const yoloSlope = 0.1

// yoloMostBoxes bounds the boxes of a cell, far above any network.
const yoloMostBoxes = 64

// yoloOutputs says where the predictions for an image lie.
type yoloOutputs struct {
	grid, boxes, classes int
	// darknet puts the classes of all cells first, then all confidences, then all boxes (src/detection_layer.c). Otherwise a
	// cell has its boxes, each of which a confidence follows, and then its classes.
	darknet bool
}

func (o yoloOutputs) cells() int { return o.grid * o.grid }

// cell is the number of predictions for a cell.
func (o yoloOutputs) cell() int { return 5*o.boxes + o.classes }

func (o yoloOutputs) count() int { return o.cells() * o.cell() }

// class is the position of the first class of a cell.
func (o yoloOutputs) class(cell int) int {
	if o.darknet {
		return cell * o.classes
	}
	return cell*o.cell() + 5*o.boxes
}

// box is the position of x, y, √w and √h of a box.
func (o yoloOutputs) box(cell, box int) int {
	if o.darknet {
		return o.cells()*(o.classes+o.boxes) + 4*(cell*o.boxes+box)
	}
	return cell*o.cell() + 5*box
}

// confidence is the position of the confidence of a box.
func (o yoloOutputs) confidence(cell, box int) int {
	if o.darknet {
		return o.cells()*o.classes + cell*o.boxes + box
	}
	return cell*o.cell() + 5*box + 4
}

// decode returns a box of the predictions for an image, in widths and heights of the image. The network predicts the place of
// the center in the cell, and the square roots of the width and the height.
func (o yoloOutputs) decode(values []float32, cell, box int) boxes.Box {
	v, grid := values[o.box(cell, box):], float32(o.grid)
	cx, cy := (float32(cell%o.grid)+v[0])/grid, (float32(cell/o.grid)+v[1])/grid
	return boxes.FromCenter(cx, cy, float32(v[2]*v[2]), float32(v[3]*v[3]))
}

// NewYOLOv1 returns a network with initial weights drawn from rng, or of zeros, to be loaded, when rng is nil. The
// configuration must be valid.
func NewYOLOv1(c Config, classes int, rng *rand.Rand) *YOLOv1 {
	d := &YOLOv1{
		Body: backbone.NewBody(*c.Backbone), Dropout: 0.5, size: c.ImageSize,
		outputs: yoloOutputs{c.GridSize, c.BoxesPerCell, classes, c.DarknetLayout},
	}
	channels := d.Body.Channels()
	in := channels[len(channels)-1]
	for i := range 4 {
		o := autograd.Conv2dOptions{Padding: [2]int{1, 1}}
		if i == 1 && c.ImageSize == 64*c.GridSize {
			o.Stride = [2]int{2, 2}
		}
		d.Convs = append(d.Convs, nn.NewConvNorm(in, c.HeadChannels, 3, autograd.ActNone, o))
		in = c.HeadChannels
	}
	if c.HeadSize > 0 {
		d.Hidden = nn.NewLinear(in*d.outputs.cells(), c.HeadSize, true)
	}
	d.addPredictions()
	if rng != nil {
		backbone.Init(d.Body, rng)
		backbone.Init(d.Convs, rng)
		if d.Hidden != nil {
			initLinear(d.Hidden, rng)
		}
		d.initPredictions(rng)
	}
	return d
}

// addPredictions adds the layer of predictions, of zeros.
func (d *YOLOv1) addPredictions() {
	if d.Hidden == nil {
		channels := d.Convs[len(d.Convs)-1].Conv.Weight.Shape()[0]
		d.Cells = nn.NewConv2d(channels, d.outputs.cell(), 1, true, autograd.Conv2dOptions{})
	} else {
		d.Predict = nn.NewLinear(d.Hidden.Weight.Shape()[0], d.outputs.count(), true)
	}
}

func (d *YOLOv1) initPredictions(rng *rand.Rand) {
	if d.Hidden == nil {
		nn.Normal(rng, d.Cells.Weight, 0.01)
	} else {
		initLinear(d.Predict, rng)
	}
}

// initLinear draws a layer as PyTorch does.
func initLinear(l *nn.Linear, rng *rand.Rand) {
	nn.KaimingUniform(rng, l.Weight, math.Sqrt(5))
	nn.Uniform(rng, l.Bias, 1/math.Sqrt(float64(l.Weight.Shape()[1])))
}

func (d *YOLOv1) background() int { return 0 }

// multiple is that of a square: all images of a batch have its size.
func (d *YOLOv1) multiple() int { return 1 }

// newHead draws the predictions anew, also of boxes: one layer has all.
func (d *YOLOv1) newHead(classes int, rng *rand.Rand) {
	d.outputs.classes = classes
	d.addPredictions()
	d.initPredictions(rng)
}

// Forward maps pixels, [n, 3, size, size], to predictions, [n, grid·grid·(5·boxes + classes)]. Cells are numbered row
// by row. The predictions of a cell are its boxes and its classes. Those of a box are x, y, the square roots of the
// width and the height, and the confidence. x and y are the place of the center, from the upper left corner of the cell
// at 0 to the lower right at 1. The width and the height of the image are 1. With Config.DarknetLayout, the classes of
// all cells come first, then all confidences, then all boxes. It panics with an autograd.ShapeError for pixels of
// another size.
func (d *YOLOv1) Forward(pixels *autograd.Tensor) *autograd.Tensor {
	t := pixels.Tape()
	levels := d.Body.Forward(pixels)
	x := t.Segment(func(x *autograd.Tensor) *autograd.Tensor {
		for _, c := range d.Convs {
			x = autograd.LeakyRelu(c.Forward(x), yoloSlope)
		}
		return x
	}, levels[len(levels)-1])
	if n := d.outputs.grid; x.Dim(2) != n || x.Dim(3) != n {
		panic(&autograd.ShapeError{Op: "yolov1", Shapes: [][]int{pixels.Shape()}, Reason: fmt.Sprintf("expected images of %d×%d pixels", d.size, d.size)})
	}
	if d.Cells != nil {
		return autograd.Reshape(autograd.Permute(d.Cells.Forward(x), 0, 2, 3, 1), x.Dim(0), d.outputs.count())
	}
	x = autograd.Reshape(x, x.Dim(0), x.Dim(1)*d.outputs.cells())
	x = autograd.Dropout(autograd.LeakyRelu(d.Hidden.Forward(x), yoloSlope), d.Dropout)
	return d.Predict.Forward(x)
}

// prepare returns the pixels of an image: stretched to a square, and normalized as ImageNet's.
func (d *YOLOv1) prepare(m *vision.Image) []float32 {
	return normalized(&vision.Image{Pix: stretch(m, d.size, d.size), Width: d.size, Height: d.size, Channels: 3})
}

// input implements [Trainable]. The configuration allows one size.
func (d *YOLOv1) input(_ *autograd.Tape, m *vision.Image, _ int) input {
	return stretched(d.prepare(m), d.size, d.size, m)
}

// find implements [Network].
func (d *YOLOv1) find(t *autograd.Tape, images []*vision.Image, l limits) []candidates {
	return d.outputs.find(t, d.size, images, d.prepare, d.Forward, l.minScore)
}

// find searches images that prepare makes squares of the given size.
func (o yoloOutputs) find(t *autograd.Tape, size int, images []*vision.Image, prepare func(*vision.Image) []float32,
	forward func(*autograd.Tensor) *autograd.Tensor, minScore float32) []candidates {
	plane := 3 * size * size
	pixels := make([]float32, len(images)*plane)
	t.Workers().For(len(images), func(i int) { copy(pixels[i*plane:][:plane], prepare(images[i])) })
	values := forward(t.Borrow(pixels, len(images), 3, size, size)).Floats(nil)
	found := make([]candidates, len(images))
	for i, m := range images {
		found[i] = o.candidates(values[i*o.count():][:o.count()], float32(m.Width), float32(m.Height), minScore)
	}
	return found
}

// candidates returns the boxes in an image of the given size. The score of a class is its probability times the confidence of
// the box (equation 1). Each box is a candidate for every class whose score exceeds the least.
func (o yoloOutputs) candidates(values []float32, width, height, minScore float32) (found candidates) {
	for cell := range o.cells() {
		for b := range o.boxes {
			confidence := values[o.confidence(cell, b)]
			for k, p := range values[o.class(cell):][:o.classes] {
				if score := confidence * p; score > minScore {
					x := o.decode(values, cell, b)
					found.add(boxes.Box{X0: float32(x.X0 * width), Y0: float32(x.Y0 * height), X1: float32(x.X1 * width), Y1: float32(x.Y1 * height)}, score, k)
				}
			}
		}
	}
	return found
}

// yoloDefaults are those of darknet's program (examples/yolo.c).
var yoloDefaults = limits{minScore: 0.2, overlap: 0.4}

func (d *YOLOv1) defaults() limits { return yoloDefaults }

func (d *YOLOv1) batch() int { return max(1, min(run.Batch, batchPixels/(d.size*d.size))) }

// yoloNames are names of Fovea's own: nobody released such weights.
func yoloNames(c Config) checkpoint.Names {
	rules := checkpoint.Nest("Body", []string{"backbone.body"}, backbone.BodyNames(*c.Backbone)...)
	return names(append(rules, checkpoint.Rule{"Convs.{}", "convs.{}"}, checkpoint.Rule{"Hidden", "hidden"},
		checkpoint.Rule{"Predict", "predict"}, checkpoint.Rule{"Cells", "cells"}))
}

// yoloClaim is the least that the weights are.
func (c Config) yoloClaim() modelfolder.Claim {
	width, cells := float64(c.HeadChannels), float64(c.GridSize*c.GridSize)
	claim := c.Backbone.Claim().Plus(modelfolder.Claim{Values: 3 * 9 * width * width})
	if c.HeadSize > 0 {
		claim.Values += width*cells*float64(c.HeadSize) + float64(c.HeadSize)*cells*float64(5*c.BoxesPerCell+1)
	}
	return claim
}

// yoloRows are those of the layer that predicts: a cell has five values for each box, and the classes.
func (c Config) yoloRows() classRows {
	r := classRows{param: "Cells.Weight", each: 1, others: 5 * c.BoxesPerCell, row: []int{c.HeadChannels, 1, 1}}
	if c.HeadSize > 0 {
		r.param, r.each, r.row = "Predict.Weight", c.GridSize*c.GridSize, []int{c.HeadSize}
	}
	return r
}
