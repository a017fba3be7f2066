package clip

import (
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// init draws initial weights as transformers does (CLIPPreTrainedModel._init_weights), which are those of OpenAI's
// code: normal values whose deviations fall with the width and with the depth of a tower.
func (m *Model) init(rng *rand.Rand) {
	c := m.Config
	if c.Vision.Pooled {
		m.initSigLIP(rng)
		return
	}
	switch v := m.Vision.(type) {
	case *ResNet:
		v.init(rng)
	case *VisionTransformer:
		factor, e := c.Vision.InitializerFactor, v.Encoder
		nn.Normal(rng, e.ClassToken, factor/math.Sqrt(float64(c.Vision.HiddenSize)))
		nn.Normal(rng, e.Patch.Weight, factor*c.Vision.InitializerRange)
		nn.Normal(rng, e.Positions, factor*c.Vision.InitializerRange)
		initBlocks(rng, e.Blocks, factor)
	}
	switch t := m.Text.(type) {
	case *TextTransformer:
		factor := c.Text.InitializerFactor
		nn.Normal(rng, t.Tokens, factor*0.02)
		nn.Normal(rng, t.Positions, factor*0.02)
		initBlocks(rng, t.Blocks, factor)
	case *BERT:
		t.init(rng, c.Text.BERT.Encoder)
	}
	for _, l := range []*nn.Linear{m.VisionProjection, m.TextProjection} {
		if l != nil {
			nn.Normal(rng, l.Weight, c.InitializerFactor/math.Sqrt(float64(l.Weight.Shape()[1])))
		}
	}
}

func initBlocks(rng *rand.Rand, s nn.Stack, factor float64) {
	depth := math.Sqrt(2 * float64(len(s)))
	for _, b := range s {
		width := math.Sqrt(float64(b.Norm1.Weight.Shape()[0]))
		for _, p := range []struct {
			weight *autograd.Parameter
			std    float64
		}{
			{b.Attention.QKV.Weight, factor / width / depth},
			{b.Attention.Proj.Weight, factor / width},
			{b.MLP.FC1.Weight, factor / width / math.Sqrt2},
			{b.MLP.FC2.Weight, factor / width / depth},
		} {
			nn.Normal(rng, p.weight, p.std)
		}
	}
}
