package simd

import "math"

// AdamWStep holds the numbers of one AdamW step (Loshchilov and Hutter, arXiv 1711.05101), in PyTorch's
// form. They are float64 because 1 - Beta2 is small: computed from a float32 Beta2, it would be wrong by some
// 5e-5.
type AdamWStep struct {
	LR           float64 // learning rate of this step
	Beta1, Beta2 float64 // decay of the two moments
	Eps          float64 // added to the root of the second moment
	WeightDecay  float64 // decoupled: parameters shrink by LR·WeightDecay before the update

	// BiasCorrection1 and BiasCorrection2 are 1 - Beta1^t and 1 - Beta2^t at step t = 1, 2, …
	BiasCorrection1, BiasCorrection2 float64

	// GradScale multiplies every gradient first. It carries the factor of gradient clipping or averaging.
	GradScale float64
}

// AdamW does one step over parameters p, gradients g and moments m and v, in one pass:
//
//	g' = GradScale·g
//	m  = Beta1·m + (1 - Beta1)·g'
//	v  = Beta2·v + (1 - Beta2)·g'²
//	p  = p·(1 - LR·WeightDecay) - LR/BiasCorrection1 · m / (√v / √BiasCorrection2 + Eps)
//
// The roots and the quotient of m are correctly rounded. The scalar factors, such as 1/√BiasCorrection2, are
// computed once in float64 and rounded. g is not changed. AdamW panics if g, m or v is shorter than p; none
// may overlap another.
func AdamW(p, g, m, v []float32, o AdamWStep) {
	n := len(p)
	atLeast("AdamW", "g", len(g), n)
	atLeast("AdamW", "m", len(m), n)
	atLeast("AdamW", "v", len(v), n)
	vecAdamW(p, m, v, g, float32(o.GradScale),
		float32(o.Beta1), float32(1-o.Beta1),
		float32(o.Beta2), float32(1-o.Beta2),
		float32(1-o.LR*o.WeightDecay),
		float32(1/math.Sqrt(o.BiasCorrection2)),
		float32(o.Eps),
		float32(-o.LR/o.BiasCorrection1))
}

// MomentumStep holds the numbers of one step of stochastic gradient descent with momentum.
type MomentumStep struct {
	LR          float64 // learning rate of this step
	Momentum    float64
	WeightDecay float64 // added to the gradient, as WeightDecay·p
	GradScale   float64 // multiplies every gradient first
}

// Momentum does one step over parameters p, gradients g and momenta m, as PyTorch's SGD without dampening:
//
//	m = Momentum·m + (GradScale·g + WeightDecay·p)
//	p = p - LR·m
//
// Momentum panics if g or m is shorter than p; none may overlap another.
func Momentum(p, g, m []float32, o MomentumStep) {
	n := len(p)
	atLeast("Momentum", "g", len(g), n)
	atLeast("Momentum", "m", len(m), n)
	vecMomentum(p, m, g, float32(o.GradScale), float32(o.WeightDecay), float32(o.Momentum), float32(-o.LR))
}
