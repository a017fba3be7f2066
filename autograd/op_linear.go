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

// LinearAddScaled returns residual + scale·(x·wᵀ + b), with the bits of [AddScaled] after [Linear]. Inference computes it in one
// pass over the result. scale is [out].
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
	out, in := checkLinear(name, x.Shape(), w, b)
	xs := x.Shape()
	m, _ := rows(xs)
	checkActivation(name, act)
	checkScale(name, w, scale)
	shape := append(cloneShape(xs[:len(xs)-1]), out)
	checkResidual(name, shape, residual)

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

// checkLinear checks the operands of a linear layer, x by its shape, and returns its sizes.
func checkLinear(name string, xs []int, w, b Operand) (out, in int) {
	ws := w.Shape()
	if len(xs) == 0 || len(ws) < 2 || xs[len(xs)-1] != elements(name, ws[1:]) {
		shapePanic(name, "expected x [..., in] and w [out, in]", xs, ws)
	}
	if given(b) && !equalShape(b.Shape(), ws[:1]) {
		shapePanic(name, "expected a bias [out]", ws, b.Shape())
	}
	return ws[0], xs[len(xs)-1]
}

func checkScale(name string, w, scale Operand) {
	if given(scale) && !equalShape(scale.Shape(), w.Shape()[:1]) {
		shapePanic(name, "expected a scale [out]", w.Shape(), scale.Shape())
	}
}

func checkResidual(name string, shape []int, residual Operand) {
	if given(residual) && !equalShape(residual.Shape(), shape) {
		shapePanic(name, "expected a residual of the result's shape", shape, residual.Shape())
	}
}

// ActLinear returns residual + act(x)·wᵀ + b, with the bits of [LinearAdd] after [Activate]. x, w and b are those of [Linear],
// residual has the shape of the result; b and residual may be nil. Backward computes act(x) again, so that training keeps x
// alone. It panics with a [UseError] if act is unknown.
func ActLinear(x *Tensor, act Activation, w, b, residual Operand) *Tensor {
	const name = "act+linear"
	checkActivation(name, act)
	f := begin(name, x, w, b, residual)
	out, in := checkLinear(name, x.shape, w, b)
	m, _ := rows(x.shape)
	shape := append(cloneShape(x.shape[:len(x.shape)-1]), out)
	checkResidual(name, shape, residual)
	xv, wv, bv, y, math := f.values(x), f.values(w), f.values(b), f.out(shape...), f.products(x, w)
	activate := func(t *Tape) simd.Matrix {
		h := t.scratch(len(xv))
		t.each(len(xv), act.Cost(), func(lo, hi int) { act.Apply(h[lo:hi], xv[lo:hi]) })
		return simd.Matrix{Data: h, Stride: in}
	}
	if !f.again(y) {
		f.flops = 2 * m * in * out
		ep := &simd.Epilogue{Bias: bv}
		if given(residual) {
			ep.Residual, ep.ResidualStride = f.values(residual), out
		}
		h := activate(f.Tape)
		math.Gemm(f.workers, m, out, in, h, simd.Matrix{Data: wv, Stride: in, Trans: true}, 0, y.data, out, ep)
		f.recycle(h.Data)
	}
	return f.done(y, func(g *back) {
		dy := simd.Matrix{Data: g.dy, Stride: out}
		if given(residual) {
			g.pass(residual)
		}
		if given(b) && g.wants(b) {
			g.columnSums(g.sum(b), g.dy, m, out)
		}
		if g.wants(w) {
			h := activate(g.Tape)
			dw, beta := g.into(w)
			math.Gemm(g.workers, out, in, m, simd.Matrix{Data: g.dy, Stride: out, Trans: true}, h, beta, dw, in, nil)
			g.recycle(h.Data)
		}
		g.add(x, func(dx []float32) {
			math.Gemm(g.workers, m, in, out, dy, simd.Matrix{Data: wv, Stride: in}, 0, dx, in, nil)
			g.each(len(dx), act.Cost(), func(lo, hi int) { act.Grad(dx[lo:hi], xv[lo:hi], dx[lo:hi]) })
		})
	})
}

// FeedForward returns residual + scale·(act(x·w1ᵀ + b1)·w2ᵀ + b2), the MLP of a transformer. x is [..., in], w1 is
// [hidden, in] and w2 is [out, hidden]. The biases, scale [out] and residual [..., out] may be nil; a scale needs a residual.
// The bits are those of [LinearAct] and then [LinearAddScaled], or [LinearAdd] or [Linear]. In inference with more than some 220
// tokens for each thread, the hidden values of about 100 tokens are made and used at a time: they stay in cache and need little
// memory. With weights in panels of half precision all are made first. FeedForward panics with a [UseError] if act is unknown,
// and if there is a scale but no residual.
func FeedForward(x, w1, b1 Operand, act Activation, w2, b2, residual, scale Operand) *Tensor {
	const name = "feed forward"
	if given(scale) && !given(residual) {
		usePanic(name, "expected a residual beside a scale")
	}
	t := tapeOf(name, x, w1, b1, w2, b2, residual, scale)
	p1, ok1 := w1.(*Parameter)
	p2, ok2 := w2.(*Parameter)
	if !t.Inference() || !ok1 || !ok2 || t.MathOf(x, w1) != t.MathOf(nil, w2) {
		h := LinearAct(x, w1, b1, act)
		switch {
		case given(scale):
			return LinearAddScaled(h, w2, b2, residual, scale)
		case given(residual):
			return LinearAdd(h, w2, b2, residual)
		}
		return Linear(h, w2, b2)
	}
	f := begin(name, x, w1, b1, w2, b2, residual, scale)
	checkActivation(name, act)
	hidden, in := checkLinear(name, x.Shape(), w1, b1)
	lead := x.Shape()[:len(x.Shape())-1]
	out, _ := checkLinear(name, append(cloneShape(lead), hidden), w2, b2)
	shape := append(cloneShape(lead), out)
	checkScale(name, w2, scale)
	checkResidual(name, shape, residual)
	m, _ := rows(shape)

	y, math := f.out(shape...), f.products(x, w1)
	f.flops = 2 * m * hidden * (in + out)
	first := &simd.Epilogue{Bias: f.values(b1), Act: act}
	second := &simd.Epilogue{Bias: f.values(b2), Scale: f.values(scale)}
	if given(residual) {
		second.Residual, second.ResidualStride = f.values(residual), out
	}
	panels1, panels2 := p1.store.panels(f.workers, math, hidden, in, true), p2.store.panels(f.workers, math, out, hidden, true)
	simd.GemmPackedTwice(f.workers, m, simd.Matrix{Data: f.values(x), Stride: in}, panels1, first, f.save, panels2, y.data, out, second)
	return f.done(y, nil)
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
