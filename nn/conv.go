package nn

import "github.com/fovea-ml/fovea/autograd"

// Conv2d is a two-dimensional convolution over [n, channels, height, width]. Its field Act is applied to the result in
// the same pass.
type Conv2d struct {
	Weight *autograd.Parameter // [out, in/groups, kernel, kernel]
	Bias   *autograd.Parameter // [out], or nil
	autograd.Conv2dOptions
}

// NewConv2d returns a layer of zeros with a square kernel. It has no padding unless o gives it: kernel/2 keeps the size of
// the image at stride 1. The numbers of channels, in and out, are multiples of o.Groups; with in groups it is a depthwise
// convolution. Forward panics with an autograd.ShapeError otherwise.
func NewConv2d(in, out, kernel int, bias bool, o autograd.Conv2dOptions) *Conv2d {
	c := &Conv2d{Weight: autograd.NewParameter(out, in/max(1, o.Groups), kernel, kernel), Conv2dOptions: o}
	if bias {
		c.Bias = autograd.NewParameter(out)
	}
	return c
}

// Forward maps [n, in, h, w] to [n, out, h', w']. autograd.Conv2d gives h' and w'.
func (c *Conv2d) Forward(x *autograd.Tensor) *autograd.Tensor {
	return autograd.Conv2d(x, c.Weight, c.Bias, c.Conv2dOptions)
}

// ForwardAdd maps x, and a residual of the result's shape, to Act(conv(x) + residual): the end of a block of a
// residual network.
func (c *Conv2d) ForwardAdd(x, residual *autograd.Tensor) *autograd.Tensor {
	return autograd.Conv2dAdd(x, c.Weight, c.Bias, residual, c.Conv2dOptions)
}
