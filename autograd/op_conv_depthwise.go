package autograd

import "github.com/fovea-ml/fovea/simd"

// A depthwise convolution has one input channel a group, so a product with its weight would have as few rows as a
// group has filters. Package simd has kernels that go through planes directly; tasks are runs of planes.

// depthwiseShape is the geometry for the kernels of package simd.
func (g *convShape) depthwiseShape() *simd.DepthwiseShape {
	return &simd.DepthwiseShape{
		Height: g.h, Width: g.w, Rows: g.oh, Columns: g.ow, Filters: g.co,
		KernelY: g.kh, KernelX: g.kw, StrideY: g.sy, StrideX: g.sx,
		PadY: g.py, PadX: g.px, DilationY: g.dy, DilationX: g.dx,
	}
}

// eachPlanes divides the planes of all images among tasks. f gets channels lo to hi of image i.
func (g *convShape) eachPlanes(t *Tape, f func(i, lo, hi int)) {
	cost := g.co * g.kh * g.kw * g.positions() / 2
	t.each(g.n*g.groups, cost, func(lo, hi int) {
		for lo < hi {
			i := lo / g.groups
			end := min(hi, (i+1)*g.groups)
			f(i, lo-i*g.groups, end-i*g.groups)
			lo = end
		}
	})
}

// depthwiseForward leaves the bias and the activation to the kernel, unless there is something in between.
func (g *convShape) depthwiseForward(t *Tape, y []float32, beta float32, x, w []float32, end convEnd) {
	shape := g.depthwiseShape()
	sums := y
	if beta != 0 {
		sums = t.scratch(len(y))
		defer t.recycle(sums)
	}
	kernel, apart := end, convEnd{}
	if end.residual != nil || end.pre != nil {
		kernel, apart = convEnd{bias: end.bias}, convEnd{residual: end.residual, pre: end.pre, act: end.act}
	}
	in, out, window := g.h*g.w, g.co*g.positions(), g.co*g.kh*g.kw
	g.eachPlanes(t, func(i, lo, hi int) {
		at, size := (i*g.groups+lo)*out, (hi-lo)*out
		if g.list != nil {
			for c := lo; c < hi; c++ {
				p := i*g.groups + c
				simd.DepthwiseConv(sums[p*out:], g.list.plane(p, in), w[c*window:], from(kernel.bias, c*g.co), 1, shape, kernel.act)
			}
			apart.row(y[at:][:size], 0, at)
			return
		}
		simd.DepthwiseConv(sums[at:], x[(i*g.groups+lo)*in:], w[lo*window:], from(kernel.bias, lo*g.co), hi-lo, shape, kernel.act)
		if beta != 0 {
			dst := y[at:][:size]
			simd.Add(dst, dst, sums[at:])
		}
		apart.row(y[at:][:size], 0, at)
	})
}

// depthwiseWeightGrad adds the gradients of the images in order.
func (g *convShape) depthwiseWeightGrad(t *Tape, dw []float32, beta float32, x, dy []float32) {
	shape := g.depthwiseShape()
	in, out, window := g.h*g.w, g.co*g.positions(), g.co*g.kh*g.kw
	t.each(g.groups, g.n*window*g.positions()/2, func(lo, hi int) {
		for i := range g.n {
			at := i*g.groups + lo
			simd.DepthwiseConvWeightGrad(dw[lo*window:], x[at*in:], dy[at*out:], hi-lo, i > 0 || beta != 0, shape)
		}
	})
}

func (g *convShape) depthwiseInputGrad(t *Tape, dx []float32, beta float32, dy, w []float32) {
	shape := g.depthwiseShape()
	sums := dx
	if beta != 0 {
		sums = t.scratch(len(dx))
		defer t.recycle(sums)
	}
	in, out, window := g.h*g.w, g.co*g.positions(), g.co*g.kh*g.kw
	g.eachPlanes(t, func(i, lo, hi int) {
		at := i*g.groups + lo
		simd.DepthwiseConvInputGrad(sums[at*in:], dy[at*out:], w[lo*window:], hi-lo, shape)
		if beta != 0 {
			dst := dx[at*in:][:(hi-lo)*in]
			simd.Add(dst, dst, sums[at*in:])
		}
	})
}
