package autograd

import (
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// The first write to a mapped parameter copies it and raises its version.
func TestUpdateCopiesMapped(t *testing.T) {
	file := []float32{1, 2, 3, 4}
	p := NewParameter(2, 2)
	p.Map([][]float32{file}, nil, nil)
	if &p.Values()[0] != &file[0] {
		t.Error("Map copies")
	}
	version := p.Version()
	p.Update(func(v []float32) { v[0] = 9 })
	if file[0] != 1 || p.Values()[0] != 9 || p.Values()[3] != 4 {
		t.Errorf("file %v and parameter %v after an update", file, p.Values())
	}
	if p.Version() == version {
		t.Error("Update does not raise the version")
	}
	own := &p.Values()[0]
	p.Update(func(v []float32) { v[1] = 8 })
	if &p.Values()[0] != own {
		t.Error("the second update copies again")
	}
	expectShapePanic(t, "parameter map", func() { p.Map([][]float32{file[:3]}, nil, nil) })
	expectShapePanic(t, "parameter", func() { ParameterOf(file, 3) })
	if p.DType() != Float32 || p.DType().String() != "float32" {
		t.Errorf("type %v", p.DType())
	}
}

// What is packed for inference follows the values.
func TestPanelsFollowUpdates(t *testing.T) {
	p := ParameterOf(ramp(12), 4, 3)
	tape := NewTape(Options{})
	x := tape.Input(ramp(6), 2, 3)
	check := func(when string) {
		t.Helper()
		// A Tensor is never packed ahead.
		w := tape.Input(p.Values(), 4, 3)
		sameBits(t, when+": linear", Linear(x, p, nil).Floats(nil), Linear(x, w, nil).Floats(nil))
		y := tape.Input(ramp(8), 2, 4)
		sameBits(t, when+": matmul", MatMul(y, p).Floats(nil), MatMul(y, w).Floats(nil))
	}
	check("new")
	first := Linear(x, p, nil).Floats(nil)
	panels := p.store.packs[packTransposed][simd.Strict].Load()
	if panels == nil {
		t.Fatal("nothing was packed")
	}
	Linear(x, p, nil)
	if p.store.packs[packTransposed][simd.Strict].Load() != panels {
		t.Error("packed twice")
	}
	p.Update(func(v []float32) { v[0] += 1 })
	check("updated")
	if second := Linear(x, p, nil).Floats(nil); second[0] == first[0] {
		t.Error("the result does not follow the update")
	}
	p.Map([][]float32{ramp(12)}, nil, nil)
	check("mapped")
	p.Update(func([]float32) {})
	for _, o := range []Options{{Gradients: true}, {Gradients: true, Recompute: true}, {Training: true}} {
		tape := NewTape(o)
		tape.Segment(func(x *Tensor) *Tensor { return MatMulT(x, p, false, true) }, tape.Input(ramp(6), 2, 3))
		tape.Segment(func(x *Tensor) *Tensor { return Linear(x, p, nil) }, tape.Input(ramp(6), 2, 3))
		if p.store.packs[packTransposed][simd.Strict].Load() != nil {
			t.Errorf("%+v packs ahead", o)
		}
	}
}

// A parameter must not change between forward and backward.
func TestUpdateBetween(t *testing.T) {
	p := ParameterOf(ramp(6), 2, 3)
	tape := NewTape(Options{Gradients: true})
	y := Sum(Linear(tape.Input(ramp(3), 1, 3), p, nil), false)
	p.Update(func(v []float32) { v[0] = 7 })
	expectUsePanic(t, "changed between forward and backward", func() { y.Backward(NewGradients()) })
}

func TestBuffer(t *testing.T) {
	b := NewBuffer(2, 3)
	b.Update(func(v []float32) { v[1] = 5 })
	sameBits(t, "buffer", b.Values(), []float32{2, 5, 2})
	if !equalShape(b.Shape(), []int{3}) {
		t.Errorf("shape %v", b.Shape())
	}
}
