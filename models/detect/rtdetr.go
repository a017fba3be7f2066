package detect

import (
	"cmp"
	"image"
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/boxes"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// RTDETR is a detector that predicts a set of objects in real time, without non-maximum suppression (Zhao et al., arXiv
// 2304.08069; the second version, arXiv 2407.17140; modeling_rt_detr.py and modeling_rt_detr_v2.py in transformers). An
// encoder mixes the levels of a residual network. The places of the levels that score best become queries, whose boxes
// each block of a decoder refines.
type RTDETR struct {
	Body        *backbone.ResNet
	Projections []*nn.ConvNorm // 1×1, of the levels of the body
	Encoder     *HybridEncoder
	Memory      []*nn.ConvNorm // 1×1, of the levels of the encoder, and 3×3 of stride 2, of its last, for those beyond

	// The choice of places.
	Output     *nn.Linear
	OutputNorm *nn.LayerNorm
	Class      *nn.Linear // to logits
	Box        *BoxHead   // to what is added to an anchor

	Noise     *nn.Embedding // [classes+1, width]: noisy objects in training, and none; nil without denoising
	Positions *BoxHead      // of a box, for the queries
	Blocks    []*RefineBlock

	// Preprocess turns an image into pixels: RTDetrImageProcessor stretches images to squares of 640, without normalization.
	Preprocess vision.Preprocess

	config  *RTDETRConfig
	classes int
}

// BoxHead is a chain of linear layers with ReLU between them (RTDetrMLPPredictionHead in transformers).
type BoxHead struct{ Layers []*nn.Linear }

func newBoxHead(sizes ...int) *BoxHead {
	h := &BoxHead{}
	for i := range sizes[1:] {
		h.Layers = append(h.Layers, nn.NewLinear(sizes[i], sizes[i+1], true))
	}
	return h
}

// Forward maps [..., in] to [..., out].
func (h *BoxHead) Forward(x *autograd.Tensor) *autograd.Tensor {
	last := len(h.Layers) - 1
	for _, l := range h.Layers[:last] {
		x = l.ForwardAct(x, autograd.ActRelu)
	}
	return h.Layers[last].Forward(x)
}

// NewRTDETR returns a network with initial weights drawn from rng, or of zeros, to be loaded, when rng is nil. The
// configuration must be valid.
func NewRTDETR(c Config, classes int, rng *rand.Rand) *RTDETR {
	r := c.RTDETR
	d := &RTDETR{
		Body: backbone.NewResNet(r.Backbone), Encoder: newHybridEncoder(r), Preprocess: rtdetrPreprocess(), config: r, classes: classes,
	}
	channels := d.Body.Channels()
	for _, l := range r.Levels {
		p := nn.NewConvNorm(channels[l-1], r.EncoderHiddenDim, 1, autograd.ActNone, autograd.Conv2dOptions{})
		d.Projections = append(d.Projections, p)
	}
	for i := range r.NumFeatureLevels {
		in, kernel, o := r.EncoderHiddenDim, 1, autograd.Conv2dOptions{}
		if i >= len(r.Levels) {
			kernel, o = 3, autograd.Conv2dOptions{Padding: [2]int{1, 1}, Stride: [2]int{2, 2}}
		}
		d.Memory = append(d.Memory, r.conv(in, r.DModel, kernel, autograd.ActNone, o))
	}
	d.Output, d.OutputNorm = nn.NewLinear(r.DModel, r.DModel, true), nn.NewLayerNorm(r.DModel, r.LayerNormEps)
	d.Box = newBoxHead(r.DModel, r.DModel, r.DModel, 4)
	d.Positions = newBoxHead(4, 2*r.DModel, r.DModel)
	for range r.DecoderLayers {
		d.Blocks = append(d.Blocks, newRefineBlock(r))
	}
	d.addClasses()
	if rng != nil {
		d.init(rng)
	}
	if r.FreezeBackboneNorms {
		backbone.FreezeNorms(d.Body)
	}
	return d
}

// rtdetrPreprocess is the default of transformers' RTDetrImageProcessor.
func rtdetrPreprocess() vision.Preprocess {
	return vision.Preprocess{
		Backend: vision.Torchvision, Height: 640, Width: 640, NoNormalize: true, Mean: vision.ImageNetMean, Std: vision.ImageNetStd,
	}
}

// conv is a convolution with the epsilon of the configuration.
func (c *RTDETRConfig) conv(in, out, kernel int, act autograd.Activation, o autograd.Conv2dOptions) *nn.ConvNorm {
	conv := nn.NewConvNorm(in, out, kernel, act, o)
	conv.Norm.Eps = c.normEps()
	return conv
}

// normEps is the epsilon of norms whose 0 means the default.
func (c *RTDETRConfig) normEps() float32 { return cmp.Or(c.BatchNormEps, 1e-30) }

// init draws initial weights as transformers does. The gains of the encoder's norms are near 0.
func (d *RTDETR) init(rng *rand.Rand) {
	c := d.config
	for _, part := range []any{d.Projections, d.Encoder, d.Memory, d.Output, d.Box, d.Positions, d.Blocks} {
		for _, l := range nn.Layers[nn.Linear](part) {
			nn.Normal(rng, l.Weight, c.InitializerRange)
		}
		for _, l := range nn.Layers[nn.Conv2d](part) {
			nn.Normal(rng, l.Weight, c.InitializerRange)
		}
		for _, n := range nn.Layers[nn.BatchNorm](part) {
			nn.Normal(rng, n.Weight, c.InitializerRange)
		}
	}
	backbone.Init(d.Body, rng)
	for _, b := range d.Blocks {
		b.Cross.init(rng)
		last := b.Box.Layers[len(b.Box.Layers)-1]
		nn.Constant(last.Weight, 0)
	}
	d.initClasses(rng)
}

// addClasses makes the layers that depend on the classes.
func (d *RTDETR) addClasses() {
	d.Class = nn.NewLinear(d.config.DModel, d.classes, true)
	if d.config.NumDenoising > 0 {
		d.Noise = nn.NewEmbedding(d.classes+1, d.config.DModel)
	}
	for _, b := range d.Blocks {
		b.Class = nn.NewLinear(d.config.DModel, d.classes, true)
	}
}

// initClasses draws them. At first, every class has a small probability everywhere.
func (d *RTDETR) initClasses(rng *rand.Rand) {
	prior := 1 / float64(d.classes+1)
	if p := d.config.InitializerBias; p != nil && *p != 0 {
		prior = *p
	}
	bias := float32(-math.Log((1 - prior) / prior))
	score := func(l *nn.Linear) {
		nn.XavierUniform(rng, l.Weight)
		nn.Constant(l.Bias, bias)
	}
	score(d.Class)
	if d.Noise != nil {
		nn.XavierUniform(rng, d.Noise.Weight)
	}
	for _, b := range d.Blocks {
		score(b.Class)
	}
}

func (d *RTDETR) background() int { return 0 }

// multiple is that of images that all have one size.
func (d *RTDETR) multiple() int { return 1 }

func (d *RTDETR) newHead(classes int, rng *rand.Rand) {
	d.classes = classes
	d.addClasses()
	d.initClasses(rng)
}

// preparing implements setNetwork.
func (d *RTDETR) preparing() *vision.Preprocess { return &d.Preprocess }

// input implements [Trainable].
func (d *RTDETR) input(t *autograd.Tape, m *vision.Image, size int) input {
	p := d.Preprocess
	if size != 0 {
		p.Height, p.Width = size, size
	}
	pixels, h, w := prepareAll(t, &p, m)
	return stretched(pixels, h, w, m)
}

// prepareAll prepares images. It panics with an autograd.ShapeError where that fails, as with a Preprocess that was changed.
func prepareAll(t *autograd.Tape, p *vision.Preprocess, images ...*vision.Image) (pixels []float32, h, w int) {
	each := make([]image.Image, len(images))
	for i, m := range images {
		each[i] = m
	}
	pixels, h, w, err := p.Pixels(nil, t.Workers(), each...)
	if err != nil {
		panic(&autograd.ShapeError{Op: "rt-detr", Reason: err.Error()})
	}
	return pixels, h, w
}

// RTDETROutput are the predictions of an [RTDETR] for a batch of n images. Boxes are center, width and height in shares of the
// image. There are q queries, in training first those of noisy objects.
type RTDETROutput struct {
	Levels []*autograd.Tensor // the levels of the encoder, [n, EncoderHiddenDim, h, w]
	// PlaceLogits, [n, NumQueries, classes], and PlaceBoxes, [n, NumQueries, 4], are the predictions at the places that became
	// queries, and Places their numbers, n·NumQueries, in the memory of all levels.
	PlaceLogits, PlaceBoxes *autograd.Tensor
	Places                  []int
	Hidden                  []*autograd.Tensor // of each block, [n, q, DModel]
	Logits                  []*autograd.Tensor // of each block, [n, q, classes]; in inference of the last alone
	Boxes                   []*autograd.Tensor // of each block, [n, q, 4]
}

// Forward maps pixels, [n, 3, h, w], to predictions. Each level has half the size of the one before, as with an h and w
// that 32 divides: otherwise it panics with an autograd.ShapeError. So it does when the levels have fewer places than
// there are queries.
//
// Of places with the same score, the first becomes a query first: finer levels come first, and then rows. PyTorch leaves it
// open. Places whose anchor reaches too near to the border of the image all have one score.
func (d *RTDETR) Forward(pixels *autograd.Tensor) RTDETROutput { return d.forward(pixels, nil) }

// forward also restores noisy objects, if there are any.
func (d *RTDETR) forward(pixels *autograd.Tensor, noise *denoising) RTDETROutput {
	c, t, n := d.config, pixels.Tape(), pixels.Dim(0)
	var levels []*autograd.Tensor
	features := d.Body.Forward(pixels)
	for i, l := range c.Levels {
		levels = append(levels, t.Segment(d.Projections[i].Forward, features[l-1]).Keep())
	}
	out := RTDETROutput{Levels: d.Encoder.Forward(levels)}
	memory, sizes := d.memory(out.Levels)
	anchors := c.anchors(sizes, t.Training())
	if len(anchors.valid) != memory.Dim(1) || len(anchors.valid) < c.NumQueries {
		panic(&autograd.ShapeError{Op: "rt-detr", Shapes: [][]int{pixels.Shape()},
			Reason: "expected pixels of the size that anchor_image_size states, and at least as many places as queries"})
	}

	// The choice of places.
	rows := func(x *autograd.Tensor) *autograd.Tensor { return autograd.Reshape(x, n*x.Dim(1), x.Dim(2)) }
	output := d.OutputNorm.Forward(d.Output.Forward(autograd.Mul(memory, t.Input(anchors.valid, len(anchors.valid), 1))))
	logits := d.Class.Forward(output)
	best, _ := autograd.Max(autograd.Detach(logits), 2, false)
	_, out.Places = autograd.TopK(best, 1, c.NumQueries, autograd.Descending)
	at := make([]int, len(out.Places)) // among all images
	start := make([]float32, 4*len(at))
	for i, place := range out.Places {
		at[i] = i/c.NumQueries*memory.Dim(1) + place
		copy(start[4*i:], anchors.logits[4*place:][:4])
	}
	chosen := autograd.GatherRows(rows(output), at)
	out.PlaceLogits = autograd.Reshape(autograd.GatherRows(rows(logits), at), n, c.NumQueries, d.classes)
	box := autograd.Reshape(autograd.Add(d.Box.Forward(chosen), t.Input(start, len(at), 4)), n, c.NumQueries, 4)
	out.PlaceBoxes = autograd.Sigmoid(box)
	queries := autograd.Reshape(autograd.Detach(chosen), n, c.NumQueries, c.DModel)
	reference := autograd.Detach(out.PlaceBoxes)

	var mask *autograd.Tensor
	if noise != nil {
		queries = autograd.Concat(1, noise.embed(d.Noise, t), queries)
		reference = autograd.Concat(1, autograd.Sigmoid(noise.boxes(t)), reference)
		mask = noise.mask(t, c.NumQueries)
	}
	all := reading{memory: memory, options: autograd.DeformableOptions{
		Heads: c.DecoderAttentionHeads, Levels: sizes, Points: c.DecoderPoints, Discrete: c.DecoderMethod == "discrete",
	}}
	for i, b := range d.Blocks {
		var hidden, refined *autograd.Tensor
		results := t.SegmentAll(func(xs []*autograd.Tensor) []*autograd.Tensor {
			r := all
			r.memory, r.reference = xs[1], xs[2]
			h := b.Forward(xs[0], d.Positions.Forward(xs[2]), r, mask)
			delta := b.Box.Forward(h)
			return []*autograd.Tensor{h, autograd.Sigmoid(autograd.Add(delta, inverseSigmoid(xs[2])))}
		}, queries, memory, reference)
		hidden, refined = results[0].Keep(), results[1].Keep()
		out.Hidden, out.Boxes = append(out.Hidden, hidden), append(out.Boxes, refined)
		if !t.Inference() || i == len(d.Blocks)-1 {
			out.Logits = append(out.Logits, b.Class.Forward(hidden))
		}
		queries, reference = hidden, autograd.Detach(refined)
	}
	return out
}

// memory returns the places of all levels, [n, places, DModel], and the height and width of each level.
func (d *RTDETR) memory(levels []*autograd.Tensor) (*autograd.Tensor, [][2]int) {
	var parts []autograd.Operand
	var sizes [][2]int
	for i, conv := range d.Memory {
		x := conv.Forward(levels[min(i, len(levels)-1)])
		n, c, h, w := x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
		parts = append(parts, autograd.Permute(autograd.Reshape(x, n, c, h*w), 0, 2, 1))
		sizes = append(sizes, [2]int{h, w})
	}
	return autograd.Concat(1, parts...).Keep(), sizes
}

// rtdetrAnchors are the boxes around places, as logits of center, width and height, [places·4]. Those that are not valid, with
// valid 0, are the largest number.
type rtdetrAnchors struct{ logits, valid []float32 }

// anchors returns the anchors of levels: squares of a twentieth of the image at the first, and twice the size at each next
// (generate_anchors in transformers).
func (c *RTDETRConfig) anchors(sizes [][2]int, training bool) rtdetrAnchors {
	if size := c.AnchorImageSize; size != [2]int{} && !training {
		sizes = nil
		for _, stride := range c.FeatStrides {
			sizes = append(sizes, [2]int{size[0] / stride, size[1] / stride})
		}
	}
	var a rtdetrAnchors
	const border = float32(1e-2)
	side := float32(0.05)
	for _, size := range sizes {
		for p := range size[0] * size[1] {
			box := [4]float32{
				(float32(p%size[1]) + 0.5) / float32(size[1]), (float32(p/size[1]) + 0.5) / float32(size[0]), side, side,
			}
			valid := float32(1)
			for _, v := range box {
				if !(v > border && v < 1-border) {
					valid = 0
				}
			}
			for _, v := range box {
				logit := float32(math.MaxFloat32)
				if valid == 1 {
					logit = float32(math.Log(float64(v / (1 - v))))
				}
				a.logits = append(a.logits, logit)
			}
			a.valid = append(a.valid, valid)
		}
		side *= 2
	}
	return a
}

// inverseSigmoid returns the logits of shares, which are held between 1e-5 and 1-1e-5.
func inverseSigmoid(x *autograd.Tensor) *autograd.Tensor {
	const eps = 1e-5
	x = autograd.Clamp(x, 0, 1)
	rest := autograd.Clamp(autograd.AddScalar(autograd.Neg(x), 1), eps, 1)
	return autograd.Log(autograd.Div(autograd.Clamp(x, eps, 1), rest))
}

// find implements [Network]. Of each image it takes as many pairs of a query and a class as there are queries, by descending
// score, or the best class of every query without UseFocalLoss (post_process_object_detection in transformers).
func (d *RTDETR) find(t *autograd.Tape, images []*vision.Image, l limits) []candidates {
	pixels, h, w := prepareAll(t, &d.Preprocess, images...)
	out := d.Forward(t.Borrow(pixels, len(images), 3, h, w))
	scores := out.Logits[len(out.Logits)-1]
	places, queries := out.Boxes[len(out.Boxes)-1].Floats(nil), d.config.NumQueries
	if !d.config.UseFocalLoss {
		scores = autograd.Softmax(scores)
	}
	values := scores.Floats(nil)
	if d.config.UseFocalLoss {
		simd.Sigmoid(values, values)
	}
	found := make([]candidates, len(images))
	for i, m := range images {
		of := values[i*queries*d.classes:][:queries*d.classes]
		for _, s := range d.choose(of, l.minScore) {
			b := places[4*(i*queries+s/d.classes):][:4]
			box := boxes.FromCenter(b[0], b[1], b[2], b[3])
			width, height := float32(m.Width), float32(m.Height)
			found[i].add(Box{X0: box.X0 * width, Y0: box.Y0 * height, X1: box.X1 * width, Y1: box.Y1 * height}, of[s], s%d.classes)
		}
	}
	return found
}

// choose returns the positions of the scores, [queries·classes], that are candidates.
func (d *RTDETR) choose(scores []float32, minScore float32) []int {
	if d.config.UseFocalLoss {
		return best(scores, minScore, d.config.NumQueries)
	}
	top := make([]float32, len(scores)) // the best class of each query, but none
	for q := range d.config.NumQueries {
		at := q * d.classes
		for s := at; s < (q+1)*d.classes-1; s++ {
			if scores[s] > scores[at] {
				at = s
			}
		}
		if d.classes > 1 {
			top[at] = scores[at]
		}
	}
	return best(top, minScore, d.config.NumQueries)
}

func (d *RTDETR) defaults() limits {
	return limits{minScore: 0.5, overlap: 1, most: d.config.NumQueries}
}

// batch bounds the pixels of a batch: 4 images of 640×640.
func (d *RTDETR) batch() int {
	h, w, ok := d.Preprocess.FixedSize()
	if !ok {
		return 1
	}
	return max(1, min(run.Batch, 4*640*640/max(1, h*w)))
}
