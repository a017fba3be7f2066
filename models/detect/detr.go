package detect

import (
	"math"
	"math/rand/v2"

	"github.com/chewxy/math32"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// DETR is a detector that predicts a set of objects (Carion et al., arXiv 2005.12872; DetrForObjectDetection of transformers).
// A transformer encodes the last features of a residual network. Its decoder turns learned queries into one prediction each.
type DETR struct {
	Body       *backbone.ResNet
	Projection *nn.Conv2d // 1×1, to the width of the transformer
	Encoder    nn.Stack
	Queries    *nn.Embedding // the positions of the queries; the decoder begins with zeros
	Decoder    []*nn.DecoderBlock
	Norm       *nn.LayerNorm // of what the decoder gives
	Class      *nn.Linear    // to the classes and no object
	Box        *BoxHead

	// Preprocess turns an image into the pixels that the model was trained on, of a size that keeps its proportions.
	Preprocess vision.Preprocess
	// Auxiliary makes [DETR.Loss] count the predictions after each block of the decoder, as the paper does.
	Auxiliary bool

	normBetween bool // see DETRConfig.AuxiliaryLoss
	dropout     float32
	loss        setLoss
}

// NewDETR returns a network with initial weights drawn from rng as in the paper's code, or of zeros, to be loaded, when rng is
// nil. The norms of the backbone are frozen. The configuration must be valid, and the classes leave out no object.
func NewDETR(c Config, classes int, rng *rand.Rand) *DETR {
	o := c.DETR
	body := backbone.NewResNet(*o.Backbone)
	act, _ := autograd.ActivationByName(o.ActivationFunction)
	const eps = 1e-5
	d := &DETR{
		Body:       body,
		Projection: nn.NewConv2d(body.Channels()[3], o.DModel, 1, true, autograd.Conv2dOptions{}),
		Encoder: nn.NewStack(o.EncoderLayers, nn.BlockConfig{
			Width: o.DModel, Heads: o.EncoderAttentionHeads, Hidden: o.EncoderFFNDim, Act: act, Eps: eps, PostNorm: true, Dropout: o.Dropout,
		}),
		Queries: nn.NewEmbedding(o.NumQueries, o.DModel),
		Norm:    nn.NewLayerNorm(o.DModel, eps),
		Class:   nn.NewLinear(o.DModel, classes+1, true),
		Box:     newBoxHead(o.DModel, o.DModel, o.DModel, 4),

		Preprocess:  detrPreprocess(),
		normBetween: o.AuxiliaryLoss, dropout: o.Dropout, loss: o.SetConfig.loss(),
	}
	for _, b := range d.Encoder {
		b.Attention = nn.NewSplitAttention(o.DModel, o.DModel, o.EncoderAttentionHeads) // only queries and keys get positions
		b.Attention.Dropout, b.MLP.Dropout = o.AttentionDropout, o.ActivationDropout
	}
	for range o.DecoderLayers {
		d.Decoder = append(d.Decoder, nn.NewDecoderBlock(nn.DecoderConfig{
			Width: o.DModel, Heads: o.DecoderAttentionHeads, Hidden: o.DecoderFFNDim, Act: act, Eps: eps, PostNorm: true, Split: true,
			Dropout: o.Dropout, AttentionDropout: o.AttentionDropout, HiddenDropout: o.ActivationDropout,
		}))
	}
	backbone.FreezeNorms(d.Body)
	if rng != nil {
		d.init(rng)
	}
	return d
}

// init draws initial weights: those of the transformer by Glorot, as its _reset_parameters, and those of the heads as
// PyTorch does.
func (d *DETR) init(rng *rand.Rand) {
	backbone.Init(d.Body, rng)
	nn.KaimingUniform(rng, d.Projection.Weight, math.Sqrt(5))
	nn.Normal(rng, d.Queries.Weight, 1)
	for _, l := range nn.Layers[nn.Linear]([]any{d.Encoder, d.Decoder}) {
		nn.XavierUniform(rng, l.Weight)
	}
	for _, l := range append([]*nn.Linear{d.Class}, d.Box.Layers...) {
		initLinear(l, rng)
	}
}

// detrPreprocess is that of the released models, as transformers 5 applies it.
func detrPreprocess() vision.Preprocess {
	return vision.Preprocess{
		Backend: vision.Torchvision, Mode: vision.ShortSide, Width: 800, MaxLong: 1333, Filter: vision.Bilinear, Mean: vision.ImageNetMean, Std: vision.ImageNetStd,
	}
}

// Forward maps pixels, [n, 3, height, width], to the logits of the classes and of no object, which is the last, [n,
// queries, classes+1], and to boxes, [n, queries, 4]: center, width and height in shares of the image. sizes are the
// height and width of each image, in the upper left corner of its pixels; beyond it are zeros. nil means that all
// images fill their pixels. It panics with an autograd.ShapeError when there are more or fewer sizes than images, and
// for sizes beyond the pixels.
func (d *DETR) Forward(pixels *autograd.Tensor, sizes [][2]int) (logits, boxes *autograd.Tensor) {
	all := d.decode(pixels, sizes)
	return d.predict(all[len(all)-1])
}

// predict maps what the decoder gives, normalized, to logits and boxes.
func (d *DETR) predict(x *autograd.Tensor) (logits, boxes *autograd.Tensor) {
	return d.Class.Forward(x), autograd.Sigmoid(d.Box.Forward(x))
}

// decode returns the normalized results of each block of the decoder, [n, queries, width].
func (d *DETR) decode(pixels *autograd.Tensor, sizes [][2]int) []*autograd.Tensor {
	checkSizes("detr", pixels, sizes)
	t, n := pixels.Tape(), pixels.Dim(0)
	memory, positions, mask := d.encode(pixels, sizes)
	width := d.Queries.Weight.Shape()[1]
	in := nn.DecoderInput{Memory: memory, MemoryMask: mask, Positions: t.Use(d.Queries.Weight), MemoryPositions: positions}
	x := t.Full(0, n, d.Queries.Weight.Shape()[0], width)
	var all []*autograd.Tensor
	for _, b := range d.Decoder {
		x = b.Forward(x, in)
		normed := d.Norm.Forward(x)
		if d.normBetween {
			x = normed
		}
		all = append(all, normed)
	}
	if len(all) == 0 || d.normBetween { // transformers normalizes once more
		all = append(all, d.Norm.Forward(x))
	}
	return all
}

// encode returns the tokens of the features, [n, places, width], their positions, and which of them belong to an image.
func (d *DETR) encode(pixels *autograd.Tensor, sizes [][2]int) (memory, positions *autograd.Tensor, mask []bool) {
	levels := d.Body.Forward(pixels)
	x := d.Projection.Forward(levels[len(levels)-1])
	n, width, height, across := x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
	mask = placesOf(sizes, n, pixels.Dim(2), pixels.Dim(3), height, across)
	t := pixels.Tape()
	positions = t.Input(sinePositions(mask, n, height, across, width), n, height*across, width)
	x = autograd.Permute(autograd.Reshape(x, n, width, height*across), 0, 2, 1)
	x = autograd.Dropout(x, d.dropout)
	if sizes == nil {
		mask = nil
	}
	in := nn.AttentionInput{KeyMask: mask, QueryPositions: positions, KeyPositions: positions}
	for _, b := range d.Encoder {
		x = b.Forward(x, in)
	}
	return x, positions, mask
}

// checkSizes panics unless the images lie within their pixels.
func checkSizes(detector string, pixels *autograd.Tensor, sizes [][2]int) {
	if len(pixels.Shape()) != 4 || sizes != nil && len(sizes) != pixels.Dim(0) {
		panic(&autograd.ShapeError{Op: detector, Shapes: [][]int{pixels.Shape(), {len(sizes)}}, Reason: "expected pixels [n, 3, height, width] and n sizes"})
	}
	for _, s := range sizes {
		if s[0] < 1 || s[1] < 1 || s[0] > pixels.Dim(2) || s[1] > pixels.Dim(3) {
			panic(&autograd.ShapeError{Op: detector, Shapes: [][]int{pixels.Shape(), s[:]}, Reason: "expected the size of an image within the pixels"})
		}
	}
}

// placesOf says which places of n feature maps, of height×width, belong to the images, as the nearest pixel does
// (torch.nn.functional.interpolate of the mask).
func placesOf(sizes [][2]int, n, pixelHeight, pixelWidth, height, width int) []bool {
	inside := func(length, pixels, places int) int { // the number of places whose pixel lies before length
		count, step := 0, float32(pixels)/float32(places)
		for count < places && min(int(math32.Floor(float32(count)*step)), pixels-1) < length {
			count++
		}
		return count
	}
	mask := make([]bool, n*height*width)
	for i := range n {
		rows, columns := height, width
		if sizes != nil {
			rows, columns = inside(sizes[i][0], pixelHeight, height), inside(sizes[i][1], pixelWidth, width)
		}
		for y := range rows {
			for x := range columns {
				mask[(i*height+y)*width+x] = true
			}
		}
	}
	return mask
}

// sinePositions returns the position embeddings of the places of n feature maps, [n, height·width, width of a token]:
// the first half of each is for the row, the second for the column. Those of an image count from 1 and are scaled to 2π
// at its end. Sines and cosines alternate, with frequencies from 1 to 1/10000 (arXiv 2005.12872, section A.4;
// DetrSinePositionEmbedding of transformers). Values are rounded to float32 where PyTorch rounds them; powers, sines
// and cosines are computed in float64.
func sinePositions(mask []bool, n, height, across, width int) []float32 {
	features := width / 2
	steps := make([]float32, features)
	for i := range steps {
		steps[i] = float32(math.Pow(10000, float64(float32(2*(i/2))/float32(features))))
	}
	out := make([]float32, n*height*across*width)
	at := func(m []bool, y, x int) bool { return m[y*across+x] }
	fill := func(dst []float32, place, last int) {
		v := float32(place) / (float32(last) + 1e-6) * (2 * math.Pi)
		for i := 0; i < features; i += 2 {
			angle := float64(v / steps[i])
			dst[i], dst[i+1] = float32(math.Sin(angle)), float32(math.Cos(angle))
		}
	}
	for i := range n {
		m := mask[i*height*across:][:height*across]
		rows, columns := make([]int, across), make([]int, height) // the places of an image in each column and row
		for y := range height {
			for x := range across {
				if at(m, y, x) {
					rows[x]++
					columns[y]++
				}
			}
		}
		down := make([]int, across)
		for y := range height {
			right := 0
			for x := range across {
				if at(m, y, x) {
					down[x]++
					right++
				}
				row := out[((i*height+y)*across+x)*width:][:width]
				fill(row[:features], down[x], rows[x])
				fill(row[features:], right, columns[y])
			}
		}
	}
	return out
}

// find implements [Network].
func (d *DETR) find(t *autograd.Tape, images []*vision.Image, l limits) []candidates {
	return findSet(t, images, d.Preprocess, l.minScore, func(pixels *autograd.Tensor) (logits, boxes *autograd.Tensor) {
		return d.Forward(pixels, nil)
	})
}

// defaults are those of transformers: 0.5, and every query counts.
func (d *DETR) defaults() limits { return limits{minScore: 0.5, overlap: 1} }

// batch is 1: see findSet.
func (d *DETR) batch() int { return 1 }

// Loss returns the losses of a batch of pixels, [n, 3, height, width], with the size of each image in it, as
// [DETR.Forward] takes them, and the objects of each. Classes begin at 0, and leave out no object. It panics as Forward
// does, and for objects that are not valid, as [Truth] says. Of more objects than queries, some are left out.
func (d *DETR) Loss(pixels *autograd.Tensor, sizes [][2]int, truth []Truth) SetLosses {
	all := d.decode(pixels, sizes)
	objects := setTruths("detr", pixels.Dim(0), sizesOf(pixels, sizes), truth, d.Class.Weight.Shape()[0]-1)
	last := len(all) - 1
	logits, boxes := d.predict(all[last])
	out := d.loss.of(logits, boxes, objects)
	if d.normBetween {
		all = all[:last] // one for each block
		last--
	}
	if d.normBetween || d.Auxiliary {
		for _, x := range all[:max(0, last)] {
			logits, boxes := d.predict(x)
			one := d.loss.of(logits, boxes, objects)
			out.Total = autograd.Add(out.Total, one.Total)
			out.Auxiliary = append(out.Auxiliary, one)
		}
	}
	return out
}

// Losses implements [Trainable]: "class", "box" and "giou" with the weights of the configuration, over all blocks that count.
func (d *DETR) Losses(b Batch, _ *rand.Rand) Losses {
	b.check("detr", 0, d.Class.Weight.Shape()[0]-1)
	return d.loss.parts(d.Loss(b.Pixels, b.Sizes, b.Truth))
}

func (d *DETR) preparing() *vision.Preprocess { return &d.Preprocess }

func (d *DETR) input(t *autograd.Tape, m *vision.Image, size int) input {
	return setInput(t, d.Preprocess, m, size)
}

func (d *DETR) multiple() int   { return 1 }
func (d *DETR) background() int { return 0 }

func (d *DETR) newHead(classes int, rng *rand.Rand) {
	d.Class = nn.NewLinear(d.Class.Weight.Shape()[1], classes+1, true)
	initLinear(d.Class, rng)
}
