package detect

import (
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// YOLOS is a Vision Transformer that predicts a set of objects (Fang et al., arXiv 2106.00666; YolosForObjectDetection of
// transformers). Learned detection tokens follow those of the patches, and each becomes one prediction.
type YOLOS struct {
	Patch      *nn.PatchEmbed
	ClassToken *autograd.Parameter // [1, 1, width]
	Detection  *autograd.Parameter // [1, detection tokens, width]
	Positions  *autograd.Parameter // [1, tokens, width]: of the class token, the patches and the detection tokens
	Blocks     nn.Stack
	Mid        *autograd.Parameter // [blocks-1, 1, tokens, width]: positions that are added between blocks, or nil
	Norm       *nn.LayerNorm
	Class      *BoxHead // to the classes and no object
	Box        *BoxHead

	Preprocess vision.Preprocess // as in a DETR

	grid    tower.Grid
	dropout float32
	loss    setLoss
}

// NewYOLOS returns a network with initial weights drawn from rng as transformers draws them, or of zeros, to be loaded,
// when rng is nil. The configuration must be valid, and the classes leave out no object.
func NewYOLOS(c Config, classes int, rng *rand.Rand) *YOLOS {
	o := c.YOLOS
	tokens := 1 + o.Patches() + o.NumDetectionTokens
	d := &YOLOS{
		Patch:      nn.NewPatchEmbed(o.NumChannels, o.PatchSize, o.HiddenSize),
		ClassToken: autograd.NewParameter(1, 1, o.HiddenSize),
		Detection:  autograd.NewParameter(1, o.NumDetectionTokens, o.HiddenSize),
		Positions:  autograd.NewParameter(1, tokens, o.HiddenSize),
		Blocks:     nn.NewStack(o.NumHiddenLayers, o.Block()),
		Norm:       nn.NewLayerNorm(o.HiddenSize, o.LayerNormEps),
		Class:      newBoxHead(o.HiddenSize, o.HiddenSize, o.HiddenSize, classes+1),
		Box:        newBoxHead(o.HiddenSize, o.HiddenSize, o.HiddenSize, 4),

		Preprocess: yolosPreprocess(),
		grid:       o.grid(), dropout: o.HiddenDropoutProb, loss: o.SetConfig.loss(),
	}
	if o.UseMidPositionEmbeddings {
		d.Mid = autograd.NewParameter(o.NumHiddenLayers-1, 1, tokens, o.HiddenSize)
	}
	if rng != nil {
		for _, p := range []*autograd.Parameter{d.Patch.Weight, d.ClassToken, d.Detection, d.Positions, d.Mid} {
			if p != nil {
				nn.TruncatedNormal(rng, p, o.InitializerRange, -2, 2)
			}
		}
		for _, l := range nn.Layers[nn.Linear](d) {
			nn.TruncatedNormal(rng, l.Weight, o.InitializerRange, -2, 2)
		}
	}
	return d
}

// yolosPreprocess is that of transformers.
func yolosPreprocess() vision.Preprocess {
	p := detrPreprocess()
	p.Multiple = 16
	return p
}

// Forward maps pixels, [n, 3, height, width], to the logits of the classes and of no object, which is the last, [n,
// detection tokens, classes+1], and to boxes, [n, detection tokens, 4]: center, width and height in shares of the
// pixels. Rows and columns of pixels that fill no patch are left out. For another size than the configured one,
// positions are resized. It panics with an autograd.ShapeError for images that are smaller than a patch.
func (d *YOLOS) Forward(pixels *autograd.Tensor) (logits, boxes *autograd.Tensor) {
	x := d.encode(pixels)
	tokens := d.Detection.Shape()[1]
	x = d.Norm.Forward(autograd.Slice(x, 1, x.Dim(1)-tokens, x.Dim(1)))
	return d.Class.Forward(x), autograd.Sigmoid(d.Box.Forward(x))
}

// encode returns the tokens after the blocks, [n, tokens, width].
func (d *YOLOS) encode(pixels *autograd.Tensor) *autograd.Tensor {
	if len(pixels.Shape()) != 4 || pixels.Dim(2) < d.Patch.Patch || pixels.Dim(3) < d.Patch.Patch {
		panic(&autograd.ShapeError{Op: "yolos", Shapes: [][]int{pixels.Shape()}, Reason: "expected pixels [n, 3, height, width] of at least a patch"})
	}
	t, n := pixels.Tape(), pixels.Dim(0)
	to := tower.Grid{Rows: pixels.Dim(2) / d.Patch.Patch, Columns: pixels.Dim(3) / d.Patch.Patch}
	for side, patches := range []int{to.Rows, to.Columns} {
		if length := patches * d.Patch.Patch; length != pixels.Dim(2+side) {
			pixels = autograd.Slice(pixels, 2+side, 0, length)
		}
	}
	repeated := func(p *autograd.Parameter) *autograd.Tensor {
		return autograd.BroadcastTo(t.Use(p), n, p.Shape()[1], p.Shape()[2])
	}
	x := autograd.Concat(1, repeated(d.ClassToken), d.Patch.Forward(pixels), repeated(d.Detection))
	x = autograd.Dropout(autograd.Add(x, d.positions(t.Use(d.Positions), to)), d.dropout)
	for i, b := range d.Blocks {
		x = t.Segment(func(x *autograd.Tensor) *autograd.Tensor { return b.Forward(x, nn.AttentionInput{}) }, x)
		if d.Mid != nil && i < len(d.Blocks)-1 {
			table := autograd.Reshape(autograd.Slice(t.Use(d.Mid), 0, i, i+1), d.Positions.Shape()...)
			x = autograd.Add(x, d.positions(table, to))
		}
	}
	return x
}

// positions returns a table of positions, [1, tokens, width], for another grid of patches. Those of the first token and of the
// detection tokens stay.
func (d *YOLOS) positions(table *autograd.Tensor, to tower.Grid) *autograd.Tensor {
	if to == d.grid {
		return table
	}
	end := 1 + d.grid.Patches()
	patches := tower.Resize(autograd.Slice(table, 1, 0, end), d.grid, to, tower.Interpolation{})
	return autograd.Concat(1, patches, autograd.Slice(table, 1, end, table.Dim(1)))
}

// find implements [Network].
func (d *YOLOS) find(t *autograd.Tape, images []*vision.Image, l limits) []candidates {
	return findSet(t, images, d.Preprocess, l.minScore, d.Forward)
}

// defaults are those of transformers: 0.5, and every detection token counts.
func (d *YOLOS) defaults() limits { return limits{minScore: 0.5, overlap: 1} }

// batch is 1: see findSet.
func (d *YOLOS) batch() int { return 1 }

// Loss returns the losses of a batch of pixels, [n, 3, height, width], with the objects of each image, as [DETR.Loss]
// does. The model has no mask of padding: predictions are in shares of the pixels of the batch. It panics as
// [YOLOS.Forward] does, and for objects that are not valid, as [Truth] says.
func (d *YOLOS) Loss(pixels *autograd.Tensor, truth []Truth) SetLosses {
	logits, boxes := d.Forward(pixels)
	return d.loss.of(logits, boxes, setTruths("yolos", pixels.Dim(0), sizesOf(pixels, nil), truth, logits.Dim(2)-1))
}

// Losses implements [Trainable], as [DETR.Losses]. The sizes of the images do not count.
func (d *YOLOS) Losses(b Batch, _ *rand.Rand) Losses {
	b.check("yolos", 0, d.Class.Layers[2].Weight.Shape()[0]-1)
	return d.loss.parts(d.Loss(b.Pixels, b.Truth))
}

func (d *YOLOS) preparing() *vision.Preprocess { return &d.Preprocess }

func (d *YOLOS) input(t *autograd.Tape, m *vision.Image, size int) input {
	return setInput(t, d.Preprocess, m, size)
}

func (d *YOLOS) multiple() int   { return d.Patch.Patch }
func (d *YOLOS) background() int { return 0 }

func (d *YOLOS) newHead(classes int, rng *rand.Rand) {
	last := nn.NewLinear(d.Class.Layers[2].Weight.Shape()[1], classes+1, true)
	nn.TruncatedNormal(rng, last.Weight, 0.02, -2, 2)
	d.Class.Layers[2] = last
}
