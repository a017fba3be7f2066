package nn

import (
	"slices"
	"sync/atomic"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// ConvNorm is a convolution, a batch normalization and an activation: the unit of residual networks. Inference runs it as
// one convolution, into which it folds the normalization ([Conv2d.FoldBatchNorm]). The layer itself stays as it is, to be
// trained or saved.
type ConvNorm struct {
	Conv *Conv2d // without an Act
	Norm *BatchNorm
	Act  autograd.Activation

	folded folding
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

// fold returns the layer as one convolution. Its values take memory of their own: integers where the weight has integers, else
// float32.
func (c *ConvNorm) fold() *Conv2d {
	if c.Conv.Act != autograd.ActNone {
		panic(&autograd.UseError{Op: "conv norm", Reason: actBeforeNorm(c.Conv.Act).Error()})
	}
	f := c.folded.fold("conv norm", c.Conv.Weight, c.Conv.Bias, c.Norm)
	o := c.Conv.Conv2dOptions
	o.Act = c.Act
	return &Conv2d{Weight: f.weight, Bias: f.bias, Conv2dOptions: o}
}

// DeformConvNorm is a deformable convolution, a batch normalization and an activation. Inference folds them as in [ConvNorm].
type DeformConvNorm struct {
	Conv *DeformConv2d // without an Act
	Norm *BatchNorm
	Act  autograd.Activation

	folded folding
}

// NewDeformConvNorm returns a layer with the convolution of [NewDeformConv2d].
func NewDeformConvNorm(in, out, kernel int, act autograd.Activation) *DeformConvNorm {
	return &DeformConvNorm{Conv: NewDeformConv2d(in, out, kernel), Norm: NewBatchNorm(out, true), Act: act}
}

// Forward maps [n, in, h, w] to [n, out, h, w].
func (c *DeformConvNorm) Forward(x *autograd.Tensor) *autograd.Tensor {
	if !x.Tape().Inference() {
		return c.Norm.ForwardAct(c.Conv.Forward(x), c.Act)
	}
	if c.Conv.Act != autograd.ActNone {
		panic(&autograd.UseError{Op: "deform conv norm", Reason: actBeforeNorm(c.Conv.Act).Error()})
	}
	f := c.folded.fold("deform conv norm", c.Conv.Weight, c.Conv.Bias, c.Norm)
	one := DeformConv2d{Offset: c.Conv.Offset, Weight: f.weight, Bias: f.bias, Act: c.Act}
	return one.Forward(x)
}

// folding keeps the values of a layer with its normalization folded in, for inference.
type folding struct{ atomic.Pointer[folded] }

// folded is a folded weight and bias, made from one version of the values of a layer.
type folded struct {
	of           [6]any // the parameters and buffers
	version      [6]uint64
	limit        simd.Math // of the weight
	weight, bias *autograd.Parameter
}

// fold returns the weight and the bias, which may be nil, with the normalization folded in. They are the same parameters until a
// value or the weight's limit of arithmetic changes.
func (k *folding) fold(op string, weight, bias *autograd.Parameter, norm *BatchNorm) *folded {
	now := &folded{limit: weight.MathLimit()}
	for i, v := range []interface{ Version() uint64 }{weight, bias, norm.Weight, norm.Bias, norm.Mean, norm.Variance} {
		if p, ok := v.(*autograd.Parameter); ok && p == nil {
			continue
		}
		now.of[i], now.version[i] = v, v.Version()
	}
	if f := k.Load(); f != nil && f.of == now.of && f.version == now.version && f.limit == now.limit {
		return f
	}
	now.weight = clone(weight)
	if bias != nil {
		now.bias = clone(bias)
	}
	if err := fold(now.weight, &now.bias, norm); err != nil {
		panic(&autograd.UseError{Op: op, Reason: err.Error()})
	}
	k.Store(now)
	return now
}

// clone returns a parameter with the values of another, and its limit of arithmetic. Integers are shared, not copied.
func clone(p *autograd.Parameter) *autograd.Parameter {
	var c *autograd.Parameter
	if codes, scales, ok := p.Int8(); ok {
		c = autograd.NewParameter(p.Shape()...)
		c.MapInt8([][]int8{codes}, scales, nil, nil)
	} else {
		c = autograd.ParameterOf(slices.Clone(p.Values()), p.Shape()...)
	}
	c.LimitMath(p.MathLimit())
	return c
}
