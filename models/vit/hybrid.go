package vit

import (
	"slices"
	"sync/atomic"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
)

// StemConfig describes the convolutions of a hybrid, which come before the projection of patches.
type StemConfig struct {
	// Kind is "resnetv2", the residual network of the first hybrids ([BiT]), or "conv", the convolutions of MobileCLIP
	// ([ConvStem]).
	Kind string `json:"kind"`
	// Channels are those of the first convolution and of each stage of a resnetv2, or of each convolution.
	Channels []int `json:"channels"`
	// Layers are the numbers of blocks of the stages of a resnetv2.
	Layers []int `json:"layers,omitempty"`
	// Kernels are the sizes, and strides, of the convolutions of kind conv.
	Kernels []int `json:"kernels,omitempty"`
}

// The kinds of stems.
const (
	resNetV2 = tower.ResNetV2
	convStem = tower.ConvStem
)

// Stride returns the number of pixels between neighbors in what the stem gives.
func (c StemConfig) Stride() int { return tower.Stem(c).Stride() }

// out returns the number of channels that the stem gives.
func (c StemConfig) out() int { return c.Channels[len(c.Channels)-1] }

// values returns the number of values of the stem's convolutions.
func (c StemConfig) values(channels int) (n float64) {
	if c.Kind == convStem {
		for i, out := range c.Channels {
			n += float64(channels) * float64(out) * float64(c.Kernels[i]) * float64(c.Kernels[i])
			channels = out
		}
		return n
	}
	n = float64(channels) * float64(c.Channels[0]) * 49
	for i, layers := range c.Layers {
		quarter := float64(c.Channels[i+1] / 4)
		n += float64(layers) * (9 + 4) * quarter * quarter // the second and third convolution of a block
	}
	return n
}

// groups is the number of groups that the norms of a [BiT] have.
const groups = 32

// validate checks the description beside the size of the patches, which is in pixels.
func (c *StemConfig) validate(v *config.Checks, patch int) {
	if c == nil {
		return
	}
	v.OneOf("stem: kind", c.Kind, resNetV2, convStem)
	want := len(c.Kernels)
	if c.Kind == resNetV2 {
		want = 1 + len(c.Layers)
	}
	if len(c.Channels) != want || want == 0 || want > 16 || c.Kind == resNetV2 && len(c.Kernels) > 0 || c.Kind != resNetV2 && len(c.Layers) > 0 {
		v.Fail("stem: channels", "expected one number for the first convolution and each stage, or for each kernel, found %d", len(c.Channels))
		return
	}
	for i, n := range c.Channels {
		v.Size("stem: channels", n)
		multiple := 1
		switch {
		case c.Kind == resNetV2 && i == 0:
			multiple = groups
		case c.Kind == resNetV2:
			multiple = 4 * groups // a block has a quarter of them inside
		}
		if n%multiple != 0 {
			v.Fail("stem: channels", "expected a multiple of %d, found %d", multiple, n)
		}
	}
	for _, n := range slices.Concat(c.Layers, c.Kernels) {
		if n < 1 || n > 256 {
			v.Fail("stem: layers and kernels", "expected 1 to 256, found %d", n)
		}
	}
	if v.Err() == nil && c.Stride() > tower.LargestStride {
		v.Fail("stem: kernels", "expected a stride of at most %d pixels in all, found more", tower.LargestStride)
	}
	if v.Err() == nil && patch%c.Stride() != 0 {
		v.Fail("patch_size", "expected a multiple of the stem's stride %d, found %d", c.Stride(), patch)
	}
}

// A Stem is the convolutional part of a hybrid: it maps pixels, [n, channels, h, w], to features, [n, out, h/stride,
// w/stride].
type Stem interface {
	Forward(pixels *autograd.Tensor) *autograd.Tensor
}

func newStem(c StemConfig, channels int) Stem {
	if c.Kind == convStem {
		s := &ConvStem{}
		for i, out := range c.Channels {
			k := c.Kernels[i]
			s.Convs = append(s.Convs, nn.NewConvNorm(channels, out, k, autograd.ActGelu, autograd.Conv2dOptions{Stride: [2]int{k, k}}))
			channels = out
		}
		return s
	}
	s := &BiT{Conv: newStandardConv(channels, c.Channels[0], 7, 2), Norm: nn.NewGroupNorm(groups, c.Channels[0])}
	in := c.Channels[0]
	for i, layers := range c.Layers {
		var stage []*Bottleneck
		for j := range layers {
			stride := 1
			if i > 0 && j == 0 {
				stride = 2
			}
			stage = append(stage, newBottleneck(in, c.Channels[i+1], stride, j == 0))
			in = c.Channels[i+1]
		}
		s.Stages = append(s.Stages, stage)
	}
	return s
}

// ConvStem is a stack of convolutions with batch norms (MobileCLIP, arXiv 2311.17049). The last convolution of timm's stem is
// the projection of patches here.
type ConvStem struct{ Convs []*nn.ConvNorm }

// Forward is that of a [Stem].
func (s *ConvStem) Forward(x *autograd.Tensor) *autograd.Tensor {
	for _, c := range s.Convs {
		x = c.Forward(x)
	}
	return x
}

// BiT is a residual network with standardized weights and group norms (Kolesnikov et al., arXiv 1912.11370), in the form
// without norms before the blocks that hybrids have (_resnetv2 in timm's vision_transformer_hybrid.py). Its padding is
// TensorFlow's SAME.
type BiT struct {
	Conv   *StandardConv // 7×7, stride 2
	Norm   *nn.GroupNorm
	Stages [][]*Bottleneck
}

// Forward is that of a [Stem].
func (s *BiT) Forward(x *autograd.Tensor) *autograd.Tensor {
	x = autograd.Activate(s.Norm.Forward(s.Conv.Forward(x)), autograd.ActRelu)
	// The padding of zeros changes no maximum, because no value is negative.
	x = autograd.MaxPool2d(same(x, 3, 2), autograd.PoolOptions{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}})
	for _, stage := range s.Stages {
		for _, b := range stage {
			x = x.Tape().Segment(b.Forward, x)
		}
	}
	return x
}

// Bottleneck is a block of a [BiT]: convolutions of 1×1, 3×3 and 1×1, and a residual.
type Bottleneck struct {
	Conv1, Conv2, Conv3 *StandardConv
	Norm1, Norm2, Norm3 *nn.GroupNorm
	Downsample          *Downsample // of the residual; nil where it has the result's shape
}

// Downsample is the projection of a residual.
type Downsample struct {
	Conv *StandardConv
	Norm *nn.GroupNorm
}

func newBottleneck(in, out, stride int, first bool) *Bottleneck {
	b := &Bottleneck{
		Conv1: newStandardConv(in, out/4, 1, 1), Norm1: nn.NewGroupNorm(groups, out/4),
		Conv2: newStandardConv(out/4, out/4, 3, stride), Norm2: nn.NewGroupNorm(groups, out/4),
		Conv3: newStandardConv(out/4, out, 1, 1), Norm3: nn.NewGroupNorm(groups, out),
	}
	if first {
		b.Downsample = &Downsample{newStandardConv(in, out, 1, stride), nn.NewGroupNorm(groups, out)}
	}
	return b
}

// Forward maps [n, in, h, w] to [n, out, h/stride, w/stride].
func (b *Bottleneck) Forward(x *autograd.Tensor) *autograd.Tensor {
	residual := x
	if d := b.Downsample; d != nil {
		residual = d.Norm.Forward(d.Conv.Forward(x))
	}
	x = autograd.Activate(b.Norm1.Forward(b.Conv1.Forward(x)), autograd.ActRelu)
	x = autograd.Activate(b.Norm2.Forward(b.Conv2.Forward(x)), autograd.ActRelu)
	return autograd.Activate(autograd.Add(b.Norm3.Forward(b.Conv3.Forward(x)), residual), autograd.ActRelu)
}

// StandardConv is a convolution whose filters are brought to mean 0 and variance 1 before use (weight standardization: Qiao
// et al., arXiv 1903.10520). It pads as TensorFlow's SAME: the result has ⌈size/stride⌉ rows and columns.
type StandardConv struct {
	Weight *autograd.Parameter // [out, in, kernel, kernel]
	Stride int

	standard atomic.Pointer[standardWeight]
}

// standardWeight are the standardized filters of one version of the weight, kept for inference.
type standardWeight struct {
	of      *autograd.Parameter
	version uint64
	values  []float32
}

func newStandardConv(in, out, kernel, stride int) *StandardConv {
	return &StandardConv{Weight: autograd.NewParameter(out, in, kernel, kernel), Stride: stride}
}

// Forward maps [n, in, h, w] to [n, out, ⌈h/stride⌉, ⌈w/stride⌉].
func (c *StandardConv) Forward(x *autograd.Tensor) *autograd.Tensor {
	return autograd.Conv2d(same(x, c.Weight.Shape()[2], c.Stride), c.filters(x.Tape()), nil, autograd.Conv2dOptions{Stride: [2]int{c.Stride, c.Stride}})
}

// filters returns the standardized filters.
func (c *StandardConv) filters(t *autograd.Tape) *autograd.Tensor {
	shape := c.Weight.Shape()
	if !t.Inference() {
		return c.standardize(t)
	}
	s := c.standard.Load()
	if version := c.Weight.Version(); s == nil || s.of != c.Weight || s.version != version {
		s = &standardWeight{c.Weight, version, c.standardize(t).Floats(nil)}
		c.standard.Store(s)
	}
	return t.Borrow(s.values, shape...)
}

func (c *StandardConv) standardize(t *autograd.Tape) *autograd.Tensor {
	const eps = 1e-8 // added to the variance in hybrids
	shape := c.Weight.Shape()
	rows := autograd.Reshape(t.Use(c.Weight), shape[0], c.Weight.Len()/max(1, shape[0]))
	return autograd.Reshape(autograd.LayerNorm(rows, nil, nil, eps), shape...)
}

// same pads images for windows of a kernel as TensorFlow's SAME: where an odd number is missing, one more at the end.
func same(x *autograd.Tensor, kernel, stride int) *autograd.Tensor {
	var pads [2][2]int
	for i := range pads {
		size := x.Dim(2 + i)
		missing := max(0, ((size+stride-1)/stride-1)*stride+kernel-size)
		pads[i] = [2]int{missing / 2, missing - missing/2}
	}
	if pads == [2][2]int{} {
		return x
	}
	return autograd.Pad(x, pads[:], autograd.PadOptions{})
}
