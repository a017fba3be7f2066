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

// FPN is a feature pyramid network (Lin et al., arXiv 1612.03144). A 1×1 convolution brings each level to the same
// number of channels. From the coarsest level on, each is enlarged by nearest neighbor and added to the next finer one. A
// 3×3 convolution smooths each sum.
type FPN struct {
	Inner []*Conv2d // 1×1 without activation, one a level, finest first
	Layer []*Conv2d // 3×3, one a level
}

// NewFPN returns a pyramid of zeros over levels of the given channels, finest first.
func NewFPN(in []int, out int) *FPN {
	f := &FPN{}
	for _, c := range in {
		f.Inner = append(f.Inner, NewConv2d(c, out, 1, true, autograd.Conv2dOptions{}))
		f.Layer = append(f.Layer, NewConv2d(out, out, 3, true, autograd.Conv2dOptions{Padding: [2]int{1, 1}}))
	}
	return f
}

// Forward maps the levels of a backbone, [n, in, h, w], finest first, to as many levels [n, out, h, w]. It panics with
// an autograd.ShapeError when the pyramid has another number of levels.
func (f *FPN) Forward(levels []*autograd.Tensor) []*autograd.Tensor {
	if len(levels) != len(f.Inner) {
		panic(&autograd.ShapeError{Op: "fpn", Shapes: [][]int{{len(levels)}, {len(f.Inner)}}, Reason: "expected as many levels"})
	}
	out := make([]*autograd.Tensor, len(levels))
	var top *autograd.Tensor
	for i := len(levels) - 1; i >= 0; i-- {
		if x := levels[i]; top == nil {
			top = f.Inner[i].Forward(x)
		} else {
			top = f.Inner[i].ForwardAdd(x, autograd.Resize2d(top, x.Dim(2), x.Dim(3), autograd.ResizeOptions{Mode: autograd.Nearest}))
		}
		out[i] = f.Layer[i].Forward(top)
	}
	return out
}
