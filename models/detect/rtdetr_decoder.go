package detect

import (
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// RefineBlock is a block of the decoder of [RTDETR]: attention of the queries among themselves, deformable attention to the
// levels, and an MLP, each normalized after its sum. Its heads predict the class of each query, and how its box changes.
type RefineBlock struct {
	Self  *nn.MultiHeadAttention
	Norm1 *nn.LayerNorm
	Cross *DeformableAttention
	Norm2 *nn.LayerNorm
	MLP   *nn.MLP
	Norm3 *nn.LayerNorm
	Class *nn.Linear
	Box   *BoxHead

	dropout float32
}

// newRefineBlock returns a block without Class, which depends on the classes.
func newRefineBlock(c *RTDETRConfig) *RefineBlock {
	b := &RefineBlock{
		Self: nn.NewSplitAttention(c.DModel, c.DModel, c.DecoderAttentionHeads), Norm1: nn.NewLayerNorm(c.DModel, c.LayerNormEps),
		Cross: newDeformableAttention(c), Norm2: nn.NewLayerNorm(c.DModel, c.LayerNormEps),
		MLP: nn.NewMLP(c.DModel, c.DecoderFFNDim, activation(c.DecoderActivation)), Norm3: nn.NewLayerNorm(c.DModel, c.LayerNormEps),
		Box: newBoxHead(c.DModel, c.DModel, c.DModel, 4), dropout: c.Dropout,
	}
	b.Self.Dropout, b.MLP.Dropout = c.AttentionDropout, c.ActivationDropout
	return b
}

// reading is what queries read: the memory of all levels, [n, places, width], around reference boxes, [n, q, 4], of center,
// width and height in shares of the image.
type reading struct {
	memory, reference *autograd.Tensor
	options           autograd.DeformableOptions
}

// Forward maps queries, [n, q, width], to the same shape. Positions, of the same shape, are added to what both attentions ask
// by. mask, nil or [1, 1, q, q], is added to the scores of queries among themselves.
func (b *RefineBlock) Forward(x, positions *autograd.Tensor, r reading, mask *autograd.Tensor) *autograd.Tensor {
	sum := func(x, y *autograd.Tensor) *autograd.Tensor { return autograd.Add(x, autograd.Dropout(y, b.dropout)) }
	self := b.Self.Forward(x, nn.AttentionInput{QueryPositions: positions, KeyPositions: positions, Bias: mask})
	x = b.Norm1.Forward(sum(x, self))
	x = b.Norm2.Forward(sum(x, b.Cross.Forward(autograd.Add(x, positions), r)))
	return b.Norm3.Forward(sum(x, b.MLP.Forward(x, nil)))
}

// DeformableAttention is attention to a few points around a box in every level (arXiv 2010.04159, section 4.1).
type DeformableAttention struct {
	Offsets *nn.Linear // to the offsets of the points, x and y
	Weights *nn.Linear // to the scores of the points
	Value   *nn.Linear
	Proj    *nn.Linear
	// Shares, [levels·points], of the second version scale the offsets of a head: 1/points each. nil in the first.
	Shares *autograd.Buffer

	heads, each, points int // heads, points of a head in all levels and in one
	scale               float32
}

func newDeformableAttention(c *RTDETRConfig) *DeformableAttention {
	each := c.NumFeatureLevels * c.DecoderPoints
	a := &DeformableAttention{
		Offsets: nn.NewLinear(c.DModel, 2*c.DecoderAttentionHeads*each, true),
		Weights: nn.NewLinear(c.DModel, c.DecoderAttentionHeads*each, true),
		Value:   nn.NewLinear(c.DModel, c.DModel, true), Proj: nn.NewLinear(c.DModel, c.DModel, true),
		heads: c.DecoderAttentionHeads, each: each, points: c.DecoderPoints, scale: 0.5,
	}
	if c.second() {
		a.Shares, a.scale = autograd.NewBuffer(1/float32(c.DecoderPoints), each), c.DecoderOffsetScale
	}
	return a
}

// init lets the points of a head lie on a ray of its own, as transformers does.
func (a *DeformableAttention) init(rng *rand.Rand) {
	nn.Constant(a.Offsets.Weight, 0)
	a.Offsets.Bias.Update(func(v []float32) {
		for i := range v {
			head, point := i/(2*a.each), i/2%a.points
			angle := float64(head) * 2 * math.Pi / float64(a.heads)
			x, y := math.Cos(angle), math.Sin(angle)
			far := max(math.Abs(x), math.Abs(y))
			v[i] = float32([]float64{x, y}[i%2] / far * float64(point+1))
		}
	})
	nn.Constant(a.Weights.Weight, 0)
	nn.XavierUniform(rng, a.Value.Weight)
	nn.XavierUniform(rng, a.Proj.Weight)
}

// Forward maps queries, [n, q, width], to the same shape.
func (a *DeformableAttention) Forward(x *autograd.Tensor, r reading) *autograd.Tensor {
	n, q, heads, each := x.Dim(0), x.Dim(1), a.heads, a.each
	values := a.Value.Forward(r.memory)
	weights := autograd.Softmax(autograd.Reshape(a.Weights.Forward(x), n, q, heads, each))
	side := func(from int) *autograd.Tensor {
		return autograd.Reshape(autograd.Slice(r.reference, 2, from, from+2), n, q, 1, 1, 2)
	}
	offsets := autograd.Reshape(a.Offsets.Forward(x), n, q, heads, each, 2)
	if a.Shares != nil {
		offsets = autograd.Mul(offsets, x.Tape().Input(a.Shares.Values(), each, 1))
	} else {
		offsets = autograd.Scale(offsets, 1/float32(a.points))
	}
	offsets = autograd.Scale(autograd.Mul(offsets, side(2)), a.scale)
	locations := autograd.Add(side(0), offsets)
	return a.Proj.Forward(autograd.DeformableAttention(values, locations, weights, r.options))
}
