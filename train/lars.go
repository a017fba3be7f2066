package train

import (
	"cmp"
	"fmt"
	"math"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// LARSOptions are the settings of [LARS]. A nil field means the default.
type LARSOptions struct {
	Momentum *float64 // nil means 0.9
	Trust    *float64 // the trust coefficient η; nil means 0.001
}

// LARS scales the step of each parameter by the ratio of its norms (You, Gitman and Ginsburg, arXiv 1708.03888), as MAE
// does for its linear probe (util/lars.py of facebookresearch/mae). With gradient g and weight decay λ:
//
//	g ← g + λ·p
//	g ← g · η·‖p‖/‖g‖, where both norms are positive
//	m ← μ·m + g
//	p ← p - lr·m
//
// Parameters of fewer than two dimensions skip the first two lines.
type LARS struct {
	slots
	momentum, trust float64
	norm            norm
}

// NewLARS returns a LARS over the groups. It panics when a parameter is given twice.
func NewLARS(groups []Group, o LARSOptions) *LARS {
	l := &LARS{slots: newSlots("LARS", groups, "momentum"), momentum: orElse(o.Momentum, 0.9), trust: orElse(o.Trust, 0.001)}
	l.check("LARS", cmp.Or(atLeastZero("Momentum", l.momentum), atLeastZero("Trust", l.trust)))
	return l
}

// Describe returns the settings by name, for a resumed run to compare.
func (l *LARS) Describe() map[string]string {
	return l.describe(fmt.Sprintf("LARS, momentum %v, trust %v", l.momentum, l.trust))
}

// Step does one step at learning rate lr, as [Optimizer] describes; it spends the gradients.
func (l *LARS) Step(grads *autograd.Gradients, lr, gradScale float64, w *simd.Workers) {
	l.each(grads, func(t *slot, _ int64, p, g []float32) {
		o := simd.MomentumStep{LR: lr * t.scale, Momentum: l.momentum, GradScale: gradScale}
		if len(t.Shape()) > 1 {
			chunks(w, len(p), func(lo, hi int) { decayed(g[lo:hi], p[lo:hi], gradScale, t.decay) })
			o.GradScale = l.ratio(p, g, w)
		}
		chunks(w, len(p), func(lo, hi int) { simd.Momentum(p[lo:hi], g[lo:hi], t.values[0][lo:hi], o) })
	})
}

// ratio is η·‖p‖/‖g‖, or 1 when one of the norms is zero.
func (l *LARS) ratio(p, g []float32, w *simd.Workers) float64 {
	pn, gn := math.Sqrt(l.norm.squares(p, w)), math.Sqrt(l.norm.squares(g, w))
	if pn > 0 && gn > 0 {
		return l.trust * pn / gn
	}
	return 1
}
