package nn

import (
	"sync/atomic"

	"github.com/fovea-ml/fovea/autograd"
)

// RepConv is the sum of a 3×3 and a 1×1 convolution, each with a batch normalization, and an activation (RepVGG, Ding et al.,
// arXiv 2101.03697). Inference runs it as one 3×3 convolution, into which it folds the other and the normalizations. The layer
// itself stays as it is, to be trained or saved.
type RepConv struct {
	Wide  *ConvNorm // 3×3, without an activation
	Point *ConvNorm // 1×1, without an activation
	Act   autograd.Activation

	merged atomic.Pointer[mergedConv]
}

// mergedConv is a layer as one convolution, made of the folded weights of its two parts.
type mergedConv struct {
	wide, point *autograd.Parameter
	conv        *Conv2d
}

// NewRepConv returns a layer of zeros, and gains of one, that keeps the size of images.
func NewRepConv(in, out int, act autograd.Activation) *RepConv {
	return &RepConv{
		Wide:  NewConvNorm(in, out, 3, autograd.ActNone, autograd.Conv2dOptions{Padding: [2]int{1, 1}}),
		Point: NewConvNorm(in, out, 1, autograd.ActNone, autograd.Conv2dOptions{}),
		Act:   act,
	}
}

// Forward maps [n, in, h, w] to [n, out, h, w].
func (c *RepConv) Forward(x *autograd.Tensor) *autograd.Tensor {
	if x.Tape().Inference() {
		return c.merge().Forward(x)
	}
	return autograd.Activate(autograd.Add(c.Wide.Forward(x), c.Point.Forward(x)), c.Act)
}

// merge returns the layer as one convolution. Its values take memory of their own, in float32.
func (c *RepConv) merge() *Conv2d {
	wide, point := c.Wide.fold(), c.Point.fold() // with the same weights until a value changes
	if m := c.merged.Load(); m != nil && m.wide == wide.Weight && m.point == point.Weight && m.conv.Act == c.Act {
		return m.conv
	}
	conv := &Conv2d{Weight: clone(wide.Weight), Bias: clone(wide.Bias), Conv2dOptions: wide.Conv2dOptions}
	conv.Weight.LimitMath(min(wide.Weight.MathLimit(), point.Weight.MathLimit()))
	conv.Weight.Update(func(w []float32) {
		for i, v := range point.Weight.Values() {
			w[9*i+4] += v
		}
	})
	conv.Bias.Update(func(b []float32) {
		for i, v := range point.Bias.Values() {
			b[i] += v
		}
	})
	conv.Act = c.Act
	c.merged.Store(&mergedConv{wide.Weight, point.Weight, conv})
	return conv
}
