package autograd

import (
	"fmt"
	"testing"
)

func TestGroupNorm(t *testing.T) {
	checkOp(t, norm2dGoldens, "group/", func(c *opCase) []*Tensor {
		return []*Tensor{GroupNorm(c.Var("x"), c.Ints("o")[0], c.Param("w"), c.Param("b"), 0)}
	})
	checkOp(t, norm2dGoldens, "groupplain/", func(c *opCase) []*Tensor {
		return []*Tensor{GroupNorm(c.Var("x"), c.Ints("o")[0], nil, nil, 1e-3)}
	})
	tape := NewTape(Options{})
	wantShapeError(t, "groups", func() { GroupNorm(tape.Full(1, 2, 6, 4), 4, nil, nil, 0) })
	wantShapeError(t, "gamma", func() { GroupNorm(tape.Full(1, 2, 6, 4), 3, NewParameter(3), nil, 0) })
}

// TestGroupNormRelu compares it with the two operations, in values and gradients.
func TestGroupNormRelu(t *testing.T) {
	xv, dy := normals(1, 2*6*5*7), normals(2, 2*6*5*7)
	w, b := ParameterOf(normals(3, 6), 6), ParameterOf(normals(4, 6), 6)
	for name, p := range map[string][2]Operand{"both": {w, b}, "gain": {w, nil}, "neither": {nil, nil}} {
		run := func(f func(x *Tensor) *Tensor) [][]float32 {
			tape, grads := NewTape(Options{Gradients: true, Debug: true}), NewGradients()
			x := tape.Input(xv, 2, 6, 5, 7).WantGradient()
			y := f(x)
			out := y.Floats(nil)
			Backward(grads, []*Tensor{y}, [][]float32{dy})
			return [][]float32{out, grads.OfTensor(x), grads.Of(w), grads.Of(b)}
		}
		got := run(func(x *Tensor) *Tensor { return GroupNormRelu(x, 3, p[0], p[1], 0) })
		want := run(func(x *Tensor) *Tensor { return Relu(GroupNorm(x, 3, p[0], p[1], 0)) })
		for i := range got {
			sameBits(t, fmt.Sprint(name, " ", i), got[i], want[i])
		}
	}
}

// TestImagesAlone: an image of a batch has the bits it has alone.
func TestImagesAlone(t *testing.T) {
	w, b := ParameterOf(normals(2, 6), 6), ParameterOf(normals(3, 6), 6)
	for name, f := range map[string]func(x *Tensor) *Tensor{
		"max pool":      func(x *Tensor) *Tensor { return MaxPool2d(x, PoolOptions{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}}) },
		"avg pool":      func(x *Tensor) *Tensor { return AvgPool2d(x, PoolOptions{Kernel: [2]int{3, 2}}) },
		"adaptive pool": func(x *Tensor) *Tensor { return AdaptiveAvgPool2d(x, 3, 5) },
		"resize":        func(x *Tensor) *Tensor { return Resize2d(x, 20, 17, ResizeOptions{Mode: Bicubic, Antialias: true}) },
		"patchify":      func(x *Tensor) *Tensor { return PatchifyLast(x, 2) },
		"prelu":         func(x *Tensor) *Tensor { return PRelu(x, w) },
		"group norm":    func(x *Tensor) *Tensor { return GroupNorm(x, 3, w, b, 0) },
	} {
		tape := NewTape(Options{})
		x := normals(1, 3*6*14*22)
		all := f(tape.Input(x, 3, 6, 14, 22))
		row, out := len(x)/3, all.Len()/3
		for i := range 3 {
			one := f(tape.Input(x[i*row:(i+1)*row], 1, 6, 14, 22))
			sameBits(t, fmt.Sprint(name, " of image ", i), one.data, all.data[i*out:(i+1)*out])
		}
	}
}
