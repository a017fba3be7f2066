package backbone

import (
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
)

// ShuffleNetV2 is a network for small devices (Ma et al., arXiv 1807.11164). Its levels are the stages, at strides 8, 16 and
// 32.
type ShuffleNetV2 struct {
	Stem   *nn.ConvNorm // 3×3, stride 2; a max pooling follows
	Stages [][]*ShuffleUnit
	// ShuffleFirst is the form of the paper's authors and of FastestDet: a unit first deals its channels out to the two
	// branches, odd and even. Without it, as in torchvision, a unit ends with the shuffle.
	ShuffleFirst bool
}

// ShuffleUnit is a unit of [ShuffleNetV2] (figure 3 of the paper): half of the channels pass, and half go through Main. With
// Proj, all channels go through both, at stride 2.
type ShuffleUnit struct {
	Proj []*nn.ConvNorm // depthwise 3×3 and 1×1, or none
	Main []*nn.ConvNorm // 1×1, depthwise 3×3 and 1×1
}

// NewShuffleNetV2 returns a network of zeros, and gains of one. The configuration must be valid.
func NewShuffleNetV2(c Config) *ShuffleNetV2 {
	act := c.act()
	s := &ShuffleNetV2{Stem: nn.NewConvNorm(c.NumChannels, c.EmbeddingSize, 3, act, autograd.Conv2dOptions{Padding: same, Stride: half})}
	in := c.EmbeddingSize
	for i, out := range c.HiddenSizes {
		width := out / 2
		stage := []*ShuffleUnit{{
			Proj: []*nn.ConvNorm{depthwise(in, 2), nn.NewConvNorm(in, width, 1, act, autograd.Conv2dOptions{})},
			Main: branch(in, width, 2, act),
		}}
		for range c.Depths[i] - 1 {
			stage = append(stage, &ShuffleUnit{Main: branch(width, width, 1, act)})
		}
		s.Stages, in = append(s.Stages, stage), out
	}
	return s
}

func depthwise(channels, stride int) *nn.ConvNorm {
	return nn.NewConvNorm(channels, channels, 3, autograd.ActNone, autograd.Conv2dOptions{Padding: same, Stride: [2]int{stride, stride}, Groups: channels})
}

func branch(in, out, stride int, act autograd.Activation) []*nn.ConvNorm {
	return []*nn.ConvNorm{
		nn.NewConvNorm(in, out, 1, act, autograd.Conv2dOptions{}), depthwise(out, stride), nn.NewConvNorm(out, out, 1, act, autograd.Conv2dOptions{}),
	}
}

// Channels returns the channels of the stages.
func (s *ShuffleNetV2) Channels() []int {
	var out []int
	for _, stage := range s.Stages {
		first := stage[0]
		out = append(out, first.Proj[1].Conv.Weight.Shape()[0]+first.Main[2].Conv.Weight.Shape()[0])
	}
	return out
}

// Forward maps pixels, [n, channels, h, w], to the features of the stages.
func (s *ShuffleNetV2) Forward(pixels *autograd.Tensor) []*autograd.Tensor {
	t := pixels.Tape()
	x := t.Segment(func(x *autograd.Tensor) *autograd.Tensor { return stemPool(s.Stem.Forward(x)) }, pixels)
	var levels []*autograd.Tensor
	for _, stage := range s.Stages {
		for _, u := range stage {
			x = t.Segment(func(x *autograd.Tensor) *autograd.Tensor { return s.unit(u, x) }, x)
		}
		levels = append(levels, x.Keep())
	}
	return levels
}

func (s *ShuffleNetV2) unit(u *ShuffleUnit, x *autograd.Tensor) *autograd.Tensor {
	pass, main := x, x
	if len(u.Proj) > 0 {
		pass = chain(u.Proj, pass)
	} else {
		channels := x.Dim(1)
		if s.ShuffleFirst {
			x = autograd.ChannelShuffle(x, channels/2) // the even channels, then the odd ones
		}
		pass, main = autograd.Slice(x, 1, 0, channels/2), autograd.Slice(x, 1, channels/2, channels)
	}
	x = autograd.Concat(1, pass, chain(u.Main, main))
	if s.ShuffleFirst {
		return x
	}
	return autograd.ChannelShuffle(x, 2)
}

// chain applies layers one after the other.
func chain(layers []*nn.ConvNorm, x *autograd.Tensor) *autograd.Tensor {
	for _, l := range layers {
		x = l.Forward(x)
	}
	return x
}

// ShuffleNames are the names of the parameters of a [ShuffleNetV2] under the names of its stem and of the two branches of a
// unit: conv1, branch1 and branch2 in torchvision.
func ShuffleNames(stem, proj, main string) []checkpoint.Rule {
	rules := []checkpoint.Rule{{"Stem.Conv", stem + ".0"}, {"Stem.Norm", stem + ".1"}}
	for stage := range 3 {
		unit := func(path, branch string, convs ...int) {
			for i, at := range convs {
				layer, name := fmt.Sprintf("Stages.%d.{}.%s.%d", stage, path, i), fmt.Sprintf("stage%d.{}.%s", stage+2, branch)
				rules = append(rules, checkpoint.Rule{layer + ".Conv", fmt.Sprintf("%s.%d", name, at)},
					checkpoint.Rule{layer + ".Norm", fmt.Sprintf("%s.%d", name, at+1)})
			}
		}
		unit("Proj", proj, 0, 2)
		unit("Main", main, 0, 3, 5)
	}
	return rules
}
