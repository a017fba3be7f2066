package nn

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// LimitAdded limits the products of layers that were added to a quantized model, such as a new head or an adapter, to
// [simd.Strict] ([autograd.Parameter.LimitMath]). The other float32 layers of such a model have this limit, and loading the
// saved model sets it too. Code that adds layers to a model calls LimitAdded.
//
// When the model is [Quantized], all float32 parameters without a limit get this one. LimitAdded does not change other models.
func LimitAdded(model any) {
	if !Quantized(model) {
		return
	}
	for _, p := range Parameters(model) {
		if p.DType() == autograd.Float32 && p.MathLimit() == simd.Int8 {
			p.LimitMath(simd.Strict)
		}
	}
}

// Quantized reports whether a parameter of the model holds integers, or bfloat16 that limits its products to [simd.BF16], as
// package nn/quant stores them. A model that was loaded in half precision has no such limit.
func Quantized(model any) bool {
	for _, p := range Parameters(model) {
		if p.DType() == autograd.Int8 || p.DType() == autograd.BFloat16 && p.MathLimit() == simd.BF16 {
			return true
		}
	}
	return false
}
