package vit

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// AttentionPool pools tokens by attention whose one query is learned; a residual MLP follows (AttentionPoolLatent in
// timm/layers/attention_pool.py, SiglipMultiheadAttentionPoolingHead in transformers' modeling_siglip.py).
type AttentionPool struct {
	Probe     *autograd.Parameter // [1, 1, width], the query
	Attention *nn.MultiHeadAttention
	Norm      *nn.LayerNorm
	MLP       *nn.MLP
}

// NewAttentionPool returns a layer of zeros, and gains of one. Of the description of a block it uses the sizes, the
// activation and the epsilon.
func NewAttentionPool(c nn.BlockConfig) *AttentionPool {
	return &AttentionPool{
		Probe:     autograd.NewParameter(1, 1, c.Width),
		Attention: nn.NewMultiHeadAttention(c.Width, c.Heads, true),
		Norm:      nn.NewLayerNorm(c.Width, c.Eps),
		MLP:       nn.NewMLP(c.Width, c.Hidden, c.Act),
	}
}

// Forward maps the tokens of images, [tokens, width], one image after the other, to one vector an image, [n, width]. Image i
// has the tokens starts[i] to starts[i+1]; the list ends with their number.
func (p *AttentionPool) Forward(x *autograd.Tensor, starts []int) *autograd.Tensor {
	return x.Tape().Segment(func(x *autograd.Tensor) *autograd.Tensor {
		tokens, width, n := x.Dim(0), x.Dim(1), len(starts)-1
		probe := autograd.Reshape(x.Tape().Use(p.Probe), 1, width)
		// The projection is one matrix in files, so that the queries of tokens are computed too, and left out.
		qkv := p.Attention.QKV.Forward(autograd.Concat(0, x, probe))
		queries := autograd.BroadcastTo(autograd.Slice(qkv, 0, tokens, tokens+1), n, 3*width)
		keys := autograd.Slice(qkv, 0, 0, tokens)
		each := make([]int, n+1) // one query an image
		for i := range each {
			each[i] = i
		}
		y := autograd.PackedAttention(autograd.Columns{Of: queries}, autograd.Columns{Of: keys, From: width},
			autograd.Columns{Of: keys, From: 2 * width}, each, starts,
			autograd.AttentionOptions{Heads: p.Attention.Heads, HeadDim: width / p.Attention.Heads})
		y = p.Attention.Proj.Forward(y)
		return p.MLP.Forward(p.Norm.Forward(y), y)
	}, x)
}

// Images maps the tokens of images that have as many each, [n, length, width], to one vector an image, [n, width].
func (p *AttentionPool) Images(x *autograd.Tensor) *autograd.Tensor {
	n, length, width := x.Dim(0), x.Dim(1), x.Dim(2)
	starts := make([]int, n+1)
	for i := range starts {
		starts[i] = i * length
	}
	return p.Forward(autograd.Reshape(x, n*length, width), starts)
}
