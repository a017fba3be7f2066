package autograd

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd"
)

// Conv2dOptions configure [Conv2d]. Pairs are (vertical, horizontal); a zero Stride, Dilation or Groups
// means 1, so that the zero value is a plain convolution without padding.
type Conv2dOptions struct {
	Stride   [2]int // step of the window
	Padding  [2]int // zeros on either side
	Dilation [2]int // distance between the window's taps
	Groups   int    // input and output channels are divided into as many independent convolutions

	// Act is applied to the result in the same pass: the bits of [Activate] after a convolution without it.
	Act Activation
}

// Conv2d correlates images with filters, as PyTorch's conv2d. x is [n, in, h, w], w is [out, in/groups, kh,
// kw], b is [out] or nil, and the result, before o.Act, is [n, out, oh, ow] with
//
//	oh = ⌊(h + 2·padding - dilation·(kh-1) - 1) / stride⌋ + 1
//
// An output is a sum of products over (channel, ky, kx), padding included, then the bias. It is cut into blocks of
// max(1, ⌊256/(kh·kw)⌋) channels, and a block into chains of 96 products as in [simd.Gemm]. A chain is one of fused
// multiply-adds from +0. The chains of a block are added one after the other, then the blocks. Gradients are such
// sums too:
//
//   - that of x runs over (filter, ky, kx), for the taps that see pixels with the same remainders modulo the stride,
//     in blocks of max(1, ⌊256/taps⌋) filters;
//   - that of w runs over (image, position), in blocks of 256 positions of an image, or of max(1, ⌊256/positions⌋)
//     images of at most 128 positions.
//
// With a stride and dilation of 1, filters of 3×3, at least 32 channels in and 32 out, one group and a result large enough,
// the result has the sums of [simd.WinogradConv] instead, which takes 4 multiplications where the definition has 9. A
// pixel that is not finite then makes up to 4×4 neighbors NaN. The gradient of x has such sums too, where x is large enough:
// it is a convolution of the result's gradient. That of w has the sums above.
//
// A 1×1 convolution without stride and padding has the blocks of [simd.Gemm] instead, except in the gradient of w where
// images have at most 128 positions. A depthwise convolution has the sums of [simd.DepthwiseConv]. So no bit depends on
// the number of threads, and no result on what else is in the batch.
//
// The sums above are those of Strict. On a tape of BF16 or Int8, a dense convolution has the arithmetic of [simd.PackedFilters],
// where the processor has instructions for it ([simd.Math.PixelChannels]) and a group has products enough to be faster than
// in Strict:
//
//   - at least 16 channels in and 16 out;
//   - with 1×1 filters, at least 24 channels in and 1,024 weights (in·out);
//   - with larger filters and a stride, at least 512 results in a row (out·ow).
//
// K then runs over (word of channels, ky, kx), and a block of max(1, ⌊256/(kh·kw)⌋) words is one chain. In Int8, each filter has a
// scale, and each image has one, computed at each call. With 1×1 filters and no padding, each pixel has a scale, as each row of a
// [Linear] has. Depthwise convolutions and smaller ones are Strict in every mode. Winograd's algorithm is used in Strict alone.
//
// In BF16, two gradients of such convolutions are in BF16 too, where a result has more than 128 positions. All others are
// Strict.
//
//   - That of x, without a stride and with padding of at most dilation·(kernel-1), where the convolution of the result's
//     gradient, in and out exchanged, meets the rule above. It has that arithmetic.
//   - That of the w of a 1×1 convolution without stride and padding. It sums the products of images, by [simd.Math.Gemm].
func Conv2d(x, w, b Operand, o Conv2dOptions) *Tensor {
	name := "conv2d"
	if o.Act != ActNone {
		name = "conv2d+act"
	}
	return conv2d(name, x, w, b, nil, o)
}

// Conv2dAdd returns act(conv2d(x, w, b) + residual) in one pass over the result: the end of a block of a residual
// network. It has the bits of [Conv2d] without an activation, [Add] and [Activate]. residual has the shape of the
// result.
func Conv2dAdd(x, w, b, residual Operand, o Conv2dOptions) *Tensor {
	return conv2d("conv2d+add", x, w, b, residual, o)
}

func conv2d(name string, x, w, b, residual Operand, o Conv2dOptions) *Tensor {
	f := beginPlanes(name, x, w, b, residual)
	xs, ws := x.Shape(), w.Shape()
	groups := max(1, o.Groups)
	if len(xs) != 4 || len(ws) != 4 || xs[1] != ws[1]*groups || ws[0]%groups != 0 {
		shapePanic(name, fmt.Sprintf("expected x [n, in, h, w] and w [out, in/groups, kh, kw], where groups divide in and out; groups is %d", groups), xs, ws)
	}
	checkBias(name, b, ws[0])
	checkActivation(name, o.Act)
	g := newConvShape(name, ws, o.Stride, o.Padding, o.Dilation, o.Groups)
	g.n, g.h, g.w = xs[0], xs[2], xs[3]
	g.oh = windows(name, g.h+2*g.py-g.dy*(g.kh-1)-1, g.sy, xs, ws)
	g.ow = windows(name, g.w+2*g.px-g.dx*(g.kw-1)-1, g.sx, xs, ws)

	shape := []int{g.n, ws[0], g.oh, g.ow}
	if given(residual) && !equalShape(residual.Shape(), shape) {
		shapePanic(name, "expected a residual of the result's shape", shape, residual.Shape())
	}

	f.math = g.arithmetic(f.MathOf(x, w))
	if in, _ := x.operand(); in != nil && (g.takesPlanes() || f.math != simd.Strict) && f.alone(in) {
		g.list = in.planes
	}
	f.joinPlanesBut(g.list)
	y := f.out(shape...)
	f.flops = g.flops()
	xv := f.values(x)
	p, ok := w.(*Parameter)
	var weight convWeight
	switch ahead := ok && f.packsAhead(); {
	case ahead && f.math != simd.Strict:
		weight.pixels = p.store.pixels(f.workers, f.math, g.groups, g.co, g.ci, g.kh*g.kw)
	case ahead && g.winograd():
		weight.winograd = p.store.winograd(f.workers, g.winogradShape())
	case ahead && g.slides():
		weight.filters = p.store.filters(f.workers, g.groups, g.co, g.taps())
	default:
		weight.values = f.values(w)
	}
	end := convEnd{bias: f.values(b), residual: f.values(residual), act: o.Act}
	pre := f.preActivation(y, &end)
	if f.math != simd.Strict {
		g.pixelsForward(f.Tape, y.data, xv, weight, f.math, end)
	} else {
		g.forward(f.Tape, y.data, 0, xv, weight, end)
	}
	math := f.math
	return f.done(y, func(k *back) {
		dy := k.dy
		if o.Act != ActNone {
			dy = k.beforeActivation(o.Act, pre)
			defer k.recycle(dy)
		}
		if given(residual) && o.Act == ActNone {
			k.pass(residual)
		} else if given(residual) {
			k.add(residual, func(dst []float32) { k.each(len(dst), 1, func(lo, hi int) { copy(dst[lo:hi], dy[lo:hi]) }) })
		}
		if k.wants(b) {
			k.channelSums(k.sum(b), dy, g.n, g.oh*g.ow)
		}
		if k.wants(w) {
			dw, beta := k.into(w)
			g.weightGrad(k.Tape, math, dw, beta, xv, dy)
		}
		if k.wants(x) {
			dx, beta := k.into(x)
			g.inputGrad(k.Tape, math, dx, beta, dy, weight.values)
		}
	})
}

// windows returns how many steps of stride fit in room, and one more.
func windows(name string, room, stride int, xs, ws []int) int {
	if room < 0 {
		shapePanic(name, "the window is larger than the padded image", xs, ws)
	}
	return room/stride + 1
}

func checkBias(name string, b Operand, out int) {
	if given(b) && !equalShape(b.Shape(), []int{out}) {
		shapePanic(name, "expected a bias [out]", []int{out}, b.Shape())
	}
}

// channelSums adds the sum of each channel of x, [n, len(dst), inner], to dst. The sums of the planes are added in
// float64, in the order of the images, and the total joins dst by one addition.
func (t *Tape) channelSums(dst, x []float32, n, inner int) {
	c := len(dst)
	t.each(c, max(1, n*inner), func(lo, hi int) {
		for j := lo; j < hi; j++ {
			total := 0.0
			for i := range n {
				total += float64(simd.Sum(x[(i*c+j)*inner:][:inner]))
			}
			dst[j] += float32(total)
		}
	})
}

// convShape is the geometry of a convolution from images [n, groups·ci, h, w] to [n, groups·co, oh, ow].
// [ConvTranspose2d] runs it backward.
type convShape struct {
	n, groups int
	ci, h, w  int // channels of one group, height and width before
	co        int // channels of one group after
	oh, ow    int
	kh, kw    int
	sy, sx    int // stride
	py, px    int // padding
	dy, dx    int // dilation

	list *planeList // of the images before, if their planes lie apart
}

// newConvShape fills in the sizes given by a weight of shape [groups·co, ci, kh, kw] and by the options.
func newConvShape(name string, ws []int, stride, padding, dilation [2]int, groups int) *convShape {
	one := func(v int) int {
		if v == 0 {
			return 1
		}
		return v
	}
	g := &convShape{
		groups: one(groups), ci: ws[1], kh: ws[2], kw: ws[3],
		sy: one(stride[0]), sx: one(stride[1]), py: padding[0], px: padding[1],
		dy: one(dilation[0]), dx: one(dilation[1]),
	}
	if min(g.sy, g.sx, g.dy, g.dx, g.groups) < 1 || min(g.py, g.px) < 0 {
		shapePanic(name, "expected a stride, dilation and groups of at least 1 (0 stands for 1) and a padding of at least 0; "+
			"these are stride, padding, dilation and groups", stride[:], padding[:], dilation[:], []int{groups})
	}
	if g.kh == 0 || g.kw == 0 || g.ci == 0 {
		shapePanic(name, "expected a weight with at least one channel and one tap", ws)
	}
	g.co = ws[0] / g.groups
	return g
}

// taps is the number of products behind one output.
func (g *convShape) taps() int { return g.ci * g.kh * g.kw }

// positions is the number of outputs of one channel.
func (g *convShape) positions() int { return g.oh * g.ow }

func (g *convShape) flops() int {
	return 2 * g.n * g.groups * g.co * g.taps() * g.positions()
}

// pointwise reports whether a convolution is a product of the weight with the images as they lie in memory.
func (g *convShape) pointwise() bool {
	return g.kh == 1 && g.kw == 1 && g.sy == 1 && g.sx == 1 && g.py == 0 && g.px == 0
}

// depthwise reports whether each channel has filters of its own. A product would then have a single row.
func (g *convShape) depthwise() bool { return g.ci == 1 && g.groups > 1 }

// takesPlanes reports whether the forward pass reads images whose planes lie apart.
func (g *convShape) takesPlanes() bool { return g.depthwise() || g.pointwise() && g.groups == 1 }

// before returns the channels of group k of image i in x.
func (g *convShape) before(x []float32, i, k int) []float32 {
	size := g.ci * g.h * g.w
	return x[(i*g.groups+k)*size:][:size]
}

// after returns the channels of group k of image i in y.
func (g *convShape) after(y []float32, i, k int) []float32 {
	size := g.co * g.positions()
	return y[(i*g.groups+k)*size:][:size]
}

// weight returns the filters of group k.
func (g *convShape) weight(w []float32, k int) []float32 {
	size := g.co * g.taps()
	return w[k*size:][:size]
}
