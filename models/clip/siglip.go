package clip

import (
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
)

// SigLIP is the image tower of SigLIP (Zhai et al., arXiv 2303.15343), and of SigLIP 2 (arXiv 2502.14786) for images of
// one size: a Vision Transformer without a class token, whose normalized tokens are pooled by attention.
type SigLIP struct {
	Encoder *vit.Encoder
	Head    *vit.AttentionPool
	patch   int
}

// NewSigLIP returns a tower of zeros. The configuration must be valid.
func NewSigLIP(c VisionConfig) *SigLIP {
	return &SigLIP{Encoder: vit.NewEncoder(c.encoder()), Head: vit.NewAttentionPool(c.block()), patch: c.PatchSize}
}

// Forward maps pixels, [n, channels, height, width], to embeddings, [n, width]. Pixels that no whole patch covers are
// not seen. Images of another size than the configured one use resized position embeddings.
func (s *SigLIP) Forward(pixels *autograd.Tensor) *autograd.Tensor {
	return s.Head.Images(s.Encoder.Forward(whole(pixels, s.patch)))
}

// squareRoot returns the root of a square number.
func squareRoot(n int) int { return int(math.Round(math.Sqrt(float64(n)))) }

// initPool draws initial weights as transformers does (SiglipPreTrainedModel._init_weights).
func initPool(rng *rand.Rand, h *vit.AttentionPool) {
	nn.XavierUniform(rng, h.Probe)
	nn.XavierUniform(rng, h.Attention.QKV.Weight)
	lecun(rng, h.Attention.Proj.Weight)
	initMLP(rng, h.MLP)
}

// initSigLIP draws the initial weights of a model of SigLIP as transformers does.
func (m *Model) initSigLIP(rng *rand.Rand) {
	width := 1 / math.Sqrt(float64(m.Config.Vision.HiddenSize))
	switch v := m.Vision.(type) {
	case *SigLIP:
		lecun(rng, v.Encoder.Patch.Weight)
		nn.Normal(rng, v.Encoder.Positions, width)
		initSigLIPBlocks(rng, v.Encoder.Blocks)
		initPool(rng, v.Head)
	case *NaFlex:
		lecun(rng, v.Patch.Weight)
		nn.Normal(rng, v.Positions, width)
		initSigLIPBlocks(rng, v.Blocks)
		initPool(rng, v.Head)
	}
	if t, ok := m.Text.(*TextTransformer); ok {
		for _, p := range []*autograd.Parameter{t.Tokens, t.Positions} {
			nn.Normal(rng, p, 1/math.Sqrt(float64(p.Shape()[1])))
		}
		initSigLIPBlocks(rng, t.Blocks)
	}
	lecun(rng, m.TextProjection.Weight)
}

// initSigLIPBlocks draws projections of queries, keys and values each by itself.
func initSigLIPBlocks(rng *rand.Rand, s nn.Stack) {
	for _, b := range s {
		width := b.Norm1.Weight.Shape()[0]
		nn.Uniform(rng, b.Attention.QKV.Weight, math.Sqrt(6/float64(2*width)))
		nn.XavierUniform(rng, b.Attention.Proj.Weight)
		initMLP(rng, b.MLP)
	}
}

func initMLP(rng *rand.Rand, m *nn.MLP) {
	for _, l := range []*nn.Linear{m.FC1, m.FC2} {
		nn.XavierUniform(rng, l.Weight)
		nn.Normal(rng, l.Bias, 1e-6)
	}
}

// lecun draws a truncated normal distribution whose variance is 1/inputs (lecun_normal_ in transformers).
func lecun(rng *rand.Rand, p *autograd.Parameter) {
	inputs := p.Len() / p.Shape()[0]
	const cut = 0.87962566103423978 // the deviation of a normal distribution that is cut at two
	std := 1 / math.Sqrt(float64(inputs)) / cut
	nn.TruncatedNormal(rng, p, std, -2*std, 2*std)
}
