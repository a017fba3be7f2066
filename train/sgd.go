package train

import (
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// SGDOptions are the settings of [SGD]; the zero value is plain gradient descent.
type SGDOptions struct {
	Momentum float64
	// Nesterov looks ahead: the step is along g + Momentum·m instead of m.
	Nesterov bool
}

// SGD is stochastic gradient descent as in PyTorch, without dampening. With gradient g, weight decay λ and momentum μ:
//
//	g ← g + λ·p
//	m ← μ·m + g
//	p ← p - lr·m, or with Nesterov p - lr·(g + μ·m)
type SGD struct {
	slots
	o SGDOptions
}

// NewSGD returns an SGD over the groups. It panics when a parameter is given twice.
func NewSGD(groups []Group, o SGDOptions) *SGD {
	if o.Momentum == 0 {
		return &SGD{newSlots("SGD", groups), o}
	}
	return &SGD{newSlots("SGD", groups, "momentum"), o}
}

// Describe returns the settings by name, for a resumed run to compare.
func (s *SGD) Describe() map[string]string {
	return s.describe(fmt.Sprintf("SGD, momentum %v, Nesterov %v", s.o.Momentum, s.o.Nesterov))
}

// Step does one step at learning rate lr, as [Optimizer] describes; it spends the gradients.
func (s *SGD) Step(grads *autograd.Gradients, lr, gradScale float64, w *simd.Workers) {
	s.each(grads, func(t *slot, _ int64, p, g []float32) {
		o := simd.MomentumStep{LR: lr * t.scale, Momentum: s.o.Momentum, WeightDecay: t.decay, GradScale: gradScale}
		chunks(w, len(p), func(lo, hi int) {
			p, g := p[lo:hi], g[lo:hi]
			switch {
			case s.o.Momentum == 0:
				decayed(g, p, gradScale, t.decay)
				simd.Axpy(p, float32(-o.LR), g)
			case s.o.Nesterov:
				m := t.values[0][lo:hi]
				decayed(g, p, gradScale, t.decay)
				simd.ScaleAdd(m, m, float32(o.Momentum), g)
				simd.Axpy(g, float32(o.Momentum), m)
				simd.Axpy(p, float32(-o.LR), g)
			default:
				simd.Momentum(p, g, t.values[0][lo:hi], o)
			}
		})
	})
}

// decayed turns g into gradScale·g + decay·p: weight decay as part of the gradient.
func decayed(g, p []float32, gradScale, decay float64) {
	if gradScale != 1 {
		simd.Scale(g, g, float32(gradScale))
	}
	if decay != 0 {
		simd.Axpy(g, float32(decay), p)
	}
}
