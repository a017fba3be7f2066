package autograd

import "github.com/fovea-ml/fovea/simd"

// Losses return a Tensor of one element, of shape [], at which Backward starts. Sums run in one fixed order, so
// that a loss does not depend on the number of threads.

// MSE returns the mean of (x - y)² over all elements; 0 when there are none. x and y have one shape.
func MSE(x, y Operand) *Tensor {
	return pairLoss("mse", x, y, pairRule{
		value: func(d, _ []float32) float32 { return simd.SumSquares(d) },
		slope: func(d []float32) { simd.Scale(d, d, 2) },
	})
}

// L1 returns the mean of |x - y| over all elements; 0 when there are none. The slope is 0 where x = y, and where x - y
// is NaN, as in PyTorch.
func L1(x, y Operand) *Tensor {
	return pairLoss("l1", x, y, pairRule{
		value: func(d, _ []float32) float32 {
			simd.Abs(d, d)
			return simd.Sum(d)
		},
		slope: func(d []float32) {
			for i, v := range d {
				switch {
				case v > 0:
					d[i] = 1
				case v < 0:
					d[i] = -1
				default: // 0, or NaN
					d[i] = 0
				}
			}
		},
	})
}

// SmoothL1 returns the mean over all elements of d²/(2·beta) where d = |x - y| is below beta, and of d - beta/2
// elsewhere. Girshick (arXiv 1504.08083, section 2.3) uses beta 1. With beta 0 it is L1.
func SmoothL1(x, y Operand, beta float32) *Tensor {
	if beta == 0 {
		return L1(x, y)
	}
	if !(beta > 0) {
		usePanic("smooth l1", "expected a beta of at least 0")
	}
	return pairLoss("smooth l1", x, y, pairRule{
		// With m = min(d, beta), both branches are m·(d - m/2)/beta.
		value: func(d, m []float32) float32 {
			simd.Abs(d, d)
			simd.Clamp(m, d, 0, beta)
			simd.Axpy(d, -0.5, m)
			return simd.Dot(d, m) / beta
		},
		slope: func(d []float32) {
			simd.Scale(d, d, 1/beta)
			simd.Clamp(d, d, -1, 1)
		},
	})
}

// pairRule is a loss of differences. value returns the sum over the differences d, which it may change, and gets
// scratch of the same length. slope turns differences into derivatives.
type pairRule struct {
	value func(d, scratch []float32) float32
	slope func(d []float32)
}

// lossChunk is the number of elements summed in float32 before they join a float64 sum.
const lossChunk = 2048

func pairLoss(name string, x, y Operand, rule pairRule) *Tensor {
	f := begin(name, x, y)
	if !equalShape(x.Shape(), y.Shape()) {
		shapePanic(name, "expected one shape", x.Shape(), y.Shape())
	}
	xv, yv := f.values(x), f.values(y)
	out := f.out()
	out.data[0] = f.meanOf(len(xv), 3, 2, func(s []float32, lo, hi int) float32 {
		d := s[:hi-lo]
		simd.Sub(d, xv[lo:], yv[lo:])
		return rule.value(d, s[lossChunk:][:hi-lo])
	})
	return f.done(out, func(b *back) {
		g := b.dy[0] / float32(max(1, len(xv)))
		b.add(x, func(dx []float32) { pairGradient(b, dx, xv, yv, g, rule) })
		b.add(y, func(dy []float32) { pairGradient(b, dy, xv, yv, -g, rule) })
	})
}

func pairGradient(b *back, dx, x, y []float32, g float32, rule pairRule) {
	b.each(len(dx), 3, func(lo, hi int) {
		d := dx[lo:hi]
		simd.Sub(d, x[lo:], y[lo:])
		rule.slope(d)
		simd.Scale(d, d, g)
	})
}

// meanOf returns the mean over n elements. part returns the sum over those from lo to hi, at most lossChunk;
// s has room for scratch times as many.
func (f *frame) meanOf(n, cost, scratch int, part func(s []float32, lo, hi int) float32) float32 {
	if n == 0 {
		return 0
	}
	return float32(f.sumOf(n, cost, scratch, part) / float64(n))
}

// sumOf is meanOf without the division.
func (f *frame) sumOf(n, cost, scratch int, part func(s []float32, lo, hi int) float32) float64 {
	chunks := (n + lossChunk - 1) / lossChunk
	sums := f.scratch(chunks)
	f.eachRange(chunks, cost*lossChunk, scratch*lossChunk, func(s []float32, lo, hi int) {
		for c := lo; c < hi; c++ {
			sums[c] = part(s, c*lossChunk, min(n, (c+1)*lossChunk))
		}
	})
	total := total64(sums)
	f.recycle(sums)
	return total
}

// total64 adds up from the first to the last.
func total64(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(v)
	}
	return s
}

// BCEOptions configure [BCEWithLogits].
type BCEOptions struct {
	// PosWeight, when not nil, multiplies the part of the targets, by index in the last dimension: a weight
	// above 1 raises recall. It must not change until backward has run.
	PosWeight []float32
	// Reduction is LossMean, over all elements, unless set. LossEach gives a loss for each element, of x's
	// shape, to be weighted: that of a focal loss (Lin et al., arXiv 1708.02002).
	Reduction Reduction
}

// BCEWithLogits returns the binary cross-entropy of the probabilities σ(x) with targets in [0, 1], of x's
// shape:
//
//	-(w·t·log σ(x) + (1 - t)·log(1 - σ(x)))
//
// where w is 1 or that of BCEOptions.PosWeight. It is stable for finite x of any size; 0 when there are no elements.
// For infinite x the loss equals PyTorch's. -Inf gives NaN; +Inf gives NaN where the target is 1, because of 0·Inf,
// and Inf elsewhere. The gradient of x is finite there.
func BCEWithLogits(x, targets Operand, o BCEOptions) *Tensor {
	const name = "bce with logits"
	posWeight := o.PosWeight
	f := begin(name, x, targets)
	if !equalShape(x.Shape(), targets.Shape()) {
		shapePanic(name, "expected targets of the logits' shape", x.Shape(), targets.Shape())
	}
	if _, n := rows(x.Shape()); posWeight != nil && len(posWeight) != n {
		shapePanic(name, "expected a weight for each index of the last dimension", x.Shape(), []int{len(posWeight)})
	}
	xv, tv := f.values(x), f.values(targets)
	// As softplus(-x) = log(1 + e^-x), the loss is (1-t)·x + (1 + (w-1)·t)·softplus(-x).
	losses := func(p, q []float32, lo, hi int) {
		softplusOfNegative(p, q, xv[lo:hi])
		t := tv[lo:hi]
		if posWeight != nil {
			positiveFactors(q, t, posWeight, lo)
			simd.Mul(p, p, q)
		}
		simd.Neg(q, t)
		simd.AddScalar(q, q, 1)
		simd.MulAdd(p, q, xv[lo:])
	}
	out, times := f.reduced(x.Shape(), o.Reduction, losses)
	return f.done(out, func(b *back) {
		b.add(x, func(dx []float32) {
			b.each(len(xv), 8, func(lo, hi int) {
				d, t := dx[lo:hi], tv[lo:hi]
				if posWeight == nil {
					simd.Sigmoid(d, xv[lo:])
					simd.Sub(d, d, t)
				} else {
					// (1-t) - (1 + (w-1)·t)·σ(-x)
					simd.Neg(d, xv[lo:])
					simd.Sigmoid(d, d)
					for i, v := range t {
						w := posWeight[(lo+i)%len(posWeight)]
						d[i] = (1 - v) - float32((1+float32((w-1)*v))*d[i])
					}
				}
				times(b, d, lo)
			})
		})
		b.add(targets, func(dt []float32) {
			b.eachRange(len(xv), 16, grain/16, func(s []float32, lo, hi int) {
				d := dt[lo:hi]
				if posWeight == nil {
					simd.Neg(d, xv[lo:])
				} else {
					softplusOfNegative(d, s[:hi-lo], xv[lo:hi])
					for i, v := range xv[lo:hi] {
						d[i] = float32((posWeight[(lo+i)%len(posWeight)]-1)*d[i]) - v
					}
				}
				times(b, d, lo)
			})
		})
	})
}

// reduced joins the losses of elements of a shape; losses stores those from lo to hi in p, and has scratch q. It also
// returns the function that multiplies slopes, of the elements from lo on, by the gradient of the result.
func (f *frame) reduced(shape []int, r Reduction, losses func(p, q []float32, lo, hi int)) (out *Tensor, times func(b *back, d []float32, lo int)) {
	r.check(f.name)
	n := elements(f.name, shape)
	if r == LossEach {
		out = f.out(shape...)
		f.eachRange(n, 16, grain/16, func(s []float32, lo, hi int) { losses(out.data[lo:hi], s[:hi-lo], lo, hi) })
		return out, func(b *back, d []float32, lo int) { simd.Mul(d, d, b.dy[lo:]) }
	}
	out = f.out()
	sum := f.sumOf(n, 16, 2, func(s []float32, lo, hi int) float32 {
		p := s[:hi-lo]
		losses(p, s[lossChunk:][:hi-lo], lo, hi)
		return simd.Sum(p)
	})
	count := float32(1) // of elements that share the result
	if r == LossMean {
		n = max(1, n)
		sum, count = sum/float64(n), float32(n)
	}
	out.data[0] = float32(sum)
	return out, func(b *back, d []float32, _ int) { simd.Scale(d, d, b.dy[0]/count) }
}

// positiveFactors stores 1 + (w-1)·t for the elements from lo on.
func positiveFactors(dst, t, weights []float32, lo int) {
	for i, v := range t {
		dst[i] = 1 + float32((weights[(lo+i)%len(weights)]-1)*v)
	}
}

// softplusOfNegative stores log(1 + e^-x) = log(1 + e^-|x|) + max(-x, 0); u is scratch. Where e^-|x| is small,
// what 1 + e rounds away is put back by a factor (Higham, Accuracy and Stability of Numerical Algorithms,
// section 1.14.1).
func softplusOfNegative(dst, u, x []float32) {
	simd.Abs(dst, x)
	simd.Neg(dst, dst)
	simd.Exp(dst, dst)
	simd.AddScalar(u, dst, 1)
	simd.Log(u, u)
	for i, e := range dst {
		v := u[i]
		if r := (1 + e) - 1; r > 0 {
			v = v * (e / r)
		} else {
			v = e
		}
		if y := x[i]; y < 0 {
			v -= y
		} else if y != y {
			v = y
		}
		dst[i] = v
	}
}
