package detect

import (
	"cmp"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/nn"
)

// Pyramid is a residual network with a feature pyramid on some of its stages (torchvision's BackboneWithFPN).
type Pyramid struct {
	Body *backbone.ResNet
	FPN  *nn.FPN

	from int // the first stage that the pyramid uses
}

// newPyramid returns a pyramid of zeros on the stages from the given one.
func newPyramid(c Config, from int) *Pyramid {
	p := &Pyramid{Body: backbone.NewResNet(*c.Backbone), from: from}
	for _, norm := range nn.Layers[nn.BatchNorm](p.Body) {
		norm.Eps = cmp.Or(c.NormEps, norm.Eps)
	}
	p.FPN = nn.NewFPN(p.Body.Channels()[from:], c.FPNChannels)
	return p
}

// withP6P7 adds two levels by convolutions, of the pyramid's coarsest level or the body's.
func (p *Pyramid) withP6P7(c Config, fromBody bool) *Pyramid {
	in := c.FPNChannels
	if fromBody {
		in = c.Backbone.FeatureSize()
	}
	p.FPN.AddP6P7(in)
	return p
}

// init draws initial weights as torchvision does: those of the pyramid are uniform, √(3/fan-in).
func (p *Pyramid) init(rng *rand.Rand) {
	backbone.Init(p.Body, rng)
	for _, c := range nn.Layers[nn.Conv2d](p.FPN) {
		nn.KaimingUniform(rng, c.Weight, 1)
	}
}

// Forward maps pixels, [n, 3, h, w], to the levels of the pyramid.
func (p *Pyramid) Forward(pixels *autograd.Tensor) []*autograd.Tensor {
	return p.FPN.Forward(p.Body.Forward(pixels)[p.from:])
}

// pyramidNames are the names of torchvision, of new files and of old ones.
func pyramidNames(c backbone.Config) []checkpoint.Rule {
	return append(checkpoint.Nest("Pyramid.Body", []string{"backbone.body"}, backbone.BodyNames(c)...),
		checkpoint.Rule{"Pyramid.FPN.Inner.{}", "backbone.fpn.inner_blocks.{}.0", "backbone.fpn.inner_blocks.{}"},
		checkpoint.Rule{"Pyramid.FPN.Layer.{}", "backbone.fpn.layer_blocks.{}.0", "backbone.fpn.layer_blocks.{}"},
		checkpoint.Rule{"Pyramid.FPN.InnerNorm.{}", "backbone.fpn.inner_blocks.{}.1"},
		checkpoint.Rule{"Pyramid.FPN.LayerNorm.{}", "backbone.fpn.layer_blocks.{}.1"},
		checkpoint.Rule{"Pyramid.FPN.P6", "backbone.fpn.extra_blocks.p6"},
		checkpoint.Rule{"Pyramid.FPN.P7", "backbone.fpn.extra_blocks.p7"},
	)
}

// pyramidClaim is the least that the weights of a detector with two towers on a pyramid are.
func (c Config) pyramidClaim() modelfolder.Claim {
	width := float64(c.FPNChannels)
	return c.Backbone.Claim().Plus(modelfolder.Claim{Values: (3 + 2 + 2*towerDepth) * 9 * width * width})
}
