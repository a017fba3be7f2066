package nn

import (
	"cmp"

	"github.com/fovea-ml/fovea/autograd"
)

// MLP is the feed-forward part of a transformer block: FC2(act(FC1(x))). A gated one multiplies halves of what FC1
// gives: FC2(act(gate)·up), such as SwiGLU ([autograd.GatedProduct]).
type MLP struct {
	FC1   *Linear    // [hidden, width]; gated: [2·hidden, width], two projections packed in the order of Order
	Norm  *LayerNorm // of what FC2 takes (EVA-02, BEiT-3), or nil
	FC2   *Linear    // [width, hidden]
	Act   autograd.Activation
	Gated bool
	Order autograd.GateOrder
	// Dropout is the probability of dropping a value before FC2 on a training tape.
	Dropout float32
}

// NewMLP returns a layer of zeros from width to hidden and back.
func NewMLP(width, hidden int, act autograd.Activation) *MLP {
	return &MLP{FC1: NewLinear(width, hidden, true), FC2: NewLinear(hidden, width, true), Act: act}
}

// NewGatedMLP returns a gated layer of zeros from width to hidden and back.
func NewGatedMLP(width, hidden int, act autograd.Activation, order autograd.GateOrder) *MLP {
	m := NewMLP(width, hidden, act)
	m.FC1, m.Gated, m.Order = NewLinear(width, 2*hidden, true), true, order
	return m
}

// Forward maps [..., width] to the same shape. A residual is added in the same pass; it may be nil.
func (m *MLP) Forward(x, residual *autograd.Tensor) *autograd.Tensor {
	return m.forward(x, residual, nil)
}

// forward is Forward of a branch with layer scale, or nil.
func (m *MLP) forward(x, residual *autograd.Tensor, scale *autograd.Parameter) *autograd.Tensor {
	t := x.Tape()
	direct := m.direct(t)
	if direct && t.Inference() && len(m.FC1.Adapter) == 0 {
		return autograd.FeedForward(x, m.FC1.Weight, m.FC1.Bias, m.Act, m.FC2.Weight, m.FC2.Bias, residual, scale)
	}
	if direct && !t.Inference() && m.Act != autograd.ActNone { // training keeps the hidden values before the activation alone
		h := m.FC1.Forward(x)
		if residual == nil || scale == nil {
			return autograd.ActLinear(h, m.Act, m.FC2.Weight, m.FC2.Bias, residual)
		}
		return autograd.AddScaled(residual, autograd.ActLinear(h, m.Act, m.FC2.Weight, m.FC2.Bias, nil), scale)
	}
	var h *autograd.Tensor
	if m.Gated {
		h = autograd.GatedProduct(m.FC1.Forward(x), m.Act, m.Order)
	} else {
		h = m.FC1.ForwardAct(x, m.Act)
	}
	return m.out(h, residual, scale)
}

// direct reports whether nothing stands between the activation and the product that takes its values.
func (m *MLP) direct(t *autograd.Tape) bool {
	return !m.Gated && m.Norm == nil && (m.Dropout == 0 || !t.Training() && 0 < m.Dropout && m.Dropout <= 1) && len(m.FC2.Adapter) == 0
}

// out projects hidden values, multiplies the result by the scale, and adds the residual, if there is one.
func (m *MLP) out(h, residual *autograd.Tensor, scale *autograd.Parameter) *autograd.Tensor {
	if m.Norm != nil {
		h = m.Norm.Forward(h)
	}
	h = autograd.Dropout(h, m.Dropout)
	if residual != nil {
		return m.FC2.ForwardAddScaled(h, residual, scale)
	}
	return m.FC2.Forward(h)
}

// Block is a transformer block: attention and an MLP, each in a residual branch. [BlockConfig] explains the fields.
type Block struct {
	Norm1       *LayerNorm
	Attention   *MultiHeadAttention
	LayerScale1 *autograd.Parameter // [width], or nil
	Norm2       *LayerNorm          // nil beside In
	MLP         *MLP
	LayerScale2 *autograd.Parameter // [width], or nil
	Dropout     float32
	DropPath    float32
	PostNorm    bool
	BranchNorm  bool
	// In, [hidden+3·width, width], is the one projection of BlockConfig.Parallel: rows of the MLP, then of queries, keys
	// and values. It is nil in other blocks. Beside it, Attention has no QKV and MLP no FC1.
	In *Linear
	// Beside are the further branches of BlockConfig.Branches. Of each, the norms, layers and factors count.
	Beside []*Block
}

// BlockConfig describes a [Block]. Only Width has no default.
type BlockConfig struct {
	Width  int                 // of the tokens, a multiple of Heads
	Heads  int                 // of the attention; 0 means 1
	Hidden int                 // the width inside the MLP; 0 means 4·Width
	Act    autograd.Activation // inside the MLP; the default is none
	Eps    float32             // added to the variance by the layer norms; 0 adds nothing

	// Gated makes the MLP multiply the halves of a packed projection, of which GateOrder says the order.
	Gated     bool
	GateOrder autograd.GateOrder
	// QKVBias gives the projection to queries, keys and values a bias. The other linear layers always have one.
	QKVBias bool
	// NoKeyBias leaves keys without a bias, where QKVBias gives queries and values one (BEiT, DINOv3).
	NoKeyBias bool
	// QKNorm normalizes each head's queries and keys (Dehghani et al., arXiv 2302.05442).
	QKNorm bool
	// AttentionNorm normalizes the input of attention's last projection, and MLPNorm that of the MLP's (EVA-02,
	// arXiv 2303.11331).
	AttentionNorm, MLPNorm bool
	// PostNorm normalizes after each sum, as in BERT, instead of before each branch, as in ViT.
	PostNorm bool
	// BranchNorm normalizes what each branch gives, before it is added (Swin V2, arXiv 2111.09883; ResPostBlock in timm's
	// vision_transformer.py).
	BranchNorm bool
	// Parallel runs attention and the MLP side by side on one norm and one projection (ViT-22B, arXiv 2302.05442;
	// ParallelScalingBlock there). QKVBias gives the projection a bias.
	Parallel bool
	// Branches is the number of attention layers whose results are added to the same tokens, and then of MLPs (Touvron et
	// al., arXiv 2203.09795; ParallelThingsBlock there); 0 means 1.
	Branches int
	// LayerScale is the initial value of the learned factors that multiply each branch's channels (CaiT, arXiv
	// 2103.17239); with 0 the block has no such factors.
	LayerScale float32

	// The probabilities of dropping something on a training tape.
	Dropout          float32 // an element of a branch's result
	AttentionDropout float32 // an attention weight
	DropPath         float32 // a sample's branch (stochastic depth, Huang et al., arXiv 1603.09382)
}

// NewBlock returns a block of zeros, and gains of one, with fused projections.
func NewBlock(c BlockConfig) *Block {
	c.Heads = cmp.Or(c.Heads, 1)
	c.Hidden = cmp.Or(c.Hidden, 4*c.Width)
	b := &Block{
		Norm1:     NewLayerNorm(c.Width, c.Eps),
		Attention: NewMultiHeadAttention(c.Width, c.Heads, c.QKVBias),
		Norm2:     NewLayerNorm(c.Width, c.Eps),
		MLP:       NewMLP(c.Width, c.Hidden, c.Act),
		Dropout:   c.Dropout,
		DropPath:  c.DropPath,
		PostNorm:  c.PostNorm, BranchNorm: c.BranchNorm,
	}
	if c.Gated {
		b.MLP = NewGatedMLP(c.Width, c.Hidden, c.Act, c.GateOrder)
	}
	if c.QKVBias && c.NoKeyBias {
		b.Attention.QKV.Bias, b.Attention.QVBias = nil, autograd.NewParameter(2*c.Width)
	}
	if c.QKNorm {
		b.Attention.QueryNorm, b.Attention.KeyNorm = NewLayerNorm(c.Width/c.Heads, c.Eps), NewLayerNorm(c.Width/c.Heads, c.Eps)
	}
	if c.AttentionNorm {
		b.Attention.Norm = NewLayerNorm(c.Width, c.Eps)
	}
	if c.MLPNorm {
		b.MLP.Norm = NewLayerNorm(c.Hidden, c.Eps)
	}
	b.Attention.Dropout = c.AttentionDropout
	if c.LayerScale != 0 {
		b.LayerScale1, b.LayerScale2 = filled(c.Width, c.LayerScale), filled(c.Width, c.LayerScale)
	}
	if c.Parallel {
		b.In = NewLinear(c.Width, c.Hidden+3*c.Width, c.QKVBias)
		b.Attention.QKV, b.MLP.FC1, b.Norm2, b.LayerScale2 = nil, nil, nil, nil
	}
	for range c.Branches - 1 {
		one := c
		one.Branches = 0
		b.Beside = append(b.Beside, NewBlock(one))
	}
	return b
}

// Forward maps x, [n, length, width], to the same shape, or to [n, in.First, width]. Packed sequences are [tokens, width],
// with in.Starts.
//
// It panics with an autograd.UseError when in.Residual or in.Scale is not nil, because the block sets them itself. Packed
// sequences have no drop path, because a row is no sample: an autograd.UseError on a training tape.
func (b *Block) Forward(x *autograd.Tensor, in AttentionInput) *autograd.Tensor {
	if in.Residual != nil || in.Scale != nil {
		panic(&autograd.UseError{Op: "block", Reason: "expected no Residual and no Scale: a block has its own"})
	}
	if in.Starts != nil && b.DropPath > 0 && x.Tape().Training() {
		panic(&autograd.UseError{Op: "block", Reason: "expected a DropPath of 0: packed sequences have no drop path, because a row is no sample"})
	}
	wanted := x
	if in.First != 0 {
		in.checkFirst(b.In != nil || b.Attention.QKV != nil)
		wanted = autograd.Slice(x, 1, 0, in.First)
	}
	if b.In != nil {
		return b.branch(b.side(in), b.Norm1.Forward(x), wanted, b.LayerScale1)
	}
	if b.PostNorm {
		x = b.Norm1.Forward(b.branch(b.attend(in), x, wanted, b.LayerScale1))
		return b.Norm2.Forward(b.branch(b.MLP.forward, x, x, b.LayerScale2))
	}
	maps := make([][]float32, 1+len(b.Beside)) // of each branch
	input := func(branch int) AttentionInput {
		in := in
		if in.Maps != nil && len(b.Beside) > 0 {
			in.Maps = &maps[branch]
		}
		return in
	}
	y := b.normed(b.Norm1, b.attend(input(0)), x, wanted, b.LayerScale1)
	for i, o := range b.Beside {
		y = b.normed(o.Norm1, o.attend(input(1+i)), x, y, o.LayerScale1)
	}
	if in.Maps != nil && len(b.Beside) > 0 {
		*in.Maps = sideBySide((*in.Maps)[:0], maps, x.Dim(0))
	}
	z := b.normed(b.Norm2, b.MLP.forward, y, y, b.LayerScale2)
	for _, o := range b.Beside {
		z = b.normed(o.Norm2, o.MLP.forward, y, z, o.LayerScale2)
	}
	return z
}

// sideBySide appends the weights of n sequences to dst: of each sequence, those of all branches.
func sideBySide(dst []float32, branches [][]float32, n int) []float32 {
	for i := range n {
		for _, maps := range branches {
			one := len(maps) / n
			dst = append(dst, maps[i*one:(i+1)*one]...)
		}
	}
	return dst
}

// A layer maps x to a tensor of the same shape. It adds a residual if there is one, after it has multiplied by the scale.
type layer = func(x, residual *autograd.Tensor, scale *autograd.Parameter) *autograd.Tensor

// attend is the attention of the block.
func (b *Block) attend(in AttentionInput) layer { return b.Attention.layer(in) }

// side is attention and the MLP side by side, with one projection.
func (b *Block) side(in AttentionInput) layer {
	return func(x, residual *autograd.Tensor, scale *autograd.Parameter) *autograd.Tensor {
		in := in
		both := b.In.Forward(x)
		last, hidden := len(both.Shape())-1, b.MLP.FC2.Weight.Shape()[1]
		if scale == nil {
			in.Residual = residual
		}
		y := b.Attention.ofPacked(autograd.Slice(both, last, hidden, both.Dim(last)), in)
		if in.First != 0 {
			both = autograd.Slice(both, 1, 0, in.First)
		}
		y = b.MLP.out(autograd.Activate(autograd.Slice(both, last, 0, hidden), b.MLP.Act), y, nil)
		if scale != nil {
			return autograd.AddScaled(residual, y, scale)
		}
		return y
	}
}

// normed is branch with a norm before f, or, with BranchNorm, behind it.
func (b *Block) normed(norm *LayerNorm, f layer, x, residual *autograd.Tensor, scale *autograd.Parameter) *autograd.Tensor {
	if !b.BranchNorm {
		return b.branch(f, norm.Forward(x), residual, scale)
	}
	return b.branch(func(x, residual *autograd.Tensor, scale *autograd.Parameter) *autograd.Tensor {
		y := norm.Forward(f(x, nil, nil))
		switch {
		case scale != nil:
			y = autograd.AddScaled(residual, y, scale)
		case residual != nil:
			y = autograd.Add(residual, y)
		}
		return y
	}, x, residual, scale)
}

// branch returns residual + dropPath(scale·f(x)). Where nothing comes between, f adds the residual itself.
func (b *Block) branch(f layer, x, residual *autograd.Tensor, scale *autograd.Parameter) *autograd.Tensor {
	training := x.Tape().Training()
	drop := b.DropPath > 0 && training
	if !drop && !(b.Dropout > 0 && training) {
		return f(x, residual, scale)
	}
	y := autograd.Dropout(f(x, nil, nil), b.Dropout)
	if scale != nil && !drop {
		return autograd.AddScaled(residual, y, scale)
	}
	if scale != nil {
		y = autograd.Mul(y, scale)
	}
	if drop {
		y = autograd.DropPath(y, b.DropPath)
	}
	return autograd.Add(residual, y)
}

// Stack is blocks that run one after the other.
type Stack []*Block

// NewStack returns n blocks of zeros, and gains of one. c describes the last block; the others differ in drop path
// alone. Its probability rises linearly from 0 in the first block to c.DropPath in the last, as in timm. A single block
// has no drop path.
func NewStack(n int, c BlockConfig) Stack {
	s := make(Stack, n)
	last := c.DropPath
	for i := range s {
		c.DropPath = 0
		if n > 1 {
			c.DropPath = last * float32(i) / float32(n-1)
		}
		s[i] = NewBlock(c)
	}
	return s
}

// Forward maps x, [n, length, width] or packed, to the same shape. Each block is a segment of the tape
// ([autograd.Tape.Segment]) and gets the same in, but First is that of the last block: the result is then [n, First, width].
// Maps receives the attention weights of the last block.
//
// Cache must be nil, because every block needs a cache of its own: a decoder loops over its blocks instead. So must
// Residual. Forward panics with an autograd.UseError otherwise.
func (s Stack) Forward(x *autograd.Tensor, in AttentionInput) *autograd.Tensor {
	if in.Cache != nil {
		panic(&autograd.UseError{Op: "stack", Reason: "expected no Cache: every block needs one of its own; call the blocks in a loop"})
	}
	t := x.Tape()
	for i, b := range s {
		in := in
		if i < len(s)-1 {
			in.First = 0
		}
		x = t.Segment(func(x *autograd.Tensor) *autograd.Tensor { return b.Forward(x, in) }, x)
	}
	return x
}

// PatchEmbed cuts images into square patches and projects each: a convolution whose stride is its kernel.
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
