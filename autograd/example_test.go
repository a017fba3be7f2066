package autograd_test

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
)

// A line is fitted to points by gradient descent. The tape is reset after each step, so that all steps run
// in the memory of one.
func Example() {
	w, b := autograd.NewParameter(1, 1), autograd.NewParameter(1)
	x := []float32{-1, 0, 1, 2}
	y := []float32{-1, 1, 3, 5} // 2x + 1

	tape := autograd.NewTape(autograd.Options{Gradients: true})
	grads := autograd.NewGradients()
	var loss float32
	for range 200 {
		err := tape.Try(func() error {
			predicted := autograd.Linear(tape.Input(x, 4, 1), w, b)
			l := autograd.Mean(autograd.Square(autograd.Sub(predicted, tape.Input(y, 4, 1))), false)
			loss = l.Float()
			grads.Zero()
			l.Backward(grads)
			return nil
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		for p, g := range grads.All() {
			p.Update(func(values []float32) {
				for i := range values {
					values[i] -= 0.2 * g[i]
				}
			})
		}
	}
	fmt.Printf("%.3fx + %.3f, loss %.3f\n", w.Values()[0], b.Values()[0], loss)
	// Output: 2.000x + 1.000, loss 0.000
}

// Inference in segments: what a block makes is reused by the next.
func ExampleTape_Segment() {
	block := func(x *autograd.Tensor) *autograd.Tensor {
		return autograd.Add(x, autograd.Scale(x, 0.5))
	}
	tape := autograd.NewTape(autograd.Options{})
	x := tape.Full(1, 2)
	for range 3 {
		x = tape.Segment(block, x)
	}
	fmt.Println(x.Floats(nil))
	// Output: [3.375 3.375]
}

// A segment that returns two scales of its input. Only one of them reaches the loss.
func ExampleTape_SegmentAll() {
	p := autograd.ParameterOf([]float32{1, 2, 3, 4}, 4)
	tape := autograd.NewTape(autograd.Options{Gradients: true, Recompute: true})
	scales := tape.SegmentAll(func(xs []*autograd.Tensor) []*autograd.Tensor {
		fine := autograd.Square(xs[0])
		coarse := autograd.Mean(autograd.Reshape(fine, 2, 2), false, 1)
		return []*autograd.Tensor{fine, coarse}
	}, tape.Use(p))
	fmt.Println(scales[0].Floats(nil), scales[1].Floats(nil))

	grads := autograd.NewGradients()
	autograd.Sum(scales[1], false).Backward(grads)
	fmt.Println(grads.Of(p))
	// Output:
	// [1 4 9 16] [2.5 12.5]
	// [1 2 3 4]
}

// At the edge of a model, a shape that does not fit becomes an error.
func ExampleTape_Try() {
	tape := autograd.NewTape(autograd.Options{})
	err := tape.Try(func() error {
		autograd.MatMul(tape.Full(1, 2, 3), tape.Full(1, 2, 3))
		return nil
	})
	var shape *autograd.ShapeError
	fmt.Println(errors.As(err, &shape), shape.Op, shape.Shapes)
	// Output: true matmul [[2 3] [2 3]]
}

// LogCosh returns log(cosh x) elementwise, a loss that is smooth at zero. It is written as a package outside
// autograd would write it.
func LogCosh(x autograd.Operand) *autograd.Tensor { return autograd.Custom(logCosh, x) }

var logCosh = autograd.Op{
	Name: "log cosh",
	Forward: func(f *autograd.ForwardStep) {
		x, y := f.In(0), f.NewOut(f.Shape(0)...)
		f.Each(len(y), 16, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				a := math.Abs(float64(x[i]))
				y[i] = float32(a + math.Log1p(math.Exp(-2*a)) - math.Ln2)
			}
		})
	},
	Backward: func(b *autograd.BackwardStep) {
		x, dy := b.In(0), b.OutGrad(0)
		b.Add(0, func(dx []float32) {
			b.Each(len(dx), 16, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					dx[i] = dy[i] * float32(math.Tanh(float64(x[i])))
				}
			})
		})
	},
}

// An operation of one's own, used like those of the package.
func ExampleCustom() {
	tape := autograd.NewTape(autograd.Options{Gradients: true})
	x := tape.Input([]float32{-1, 0, 2}, 3).WantGradient()
	y := LogCosh(x)
	fmt.Printf("%.4f\n", y.Floats(nil))

	grads := autograd.NewGradients()
	autograd.Sum(y, false).Backward(grads)
	fmt.Printf("%.4f\n", grads.OfTensor(x))
	// Output:
	// [0.4338 0.0000 1.3250]
	// [-0.7616 0.0000 0.9640]
}

// The gradients of several results, weighted, with respect to an input.
func ExampleBackward() {
	tape := autograd.NewTape(autograd.Options{Gradients: true})
	x := tape.Input([]float32{1, 2, 3}, 3).WantGradient()
	square, sum := autograd.Square(x), autograd.Sum(x, false)

	grads := autograd.NewGradients()
	autograd.Backward(grads, []*autograd.Tensor{square, sum}, [][]float32{{1, 1, 1}, {10}})
	fmt.Println(grads.OfTensor(x))
	// Output: [12 14 16]
}

// The two largest scores of each row, and the areas at the same places.
func ExampleTopK() {
	tape := autograd.NewTape(autograd.Options{})
	scores := tape.Input([]float32{0.1, 0.7, 0.2, 0.9, 0.3, 0.5}, 2, 3)
	areas := tape.Input([]float32{10, 20, 30, 40, 50, 60}, 2, 3)

	best, indices := autograd.TopK(scores, 1, 2, autograd.Descending)
	fmt.Println(best.Floats(nil), indices)
	fmt.Println(autograd.Gather(areas, 1, indices, 2, 2).Floats(nil))
	// Output:
	// [0.7 0.2 0.9 0.5] [1 2 0 2]
	// [20 30 40 60]
}

// Negative numbers give zero and get no gradient.
func ExampleWhere() {
	tape := autograd.NewTape(autograd.Options{Gradients: true})
	x := tape.Input([]float32{-1, 2, 3}, 3).WantGradient()
	zero := tape.Full(0)
	y := autograd.Where(autograd.Less(x, zero), zero, autograd.Exp(x))
	fmt.Printf("%.3f\n", y.Floats(nil))

	grads := autograd.NewGradients()
	autograd.Sum(y, false).Backward(grads)
	fmt.Printf("%.3f\n", grads.OfTensor(x))
	// Output:
	// [0.000 7.389 20.086]
	// [0.000 7.389 20.086]
}

// A sequence of three tokens and one of two are encoded together, without padding.
func ExamplePackedAttention() {
	tape := autograd.NewTape(autograd.Options{})
	queries, keys := tape.Full(1, 5, 1), tape.Full(0, 5, 1) // equal scores: each token gets the mean of its sequence
	values := tape.Input([]float32{1, 2, 3, 10, 20}, 5, 1)
	starts := []int{0, 3, 5}

	y := autograd.PackedAttention(autograd.Columns{Of: queries}, autograd.Columns{Of: keys}, autograd.Columns{Of: values},
		starts, nil, autograd.AttentionOptions{})
	fmt.Println(y.Floats(nil))
	// Output: [2 2 2 15 15]
}

// A decoder appends the key and the value of each new token, and reads all of them.
func ExampleCachedAttention() {
	cache := autograd.NewState(1, 8, 2, autograd.StateOptions{}) // one sequence of at most 8 tokens, rows of a key and a value
	tape := autograd.NewTape(autograd.Options{})
	for _, value := range []float32{2, 4, 9} {
		cache.Append(tape.Input([]float32{0, value}, 1, 1, 2))
		query := tape.Full(1, 1, 1, 1)
		y := autograd.CachedAttention(autograd.Columns{Of: query}, cache, autograd.AttentionOptions{})
		fmt.Println(cache.Len(), y.Floats(nil))
		tape.Reset()
	}
	// Output:
	// 1 [2]
	// 2 [3]
	// 3 [5]
}

// Beam search: one prompt becomes two beams, and then both go on from the second. The cache holds half precision in memory
// that later texts use again.
func ExampleState_Reorder() {
	pool := &autograd.StatePool{Keep: 1 << 20} // up to 1 MiB of idle memory
	cache := autograd.NewState(1, 8, 1, autograd.StateOptions{DType: autograd.Float16, Pool: pool})
	defer cache.Release()
	tape := autograd.NewTape(autograd.Options{})

	cache.Append(tape.Input([]float32{1, 2}, 1, 2, 1)) // a prompt of two tokens
	cache.Reorder([]int{0, 0})
	cache.Append(tape.Input([]float32{3, 4}, 2, 1, 1)) // a token for each beam
	fmt.Println(cache.Tensor(tape).Shape(), cache.Tensor(tape).Floats(nil))

	cache.Reorder([]int{1, 1})
	fmt.Println(cache.Tensor(tape).Floats(nil))
	// Output:
	// [2 3 1] [1 2 3 1 2 4]
	// [1 2 4 1 2 4]
}

// Two boxes of an image, each divided into 2×2 bins.
func ExampleRoiAlign() {
	tape := autograd.NewTape(autograd.Options{})
	x := tape.Input([]float32{
		0, 1, 2, 3,
		4, 5, 6, 7,
		8, 9, 10, 11,
		12, 13, 14, 15,
	}, 1, 1, 4, 4)
	boxes := []autograd.Roi{{X1: 4, Y1: 4}, {X0: 2, Y0: 2, X1: 4, Y1: 4}}
	y := autograd.RoiAlign(x, boxes, autograd.RoiOptions{OutH: 2, OutW: 2, Aligned: true})
	fmt.Println(y.Shape(), y.Floats(nil))
	// Output: [2 1 2 2] [2.5 4.5 10.5 12.5 10 11 14 15]
}

// The two boxes of the highest scores become regions to read from an image.
func ExampleIndexSelect() {
	tape := autograd.NewTape(autograd.Options{})
	scores := tape.Input([]float32{0.2, 0.9, 0.5}, 3)
	boxes := tape.Input([]float32{
		0, 0, 2, 2,
		1, 1, 3, 3,
		0, 2, 4, 4,
	}, 3, 4) // x0, y0, x1, y1

	_, at := autograd.TopK(scores, 0, 2, autograd.Descending)
	best := autograd.IndexSelect(boxes, 0, at)
	var rois []autograd.Roi
	for box := range slices.Chunk(best.Floats(nil), 4) {
		rois = append(rois, autograd.Roi{Image: 0, X0: box[0], Y0: box[1], X1: box[2], Y1: box[3]})
	}
	features := tape.Full(1, 1, 8, 4, 4)
	crops := autograd.RoiAlign(features, rois, autograd.RoiOptions{OutH: 7, OutW: 7, Aligned: true})
	fmt.Println(at, rois[0], crops.Shape())
	// Output: [1 2] {0 1 1 3 3} [2 8 7 7]
}

// An image is turned by 180 degrees: the grid runs from its lower right corner to the upper left one.
func ExampleGridSample() {
	tape := autograd.NewTape(autograd.Options{})
	x := tape.Input([]float32{1, 2, 3, 4}, 1, 1, 2, 2)
	grid := tape.Input([]float32{1, 1, -1, 1, 1, -1, -1, -1}, 1, 2, 2, 2) // points (x, y)
	y := autograd.GridSample(x, grid, autograd.GridSampleOptions{Mode: autograd.Bilinear, AlignCorners: true})
	fmt.Println(y.Floats(nil))
	// Output: [4 3 2 1]
}

// Rounding has no gradient of its own, so the gradient passes by.
func ExampleStraightThrough() {
	tape := autograd.NewTape(autograd.Options{Gradients: true})
	x := tape.Input([]float32{-0.3, 0.8}, 2).WantGradient()
	y := autograd.StraightThrough(autograd.Sign(x), x)
	fmt.Println(y.Floats(nil))

	grads := autograd.NewGradients()
	autograd.Sum(autograd.Scale(y, 3), false).Backward(grads)
	fmt.Println(grads.OfTensor(x))
	// Output:
	// [-1 1]
	// [3 3]
}
