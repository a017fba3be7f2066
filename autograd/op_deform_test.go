package autograd

import (
	"math"
	"slices"
	"testing"
)

func TestDeformConv2d(t *testing.T) {
	checkOp(t, "ops_deform.safetensors", "", func(c *opCase) []*Tensor {
		v := c.Ints("o")
		var mask, b Operand
		if c.g.Has(c.name + "/in/mask") {
			mask = c.Var("mask")
		}
		if c.g.Has(c.name + "/in/b") {
			b = c.Param("b")
		}
		return []*Tensor{DeformConv2d(c.Var("x"), c.Var("offset"), mask, c.Param("w"), b, Conv2dOptions{
			Stride: [2]int{v[0], v[1]}, Padding: [2]int{v[2], v[3]}, Dilation: [2]int{v[4], v[5]}, Groups: v[6]})}
	})
}

// TestDeformConv2dPlain compares with Conv2d: without offsets the two are one.
func TestDeformConv2dPlain(t *testing.T) {
	tape := NewTape(Options{})
	x, w := tape.Full(0, 2, 6, 9, 8), tape.Full(0, 4, 3, 3, 3)
	for _, v := range []*Tensor{x, w} {
		for i := range v.data {
			v.data[i] = float32(i*7919%1013)/500 - 1
		}
	}
	o := Conv2dOptions{Stride: [2]int{2, 1}, Padding: [2]int{1, 1}, Groups: 2}
	want := Conv2d(x, w, nil, o)
	got := DeformConv2d(x, tape.Full(0, 2, 18, want.Shape()[2], want.Shape()[3]), nil, w, nil, o)
	for i, v := range want.data {
		if math.Abs(float64(got.data[i]-v)) > 1e-5 {
			t.Fatalf("value %d is %v, expected %v", i, got.data[i], v)
		}
	}
}

// TestDeformConv2dAct expects the bits of the activation after a convolution without it, gradients included.
func TestDeformConv2dAct(t *testing.T) {
	values := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(i*7919%1013)/500 - 1
		}
		return v
	}
	w, b := ParameterOf(values(4*3*9), 4, 3, 3, 3), ParameterOf(values(4), 4)
	for _, act := range []Activation{ActRelu, ActSilu, ActGelu} {
		var want [][]float32
		for _, inside := range []bool{false, true} {
			tape := NewTape(Options{Gradients: true, Debug: true})
			x := tape.Input(values(2*6*9*40), 2, 6, 9, 40).WantGradient() // more positions than a tile has
			offset, mask := tape.Input(values(2*18*360), 2, 18, 9, 40).WantGradient(), tape.Input(values(2*9*360), 2, 9, 9, 40).WantGradient()
			o := Conv2dOptions{Padding: [2]int{1, 1}, Groups: 2}
			if inside {
				o.Act = act
			}
			y := DeformConv2d(x, offset, mask, w, b, o)
			if !inside {
				y = Activate(y, act)
			}
			grads := NewGradients()
			Backward(grads, []*Tensor{y}, [][]float32{values(2 * 4 * 360)})
			got := [][]float32{y.Floats(nil), grads.Of(w), grads.Of(b), grads.OfTensor(x), grads.OfTensor(offset), grads.OfTensor(mask)}
			if !inside {
				want = got
				continue
			}
			for i := range got {
				if len(got[i]) == 0 || !slices.Equal(got[i], want[i]) {
					t.Errorf("%v: result %d has other bits", act, i)
				}
			}
		}
	}
}

// TestDeformConv2dOdd gives offsets that lead far away or are not finite.
func TestDeformConv2dOdd(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct{ y, x, want float32 }{
		{inf, 0, 0}, {0, -inf, 0}, {3e38, 3e38, 0}, {-3e9, 0, 0}, {nan, 0, nan}, {0, nan, nan}, {1, 1, 3},
	} {
		tape := NewTape(Options{Gradients: true, Debug: true})
		x := tape.Full(3, 1, 1, 2, 2).WantGradient()
		offset := tape.Full(0, 1, 2, 2, 2).WantGradient()
		offset.data[0], offset.data[4] = c.y, c.x
		y := DeformConv2d(x, offset, nil, tape.Full(1, 1, 1, 1, 1), nil, Conv2dOptions{})
		want := []float32{c.want, 3, 3, 3}
		if !slices.EqualFunc(y.data, want, func(a, b float32) bool { return a == b || a != a && b != b }) {
			t.Errorf("offset (%v, %v): %v, expected %v", c.y, c.x, y.data, want)
		}
		g := NewGradients()
		Sum(y, false).Backward(g)
		for i, v := range g.OfTensor(x) {
			if v-v != 0 {
				t.Errorf("offset (%v, %v): the gradient of pixel %d is %v", c.y, c.x, i, v)
			}
		}
	}
}

// TestDeformConv2dAtEdge gives zero offsets, with which training starts, and padding. Expected are torchvision's gradients.
// Finite differences would see another slope on the other side.
func TestDeformConv2dAtEdge(t *testing.T) {
	tape := NewTape(Options{Gradients: true, Debug: true})
	x := tape.Input([]float32{1, 2, 3, 5}, 1, 1, 2, 2)
	offset := tape.Full(0, 1, 2, 4, 4).WantGradient()
	y := DeformConv2d(x, offset, nil, tape.Full(1, 1, 1, 1, 1), nil, Conv2dOptions{Padding: [2]int{1, 1}})
	sameBits(t, "result", y.data, []float32{0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 5, 0, 0, 0, 0, 0})
	g := NewGradients()
	Sum(y, false).Backward(g)
	sameBits(t, "gradient of the offsets", g.OfTensor(offset), []float32{
		0, 1, 2, 0, 0, 2, 3, 0, 0, -3, -5, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 1, 1, -2, 0, 3, 2, -5, 0, 0, 0, 0, 0,
	})
}

func TestDeformConv2dMistakes(t *testing.T) {
	tape := NewTape(Options{})
	full := func(shape ...int) *Tensor { return tape.Full(0, shape...) }
	x, w, offset := full(1, 4, 5, 5), full(2, 4, 3, 3), full(1, 18, 3, 3)
	for name, f := range map[string]func() *Tensor{
		"channels":      func() *Tensor { return DeformConv2d(x, offset, nil, full(2, 3, 3, 3), nil, Conv2dOptions{}) },
		"offset size":   func() *Tensor { return DeformConv2d(x, full(1, 18, 5, 5), nil, w, nil, Conv2dOptions{}) },
		"offset taps":   func() *Tensor { return DeformConv2d(x, full(1, 8, 3, 3), nil, w, nil, Conv2dOptions{}) },
		"no offset":     func() *Tensor { return DeformConv2d(x, full(1, 0, 3, 3), nil, w, nil, Conv2dOptions{}) },
		"offset groups": func() *Tensor { return DeformConv2d(x, full(1, 54, 3, 3), nil, w, nil, Conv2dOptions{}) },
		"mask":          func() *Tensor { return DeformConv2d(x, offset, full(1, 18, 3, 3), w, nil, Conv2dOptions{}) },
		"bias":          func() *Tensor { return DeformConv2d(x, offset, nil, w, full(3), Conv2dOptions{}) },
	} {
		wantShapeError(t, name, func() { f() })
	}
}
