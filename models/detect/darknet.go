package detect

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// Darknet is a YOLOv1 as darknet builds it from a file of layers (github.com/pjreddie/darknet, cfg/yolov1.cfg and
// cfg/yolov1-tiny.cfg). It differs from the paper: convolutions have batch normalizations, and yolov1.cfg has three
// boxes a cell and a layer whose filters differ from place to place. Its predictions have the layout of
// Config.DarknetLayout. [OpenDarknet] reads darknet's files.
type Darknet struct {
	Layers []*DarknetUnit

	size    int // of images
	outputs yoloOutputs
}

// The values of DarknetLayer.Type, which are sections of darknet's files.
const (
	darknetConv    = "convolutional"
	darknetPool    = "maxpool"
	darknetLocal   = "local"
	darknetDropout = "dropout"
	darknetLinear  = "connected"
)

// DarknetLayer describes a layer of a [Darknet] in the words of darknet's files.
type DarknetLayer struct {
	Type           string  `json:"type"` // convolutional, maxpool, local, dropout or connected
	Filters        int     `json:"filters,omitempty"`
	Size           int     `json:"size,omitempty"`
	Stride         int     `json:"stride,omitempty"`
	Padding        int     `json:"padding,omitempty"`
	BatchNormalize bool    `json:"batch_normalize,omitempty"`
	Activation     string  `json:"activation,omitempty"` // leaky, of the slope 0.1, or linear
	Probability    float32 `json:"probability,omitempty"`
	// Output is the number of values of a connected layer; 0 in the last one, which predicts.
	Output int `json:"output,omitempty"`
}

// DarknetUnit is a layer of a [Darknet]. A layer without parameters has none of its fields.
type DarknetUnit struct {
	Conv  *nn.ConvNorm // with a batch normalization
	Plain *nn.Conv2d   // without one
	Local *LocalConv2d
	FC    *nn.Linear

	layer DarknetLayer
}

// LocalConv2d is a convolution whose filters differ from place to place, with a stride of 1 and zeros around the image
// that keep its size.
type LocalConv2d struct {
	Weight *autograd.Parameter // [places, out, in·kernel·kernel]
	Bias   *autograd.Parameter // [out, places]

	kernel int
}

// Forward maps [n, in, h, w] to [n, out, h, w].
func (l *LocalConv2d) Forward(x *autograd.Tensor) *autograd.Tensor {
	n, in, h, w := x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
	places, out, pad := h*w, l.Weight.Shape()[1], l.kernel/2
	x = autograd.Pad(x, [][2]int{{0, 0}, {0, 0}, {pad, pad}, {pad, pad}}, autograd.PadOptions{})
	var taps []autograd.Operand
	for ky := range l.kernel {
		rows := autograd.Slice(x, 2, ky, ky+h)
		for kx := range l.kernel {
			taps = append(taps, autograd.Reshape(autograd.Slice(rows, 3, kx, kx+w), n, in, 1, places))
		}
	}
	windows := autograd.Reshape(autograd.Concat(2, taps...), n, in*l.kernel*l.kernel, places)
	y := autograd.MatMulT(autograd.Permute(windows, 2, 0, 1), l.Weight, false, true) // [places, n, out]
	y = autograd.Add(autograd.Permute(y, 1, 2, 0), l.Bias)
	return autograd.Reshape(y, n, out, h, w)
}

// darknetShape is the shape of what a layer of a [Darknet] gives: channels, height and width.
type darknetShape struct{ channels, height, width int }

func (s darknetShape) values() int { return s.channels * s.height * s.width }

// after returns the shape after a layer, or an error that says what the layer does not take.
func (l *DarknetLayer) after(s darknetShape, outputs int) (darknetShape, error) {
	switch l.Type {
	case darknetConv:
		if min(s.height, s.width)+2*l.Padding < l.Size {
			return s, fmt.Errorf("expected an image of at least %d pixels a side, found %d×%d", l.Size-2*l.Padding, s.height, s.width)
		}
		s = darknetShape{l.Filters, (s.height+2*l.Padding-l.Size)/l.Stride + 1, (s.width+2*l.Padding-l.Size)/l.Stride + 1}
	case darknetPool:
		if s.height%2 != 0 || s.width%2 != 0 {
			return s, fmt.Errorf("expected an even number of rows and columns before a max pooling, found %d×%d", s.height, s.width)
		}
		s.height, s.width = s.height/2, s.width/2
	case darknetLocal:
		s.channels = l.Filters
	case darknetLinear:
		if l.Output != 0 {
			outputs = l.Output
		}
		s = darknetShape{outputs, 1, 1}
	}
	return s, nil
}

// checkDarknet checks the fields of a Darknet.
func (c Config) checkDarknet(v *config.Checks) {
	if c.ImageSize < 1 || c.ImageSize > squareMaxSize {
		v.Fail("image_size", "expected 1 to %d, found %d", squareMaxSize, c.ImageSize)
	}
	if c.GridSize < 1 || c.GridSize > c.ImageSize {
		v.Fail("grid_size", "expected 1 to image_size %d, found %d", c.ImageSize, c.GridSize)
	}
	if c.BoxesPerCell < 1 || c.BoxesPerCell > yoloMostBoxes {
		v.Fail("boxes_per_cell", "expected 1 to %d, found %d", yoloMostBoxes, c.BoxesPerCell)
	}
	if n := len(c.Layers); n == 0 || n > darknetMostLayers || c.Layers[n-1].Type != darknetLinear || c.Layers[n-1].Output != 0 {
		v.Fail("layers", "expected up to %d layers, the last of which is connected and has no output, found %d", darknetMostLayers, n)
	}
	shape := darknetShape{3, c.ImageSize, c.ImageSize}
	for i, l := range c.Layers {
		if v.Err() != nil {
			return
		}
		name := fmt.Sprintf("layers.%d", i)
		l.check(name, v)
		if l.Type == darknetLinear && l.Output == 0 && i < len(c.Layers)-1 {
			v.Fail(name, "expected an output, found none")
		}
		if v.Err() != nil {
			return
		}
		var err error
		if shape, err = l.after(shape, 1); err != nil {
			v.Fail(name, "%w", err)
		} else if shape.values() > darknetMostValues {
			v.Fail(name, "expected a layer of at most %d values, found %d×%d×%d", darknetMostValues, shape.channels, shape.height, shape.width)
		}
	}
}

// darknetMostLayers bounds the layers, far above any network, and darknetMostValues the values that a layer gives for an image: a small
// file could ask for any number.
const darknetMostLayers, darknetMostValues = 256, 1 << 28

// check checks the fields of a layer. Those that its type does not use are zero.
func (l *DarknetLayer) check(name string, v *config.Checks) {
	v.OneOf(name+": type", l.Type, darknetConv, darknetPool, darknetLocal, darknetDropout, darknetLinear)
	used := map[string]bool{}
	size := func(field string, value, most int) {
		used[field] = true
		if value < 1 || value > most {
			v.Fail(name+": "+field, "expected 1 to %d, found %d", most, value)
		}
	}
	const mostKernel = 31
	switch l.Type {
	case darknetConv, darknetLocal:
		size("filters", l.Filters, config.Largest)
		size("size", l.Size, mostKernel)
		if l.Type == darknetConv {
			size("stride", l.Stride, mostKernel)
			used["padding"], used["batch_normalize"] = true, true
			if l.Padding < 0 || l.Padding > l.Size {
				v.Fail(name+": padding", "expected 0 to the size %d, found %d", l.Size, l.Padding)
			}
		} else if l.Size%2 == 0 {
			v.Fail(name+": size", "expected an odd number, found %d", l.Size)
		}
	case darknetPool:
		used["size"], used["stride"] = true, true
		if l.Size != 2 || l.Stride != 2 {
			v.Fail(name+": size", "expected a max pooling of the size 2 and the stride 2, found %d and %d", l.Size, l.Stride)
		}
	case darknetDropout:
		used["probability"] = true
		v.Probability(name+": probability", l.Probability)
	case darknetLinear:
		used["output"] = true
		if l.Output != 0 {
			v.Size(name+": output", l.Output)
		}
	}
	if l.Type == darknetConv || l.Type == darknetLocal || l.Type == darknetLinear {
		used["activation"] = true
		v.OneOf(name+": activation", l.Activation, "leaky", "linear")
	}
	for _, f := range []config.Field{
		{Name: "filters", Value: l.Filters}, {Name: "size", Value: l.Size}, {Name: "stride", Value: l.Stride}, {Name: "padding", Value: l.Padding},
		{Name: "batch_normalize", Value: l.BatchNormalize}, {Name: "activation", Value: l.Activation},
		{Name: "probability", Value: l.Probability}, {Name: "output", Value: l.Output},
	} {
		if !used[f.Name] {
			f.Name = name + ": " + f.Name
			v.Unused(l.Type, f)
		}
	}
}

// darknetEps is added to variances. darknet adds 1e-6 to their roots instead; what is loaded makes up for the difference.
const darknetEps = 1e-12

// NewDarknet returns a network with initial weights drawn from rng, or of zeros, to be loaded, when rng is nil. The
// configuration must be valid.
func NewDarknet(c Config, classes int, rng *rand.Rand) *Darknet {
	d := &Darknet{size: c.ImageSize, outputs: yoloOutputs{c.GridSize, c.BoxesPerCell, classes, true}}
	shape := darknetShape{3, c.ImageSize, c.ImageSize}
	for _, l := range c.Layers {
		u := &DarknetUnit{layer: l}
		next, err := l.after(shape, d.outputs.count())
		if err != nil {
			panic("detect: " + err.Error())
		}
		o := autograd.Conv2dOptions{Stride: [2]int{l.Stride, l.Stride}, Padding: [2]int{l.Padding, l.Padding}}
		switch {
		case l.Type == darknetConv && l.BatchNormalize:
			u.Conv = nn.NewConvNorm(shape.channels, l.Filters, l.Size, autograd.ActNone, o)
			u.Conv.Norm.Eps = darknetEps
		case l.Type == darknetConv:
			u.Plain = nn.NewConv2d(shape.channels, l.Filters, l.Size, true, o)
		case l.Type == darknetLocal:
			places := shape.height * shape.width
			u.Local = &LocalConv2d{autograd.NewParameter(places, l.Filters, shape.channels*l.Size*l.Size), autograd.NewParameter(l.Filters, places), l.Size}
		case l.Type == darknetLinear:
			u.FC = nn.NewLinear(shape.values(), next.channels, true)
		}
		d.Layers, shape = append(d.Layers, u), next
	}
	if rng != nil {
		backbone.Init(d, rng)
		for _, l := range nn.Layers[LocalConv2d](d) {
			nn.Uniform(rng, l.Weight, math.Sqrt(2/float64(l.Weight.Shape()[2])))
		}
		for _, l := range nn.Layers[nn.Linear](d) {
			initLinear(l, rng)
		}
	}
	return d
}

// Forward maps pixels, [n, 3, size, size], red first and from 0 to 1, to predictions, [n, grid·grid·(5·boxes + classes)]: the
// classes of all cells, all confidences and all boxes, as [YOLOv1.Forward] describes them. It panics with an
// autograd.ShapeError for pixels of another size.
func (d *Darknet) Forward(pixels *autograd.Tensor) *autograd.Tensor {
	if len(pixels.Shape()) != 4 || pixels.Dim(2) != d.size || pixels.Dim(3) != d.size {
		panic(&autograd.ShapeError{Op: "darknet", Shapes: [][]int{pixels.Shape()}, Reason: fmt.Sprintf("expected images of %d×%d pixels", d.size, d.size)})
	}
	x := pixels
	for _, u := range d.Layers {
		x = x.Tape().Segment(u.Forward, x)
	}
	return x
}

// Forward applies the layer to [n, channels, h, w], or to [n, values] after a connected one.
func (u *DarknetUnit) Forward(x *autograd.Tensor) *autograd.Tensor {
	switch {
	case u.Conv != nil:
		x = u.Conv.Forward(x)
	case u.Plain != nil:
		x = u.Plain.Forward(x)
	case u.Local != nil:
		x = u.Local.Forward(x)
	case u.FC != nil:
		x = u.FC.Forward(autograd.Reshape(x, x.Dim(0), u.FC.Weight.Shape()[1]))
	case u.layer.Type == darknetPool:
		return autograd.MaxPool2d(x, autograd.PoolOptions{Kernel: [2]int{2, 2}})
	case u.layer.Type == darknetDropout:
		return autograd.Dropout(x, u.layer.Probability)
	}
	if u.layer.Activation == "leaky" {
		x = autograd.LeakyRelu(x, yoloSlope)
	}
	return x
}

// prepare returns the pixels of an image: stretched to a square, from 0 to 1. It is darknet's resize_image (src/image.c): the
// corners of both images lie on each other. As there, rounding may leave the last row dark.
func (d *Darknet) prepare(m *vision.Image) []float32 {
	n := d.size
	scale := func(from int) float32 { return float32(from-1) / float32(max(1, n-1)) }
	across, down := scale(m.Width), scale(m.Height)
	out := make([]float32, 3*n*n)
	rows := [2][]float32{make([]float32, n), make([]float32, n)} // two rows of the image, resized across
	for c := range 3 {
		sample := func(x, y int) float32 { return float32(m.Pix[(y*m.Width+x)*m.Channels+min(c, m.Channels-1)]) / 255 }
		held := [2]int{-1, -1}
		row := func(y int) []float32 {
			part := rows[y&1]
			if held[y&1] == y {
				return part
			}
			held[y&1] = y
			for x := range part {
				if x == n-1 || m.Width == 1 {
					part[x] = sample(m.Width-1, y)
					continue
				}
				at := float32(float32(x) * across)
				left := int(at)
				far := at - float32(left)
				part[x] = float32((1-far)*sample(left, y)) + float32(far*sample(left+1, y))
			}
			return part
		}
		for y := range n {
			at := float32(float32(y) * down)
			top := min(int(at), m.Height-1)
			far := at - float32(top)
			upper := row(top)
			for x := range n {
				v := float32((1 - far) * upper[x])
				if y < n-1 && top+1 < m.Height {
					v += float32(far * row(top + 1)[x])
				}
				out[(c*n+y)*n+x] = v
			}
		}
	}
	return out
}

// find implements [Network].
func (d *Darknet) find(t *autograd.Tape, images []*vision.Image, l limits) []candidates {
	return d.outputs.find(t, d.size, images, d.prepare, d.Forward, l.minScore)
}

func (d *Darknet) defaults() limits { return yoloDefaults }

func (d *Darknet) batch() int { return max(1, min(run.Batch, batchPixels/(d.size*d.size))) }

// input implements [Trainable]. The configuration allows one size.
func (d *Darknet) input(_ *autograd.Tape, m *vision.Image, _ int) input {
	return stretched(d.prepare(m), d.size, d.size, m)
}

func (d *Darknet) background() int { return 0 }

// multiple is that of a square: all images of a batch have its size.
func (d *Darknet) multiple() int { return 1 }

// newHead draws the predictions anew, also of boxes: one layer has all.
func (d *Darknet) newHead(classes int, rng *rand.Rand) {
	d.outputs.classes = classes
	last := d.Layers[len(d.Layers)-1]
	last.FC = nn.NewLinear(last.FC.Weight.Shape()[1], d.outputs.count(), true)
	initLinear(last.FC, rng)
}

// Loss is [YOLOv1.Loss].
func (d *Darknet) Loss(pixels *autograd.Tensor, truth []Truth) YOLOv1Losses {
	return d.outputs.loss(pixels, d.size, truth, d.Forward)
}

// Losses implements [Trainable].
func (d *Darknet) Losses(b Batch, _ *rand.Rand) Losses {
	b.check("darknet", 0, d.outputs.classes)
	return d.Loss(b.Pixels, b.Truth).parts()
}

// darknetNames are names of Fovea's own: darknet's files have none.
func darknetNames() checkpoint.Names {
	return names([]checkpoint.Rule{{"Layers.{}.Conv.Conv", "layers.{}.conv"}, {"Layers.{}.Conv.Norm", "layers.{}.norm"},
		{"Layers.{}.Plain", "layers.{}.conv"}, {"Layers.{}.Local", "layers.{}.local"}, {"Layers.{}.FC", "layers.{}.connected"}})
}

// darknetClaim is the least that the weights are.
func (c Config) darknetClaim() modelfolder.Claim {
	shape, claim := darknetShape{3, c.ImageSize, c.ImageSize}, modelfolder.Claim{}
	for _, l := range c.Layers {
		next, err := l.after(shape, c.GridSize*c.GridSize*(5*c.BoxesPerCell+1))
		if err != nil {
			break
		}
		claim.Values += l.weights(shape, next)
		shape = next
	}
	return claim
}

// darknetRows are those of the last layer.
func (c Config) darknetRows() classRows {
	last := fmt.Sprintf("Layers.%d.FC.Weight", len(c.Layers)-1)
	return classRows{param: last, each: c.GridSize * c.GridSize, others: 5 * c.BoxesPerCell, row: []int{c.darknetFeatures()}}
}

// darknetFeatures returns the number of values that the last layer takes. The configuration must be valid.
func (c Config) darknetFeatures() int {
	shape := darknetShape{3, c.ImageSize, c.ImageSize}
	for _, l := range c.Layers[:len(c.Layers)-1] {
		shape, _ = l.after(shape, 1)
	}
	return shape.values()
}

// weights returns the number of weights of a layer between two shapes, without biases and norms. It is a float64,
// because a file may claim anything.
func (l *DarknetLayer) weights(in, out darknetShape) float64 {
	window := float64(in.channels) * float64(l.Size*l.Size)
	switch l.Type {
	case darknetConv:
		return window * float64(l.Filters)
	case darknetLocal:
		return window * float64(l.Filters) * float64(in.height*in.width)
	case darknetLinear:
		return float64(in.values()) * float64(out.channels)
	}
	return 0
}
