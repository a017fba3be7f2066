package main

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// convNorm is a convolution, a batch normalization and an activation.
type convNorm struct {
	Conv *nn.Conv2d
	Norm *nn.BatchNorm // nil after fold
	Act  autograd.Activation
}

func newConvNorm(in, out, kernel, stride, groups int, act autograd.Activation) *convNorm {
	pad := kernel / 2
	return &convNorm{
		Conv: nn.NewConv2d(in, out, kernel, false, autograd.Conv2dOptions{
			Stride: [2]int{stride, stride}, Padding: [2]int{pad, pad}, Groups: groups}),
		Norm: nn.NewBatchNorm(out, true),
		Act:  act,
	}
}

func (c *convNorm) Forward(x *autograd.Tensor) *autograd.Tensor {
	x = c.Conv.Forward(x)
	if c.Norm == nil {
		return x
	}
	return c.Norm.ForwardAct(x, c.Act)
}

// ForwardAdd returns act(c(x) + residual); c has no activation of its own.
func (c *convNorm) ForwardAdd(x, residual *autograd.Tensor, act autograd.Activation) *autograd.Tensor {
	if c.Norm == nil {
		conv := *c.Conv
		conv.Act = act
		return conv.ForwardAdd(x, residual)
	}
	return c.Norm.ForwardAdd(c.Conv.Forward(x), residual, act)
}

// fold folds every batch normalization and activation of a network into the convolution before it, as the peers do when
// they load a network for inference.
func fold(network any) error {
	for _, c := range nn.Layers[convNorm](network) {
		if err := c.Conv.FoldBatchNorm(c.Norm); err != nil {
			return err
		}
		c.Norm, c.Conv.Act = nil, c.Act
	}
	return nil
}

// residualBlock adds the results of Convs and of Down (the input itself where it is nil) and applies ReLU.
type residualBlock struct {
	Convs []*convNorm
	Down  *convNorm
}

func (b *residualBlock) Forward(x *autograd.Tensor) *autograd.Tensor {
	y, last := x, len(b.Convs)-1
	for _, c := range b.Convs[:last] {
		y = c.Forward(y)
	}
	if b.Down != nil {
		x = b.Down.Forward(x)
	}
	return b.Convs[last].ForwardAdd(y, x, autograd.ActRelu)
}

// resNet is torchvision's resnet18 or resnet50.
type resNet struct {
	Stem   *convNorm
	Stages [4][]*residualBlock
	Head   *nn.Linear
}

func newResNet(bottleneck bool, classes int) *resNet {
	m := &resNet{Stem: newConvNorm(3, 64, 7, 2, 1, autograd.ActRelu)}
	counts, growth := [4]int{2, 2, 2, 2}, 1
	if bottleneck {
		counts, growth = [4]int{3, 4, 6, 3}, 4
	}
	in := 64
	for s, n := range counts {
		width := 64 << s
		for i := range n {
			stride := 1
			if i == 0 && s > 0 {
				stride = 2
			}
			b := &residualBlock{}
			if bottleneck {
				b.Convs = []*convNorm{
					newConvNorm(in, width, 1, 1, 1, autograd.ActRelu),
					newConvNorm(width, width, 3, stride, 1, autograd.ActRelu),
					newConvNorm(width, growth*width, 1, 1, 1, autograd.ActNone),
				}
			} else {
				b.Convs = []*convNorm{
					newConvNorm(in, width, 3, stride, 1, autograd.ActRelu),
					newConvNorm(width, width, 3, 1, 1, autograd.ActNone),
				}
			}
			if stride > 1 || in != growth*width {
				b.Down = newConvNorm(in, growth*width, 1, stride, 1, autograd.ActNone)
			}
			m.Stages[s] = append(m.Stages[s], b)
			in = growth * width
		}
	}
	if classes > 0 {
		m.Head = nn.NewLinear(in, classes, true)
	}
	return m
}

// Levels returns the results of the four stages.
func (m *resNet) Levels(x *autograd.Tensor) []*autograd.Tensor {
	x = autograd.MaxPool2d(m.Stem.Forward(x), autograd.PoolOptions{
		Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Padding: [2]int{1, 1}})
	var levels []*autograd.Tensor
	for _, stage := range m.Stages {
		for _, b := range stage {
			x = b.Forward(x)
		}
		levels = append(levels, x)
	}
	return levels
}

func (m *resNet) Forward(x *autograd.Tensor) *autograd.Tensor {
	levels := m.Levels(x)
	return m.Head.Forward(autograd.Mean(levels[3], false, 2, 3))
}

// pyramid is ResNet-50 with a feature pyramid of 256 channels (Lin et al., arXiv 1612.03144).
type pyramid struct {
	Body *resNet
	FPN  *nn.FPN
}

func newPyramid() *pyramid {
	return &pyramid{Body: newResNet(true, 0), FPN: nn.NewFPN([]int{256, 512, 1024, 2048}, 256)}
}

func (p *pyramid) Forward(x *autograd.Tensor) []*autograd.Tensor {
	return p.FPN.Forward(p.Body.Levels(x))
}

// fastestDet is the graph of FastestDet (github.com/dog-qiuqiu/FastestDet): ShuffleNetV2, three pooled branches, a head
// with 80 classes.
type fastestDet struct {
	Stem   *convNorm
	Stages [3][]*shuffleBlock
	Reduce *convNorm
	Pools  [3][]*convNorm
	Join   *convNorm
	Enter  *convNorm
	Heads  [3][2]*convNorm // objectness, boxes, classes
}

// shuffleBlock is a block of ShuffleNetV2 (Ma et al., arXiv 1807.11164, figure 3). Proj is nil at stride 1.
type shuffleBlock struct {
	Main []*convNorm
	Proj []*convNorm
}

func newShuffleBlock(in, out, stride int) *shuffleBlock {
	half := out / 2
	b := &shuffleBlock{}
	first := half
	if stride == 2 {
		first = in
		b.Proj = []*convNorm{
			newConvNorm(in, in, 3, 2, in, autograd.ActNone),
			newConvNorm(in, in, 1, 1, 1, autograd.ActRelu),
		}
	}
	b.Main = []*convNorm{
		newConvNorm(first, half, 1, 1, 1, autograd.ActRelu),
		newConvNorm(half, half, 3, stride, half, autograd.ActNone),
		newConvNorm(half, out-first, 1, 1, 1, autograd.ActRelu),
	}
	return b
}

func (b *shuffleBlock) Forward(x *autograd.Tensor) *autograd.Tensor {
	proj, main := x, x
	if b.Proj == nil {
		proj, main = unshuffle(x)
	}
	for _, c := range b.Proj {
		proj = c.Forward(proj)
	}
	for _, c := range b.Main {
		main = c.Forward(main)
	}
	return autograd.Concat(1, proj, main)
}

// unshuffle returns the even and the odd channels.
func unshuffle(x *autograd.Tensor) (even, odd *autograd.Tensor) {
	half := x.Dim(1) / 2
	y := autograd.ChannelShuffle(x, half)
	return autograd.Slice(y, 1, 0, half), autograd.Slice(y, 1, half, 2*half)
}

func newFastestDet() *fastestDet {
	const width = 96
	m := &fastestDet{Stem: newConvNorm(3, 24, 3, 2, 1, autograd.ActRelu)}
	in := 24
	for s, n := range []int{4, 8, 4} {
		out := 48 << s
		for i := range n {
			stride := 1
			if i == 0 {
				stride = 2
			}
			m.Stages[s] = append(m.Stages[s], newShuffleBlock(in, out, stride))
			in = out
		}
	}
	m.Reduce = newConvNorm(48+96+192, width, 1, 1, 1, autograd.ActRelu)
	for i := range m.Pools {
		for range i + 1 {
			m.Pools[i] = append(m.Pools[i], newConvNorm(width, width, 5, 1, width, autograd.ActRelu))
		}
	}
	m.Join = newConvNorm(3*width, width, 1, 1, 1, autograd.ActNone)
	m.Enter = newConvNorm(width, width, 1, 1, 1, autograd.ActRelu)
	for i, out := range []int{1, 4, 80} {
		m.Heads[i] = [2]*convNorm{
			newConvNorm(width, width, 5, 1, width, autograd.ActRelu),
			newConvNorm(width, out, 1, 1, 1, autograd.ActNone),
		}
	}
	return m
}

func (m *fastestDet) Forward(x *autograd.Tensor) *autograd.Tensor {
	three, two, one := [2]int{3, 3}, [2]int{2, 2}, [2]int{1, 1}
	x = autograd.MaxPool2d(m.Stem.Forward(x), autograd.PoolOptions{Kernel: three, Stride: two, Padding: one})
	var levels [3]*autograd.Tensor
	for s, stage := range m.Stages {
		for _, b := range stage {
			x = b.Forward(x)
		}
		levels[s] = x
	}
	h, w := levels[1].Dim(2), levels[1].Dim(3)
	x = m.Reduce.Forward(autograd.Concat(1,
		autograd.AvgPool2d(levels[0], autograd.PoolOptions{Kernel: three, Stride: two, Padding: one}),
		levels[1],
		autograd.Resize2d(levels[2], h, w, autograd.ResizeOptions{Mode: autograd.Nearest})))
	var pools [3]autograd.Operand
	for i, convs := range m.Pools {
		y := x
		for _, c := range convs {
			y = c.Forward(y)
		}
		pools[i] = y
	}
	x = m.Enter.Forward(m.Join.ForwardAdd(autograd.Concat(1, pools[:]...), x, autograd.ActRelu))
	var heads [3]*autograd.Tensor
	for i, head := range m.Heads {
		heads[i] = head[1].Forward(head[0].Forward(x))
	}
	classes := autograd.Permute(heads[2], 0, 2, 3, 1) // softmax goes over the last dimension
	return autograd.Concat(1, autograd.Sigmoid(heads[0]), heads[1], autograd.Permute(autograd.Softmax(classes), 0, 3, 1, 2))
}
