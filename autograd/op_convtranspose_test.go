package autograd

import (
	"fmt"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

func TestConvTranspose2d(t *testing.T) {
	options := func(c *opCase) ConvTranspose2dOptions {
		v := c.Ints("o")
		return ConvTranspose2dOptions{Stride: pair(v[0:]), Padding: pair(v[2:]), Dilation: pair(v[4:]),
			OutputPadding: pair(v[6:]), Groups: v[8]}
	}
	checkOp(t, convGoldens, "transpose/", func(c *opCase) []*Tensor {
		return []*Tensor{ConvTranspose2d(c.Var("x"), c.Param("w"), c.Param("b"), options(c))}
	})
	checkOp(t, convGoldens, "transposenobias/", func(c *opCase) []*Tensor {
		return []*Tensor{ConvTranspose2d(c.Var("x"), c.Param("w"), nil, options(c))}
	})
}

// TestConvTranspose2dBits: overlapping contributions of several tiles of positions are added in one order,
// whatever the number of threads and the batch.
func TestConvTranspose2dBits(t *testing.T) {
	xs, ws := []int{2, 20, 24, 31}, []int{20, 70, 3, 3}
	x, w := normals(1, elements("test", xs)), ParameterOf(normals(2, elements("test", ws)), ws...)
	o := ConvTranspose2dOptions{Stride: [2]int{2, 1}, Padding: [2]int{1, 1}}
	run := func(threads, from, to int) []float32 {
		tape := NewTape(Options{Debug: true, Workers: simd.NewWorkers(threads)})
		row := len(x) / xs[0]
		in := tape.Input(x[from*row:to*row], append([]int{to - from}, xs[1:]...)...)
		return ConvTranspose2d(in, w, nil, o).Floats(nil)
	}
	base := run(1, 0, 2)
	for _, threads := range []int{2, 5} {
		sameBits(t, fmt.Sprint(threads, " threads"), run(threads, 0, 2), base)
	}
	for i := range 2 {
		sameBits(t, fmt.Sprint("image ", i, " alone"), run(2, i, i+1), base[i*len(base)/2:(i+1)*len(base)/2])
	}
}
