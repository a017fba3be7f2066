package autograd

import "github.com/fovea-ml/fovea/simd"

// Linear returns x·wᵀ + b: x is [..., in], w is [out, in] as PyTorch stores it, b is [out] or nil, the
// result is [..., out]. A w with more dimensions is read as [out, product of the others], so the kernel of a
// patch convolution needs no reshaping.
func Linear(x, w, b Operand) *Tensor { return linear("linear", x, w, b, ActNone, nil, nil) }

// LinearAct returns act(x·wᵀ + b) in one pass over the result: the bits of [Activate] after [Linear]. It
// panics with a [UseError] if act is unknown.
func LinearAct(x, w, b Operand, act Activation) *Tensor {
	return linear("linear+act", x, w, b, act, nil, nil)
}

// LinearAdd returns residual + x·wᵀ + b in one pass over the result. residual has the shape of the result.
func LinearAdd(x, w, b, residual Operand) *Tensor {
	return linear("linear+add", x, w, b, ActNone, nil, residual)
}

// LinearAddScaled returns residual + scale·(x·wᵀ + b): the bits of [AddScaled] after [Linear], for inference in one pass over
// the result. scale is [out].
func LinearAddScaled(x, w, b, residual, scale Operand) *Tensor {
	const name = "linear+add scaled"
	if !tapeOf(name, x, w, residual).Inference() {
		return AddScaled(residual, Linear(x, w, b), scale)
	}
	return linear(name, x, w, b, ActNone, scale, residual)
}

// linear returns residual + scale·act(x·wᵀ + b). A scale has no gradient here.
func linear(name string, x, w, b Operand, act Activation, scale, residual Operand) *Tensor {
	f := begin(name, x, w, b, scale, residual)
	xs, ws := x.Shape(), w.Shape()
	if len(xs) == 0 || len(ws) < 2 || xs[len(xs)-1] != elements(name, ws[1:]) {
		shapePanic(name, "expected x [..., in] and w [out, in]", xs, ws)
	}
	out, in := ws[0], xs[len(xs)-1]
	m, _ := rows(xs)
	checkActivation(name, act)
	if given(b) && !equalShape(b.Shape(), []int{out}) {
		shapePanic(name, "expected a bias [out]", ws, b.Shape())
	}
	if given(scale) && !equalShape(scale.Shape(), []int{out}) {
		shapePanic(name, "expected a scale [out]", ws, scale.Shape())
	}
	shape := append(cloneShape(xs[:len(xs)-1]), out)
	if given(residual) && !equalShape(residual.Shape(), shape) {
		shapePanic(name, "expected a residual of the result's shape", shape, residual.Shape())
	}

	y, math := f.out(shape...), f.products(x, w)
	if act == ActNone && f.again(y) {
		return f.done(y, linearBack(math, x, w, b, residual, act, f.values(x), f.values(w), nil))
	}
	f.flops = 2 * m * in * out
	ep := &simd.Epilogue{Bias: f.values(b), Act: act, Scale: f.values(scale)}
	if given(residual) {
		ep.Residual, ep.ResidualStride = f.values(residual), out
	}
	var pre []float32
	if act != ActNone && f.grad {
		pre = f.save(m * out)
		ep.Pre, ep.PreStride = pre, out
	}
	xv := f.values(x)
	a := simd.Matrix{Data: xv, Stride: in}
	var wv []float32 // stays nil when the packed panels are enough
	if p, ok := w.(*Parameter); ok && f.packsAhead() {
		simd.GemmPacked(f.workers, m, a, p.store.panels(f.workers, math, out, in, true), 0, y.data, out, ep)
	} else {
		wv = f.values(w)
		math.Gemm(f.workers, m, out, in, a, simd.Matrix{Data: wv, Stride: in, Trans: true}, 0, y.data, out, ep)
	}

	return f.done(y, linearBack(math, x, w, b, residual, act, xv, wv, pre))
}

// linearBack is the backward step of a linear layer. pre holds the values before its activation.
func linearBack(math simd.Math, x, w, b, residual Operand, act Activation, xv, wv, pre []float32) func(g *back) {
	out, in := w.Shape()[0], x.Shape()[len(x.Shape())-1]
	m, _ := rows(x.Shape())
	return func(g *back) {
		if given(residual) {
			g.pass(residual)
		}
		dy := g.dy
		if act != ActNone {
			dy = g.scratch(m * out)
			defer g.recycle(dy)
			g.each(len(dy), act.Cost(), func(lo, hi int) { act.Grad(dy[lo:hi], pre[lo:hi], g.dy[lo:hi]) })
		}
		if given(b) && g.wants(b) {
			db := g.sum(b)
			g.columnSums(db, dy, m, out)
		}
		if g.wants(x) {
			dx, beta := g.into(x)
			math.Gemm(g.workers, m, in, out, simd.Matrix{Data: dy, Stride: out},
				simd.Matrix{Data: wv, Stride: in}, beta, dx, in, nil)
		}
		if g.wants(w) {
			dw, beta := g.into(w)
			math.Gemm(g.workers, out, in, m, simd.Matrix{Data: dy, Stride: out, Trans: true},
				simd.Matrix{Data: xv, Stride: in}, beta, dw, in, nil)
		}
	}
}

// columnSums adds the sums of the columns of x, [m, n], to dst, by simd.ColumnSumsAdd.
func (t *Tape) columnSums(dst, x []float32, m, n int) {
	const strip = 128
	t.each(ceilDiv(n, strip), strip*max(1, m), func(lo, hi int) {
		j0, j1 := lo*strip, min(n, hi*strip)
		if m > 0 && j0 < j1 {
			simd.ColumnSumsAdd(dst[j0:j1], x[j0:], m, j1-j0, n)
		}
	})
}
