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
