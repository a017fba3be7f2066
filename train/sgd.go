package train

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// SGDOptions are the settings of [SGD]; the zero value is plain gradient descent.
type SGDOptions struct {
	Momentum float64
	// Dampening is the share of a gradient that does not enter the momentum. It needs Momentum.
	Dampening float64
	// Nesterov looks ahead: the step is along g + Momentum·m instead of m. It needs Momentum, and no Dampening.
	Nesterov bool
}

// SGD is stochastic gradient descent as in PyTorch. With gradient g, weight decay λ, momentum μ and dampening δ:
//
//	g ← g + λ·p
//	m ← μ·m + (1 - δ)·g, or g in the first step
//	p ← p - lr·m, or with Nesterov p - lr·(g + μ·m)
type SGD struct {
	slots
	o SGDOptions
}

// NewSGD returns an SGD over the groups. It panics when a parameter is given twice.
func NewSGD(groups []Group, o SGDOptions) *SGD {
	s := &SGD{o: o}
	if o.Momentum == 0 {
		s.slots = newSlots("SGD", groups)
	} else {
		s.slots = newSlots("SGD", groups, "momentum")
	}
	s.slots.check("SGD", o.check())
	return s
}

// check returns the first setting that PyTorch's SGD refuses. PyTorch ignores a dampening without momentum.
func (o SGDOptions) check() error {
	switch {
	case o.Nesterov && o.Momentum == 0:
		return errors.New("expected a Momentum above 0 with Nesterov, found 0")
	case o.Dampening != 0 && o.Momentum == 0:
		return errors.New("expected a Momentum above 0 with Dampening, found 0")
	case o.Nesterov && o.Dampening != 0:
		return fmt.Errorf("expected no Dampening with Nesterov, found %v", o.Dampening)
	}
	return cmp.Or(atLeastZero("Momentum", o.Momentum), belowOne("Dampening", o.Dampening))
}

// Describe returns the settings by name, for a resumed run to compare.
func (s *SGD) Describe() map[string]string {
	settings := fmt.Sprintf("SGD, momentum %v, Nesterov %v", s.o.Momentum, s.o.Nesterov)
	if s.o.Dampening != 0 {
		settings += fmt.Sprintf(", dampening %v", s.o.Dampening)
	}
	return s.describe(settings)
}

// Step does one step at learning rate lr, as [Optimizer] describes; it spends the gradients.
func (s *SGD) Step(grads *autograd.Gradients, lr, gradScale float64, w *simd.Workers) {
	s.each(grads, func(t *slot, count int64, p, g []float32) {
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
			case s.o.Dampening != 0:
				m := t.values[0][lo:hi]
				decayed(g, p, gradScale, t.decay)
				if count == 1 {
					copy(m, g)
				} else {
					simd.Scale(m, m, float32(o.Momentum))
					simd.Axpy(m, float32(1-s.o.Dampening), g)
				}
				simd.Axpy(p, float32(-o.LR), m)
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
