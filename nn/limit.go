package nn

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// LimitAdded limits the products of layers that were added to a quantized model, such as a new head or an adapter, to
// [simd.Strict] ([autograd.Parameter.LimitMath]). The other float32 layers of such a model have this limit, and loading the
// saved model sets it too. Code that adds layers to a model calls LimitAdded.
//
// A model is quantized when one of its parameters holds integers. Then all float32 parameters without a limit get this one.
// LimitAdded does not change other models.
func LimitAdded(model any) {
	var added []*autograd.Parameter
	quantized := false
	for _, p := range Parameters(model) {
		switch {
		case p.DType() == autograd.Int8:
			quantized = true
		case p.DType() == autograd.Float32 && p.MathLimit() == simd.Int8:
			added = append(added, p)
		}
	}
	if !quantized {
		return
	}
	for _, p := range added {
		p.LimitMath(simd.Strict)
	}
}
