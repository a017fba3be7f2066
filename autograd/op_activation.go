package autograd

import "github.com/fovea-ml/fovea/simd"

// elementwise is an operation of one operand that computes each element from one element; grad computes
// dx from the operand and dy.
func elementwise(name string, x Operand, cost int, apply func(y, x []float32), grad func(dx, x, dy []float32)) *Tensor {
	f := begin(name, x)
	xv := f.values(x)
	y := f.out(x.Shape()...)
	f.each(len(xv), cost, func(lo, hi int) { apply(y.data[lo:hi], xv[lo:hi]) })
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) {
			b.each(len(dx), cost, func(lo, hi int) { grad(dx[lo:hi], xv[lo:hi], b.dy[lo:hi]) })
		})
	})
}

// Relu returns max(x, 0).
func Relu(x Operand) *Tensor { return elementwise("relu", x, 1, simd.Relu, simd.ReluGrad) }

// Gelu returns x·Φ(x), the erf form of Hendrycks and Gimpel (arXiv 1606.08415), PyTorch's default.
func Gelu(x Operand) *Tensor { return elementwise("gelu", x, 8, simd.Gelu, simd.GeluGrad) }

// GeluTanh returns the tanh approximation of Gelu (arXiv 1606.08415, section 2).
func GeluTanh(x Operand) *Tensor {
	return elementwise("gelu tanh", x, 8, simd.GeluTanh, simd.GeluTanhGrad)
}

// QuickGelu returns x·σ(1.702x), the activation of OpenAI's CLIP.
func QuickGelu(x Operand) *Tensor {
	return elementwise("quick gelu", x, 8, simd.QuickGelu, simd.QuickGeluGrad)
}

// Silu returns x·σ(x).
func Silu(x Operand) *Tensor { return elementwise("silu", x, 8, simd.Silu, simd.SiluGrad) }

// Sigmoid returns 1/(1+e^-x).
func Sigmoid(x Operand) *Tensor { return elementwise("sigmoid", x, 8, simd.Sigmoid, simd.SigmoidGrad) }

// Tanh returns the hyperbolic tangent.
func Tanh(x Operand) *Tensor { return elementwise("tanh", x, 8, simd.Tanh, simd.TanhGrad) }

// LeakyRelu returns x where it is positive and slope·x elsewhere.
func LeakyRelu(x Operand, slope float32) *Tensor {
	return elementwise("leaky relu", x, 1,
		func(y, x []float32) { simd.LeakyRelu(y, x, slope) },
		func(dx, x, dy []float32) { simd.LeakyReluGrad(dx, x, dy, slope) })
}
