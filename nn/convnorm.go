package nn

import (
	"slices"
	"sync/atomic"

	"github.com/fovea-ml/fovea/autograd"
)

// ConvNorm is a convolution, a batch normalization and an activation: the unit of residual networks. Inference runs it as
// one convolution, into which it folds the normalization ([Conv2d.FoldBatchNorm]). The layer itself stays as it is, to be
// trained or saved.
type ConvNorm struct {
	Conv *Conv2d // without an Act
	Norm *BatchNorm
	Act  autograd.Activation

	folded atomic.Pointer[foldedConv]
}

// foldedConv is a layer as one convolution, made from one version of its values and kept for inference.
type foldedConv struct {
	of      [6]any // the parameters and buffers
	version [6]uint64
	conv    *Conv2d
}

// NewConvNorm returns a layer whose convolution is one of zeros without a bias, as [NewConv2d] makes it.
func NewConvNorm(in, out, kernel int, act autograd.Activation, o autograd.Conv2dOptions) *ConvNorm {
	return &ConvNorm{Conv: NewConv2d(in, out, kernel, false, o), Norm: NewBatchNorm(out, true), Act: act}
}

// Forward maps [n, in, h, w] to [n, out, h', w'].
func (c *ConvNorm) Forward(x *autograd.Tensor) *autograd.Tensor {
	if x.Tape().Inference() {
		return c.fold().Forward(x)
	}
	return c.Norm.ForwardAct(c.Conv.Forward(x), c.Act)
}

// ForwardAdd maps x, and a residual of the result's shape, to Act(norm(conv(x)) + residual): the end of a residual block.
func (c *ConvNorm) ForwardAdd(x, residual *autograd.Tensor) *autograd.Tensor {
	if x.Tape().Inference() {
		return c.fold().ForwardAdd(x, residual)
	}
	return c.Norm.ForwardAdd(c.Conv.Forward(x), residual, c.Act)
}

// fold returns the layer as one convolution. Its values take memory of their own, in float32.
func (c *ConvNorm) fold() *Conv2d {
	var now foldedConv
	for i, v := range []interface{ Version() uint64 }{c.Conv.Weight, c.Conv.Bias, c.Norm.Weight, c.Norm.Bias, c.Norm.Mean, c.Norm.Variance} {
		if p, ok := v.(*autograd.Parameter); ok && p == nil {
			continue
		}
		now.of[i], now.version[i] = v, v.Version()
	}
	if f := c.folded.Load(); f != nil && f.of == now.of && f.version == now.version {
		return f.conv
	}
	now.conv = &Conv2d{Weight: clone(c.Conv.Weight), Conv2dOptions: c.Conv.Conv2dOptions}
	if c.Conv.Bias != nil {
		now.conv.Bias = clone(c.Conv.Bias)
	}
	if err := now.conv.FoldBatchNorm(c.Norm); err != nil {
		panic(&autograd.UseError{Op: "conv norm", Reason: err.Error()})
	}
	now.conv.Act = c.Act
	c.folded.Store(&now)
	return now.conv
}

// clone returns a parameter with the values of another.
func clone(p *autograd.Parameter) *autograd.Parameter {
	return autograd.ParameterOf(slices.Clone(p.Values()), p.Shape()...)
}
