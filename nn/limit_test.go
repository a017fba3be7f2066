package nn

import (
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// TestLimitAdded expects a limit for new layers of a quantized model alone, and for no layer that has one.
func TestLimitAdded(t *testing.T) {
	model := []*Linear{NewLinear(4, 3, true), NewLinear(3, 3, false), NewLinear(3, 2, true)}
	first := model[0].Weight
	model[1].Weight.LimitMath(simd.BF16)
	LimitAdded(model)
	if m := model[2].Weight.MathLimit(); m != simd.Int8 {
		t.Errorf("in a model without integers, the limit is %v", m)
	}
	first.MapInt8([][]int8{make([]int8, 12)}, make([]float32, 3), nil, nil)
	LimitAdded(model)
	for i, want := range []simd.Math{simd.Int8, simd.BF16, simd.Strict} {
		if m := model[i].Weight.MathLimit(); m != want {
			t.Errorf("layer %d: the limit is %v, expected %v", i, m, want)
		}
	}
	// Integers that are kept in Int8 become float32, and so do their products.
	first.Update(func([]float32) {})
	if m := first.MathLimit(); m != simd.Int8 {
		t.Errorf("integers without a limit have the limit %v after a write", m)
	}
	first.MapInt8([][]int8{make([]int8, 12)}, make([]float32, 3), nil, nil)
	first.LimitMath(simd.Int8)
	first.Update(func([]float32) {})
	if m := first.MathLimit(); m != simd.Strict || first.DType() != autograd.Float32 {
		t.Errorf("after a write, the weight is %v in %v", first.DType(), m)
	}
}

// TestQuantized tells models that package nn/quant converted from those that were loaded in half precision.
func TestQuantized(t *testing.T) {
	model := []*Linear{NewLinear(2, 3, true)}
	w := model[0].Weight
	for _, c := range []struct {
		name   string
		change func()
		want   bool
	}{
		{"float32", func() {}, false},
		{"float32 with a limit", func() { w.LimitMath(simd.BF16) }, false},
		{"bfloat16 with a limit", func() { w.MapHalf(autograd.BFloat16, [][]uint16{make([]uint16, 6)}, nil, nil) }, true},
		{"bfloat16", func() { w.LimitMath(simd.Int8) }, false},
		{"float16", func() { w.MapHalf(autograd.Float16, [][]uint16{make([]uint16, 6)}, nil, nil) }, false},
		{"integers", func() { w.MapInt8([][]int8{make([]int8, 6)}, make([]float32, 3), nil, nil) }, true},
	} {
		if c.change(); Quantized(model) != c.want {
			t.Errorf("%s: expected %t", c.name, c.want)
		}
	}
}
