package autograd

import (
	"math"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// dropRun applies f to x on a tape of the given options and runs it backward from a given seed.
func dropRun(o Options, x, seed []float32, shape []int, f func(x *Tensor) *Tensor) (y, dx []float32) {
	tape := NewTape(o)
	in := tape.Input(x, shape...).WantGradient()
	out := tape.Segment(f, in)
	y = out.Floats(nil)
	if o.Gradients {
		g := NewGradients()
		Backward(g, []*Tensor{out}, [][]float32{seed})
		dx = g.OfTensor(in)
	}
	return y, dx
}

func TestDropout(t *testing.T) {
	const n = 100003
	x, seed := normal(50, n), normal(51, n)
	shape := []int{n}
	const p = 0.3
	drop := func(x *Tensor) *Tensor { return Dropout(x, p) }
	train := Options{Gradients: true, Training: true, Debug: true, Seed: 1, Step: 2}
	y, dx := dropRun(train, x, seed, shape, drop)

	kept := 0
	scale := float32(1) / (1 - p)
	for i := range x {
		switch {
		case y[i] == x[i]*scale && dx[i] == seed[i]*scale:
			kept++
		case y[i] != 0 || dx[i] != 0:
			t.Fatalf("element %d: %v became %v, gradient %v became %v", i, x[i], y[i], seed[i], dx[i])
		}
	}
	if rate, sd := float64(kept)/n, math.Sqrt(p*(1-p)/n); math.Abs(rate-(1-p)) > 4*sd {
		t.Errorf("kept %v of the elements, expected %v within %v", rate, 1-p, 4*sd)
	}

	two := train
	two.Workers, two.Recompute = simd.NewWorkers(2), true
	y2, dx2 := dropRun(two, x, seed, shape, drop)
	sameBits(t, "result", y2, y)
	sameBits(t, "gradient", dx2, dx)

	for name, change := range map[string]func(o *Options){
		"seed": func(o *Options) { o.Seed++ },
		"step": func(o *Options) { o.Step++ },
	} {
		o := train
		change(&o)
		if z, _ := dropRun(o, x, seed, shape, drop); slices.Equal(z, y) {
			t.Errorf("another %s dropped the same", name)
		}
	}
	// Two operations of one pass drop differently.
	both, _ := dropRun(train, x, seed, shape, func(x *Tensor) *Tensor { return drop(drop(x)) })
	twice := 0
	for i := range both {
		if both[i] != 0 {
			twice++
		}
	}
	if rate, q := float64(twice)/n, (1-p)*(1-p); math.Abs(rate-q) > 4*math.Sqrt(q*(1-q)/n) {
		t.Errorf("two dropouts kept %v, expected %v", rate, q)
	}

	off := train
	off.Training = false
	same, _ := dropRun(off, x, seed, shape, drop)
	sameBits(t, "without training", same, x)
	zero, _ := dropRun(train, x, seed, shape, func(x *Tensor) *Tensor { return Dropout(x, 1) })
	if squares(zero) != 0 {
		t.Error("probability 1 kept something")
	}
}

func TestDropPath(t *testing.T) {
	const b, n = 1001, 40
	x, seed := normal(52, b*n), normal(53, b*n)
	shape := []int{b, n / 4, 4}
	const p = 0.25
	train := Options{Gradients: true, Training: true, Debug: true, Seed: 1}
	y, dx := dropRun(train, x, seed, shape, func(x *Tensor) *Tensor { return DropPath(x, p) })
	sum, sumGrad := dropRun(train, x, seed, shape, func(x *Tensor) *Tensor { return DropPathAdd(x, x, p) })
	kept := 0
	scale := float32(1) / (1 - p)
	for i := range b {
		s := float32(0)
		if y[i*n] != 0 {
			s = scale
			kept++
		}
		for j := i * n; j < (i+1)*n; j++ {
			if y[j] != s*x[j] || dx[j] != s*seed[j] {
				t.Fatalf("sample %d: %v became %v, gradient %v became %v", i, x[j], y[j], seed[j], dx[j])
			}
			if want := x[j] + y[j]; math.Abs(float64(sum[j]-want)) > 1e-6 {
				t.Fatalf("residual %v and branch %v give %v", x[j], y[j], sum[j])
			}
			if want := seed[j] + dx[j]; math.Abs(float64(sumGrad[j]-want)) > 1e-6 {
				t.Fatalf("gradient %v, expected %v", sumGrad[j], want)
			}
		}
	}
	if rate, sd := float64(kept)/b, math.Sqrt(p*(1-p)/b); math.Abs(rate-(1-p)) > 4*sd {
		t.Errorf("kept %v of the samples, expected %v within %v", rate, 1-p, 4*sd)
	}
	two := train
	two.Workers, two.Recompute = simd.NewWorkers(2), true
	y2, dx2 := dropRun(two, x, seed, shape, func(x *Tensor) *Tensor { return DropPath(x, p) })
	sameBits(t, "result", y2, y)
	sameBits(t, "gradient", dx2, dx)

	off := Options{Gradients: true}
	same, _ := dropRun(off, x, seed, shape, func(x *Tensor) *Tensor { return DropPath(x, p) })
	sameBits(t, "without training", same, x)
	double, grad := dropRun(off, x, seed, shape, func(x *Tensor) *Tensor { return DropPathAdd(x, x, p) })
	for i := range double {
		if double[i] != 2*x[i] || grad[i] != 2*seed[i] {
			t.Fatalf("without training: %v, gradient %v", double[i], grad[i])
		}
	}
	for _, shape := range [][]int{{0, 3}, {3, 0}} {
		dropRun(train, nil, nil, shape, func(x *Tensor) *Tensor { return DropPathAdd(x, x, p) })
	}
}

func TestDropPanics(t *testing.T) {
	tape := NewTape(Options{Training: true})
	x := tape.Full(1, 2, 3)
	for _, f := range []func(){
		func() { Dropout(x, -0.1) },
		func() { DropPath(x, float32(math.NaN())) },
		func() { packed(tape.Full(1, 1, 1, 3), AttentionOptions{Dropout: 1.5}) },
	} {
		func() {
			defer func() {
				if _, ok := recover().(*UseError); !ok {
					t.Error("expected a UseError")
				}
			}()
			f()
		}()
	}
	expectShapeError(t, func() { DropPathAdd(x, tape.Full(1, 3, 2), 0.1) })
	expectShapeError(t, func() { DropPath(tape.Full(1), 0.1) })
}
