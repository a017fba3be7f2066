package losses

import (
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// FocalOptions are settings of [Focal].
type FocalOptions struct {
	Alpha *float64 // the weight of a target of 1, where one of 0 has 1-Alpha; nil means 0.25, below 0 no weights
	Gamma *float64 // how much less a sure prediction counts; nil means 2
}

// Focal returns the focal loss of each logit, in the shape of the logits: -αₜ·(1-pₜ)^γ·log pₜ, where pₜ is the predicted
// probability of the target. Targets have the same shape, are from 0 to 1, and get no gradient: it panics when they want one.
func Focal(logits, targets autograd.Operand, o FocalOptions) *autograd.Tensor {
	alpha, gamma := float32(0.25), float32(2)
	if o.Alpha != nil {
		alpha = float32(*o.Alpha)
	}
	if o.Gamma != nil {
		gamma = float32(*o.Gamma)
	}
	return autograd.Custom(elementwise("focal loss", nil, func(c *chunk) {
		// p and q are the probability and 1 less it. Each has its full precision.
		p, q, wrong, ce, weight, u := c.next(), c.next(), c.next(), c.next(), c.next(), c.next()
		simd.Sigmoid(p, c.x)
		simd.Neg(q, c.x)
		simd.Sigmoid(q, q)
		// The cross-entropy is max(x, 0) - x·t - log(1 - m), where m is the smaller of p and q. What 1 - m rounds away is put back:
		// log(1 - m) = log(u) - (m - (1-u))/u for u close to it.
		m := wrong
		simd.Min(m, p, q)
		simd.Neg(u, m)
		simd.AddScalar(u, u, 1)
		simd.Neg(ce, u)
		simd.AddScalar(ce, ce, 1)
		simd.Sub(ce, m, ce)
		simd.Div(ce, ce, u)
		simd.Log(u, u)
		simd.Sub(ce, ce, u)
		simd.Relu(u, c.x)
		simd.Add(ce, ce, u)
		simd.Mul(u, c.x, c.t)
		simd.Sub(ce, ce, u)

		away := u // 1 - t
		simd.Neg(away, c.t)
		simd.AddScalar(away, away, 1)
		simd.Mul(wrong, q, c.t) // 1 - pₜ
		simd.MulAdd(wrong, p, away)
		simd.Fill(weight, 1)
		if alpha >= 0 {
			simd.Scale(weight, away, 1-alpha)
			simd.Axpy(weight, alpha, c.t)
		}
		simd.Mul(ce, ce, weight)
		// From here on ce is weighted. The loss is ce·wrong^γ.
		power(c.loss, wrong, gamma)
		if c.slope != nil {
			// (p - t)·wrong^γ, weighted; p - t = p·(1-t) - q·t has its full precision
			simd.Mul(c.slope, p, away)
			toFocus := away
			simd.Mul(toFocus, q, c.t)
			simd.Sub(c.slope, c.slope, toFocus)
			simd.Mul(c.slope, c.slope, c.loss)
			simd.Mul(c.slope, c.slope, weight)
			// ce·γ·wrong^(γ-1)·(1 - 2t)·p·q
			if gamma != 0 {
				power(toFocus, wrong, gamma-1)
				if gamma < 1 { // a power below 0 is infinite at 0, the slope of the product is not
					for i, v := range wrong {
						if v == 0 {
							toFocus[i] = 0
						}
					}
				}
				simd.Scale(toFocus, toFocus, gamma)
				simd.Mul(toFocus, toFocus, ce)
				simd.Mul(p, p, q)
				simd.Mul(toFocus, toFocus, p)
				simd.Scale(p, c.t, -2)
				simd.AddScalar(p, p, 1)
				simd.MulAdd(c.slope, toFocus, p)
			}
		}
		simd.Mul(c.loss, c.loss, ce)
	}), logits, targets)
}

// power stores x to the power y.
func power(dst, x []float32, y float32) {
	switch y {
	case 2:
		simd.Mul(dst, x, x)
	case 1:
		simd.Scale(dst, x, 1)
	case 0:
		simd.Fill(dst, 1)
	default:
		simd.PowScalar(dst, x, y)
	}
}

// chunk is a part of the logits and targets, and where the losses and their derivatives by the logits go. slope is nil where no
// gradient is wanted.
type chunk struct {
	x, t, loss, slope []float32
	scratch           *[chunkArrays][chunkSize]float32
	used              int
}

// A chunk and its scratch lie in the first-level cache.
const (
	chunkSize   = 512
	chunkArrays = 6
)

// next returns scratch of the length of the chunk.
func (c *chunk) next() []float32 {
	c.used++
	return c.scratch[c.used-1][:len(c.x)]
}

// elementwise returns an operation on logits and targets. f computes losses and derivatives. They are divided by the number
// that count returns, if it is given.
func elementwise(name string, count func(targets []float32) int, f func(c *chunk)) autograd.Op {
	const cost = 24 // cheap operations an element
	return autograd.Op{
		Name: name,
		Forward: func(s *autograd.ForwardStep) {
			s.Require(slices.Equal(s.Shape(0), s.Shape(1)), "expected logits and targets of one shape")
			s.Require(!s.Wants(1), "expected targets without a gradient")
			x, t, y := s.In(0), s.In(1), s.NewOut(s.Shape(0)...)
			share := float32(1)
			if count != nil {
				share = 1 / float32(count(t))
			}
			var slopes []float32
			if s.Wants(0) {
				slopes = s.Save(len(x))
			}
			s.Each(len(y), cost, func(lo, hi int) {
				var scratch [chunkArrays][chunkSize]float32
				for ; lo < hi; lo += chunkSize {
					end := min(hi, lo+chunkSize)
					c := chunk{x: x[lo:end], t: t[lo:end], loss: y[lo:end], scratch: &scratch}
					if slopes != nil {
						c.slope = slopes[lo:end]
					}
					f(&c)
					if count != nil {
						simd.Scale(c.loss, c.loss, share)
						simd.Scale(c.slope, c.slope, share)
					}
				}
			})
		},
		Backward: func(s *autograd.BackwardStep) {
			slopes, dy := s.Saved(0), s.OutGrad(0)
			s.Add(0, func(dx []float32) {
				s.Each(len(dx), 1, func(lo, hi int) { simd.Mul(dx[lo:hi], slopes[lo:], dy[lo:]) })
			})
		},
	}
}

// heatmapLimit bounds the probabilities of [HeatmapFocal], as CenterNet does.
const heatmapLimit = 1e-4

// HeatmapFocal returns CenterNet's focal loss of a heatmap, one number: the sum over all elements divided by the number of
// targets that are 1, or by 1 when there are none. Logits and targets have one shape. Targets are 1 at centers and fall off
// around them. At a center the loss is -(1-p)²·log p, elsewhere -(1-t)⁴·p²·log(1-p). Probabilities are held between 1e-4
// and 1-1e-4, and beyond there is no gradient. It panics when the targets want a gradient.
func HeatmapFocal(logits, targets autograd.Operand) *autograd.Tensor {
	return autograd.Sum(autograd.Custom(heatmap, logits, targets), false)
}

var heatmap = elementwise("heatmap focal loss", centers, func(c *chunk) {
	// The loss is -w·a²·log(b): a and b are 1-p and p, and w is 1 at a center; elsewhere they are p, 1-p and (1-t)⁴.
	a, b, w, dp, log := c.next(), c.next(), c.next(), c.next(), c.next()
	simd.Sigmoid(a, c.x)
	simd.Neg(b, c.x)
	simd.Sigmoid(b, b)
	simd.Mul(dp, a, b)
	for i, p := range a { // beyond the limits there is no gradient
		if p < heatmapLimit || p > 1-heatmapLimit {
			dp[i] = 0
		}
	}
	simd.Clamp(a, a, heatmapLimit, 1-heatmapLimit)
	simd.Clamp(b, b, heatmapLimit, 1-heatmapLimit)
	simd.Neg(w, c.t)
	simd.AddScalar(w, w, 1)
	simd.Mul(w, w, w)
	simd.Mul(w, w, w)
	for i, t := range c.t {
		if t == 1 {
			a[i], b[i], w[i], dp[i] = b[i], a[i], 1, -dp[i]
		}
	}
	simd.Log(log, b)
	simd.Mul(w, w, a)
	if c.slope != nil { // w·a·(a/b - 2·log b)·dp, where dp is negative at a center
		simd.Div(c.slope, a, b)
		simd.Axpy(c.slope, -2, log)
		simd.Mul(c.slope, c.slope, w)
		simd.Mul(c.slope, c.slope, dp)
	}
	simd.Mul(c.loss, w, a)
	simd.Mul(c.loss, c.loss, log)
	simd.Neg(c.loss, c.loss)
})

// centers returns the number of targets that are 1, or 1 when there are none.
func centers(targets []float32) int {
	n := 0
	for _, t := range targets {
		if t == 1 {
			n++
		}
	}
	return max(1, n)
}
