package losses

import (
	"math"
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
	alpha, gamma := 0.25, 2.0
	if o.Alpha != nil {
		alpha = *o.Alpha
	}
	if o.Gamma != nil {
		gamma = *o.Gamma
	}
	return autograd.Custom(elementwise("focal loss", func(x, t float64) (loss, slope float64) {
		// e is at most 1; so p and q, the probability and 1 less it, keep their precision for large x and for large -x.
		e := math.Exp(-math.Abs(x))
		p, q := 1/(1+e), e/(1+e)
		if x < 0 {
			p, q = q, p
		}
		ce := max(x, 0) - float64(x*t) + math.Log1p(e)
		wrong := float64(q*t) + float64(p*(1-t)) // 1 - pₜ
		weight := 1.0
		if alpha >= 0 {
			weight = float64(alpha*t) + float64((1-alpha)*(1-t))
		}
		var focus, toFocus float64
		switch gamma {
		case 2:
			focus, toFocus = wrong*wrong, 2*wrong
		case 0:
			focus, toFocus = 1, 0
		default:
			focus, toFocus = math.Pow(wrong, gamma), gamma*math.Pow(wrong, gamma-1)
			if wrong == 0 { // a power below 0 is infinite there, the slope of the product is not
				toFocus = 0
			}
		}
		toWrong := (1 - float64(2*t)) * p * q
		return weight * ce * focus, weight * (float64((p-t)*focus) + float64(ce*toFocus*toWrong))
	}, nil), logits, targets)
}

// elementwise returns an operation on logits and targets. f returns the loss of an element and its derivative by the logit.
// All losses are divided by the number that count returns, if it is given.
func elementwise(name string, f func(logit, target float64) (loss, slope float64), count func(targets []float32) int) autograd.Op {
	const cost = 60 // cheap operations an element
	return autograd.Op{
		Name: name,
		Forward: func(s *autograd.ForwardStep) {
			s.Require(slices.Equal(s.Shape(0), s.Shape(1)), "expected logits and targets of one shape")
			s.Require(!s.Wants(1), "expected targets without a gradient")
			x, t, y := s.In(0), s.In(1), s.NewOut(s.Shape(0)...)
			n := 1.0
			if count != nil {
				n = float64(count(t))
			}
			var slopes []float32
			if s.Wants(0) {
				slopes = s.Save(len(x))
			}
			s.Each(len(y), cost, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					loss, slope := f(float64(x[i]), float64(t[i]))
					y[i] = float32(loss / n)
					if slopes != nil {
						slopes[i] = float32(slope / n)
					}
				}
			})
		},
		Backward: func(s *autograd.BackwardStep) {
			slopes, dy := s.Saved(0), s.OutGrad(0)
			s.Add(0, func(dx []float32) { simd.Mul(dx, slopes, dy) })
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

var heatmap = elementwise("heatmap focal loss", func(x, t float64) (loss, slope float64) {
	p := 1 / (1 + math.Exp(-x))
	dp := p * (1 - p)
	if p < heatmapLimit || p > 1-heatmapLimit {
		p, dp = min(max(p, heatmapLimit), 1-heatmapLimit), 0
	}
	q := 1 - p
	if t == 1 {
		log := math.Log(p)
		return -log * q * q, (float64(2*q*log) - q*q/p) * dp
	}
	log := math.Log(q)
	weight := (1 - t) * (1 - t)
	weight *= weight
	return -weight * log * p * p, weight * (p*p/q - float64(2*p*log)) * dp
}, func(targets []float32) int {
	n := 0
	for _, t := range targets {
		if t == 1 {
			n++
		}
	}
	return max(1, n)
})
