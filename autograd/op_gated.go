package autograd

import "github.com/fovea-ml/fovea/simd"

// GateOrder says which half of a packed projection passes through the activation of [GatedProduct].
type GateOrder uint8

const (
	// GateFirst is act(a)·b: gate and up projection in transformers' order (gate_up_proj), timm's SwiGLUPacked.
	GateFirst GateOrder = iota
	// GateLast is a·act(b): PyTorch's glu, timm's GluMlp unless gate_last is False.
	GateLast
)

// GatedProduct multiplies one half of the last dimension of x by the activated other half (Shazeer, "GLU variants
// improve transformer", arXiv 2002.05202). It maps [..., 2·C] to [..., C]. ActSilu makes it SwiGLU, ActGelu and
// ActGeluTanh GeGLU, ActRelu ReGLU, ActSigmoid GLU, and ActNone the bilinear product.
func GatedProduct(x Operand, act Activation, order GateOrder) *Tensor {
	const name = "gated product"
	checkActivation(name, act)
	if order > GateLast {
		usePanic(name, "unknown order of halves")
	}
	f := begin(name, x)
	s := x.Shape()
	if len(s) == 0 || s[len(s)-1]%2 != 0 {
		shapePanic(name, "expected a last dimension of two halves", s)
	}
	m, n := rows(s)
	n /= 2
	shape := cloneShape(s)
	shape[len(s)-1] = n
	// halves returns the gate and the other half of a row.
	halves := func(x []float32, row int) (gate, value []float32) {
		a, b := x[2*row*n:][:n], x[(2*row+1)*n:][:n]
		if order == GateLast {
			a, b = b, a
		}
		return a, b
	}
	xv := f.values(x)
	y := f.out(shape...)
	cost := n * (act.Cost() + 1)
	f.each(m, cost, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			gate, value := halves(xv, r)
			dst := y.data[r*n:][:n]
			act.Apply(dst, gate)
			simd.Mul(dst, dst, value)
		}
	})
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) {
			b.each(m, 2*cost, func(lo, hi int) {
				for r := lo; r < hi; r++ {
					gate, value := halves(xv, r)
					dgate, dvalue := halves(dx, r)
					dy := b.dy[r*n:][:n]
					simd.Mul(dvalue, dy, value) // memory that the value's gradient fills next
					act.Grad(dgate, gate, dvalue)
					act.Apply(dvalue, gate)
					simd.Mul(dvalue, dvalue, dy)
				}
			})
		})
	})
}
