package train

import (
	"cmp"
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// AdamOptions are the settings of [Adam] and [AdamW]. A nil field means PyTorch's default; new(0.95) makes another value.
type AdamOptions struct {
	Beta1 *float64 // decay of the mean of gradients; nil means 0.9
	Beta2 *float64 // decay of the mean of squared gradients; nil means 0.999
	Eps   *float64 // added to the root of the mean of squares; nil means 1e-8
}

// adam holds the settings with their defaults.
type adam struct{ beta1, beta2, eps float64 }

func (o AdamOptions) orDefaults() adam {
	return adam{orElse(o.Beta1, 0.9), orElse(o.Beta2, 0.999), orElse(o.Eps, 1e-8)}
}

// check returns the first value that is out of range, as PyTorch's optimizers do.
func (o adam) check() error {
	return cmp.Or(belowOne("Beta1", o.beta1), belowOne("Beta2", o.beta2), atLeastZero("Eps", o.eps))
}

// step returns the settings of a parameter's step number t, counted from 1.
func (o adam) step(lr float64, t int64) simd.AdamWStep {
	return simd.AdamWStep{LR: lr, Beta1: o.beta1, Beta2: o.beta2, Eps: o.eps,
		BiasCorrection1: 1 - power(o.beta1, t), BiasCorrection2: 1 - power(o.beta2, t), GradScale: 1}
}

func (o adam) String() string {
	return fmt.Sprintf("beta1 %v, beta2 %v, eps %v", o.beta1, o.beta2, o.eps)
}

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101), as in PyTorch: [simd.AdamW] has
// the formula. The bias correction of a parameter counts the steps in which it had a gradient. A step is one pass over
// memory, gradient scale included.
type AdamW struct {
	slots
	o adam
}

// NewAdamW returns an AdamW over the groups. It panics when a parameter is given twice.
func NewAdamW(groups []Group, o AdamOptions) *AdamW {
	a := &AdamW{newSlots("AdamW", groups, "m", "v"), o.orDefaults()}
	a.check("AdamW", a.o.check())
	return a
}

// Describe returns the settings by name, for a resumed run to compare.
func (a *AdamW) Describe() map[string]string { return a.describe("AdamW, " + a.o.String()) }

// Step does one step at learning rate lr, as [Optimizer] describes; it spends the gradients.
func (a *AdamW) Step(grads *autograd.Gradients, lr, gradScale float64, w *simd.Workers) {
	a.each(grads, func(t *slot, count int64, p, g []float32) {
		o := a.o.step(lr*t.scale, count)
		o.WeightDecay, o.GradScale = t.decay, gradScale
		m, v := t.values[0], t.values[1]
		chunks(w, len(p), func(lo, hi int) { simd.AdamW(p[lo:hi], g[lo:hi], m[lo:hi], v[lo:hi], o) })
	})
}

// Adam is the method of Kingma and Ba (arXiv 1412.6980) with weight decay λ as part of the gradient, g ← g + λ·p, as in
// PyTorch. Transformers are trained with decoupled decay: see [AdamW].
type Adam struct {
	slots
	o adam
}

// NewAdam returns an Adam over the groups. It panics when a parameter is given twice.
func NewAdam(groups []Group, o AdamOptions) *Adam {
	a := &Adam{newSlots("Adam", groups, "m", "v"), o.orDefaults()}
	a.check("Adam", a.o.check())
	return a
}

// Describe returns the settings by name, for a resumed run to compare.
func (a *Adam) Describe() map[string]string { return a.describe("Adam, " + a.o.String()) }

// Step does one step at learning rate lr, as [Optimizer] describes; it spends the gradients.
func (a *Adam) Step(grads *autograd.Gradients, lr, gradScale float64, w *simd.Workers) {
	a.each(grads, func(t *slot, count int64, p, g []float32) {
		o := a.o.step(lr*t.scale, count)
		m, v := t.values[0], t.values[1]
		chunks(w, len(p), func(lo, hi int) {
			decayed(g[lo:hi], p[lo:hi], gradScale, t.decay)
			simd.AdamW(p[lo:hi], g[lo:hi], m[lo:hi], v[lo:hi], o)
		})
	})
}
