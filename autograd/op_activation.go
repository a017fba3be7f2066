package autograd

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd"
)

// Activation selects the function that a layer applies to its result: simd.Activation.
type Activation = simd.Activation

// The activations of [Activate] and [LinearAct]; simd documents each.
const (
	ActNone        = simd.ActNone
	ActRelu        = simd.ActRelu
	ActGelu        = simd.ActGelu
	ActGeluTanh    = simd.ActGeluTanh
	ActQuickGelu   = simd.ActQuickGelu
	ActSilu        = simd.ActSilu
	ActSigmoid     = simd.ActSigmoid
	ActTanh        = simd.ActTanh
	ActLeakyRelu   = simd.ActLeakyRelu
	ActRelu6       = simd.ActRelu6
	ActSquaredRelu = simd.ActSquaredRelu
	ActHardSwish   = simd.ActHardSwish
	ActMish        = simd.ActMish
)

// ActivationByName returns the activation with the given name in a Hugging Face config.json. The
// error lists the known names.
func ActivationByName(name string) (Activation, error) { return simd.ActivationByName(name) }

// Activate applies act to each element. With ActNone it returns a Tensor unchanged. It panics with a
// [UseError] if act is unknown.
func Activate(x Operand, act Activation) *Tensor {
	checkActivation("activate", act)
	if t, ok := x.(*Tensor); ok && act == ActNone {
		return t
	}
	return elementwise(act.String(), x, act.Cost(), act.Apply, act.Grad)
}

// checkActivation panics unless act is in simd's table of activations.
func checkActivation(op string, act Activation) {
	if !act.Valid() {
		usePanic(op, fmt.Sprintf("unknown activation %d", uint8(act)))
	}
}

// Relu returns max(x, 0).
func Relu(x Operand) *Tensor { return Activate(x, ActRelu) }

// Gelu returns x·Φ(x), the erf form of Hendrycks and Gimpel (arXiv 1606.08415), PyTorch's default.
func Gelu(x Operand) *Tensor { return Activate(x, ActGelu) }

// GeluTanh returns the tanh approximation of Gelu (arXiv 1606.08415, section 2).
func GeluTanh(x Operand) *Tensor { return Activate(x, ActGeluTanh) }

// QuickGelu returns x·σ(1.702x), the activation of OpenAI's CLIP.
func QuickGelu(x Operand) *Tensor { return Activate(x, ActQuickGelu) }

// Silu returns x·σ(x).
func Silu(x Operand) *Tensor { return Activate(x, ActSilu) }

// Sigmoid returns 1/(1+e^-x).
func Sigmoid(x Operand) *Tensor { return Activate(x, ActSigmoid) }

// Tanh returns the hyperbolic tangent.
func Tanh(x Operand) *Tensor { return Activate(x, ActTanh) }

// Relu6 returns min(max(x, 0), 6), the activation of MobileNet.
func Relu6(x Operand) *Tensor { return Activate(x, ActRelu6) }

// SquaredRelu returns max(x, 0)² (arXiv 2109.08668).
func SquaredRelu(x Operand) *Tensor { return Activate(x, ActSquaredRelu) }

// HardSwish returns x·min(max(x + 3, 0), 6)/6, the activation of MobileNetV3 (arXiv 1905.02244).
func HardSwish(x Operand) *Tensor { return Activate(x, ActHardSwish) }

// Mish returns x·tanh(log(1 + e^x)) (arXiv 1908.08681).
func Mish(x Operand) *Tensor { return Activate(x, ActMish) }

// LeakyRelu returns x where it is positive and slope·x elsewhere. ActLeakyRelu is this with a slope of 0.01.
func LeakyRelu(x Operand, slope float32) *Tensor {
	return elementwise("leaky relu", x, ActLeakyRelu.Cost(),
		func(y, x []float32) { simd.LeakyRelu(y, x, slope) },
		func(dx, x, dy []float32) { simd.LeakyReluGrad(dx, x, dy, slope) })
}

// elementwise is an operation of one operand that computes each element from one element. grad computes dx
// from the operand and dy. cost is the time for an element, in additions.
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
