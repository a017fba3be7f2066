package nn

import (
	"cmp"

	"github.com/fovea-ml/fovea/autograd"
)

// DecoderBlock is a block of a transformer decoder: attention of the queries among themselves, attention to a memory, and an
// MLP, each in a residual branch (Vaswani et al., arXiv 1706.03762, section 3.1). [DecoderConfig] explains the fields.
type DecoderBlock struct {
	Norm1 *LayerNorm
	Self  *MultiHeadAttention
	Norm2 *LayerNorm          // nil without Cross
	Cross *MultiHeadAttention // to the memory; nil in a block without one
	Norm3 *LayerNorm
	MLP   *MLP

	Dropout  float32
	PostNorm bool
}

// DecoderConfig describes a [DecoderBlock]. Only Width has no default. All linear layers have a bias.
type DecoderConfig struct {
	Width  int                 // of the queries, a multiple of Heads
	Memory int                 // the width of the memory; 0 means Width
	Heads  int                 // of both attentions; 0 means 1
	Hidden int                 // the width inside the MLP; 0 means 4·Width
	Act    autograd.Activation // inside the MLP; the default is none
	Eps    float32             // added to the variance by the layer norms; 0 adds nothing

	// PostNorm normalizes after each sum, as in the paper, BERT, BART and DETR, instead of before each branch.
	PostNorm bool
	// Split gives self-attention three projections instead of a fused one. DecoderInput.Positions need them.
	Split bool

	// The probabilities of dropping something on a training tape.
	Dropout          float32 // an element of a branch's result
	AttentionDropout float32 // an attention weight
	HiddenDropout    float32 // a value inside the MLP, after the activation
}

// NewDecoderBlock returns a block of zeros, and gains of one.
func NewDecoderBlock(c DecoderConfig) *DecoderBlock {
	c.Heads, c.Memory, c.Hidden = cmp.Or(c.Heads, 1), cmp.Or(c.Memory, c.Width), cmp.Or(c.Hidden, 4*c.Width)
	b := &DecoderBlock{
		Norm1: NewLayerNorm(c.Width, c.Eps), Norm2: NewLayerNorm(c.Width, c.Eps), Norm3: NewLayerNorm(c.Width, c.Eps),
		Cross: NewSplitAttention(c.Width, c.Memory, c.Heads), MLP: NewMLP(c.Width, c.Hidden, c.Act),
		Dropout: c.Dropout, PostNorm: c.PostNorm,
	}
	if c.Split {
		b.Self = NewSplitAttention(c.Width, c.Width, c.Heads)
	} else {
		b.Self = NewMultiHeadAttention(c.Width, c.Heads, true)
	}
	b.Self.Dropout, b.Cross.Dropout, b.MLP.Dropout = c.AttentionDropout, c.AttentionDropout, c.HiddenDropout
	return b
}

// DecoderInput holds the inputs of a [DecoderBlock] besides the queries.
type DecoderInput struct {
	// Memory, [m, keys, memory width], is what Cross attends to, such as the results of an encoder. With m = n/k, each of its
	// sequences serves k neighboring sequences of queries. A block without Cross has none.
	Memory *autograd.Tensor
	// Causal lets a query attend to itself and to earlier queries only.
	Causal bool
	// KeyMask has a value for each of the n·length queries, and those in the Cache; MemoryMask has m·keys. False hides a query
	// from the others, or a part of the memory, such as padding.
	KeyMask, MemoryMask []bool
	// Positions and MemoryPositions, if not nil, are position embeddings that every block gets anew: those of the queries are
	// added to queries and keys of Self and to the queries of Cross, and those of the memory to the keys of Cross. No values
	// get them (DETR). Their shapes broadcast to those of the queries and of the Memory.
	Positions, MemoryPositions *autograd.Tensor
	// Cache, if not nil, holds the keys and values of earlier queries and of the memory, as AttentionInput.Cache does: this
	// pass adds its own.
	Cache *DecoderCache
	// Maps and MemoryMaps, if not nil, receive the attention weights of Self and of Cross, as AttentionInput.Maps does.
	Maps, MemoryMaps *[]float32
}

// Forward maps queries, [n, length, width], to the same shape. It panics with an autograd.UseError when there is a Memory and
// no Cross or the reverse, and as [MultiHeadAttention.Forward] does.
func (b *DecoderBlock) Forward(x *autograd.Tensor, in DecoderInput) *autograd.Tensor {
	if (in.Memory != nil) != (b.Cross != nil) {
		panic(&autograd.UseError{Op: "decoder block", Reason: "expected a Memory in a block with Cross, and none in one without"})
	}
	self := AttentionInput{
		Causal: in.Causal, KeyMask: in.KeyMask, QueryPositions: in.Positions, KeyPositions: in.Positions, Maps: in.Maps,
	}
	cross := AttentionInput{
		Memory: in.Memory, KeyMask: in.MemoryMask, QueryPositions: in.Positions, KeyPositions: in.MemoryPositions, Maps: in.MemoryMaps,
	}
	if in.Cache != nil {
		self.Cache, cross.Cache = in.Cache.Self, in.Cache.Memory
	}
	x = b.branch(b.Norm1, b.Self.layer(self), x)
	if b.Cross != nil {
		x = b.branch(b.Norm2, b.Cross.layer(cross), x)
	}
	return b.branch(b.Norm3, b.MLP.forward, x)
}

// branch returns x + dropout(f(norm(x))) or, with PostNorm, norm(x + dropout(f(x))).
func (b *DecoderBlock) branch(norm *LayerNorm, f layer, x *autograd.Tensor) *autograd.Tensor {
	y := x
	if !b.PostNorm {
		y = norm.Forward(x)
	}
	if b.Dropout > 0 && x.Tape().Training() {
		y = autograd.Add(x, autograd.Dropout(f(y, nil, nil), b.Dropout))
	} else {
		y = f(y, x, nil)
	}
	if b.PostNorm {
		y = norm.Forward(y)
	}
	return y
}

// DecoderCache holds keys and values between the passes of a [DecoderBlock], which decodes a few positions at a time. Each
// block needs one of its own. [DecoderBlock.NewCache] makes it.
type DecoderCache struct {
	Self   *autograd.State // of earlier positions
	Memory *autograd.State // of the memory, after the first pass; nil in a block without Cross
}

// NewCache returns an empty cache for n sequences of up to length positions, and for m memories of up to keys tokens. Beams of
// one image begin as one sequence: [DecoderCache.Reorder] makes several of it.
func (b *DecoderBlock) NewCache(n, length, m, keys int, o autograd.StateOptions) *DecoderCache {
	c := &DecoderCache{Self: autograd.NewState(n, length, 2*b.Self.width(), o)}
	if b.Cross != nil {
		c.Memory = autograd.NewState(m, keys, 2*b.Cross.width(), o)
	}
	return c
}

// Reorder replaces sequence i by sequence from[i], as beam search does ([autograd.State.Reorder]). The memory stays.
func (c *DecoderCache) Reorder(from []int) { c.Self.Reorder(from) }

// Clear forgets all positions and the memory, for another input.
func (c *DecoderCache) Clear() {
	c.Self.Clear()
	if c.Memory != nil {
		c.Memory.Clear()
	}
}

// Release gives the memory of a cache back to the pool of its StateOptions. The cache must not be used afterwards.
func (c *DecoderCache) Release() {
	c.Self.Release()
	if c.Memory != nil {
		c.Memory.Release()
	}
}
