package autograd

import (
	"math"
	"testing"
)

func TestPatches(t *testing.T) {
	checkOp(t, resizeGoldens, "patchify/", func(c *opCase) []*Tensor {
		return []*Tensor{Patchify(c.Var("x"), c.Ints("o")[0])}
	})
	checkOp(t, resizeGoldens, "patchlast/", func(c *opCase) []*Tensor {
		return []*Tensor{PatchifyLast(c.Var("x"), c.Ints("o")[0])}
	})
	checkOp(t, resizeGoldens, "unpatchify/", func(c *opCase) []*Tensor {
		o := c.Ints("o")
		return []*Tensor{Unpatchify(c.Var("y"), o[0], o[1], o[2])}
	})
}

// TestPatchifyIsConv2d: patches times the flattened filters are a convolution whose stride is its window,
// bit for bit.
func TestPatchifyIsConv2d(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Input(normals(1, 2*3*8*12), 2, 3, 8, 12)
	w := normals(2, 5*3*4*4)
	y := Linear(Patchify(x, 4), ParameterOf(w, 5, 48), nil)
	z := Conv2d(x, ParameterOf(w, 5, 3, 4, 4), nil, Conv2dOptions{Stride: [2]int{4, 4}})
	var want []float32
	for i := range 2 {
		for p := range 6 {
			for c := range 5 {
				want = append(want, z.data[(i*5+c)*6+p])
			}
		}
	}
	sameBits(t, "patch embedding", y.Floats(nil), want)
}

func TestPatchShapes(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Full(1, 1, 3, 4, 6)
	wantShapeError(t, "not a multiple", func() { Patchify(x, 4) })
	wantShapeError(t, "no patch", func() { PatchifyLast(x, 0) })
	y := PatchifyLast(x, 2)
	wantShapeError(t, "another size", func() { Unpatchify(y, 2, 4, 4) })
	wantShapeError(t, "a patch beyond int", func() {
		side := math.MaxInt/2 + 1
		Unpatchify(tape.Full(1, 1, 1, 0), side, side, side)
	})
	wantShapeError(t, "another patch", func() { Unpatchify(y, 5, 10, 15) })
}
