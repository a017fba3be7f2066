package autograd

import "github.com/fovea-ml/fovea/simd"

// ConvTranspose2dOptions configure [ConvTranspose2d]. Pairs are (vertical, horizontal); a zero Stride,
// Dilation or Groups means 1.
type ConvTranspose2dOptions struct {
	Stride        [2]int
	Padding       [2]int // cut off from either side of the result
	OutputPadding [2]int // added to the far side of the result, less than the stride or the dilation
	Dilation      [2]int
	Groups        int
}

// ConvTranspose2d is the transpose of [Conv2d], as PyTorch's conv_transpose2d: each input pixel adds its
// multiple of the filters to the result. The shapes are x [n, in, h, w], w [in, out/groups, kh, kw] and b
// [out] or nil. The result is [n, out, oh, ow] with
//
//	oh = (h-1)·stride - 2·padding + dilation·(kh-1) + outputPadding + 1
//
// A result is a sum like the gradient of Conv2d with respect to x, then the bias.
func ConvTranspose2d(x, w, b Operand, o ConvTranspose2dOptions) *Tensor {
	const name = "conv transpose2d"
	f := begin(name, x, w, b)
	xs, ws := x.Shape(), w.Shape()
	groups := max(1, o.Groups)
	if len(xs) != 4 || len(ws) != 4 || xs[1] != ws[0] || ws[0]%groups != 0 {
		shapePanic(name, "expected x [n, in, h, w] and w [in, out/groups, kh, kw], in a multiple of groups", xs, ws)
	}
	out := ws[1] * groups
	checkBias(name, b, out)
	// The convolution whose transpose this is takes the result to x.
	g := newConvShape(name, ws, o.Stride, o.Padding, o.Dilation, o.Groups)
	for i, p := range o.OutputPadding {
		if p < 0 || p >= max([2]int{g.sy, g.sx}[i], [2]int{g.dy, g.dx}[i]) {
			shapePanic(name, "expected an output padding less than the stride or the dilation", xs, ws, o.OutputPadding[:])
		}
	}
	g.n, g.oh, g.ow = xs[0], xs[2], xs[3]
	g.h = (g.oh-1)*g.sy - 2*g.py + g.dy*(g.kh-1) + o.OutputPadding[0] + 1
	g.w = (g.ow-1)*g.sx - 2*g.px + g.dx*(g.kw-1) + o.OutputPadding[1] + 1
	if g.oh == 0 || g.ow == 0 || g.h < 1 || g.w < 1 {
		shapePanic(name, "the result would be empty", xs, ws, []int{g.h, g.w})
	}

	y := f.out(g.n, out, g.h, g.w)
	f.flops = g.flops()
	xv, wv := f.values(x), f.values(w)
	g.inputGrad(f.Tape, simd.Strict, y.data, 0, xv, wv)
	inner := g.h * g.w
	if bv := f.values(b); bv != nil {
		f.each(g.n*out, inner, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				plane := y.data[i*inner:][:inner]
				simd.AddScalar(plane, plane, bv[i%out])
			}
		})
	}
	return f.done(y, func(k *back) {
		if k.wants(b) {
			k.channelSums(k.sum(b), k.dy, g.n, inner)
		}
		if k.wants(w) {
			dw, beta := k.into(w)
			g.weightGrad(k.Tape, simd.Strict, dw, beta, k.dy, xv)
		}
		if k.wants(x) {
			dx, beta := k.into(x)
			g.forward(k.Tape, dx, beta, k.dy, convWeight{values: wv}, convEnd{})
		}
	})
}
