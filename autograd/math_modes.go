package autograd

import "github.com/fovea-ml/fovea/simd"

// mathLimit is the least accurate arithmetic that the products of a parameter may use, and one more; 0 is no limit.
type mathLimit uint8

// LimitMath keeps the products with the parameter in m or a more accurate arithmetic, whatever a tape asks for: they are
// in the more accurate one of m and the tape's. So a quantized model may have layers that stay in bfloat16 or float32. It
// is called where the model is made, before any forward pass. LimitMath panics with a [UseError] when m is unknown.
func (p *Parameter) LimitMath(m simd.Math) {
	if !m.Valid() {
		usePanic("limit math", "unknown arithmetic "+m.String())
	}
	p.limit = mathLimit(m) + 1
}

// MathLimit returns what LimitMath set; without it, [simd.Int8], which limits nothing.
func (p *Parameter) MathLimit() simd.Math {
	if p.limit == 0 {
		return simd.Int8
	}
	return simd.Math(p.limit - 1)
}

// Math returns the arithmetic that the tape's Options ask for.
func (t *Tape) Math() simd.Math { return t.opts.Math }

// MathOf returns the arithmetic of the products of a and b, of which b may be nil, on the tape: that of the Options,
// except that
//
//   - a parameter may limit it: [Parameter.LimitMath];
//   - operands of which none is a parameter have no [simd.Int8], but [simd.BF16] where the processor multiplies bfloat16
//     ([simd.Math.Native]), and else [simd.Strict].
func (t *Tape) MathOf(a, b Operand) simd.Math {
	m, weights := t.opts.Math, false
	for _, in := range []Operand{a, b} {
		if !given(in) {
			continue
		}
		if _, p := in.operand(); p != nil {
			m, weights = min(m, p.MathLimit()), true
		}
	}
	if m != simd.Int8 || weights {
		return m
	}
	if simd.BF16.Native() {
		return simd.BF16
	}
	return simd.Strict
}

// Check returns a [UseError] for options with which no tape can be made: an unknown arithmetic, or [simd.Int8] with
// gradients. [NewTape] panics with it.
func (o *Options) Check() error {
	switch {
	case !o.Math.Valid():
		return &UseError{"tape", "unknown arithmetic " + o.Math.String()}
	case o.Math == simd.Int8 && o.Gradients:
		return &UseError{"tape", "products in int8 have no gradients; train in bf16, and quantize the trained weights"}
	}
	return nil
}

// products returns the arithmetic of the operation's products of a and b, and notes it for the profile.
func (f *frame) products(a, b Operand) simd.Math {
	f.math = f.MathOf(a, b)
	return f.math
}
