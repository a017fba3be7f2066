package backbone

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
)

// Body is a network that gives features at several strides, finest first. The last level has stride 32, and each level half
// the stride of the next. Those of a dilated ResNet end with two levels of stride 16.
type Body interface {
	// Forward maps pixels, [n, channels, h, w], to the features of each level, [n, channels, ⌈h/stride⌉, ⌈w/stride⌉].
	Forward(pixels *autograd.Tensor) []*autograd.Tensor
	// Channels returns the channels of the levels.
	Channels() []int
}

// NewBody returns the network of a configuration, of zeros and gains of one. The configuration must be valid.
func NewBody(c Config) Body {
	switch c.ModelType {
	case shuffleType:
		return NewShuffleNetV2(c)
	case dlaType:
		return NewDLA(c)
	case plainType:
		return NewPlainNet(c)
	}
	return NewResNet(c)
}

// ResNet is a residual network. Its levels are the stages, at strides 4, 8, 16 and 32.
type ResNet struct {
	Stem   []*nn.ConvNorm // one 7×7 convolution, or three of 3×3; a max pooling follows
	Stages [][]*Block
}

// Block is a residual block: the activation of x + Convs(x). Where the size or the channels change, Down takes the place of
// x.
type Block struct {
	Convs []*nn.ConvNorm // two 3×3 convolutions, or 1×1, 3×3 and 1×1; the last has the activation of the sum
	Down  *nn.ConvNorm   // 1×1, or nil
	// Pool, when it is above 1, is the size of average poolings in place of strides: before the last convolution, and before
	// Down (CLIP's ResNets).
	Pool int
	// PoolDown, when it is above 1, is the size of an average pooling before Down alone (ResNet-D; arXiv 1812.01187).
	PoolDown int
}

var (
	same = [2]int{1, 1} // the padding that keeps the size of a 3×3 convolution
	half = [2]int{2, 2} // the stride
)

// NewResNet returns a network of zeros, and gains of one. The configuration must be valid.
func NewResNet(c Config) *ResNet {
	act, r := c.act(), &ResNet{}
	if c.DeepStem || c.ModelType == vdType {
		r.Stem = []*nn.ConvNorm{
			nn.NewConvNorm(c.NumChannels, c.EmbeddingSize/2, 3, act, autograd.Conv2dOptions{Padding: same, Stride: half}),
			nn.NewConvNorm(c.EmbeddingSize/2, c.EmbeddingSize/2, 3, act, autograd.Conv2dOptions{Padding: same}),
			nn.NewConvNorm(c.EmbeddingSize/2, c.EmbeddingSize, 3, act, autograd.Conv2dOptions{Padding: same}),
		}
	} else {
		r.Stem = []*nn.ConvNorm{nn.NewConvNorm(c.NumChannels, c.EmbeddingSize, 7, act, autograd.Conv2dOptions{Padding: [2]int{3, 3}, Stride: half})}
	}
	in := c.EmbeddingSize
	for s, n := range c.Depths {
		var stage []*Block
		dilated := c.Dilated && s == len(c.Depths)-1
		for i := range n {
			stride, dilation := 1, [2]int{1, 1}
			if i == 0 && (s > 0 || c.DownsampleInFirstStage) && !dilated {
				stride = 2
			}
			if dilated && i == 0 { // the first convolution keeps the distance of the stage before
				dilation = [2]int{1, 2}
			} else if dilated {
				dilation = [2]int{2, 2}
			}
			b := newBlock(c, in, c.HiddenSizes[s], stride, dilation, act)
			if c.ModelType == vdType {
				b.vary(c, in, c.HiddenSizes[s], stride, i == 0)
			}
			stage = append(stage, b)
			in = c.HiddenSizes[s]
		}
		r.Stages = append(r.Stages, stage)
	}
	return r
}

// newBlock returns a block. Of the dilations of its 3×3 convolutions, a bottleneck has the first alone. Inside those of
// a ResNet is ReLU, whatever hidden_act, as in transformers' modeling_resnet.py and modeling_rt_detr_resnet.py.
func newBlock(c Config, in, out, stride int, dilation [2]int, act autograd.Activation) *Block {
	step := [2]int{stride, stride}
	wide := func(stride [2]int, dilation int) autograd.Conv2dOptions {
		each := [2]int{dilation, dilation}
		return autograd.Conv2dOptions{Padding: each, Dilation: each, Stride: stride}
	}
	b, inner := &Block{}, autograd.ActRelu
	if c.ModelType == dlaType {
		inner = act
	}
	if c.LayerType == Bottleneck {
		first, second := [2]int{1, 1}, step
		if c.DownsampleInBottleneck {
			first, second = second, first
		}
		b.Convs = []*nn.ConvNorm{
			nn.NewConvNorm(in, out/4, 1, inner, autograd.Conv2dOptions{Stride: first}),
			nn.NewConvNorm(out/4, out/4, 3, inner, wide(second, dilation[0])),
			nn.NewConvNorm(out/4, out, 1, act, autograd.Conv2dOptions{}),
		}
	} else {
		b.Convs = []*nn.ConvNorm{
			nn.NewConvNorm(in, out, 3, inner, wide(step, dilation[0])),
			nn.NewConvNorm(out, out, 3, act, wide([2]int{1, 1}, dilation[1])),
		}
	}
	if stride > 1 || in != out {
		if c.AverageDown {
			b.PoolDown, step = stride, [2]int{1, 1}
		}
		b.Down = nn.NewConvNorm(in, out, 1, autograd.ActNone, autograd.Conv2dOptions{Stride: step})
	}
	return b
}

// vary makes the block one of a [ResNetVD], the first of its stage or a later one.
func (b *Block) vary(c Config, in, out, stride int, first bool) {
	if first && b.Down == nil && c.LayerType == Basic {
		b.Down = nn.NewConvNorm(in, out, 1, autograd.ActNone, autograd.Conv2dOptions{})
	}
	if c.averages(in, out, stride) {
		b.PoolDown, b.Down.Conv.Stride = stride, [2]int{}
	}
}

// averages reports whether the shortcut of a block of a [ResNetVD] is averaged before it is projected
// (modeling_rt_detr_resnet.py in transformers).
func (c Config) averages(in, out, stride int) bool {
	return stride > 1 && (in != out || c.LayerType == Bottleneck)
}

// Channels returns the channels of the stages.
func (r *ResNet) Channels() []int {
	var out []int
	for _, stage := range r.Stages {
		last := stage[len(stage)-1]
		out = append(out, last.Convs[len(last.Convs)-1].Conv.Weight.Shape()[0])
	}
	return out
}

// Forward maps pixels, [n, channels, h, w], to the features of the stages.
func (r *ResNet) Forward(pixels *autograd.Tensor) []*autograd.Tensor {
	t := pixels.Tape()
	x := t.Segment(func(x *autograd.Tensor) *autograd.Tensor {
		for _, c := range r.Stem {
			x = c.Forward(x)
		}
		return stemPool(x)
	}, pixels)
	return r.forward(x, len(r.Stages))
}

// forward runs the first stages.
func (r *ResNet) forward(x *autograd.Tensor, stages int) []*autograd.Tensor {
	var levels []*autograd.Tensor
	for _, stage := range r.Stages[:stages] {
		for _, b := range stage {
			x = x.Tape().Segment(b.Forward, x)
		}
		levels = append(levels, x.Keep())
	}
	return levels
}

// stemPool is the max pooling of 3×3 pixels that follows a stem.
func stemPool(x *autograd.Tensor) *autograd.Tensor {
	return autograd.MaxPool2d(x, autograd.PoolOptions{Kernel: [2]int{3, 3}, Stride: half, Padding: same})
}

// Forward maps [n, in, h, w] to [n, out, ⌈h/stride⌉, ⌈w/stride⌉].
func (b *Block) Forward(x *autograd.Tensor) *autograd.Tensor {
	last := len(b.Convs) - 1
	y := x
	for _, c := range b.Convs[:last] {
		y = c.Forward(y)
	}
	y = average(y, b.Pool)
	if b.Down != nil {
		x = b.Down.Forward(average(x, max(b.Pool, b.PoolDown)))
	}
	return b.Convs[last].ForwardAdd(y, x)
}

// average returns the means of squares of pixels, which are cut at the border.
func average(x *autograd.Tensor, size int) *autograd.Tensor {
	if size <= 1 {
		return x
	}
	return autograd.AvgPool2d(x, autograd.PoolOptions{Kernel: [2]int{size, size}, Ceil: true, ExcludePadding: true})
}

// Freeze keeps the stem and the first stages from being trained: 0 stages is the stem alone, and -1 nothing. torchvision's
// trainable_backbone_layers of 3 is one frozen stage.
func (r *ResNet) Freeze(stages int) {
	if stages < 0 {
		return
	}
	for _, p := range nn.Parameters(r.Stem) {
		p.Frozen = true
	}
	for _, p := range nn.Parameters(r.Stages[:stages]) {
		p.Frozen = true
	}
}

// FreezeNorms makes every batch normalization of a model a fixed scale and shift, as torchvision's FrozenBatchNorm2d.
func FreezeNorms(model any) {
	for _, n := range nn.Layers[nn.BatchNorm](model) {
		n.Freeze()
	}
}

// BlockNames are the names of the parameters of a stack of stages, below the path of a [ResNet], in transformers, and in
// torchvision and timm.
func BlockNames() []checkpoint.Rule {
	return []checkpoint.Rule{
		{"Stages.{}.{}.Convs.{}.Conv", "encoder.stages.{}.layers.{}.layer.{}.convolution", "layer{+1}.{}.conv{+1}"},
		{"Stages.{}.{}.Convs.{}.Norm", "encoder.stages.{}.layers.{}.layer.{}.normalization", "layer{+1}.{}.bn{+1}"},
		{"Stages.{}.{}.Down.Conv", "encoder.stages.{}.layers.{}.shortcut.convolution", "layer{+1}.{}.downsample.0"},
		{"Stages.{}.{}.Down.Norm", "encoder.stages.{}.layers.{}.shortcut.normalization", "layer{+1}.{}.downsample.1"},
	}
}
