package autograd

import "github.com/fovea-ml/fovea/simd"

// KLOptions configure [KLDivergence].
type KLOptions struct {
	// LogTarget says that targets are logarithms of probabilities too.
	LogTarget bool
	// Reduction is LossMean, over all elements, unless set. LossSum divided by the number of rows is PyTorch's
	// batchmean. LossEach gives a term for each element, of x's shape.
	Reduction Reduction
}

// KLDivergence returns the Kullback-Leibler divergence of the targets t, probabilities, from the logarithms x of
// probabilities of the same shape, as F.kl_div does. It is the mean, or another reduction of the options, of
//
//	t·(log t - x)
//
// It is 0 when there are no elements. Where t is 0 the term is 0, unless x is infinite; the
// gradient of t is -x there (PyTorch: NaN). With LogTarget the terms are e^t·(t - x).
func KLDivergence(x, targets Operand, o KLOptions) *Tensor {
	const name = "kl divergence"
	f := begin(name, x, targets)
	if !equalShape(x.Shape(), targets.Shape()) {
		shapePanic(name, "expected targets of the shape of x", x.Shape(), targets.Shape())
	}
	xv, tv := f.values(x), f.values(targets)
	// terms stores the terms of the elements from lo to hi in p; q is scratch.
	terms := func(p, q []float32, lo, hi int) {
		t := tv[lo:hi]
		if o.LogTarget {
			simd.Sub(q, t, xv[lo:hi])
			simd.Exp(p, t)
			simd.Mul(p, p, q)
			return
		}
		logOfTargets(q, t)
		simd.Sub(q, q, xv[lo:hi])
		simd.Mul(p, q, t)
	}
	out, times := f.reduced(x.Shape(), o.Reduction, terms)
	return f.done(out, func(b *back) {
		b.add(x, func(dx []float32) {
			b.each(len(dx), 8, func(lo, hi int) {
				d := dx[lo:hi]
				if o.LogTarget {
					simd.Exp(d, tv[lo:hi])
					simd.Neg(d, d)
				} else {
					simd.Neg(d, tv[lo:hi])
				}
				times(b, d, lo)
			})
		})
		b.add(targets, func(dt []float32) {
			b.eachRange(len(dt), 16, grain/16, func(s []float32, lo, hi int) {
				d, t, q := dt[lo:hi], tv[lo:hi], s[:hi-lo]
				if o.LogTarget { // e^t·(t - x + 1)
					simd.Sub(q, t, xv[lo:hi])
					simd.AddScalar(q, q, 1)
					simd.Exp(d, t)
					simd.Mul(d, d, q)
				} else { // log t - x + 1
					logOfTargets(d, t)
					simd.Sub(d, d, xv[lo:hi])
					for i, v := range t {
						d[i] += oneIf(v != 0)
					}
				}
				times(b, d, lo)
			})
		})
	})
}

// logOfTargets stores the logarithms of t, and 0 where t is 0.
func logOfTargets(dst, t []float32) {
	simd.Log(dst, t)
	for i, v := range t {
		if v == 0 {
			dst[i] = 0
		}
	}
}
