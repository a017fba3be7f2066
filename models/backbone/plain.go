package backbone

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
)

// PlainNet is a chain of 3×3 convolutions, each with batch normalization and activation. The stem and each stage halve the
// size once. Its levels are the stages, at strides 4, 8, 16 and 32.
type PlainNet struct {
	Stem   *nn.ConvNorm
	Stages [][]*nn.ConvNorm
}

// NewPlainNet returns a network of zeros, and gains of one. The configuration must be valid.
func NewPlainNet(c Config) *PlainNet {
	conv := func(in, out int, stride [2]int) *nn.ConvNorm {
		return nn.NewConvNorm(in, out, 3, c.act(), autograd.Conv2dOptions{Padding: same, Stride: stride})
	}
	p := &PlainNet{Stem: conv(c.NumChannels, c.EmbeddingSize, half)}
	in := c.EmbeddingSize
	for i, out := range c.HiddenSizes {
		stage := []*nn.ConvNorm{conv(in, out, half)}
		for range c.Depths[i] - 1 {
			stage = append(stage, conv(out, out, [2]int{}))
		}
		p.Stages, in = append(p.Stages, stage), out
	}
	return p
}

// Channels returns the channels of the stages.
func (p *PlainNet) Channels() []int {
	var out []int
	for _, stage := range p.Stages {
		out = append(out, stage[0].Conv.Weight.Shape()[0])
	}
	return out
}

// Forward maps pixels, [n, channels, h, w], to the features of the stages.
func (p *PlainNet) Forward(pixels *autograd.Tensor) []*autograd.Tensor {
	x := pixels.Tape().Segment(p.Stem.Forward, pixels)
	var levels []*autograd.Tensor
	for _, stage := range p.Stages {
		x = x.Tape().Segment(func(x *autograd.Tensor) *autograd.Tensor { return chain(stage, x) }, x)
		levels = append(levels, x.Keep())
	}
	return levels
}

// plainNames are the names of the parameters of a [PlainNet].
var plainNames = []checkpoint.Rule{{"Stem", "stem"}, {"Stages.{}.{}", "stages.{}.{}"}}
