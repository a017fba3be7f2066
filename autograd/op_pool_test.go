package autograd

import (
	"math"
	"math/rand/v2"
	"testing"
)

const poolGoldens = "ops_pool.safetensors"

func TestPool2d(t *testing.T) {
	options := func(c *opCase) PoolOptions {
		v := c.Ints("o")
		return PoolOptions{Kernel: pair(v[0:]), Stride: pair(v[2:]), Padding: pair(v[4:]), Ceil: v[6] == 1, ExcludePadding: v[7] == 0}
	}
	checkOp(t, poolGoldens, "max/", func(c *opCase) []*Tensor {
		return []*Tensor{MaxPool2d(c.Var("x"), options(c))}
	})
	checkOp(t, poolGoldens, "avg/", func(c *opCase) []*Tensor {
		return []*Tensor{AvgPool2d(c.Var("x"), options(c))}
	})
	checkOp(t, poolGoldens, "adaptiveavg/", func(c *opCase) []*Tensor {
		o := c.Ints("o")
		return []*Tensor{AdaptiveAvgPool2d(c.Var("x"), o[0], o[1])}
	})
	checkOp(t, poolGoldens, "adaptivemax/", func(c *opCase) []*Tensor {
		o := c.Ints("o")
		return []*Tensor{AdaptiveMaxPool2d(c.Var("x"), o[0], o[1])}
	})
}

// TestMaxPool2dWinner: of equal values the first has the gradient, and NaN wins over numbers.
func TestMaxPool2dWinner(t *testing.T) {
	nan := float32(math.NaN())
	tape := NewTape(Options{Gradients: true})
	x := tape.Input([]float32{
		1, 3, 5, 1,
		3, 3, nan, 2,
	}, 1, 1, 2, 4).WantGradient()
	y := MaxPool2d(x, PoolOptions{Kernel: [2]int{2, 2}})
	sameBits(t, "result", y.Floats(nil), []float32{3, nan})
	g := NewGradients()
	Backward(g, []*Tensor{y}, [][]float32{{10, 20}})
	sameBits(t, "gradient", g.OfTensor(x), []float32{0, 10, 0, 0, 0, 0, 20, 0})
}

func TestPool2dShapes(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Full(1, 1, 2, 4, 4)
	for name, f := range map[string]func(){
		"no kernel": func() { MaxPool2d(x, PoolOptions{}) },
		"padding":   func() { AvgPool2d(x, PoolOptions{Kernel: [2]int{3, 3}, Padding: [2]int{2, 0}}) },
		"window":    func() { AvgPool2d(x, PoolOptions{Kernel: [2]int{5, 1}}) },
		"rank":      func() { MaxPool2d(Reshape(x, 2, 16), PoolOptions{Kernel: [2]int{1, 1}}) },
		"adaptive":  func() { AdaptiveAvgPool2d(x, -1, 1) },
		"no pixels": func() { AdaptiveMaxPool2d(tape.Full(1, 1, 2, 0, 4), 1, 1) },
	} {
		wantShapeError(t, name, f)
	}
}

// TestAvgPoolSums compares averages with sums written out, bit by bit: rows first, then columns, from +0.
func TestAvgPoolSums(t *testing.T) {
	const planes, h, w = 3, 9, 22
	rng := rand.New(rand.NewPCG(3, 1))
	x := make([]float32, planes*h*w)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
		if rng.IntN(3) == 0 {
			x[i] = float32(math.Copysign(0, -1))
		}
	}
	for _, o := range []PoolOptions{
		{Kernel: [2]int{2, 2}},
		{Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}, Ceil: true, ExcludePadding: true},
		{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Padding: [2]int{1, 1}},
		{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Padding: [2]int{1, 1}, ExcludePadding: true},
		{Kernel: [2]int{3, 5}, Stride: [2]int{2, 3}, Padding: [2]int{0, 2}, Ceil: true},
		{Kernel: [2]int{5, 5}},
	} {
		tape := NewTape(Options{})
		y := AvgPool2d(tape.Input(x, 1, planes, h, w), o)
		got := make([]float32, y.Len())
		y.Floats(got)
		ys, xs := o.spans("", 0, h, nil), o.spans("", 1, w, nil)
		for i := range got {
			plane, v, u := x[i/len(xs)/len(ys)*h*w:][:h*w], ys[i/len(xs)%len(ys)], xs[i%len(xs)]
			sum := float32(0)
			for c := u.lo; c < u.hi; c++ {
				column := plane[v.lo*w+c]
				for r := v.lo + 1; r < v.hi; r++ {
					column += plane[r*w+c]
				}
				sum += column
			}
			if want := sum / float32(v.count*u.count); math.Float32bits(got[i]) != math.Float32bits(want) {
				t.Fatalf("%+v: element %d is %v, expected %v", o, i, got[i], want)
			}
		}
	}
}
