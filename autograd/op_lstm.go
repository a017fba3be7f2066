package autograd

import "github.com/fovea-ml/fovea/simd"

// LSTMCell is one step of a long short-term memory (Hochreiter and Schmidhuber, 1997), as PyTorch's
// LSTMCell. The shapes are x [N, in], h and c [N, H], wih [4H, in], whh [4H, H], and biases [4H] or nil.
// With the gates i, f, g and o side by side in the rows of x·wihᵀ + bih + h·whhᵀ + bhh,
//
//	c' = σ(f)·c + σ(i)·tanh(g)
//	h' = σ(o)·tanh(c')
//
// It saves the four gates and tanh(c').
func LSTMCell(x, h, c, wih, whh, bih, bhh Operand) (hNext, cNext *Tensor) {
	const name = "lstm cell"
	f := begin(name, x, h, c, wih, whh, bih, bhh)
	xs, hs, ws := x.Shape(), h.Shape(), wih.Shape()
	if len(xs) != 2 || len(hs) != 2 || hs[0] != xs[0] || !equalShape(c.Shape(), hs) {
		shapePanic(name, "expected x [N, in], h [N, H] and c [N, H]", xs, hs, c.Shape())
	}
	n, in, size := xs[0], xs[1], hs[1]
	wide := 4 * size
	if !equalShape(ws, []int{wide, in}) || !equalShape(whh.Shape(), []int{wide, size}) {
		shapePanic(name, "expected weights [4H, in] and [4H, H]", xs, hs, ws, whh.Shape())
	}
	for _, b := range []Operand{bih, bhh} {
		if given(b) && !equalShape(b.Shape(), []int{wide}) {
			shapePanic(name, "expected biases [4H]", hs, b.Shape())
		}
	}
	hNext, cNext = f.out(n, size), f.out(n, size)
	gates, squashed := f.save(n*wide), f.save(n*size)
	f.flops = 2 * n * wide * (in + size)
	f.project(gates, 0, x, wih, bih, n, in, wide)
	f.project(gates, 1, h, whh, bhh, n, size, wide)
	xv, hv, cv := f.values(x), f.values(h), f.values(c)
	var wx, wh []float32 // not asked for where panels do
	if f.grad {
		wx, wh = f.values(wih), f.values(whh)
	}
	f.each(n, 16*wide, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			row := gates[r*wide:][:wide]
			simd.Sigmoid(row[:2*size], row)
			simd.Tanh(row[2*size:3*size], row[2*size:])
			simd.Sigmoid(row[3*size:], row[3*size:])
			next, t := cNext.data[r*size:][:size], squashed[r*size:][:size]
			simd.Mul(next, row[size:], cv[r*size:])
			simd.MulAdd(next, row, row[2*size:])
			simd.Tanh(t, next)
			simd.Mul(hNext.data[r*size:][:size], row[3*size:], t)
		}
	})
	f.doneAll([]*Tensor{hNext, cNext}, func(b *back) {
		dh, dc := b.dyOf(0), b.dyOf(1)
		pre := b.scratch(n * wide) // gradient of the gates before their functions
		past := b.scratch(n * size)
		b.each(n, 4*wide, func(lo, hi int) {
			for r := lo; r < hi; r++ {
				at := r * size
				lstmGradient(pre[r*wide:][:wide], past[at:][:size], gates[r*wide:][:wide], squashed[at:][:size],
					cv[at:][:size], dh[at:][:size], dc[at:][:size])
			}
		})
		b.add(c, func(d []float32) { copy(d, past) })
		b.recycle(past)
		for _, bias := range []Operand{bih, bhh} {
			if given(bias) && b.wants(bias) {
				b.columnSums(b.sum(bias), pre, n, wide)
			}
		}
		for _, s := range []struct {
			in, w          Operand
			values, weight []float32
			width          int
		}{{x, wih, xv, wx, in}, {h, whh, hv, wh, size}} {
			dpre := simd.Matrix{Data: pre, Stride: wide}
			if b.wants(s.in) {
				d, beta := b.into(s.in)
				simd.Gemm(b.workers, n, s.width, wide, dpre, simd.Matrix{Data: s.weight, Stride: s.width}, beta, d, s.width, nil)
			}
			if b.wants(s.w) {
				dpre.Trans = true
				d, beta := b.into(s.w)
				simd.Gemm(b.workers, wide, s.width, n, dpre, simd.Matrix{Data: s.values, Stride: s.width}, beta, d, s.width, nil)
			}
		}
		b.recycle(pre)
	})
	return hNext, cNext
}

// project computes dst = x·wᵀ + b + beta·dst for x [m, in] and w [out, in].
func (f *frame) project(dst []float32, beta float32, x, w, b Operand, m, in, out int) {
	ep := &simd.Epilogue{Bias: f.values(b)}
	a := simd.Matrix{Data: f.values(x), Stride: in}
	if p, ok := w.(*Parameter); ok && f.packsAhead() {
		simd.GemmPacked(f.workers, m, a, p.store.panels(f.workers, out, in, true), beta, dst, out, ep)
		return
	}
	simd.Gemm(f.workers, m, out, in, a, simd.Matrix{Data: f.values(w), Stride: in, Trans: true}, beta, dst, out, ep)
}

// lstmGradient is one row of the backward step: pre receives the gradient of the four gates before their
// functions, past that of c. Products are rounded before they are added, so that no compiler fuses them on
// one machine and not on another.
func lstmGradient(pre, past, gates, squashed, c, dh, dc []float32) {
	n := len(past)
	di, df, dg, do := pre[:n], pre[n:2*n], pre[2*n:3*n], pre[3*n:]
	gi, gf, gg, g0 := gates[:n], gates[n:2*n], gates[2*n:3*n], gates[3*n:]
	for j := range past {
		i, f, g, o, t := gi[j], gf[j], gg[j], g0[j], squashed[j]
		d := dc[j] + float32(float32(dh[j]*o)*(1-float32(t*t)))
		past[j] = d * f
		di[j] = float32(d*g) * float32(i*(1-i))
		df[j] = float32(d*c[j]) * float32(f*(1-f))
		dg[j] = float32(d*i) * (1 - float32(g*g))
		do[j] = float32(dh[j]*t) * float32(o*(1-o))
	}
}
