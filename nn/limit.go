package nn

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// LimitAdded keeps the products of layers that were added to a quantized model, such as a new head or an adapter, in
// [simd.Strict]: that is the rule of its other float32 layers ([autograd.Parameter.LimitMath]), and so they compute as they
// will when the model was saved and loaded. Code that adds layers to a model calls it.
//
// A model is quantized when a parameter holds integers. All parameters of float32 that have no limit get one. Other models
// stay as they are.
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
