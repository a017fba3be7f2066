package nn

import "github.com/fovea-ml/fovea/autograd"

// MLP is the feed-forward part of a transformer block: FC2(act(FC1(x))).
type MLP struct {
	FC1 *Linear
	FC2 *Linear
	Act autograd.Activation
}

// NewMLP returns a layer of zeros from width to hidden and back.
func NewMLP(width, hidden int, act autograd.Activation) *MLP {
	return &MLP{FC1: NewLinear(width, hidden, true), FC2: NewLinear(hidden, width, true), Act: act}
}

// Forward maps [..., width] to the same shape. A residual that is not nil is added in the same pass.
func (m *MLP) Forward(x, residual *autograd.Tensor) *autograd.Tensor {
	h := m.FC1.ForwardAct(x, m.Act)
	if residual != nil {
		return m.FC2.ForwardAdd(h, residual)
	}
	return m.FC2.Forward(h)
}

// Block is a transformer block: attention and an MLP, each in a residual branch.
//
// Normalizing comes before each branch (as in ViT) or, with PostNorm, after each sum (as in BERT). LayerScale1
// and LayerScale2, where they are not nil, multiply the branches' channels (CaiT, arXiv 2103.17239). Dropout and
// DropPath work on a training tape alone.
type Block struct {
	Norm1       *LayerNorm
	Attention   *MultiHeadAttention
	LayerScale1 *autograd.Parameter // [width], or nil
	Norm2       *LayerNorm
	MLP         *MLP
	LayerScale2 *autograd.Parameter // [width], or nil
	Dropout     float32             // the probability of dropping an element of a branch's result
	DropPath    float32             // the probability of dropping a sample's branch
	PostNorm    bool
}

// NewBlock returns a pre-norm block with fused projections: zeros, and gains of one. width is a multiple of heads,
// hidden is the width inside the MLP, eps that of the norms.
func NewBlock(width, heads, hidden int, act autograd.Activation, eps float32, qkvBias bool) *Block {
	return &Block{
		Norm1:     NewLayerNorm(width, eps),
		Attention: NewMultiHeadAttention(width, heads, qkvBias),
		Norm2:     NewLayerNorm(width, eps),
		MLP:       NewMLP(width, hidden, act),
	}
}

// Forward maps x, [n, length, width], to the same shape. in.Residual is the block's own business and must
// be nil.
func (b *Block) Forward(x *autograd.Tensor, in AttentionInput) *autograd.Tensor {
	attend := func(x, residual *autograd.Tensor) *autograd.Tensor {
		in := in
		in.Residual = residual
		return b.Attention.Forward(x, in)
	}
	if b.PostNorm {
		x = b.Norm1.Forward(b.branch(attend, x, x, b.LayerScale1))
		return b.Norm2.Forward(b.branch(b.MLP.Forward, x, x, b.LayerScale2))
	}
	x = b.branch(attend, b.Norm1.Forward(x), x, b.LayerScale1)
	return b.branch(b.MLP.Forward, b.Norm2.Forward(x), x, b.LayerScale2)
}

// branch returns residual + dropPath(scale·f(x)), leaving the sum to f when nothing comes between.
func (b *Block) branch(f func(x, residual *autograd.Tensor) *autograd.Tensor, x, residual *autograd.Tensor, scale *autograd.Parameter) *autograd.Tensor {
	training := x.Tape().Training()
	drop := b.DropPath > 0 && training
	if scale == nil && !drop && !(b.Dropout > 0 && training) {
		return f(x, residual)
	}
	y := autograd.Dropout(f(x, nil), b.Dropout)
	if scale != nil {
		y = autograd.Mul(y, scale)
	}
	if drop {
		y = autograd.DropPath(y, b.DropPath)
	}
	return autograd.Add(residual, y)
}

// PatchEmbed cuts pictures into square patches and projects each: a convolution whose stride is its kernel.
type PatchEmbed struct {
	Weight *autograd.Parameter // [width, channels, patch, patch]
	Bias   *autograd.Parameter // [width]
	Patch  int
}

// NewPatchEmbed returns a layer of zeros for patches of patch×patch pixels.
func NewPatchEmbed(channels, patch, width int) *PatchEmbed {
	return &PatchEmbed{
		Weight: autograd.NewParameter(width, channels, patch, patch),
		Bias:   autograd.NewParameter(width),
		Patch:  patch,
	}
}

// Forward maps pixels, [n, channels, height, width], to patches in row-major order, [n, patches, width]. Height and
// width are multiples of Patch.
func (p *PatchEmbed) Forward(pixels *autograd.Tensor) *autograd.Tensor {
	return autograd.Linear(autograd.Patchify(pixels, p.Patch), p.Weight, p.Bias)
}
