package autograd

import (
	"math"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

const lossGoldens = "ops_loss.safetensors"

func TestCrossEntropy(t *testing.T) {
	hard := func(prefix string, set func(c *opCase, o *CrossEntropyOptions)) {
		checkOp(t, lossGoldens, prefix, func(c *opCase) []*Tensor {
			var o CrossEntropyOptions
			set(c, &o)
			return []*Tensor{CrossEntropy(c.Var("x"), c.Ints("y"), o)}
		})
	}
	weights := func(c *opCase) []float32 { w, _ := c.input("w"); return w }
	hard("ce/", func(c *opCase, o *CrossEntropyOptions) {})
	hard("cesum/", func(c *opCase, o *CrossEntropyOptions) { o.Reduction = LossSum })
	hard("ceeach/", func(c *opCase, o *CrossEntropyOptions) { o.Reduction = LossEach })
	hard("cesmooth/", func(c *opCase, o *CrossEntropyOptions) { o.Smoothing = 0.1 })
	hard("ceweight/", func(c *opCase, o *CrossEntropyOptions) { o.Weight = weights(c) })
	hard("ceboth/", func(c *opCase, o *CrossEntropyOptions) { o.Weight, o.Smoothing = weights(c), 0.2 })
	hard("ceignorezero/", func(c *opCase, o *CrossEntropyOptions) { o.Ignore = new(int) })
	checkOp(t, lossGoldens, "soft/", func(c *opCase) []*Tensor {
		return []*Tensor{SoftCrossEntropy(c.Var("x"), c.Var("t"), 0)}
	})
	checkOp(t, lossGoldens, "softsmooth/", func(c *opCase) []*Tensor {
		return []*Tensor{SoftCrossEntropy(c.Var("x"), c.Var("t"), 0.1)}
	})
}

func TestPairLosses(t *testing.T) {
	for prefix, f := range map[string]func(x, y Operand) *Tensor{
		"mse/":      MSE,
		"l1/":       L1,
		"smoothl1/": func(x, y Operand) *Tensor { return SmoothL1(x, y, 0.5) },
		"bce/":      func(x, y Operand) *Tensor { return BCEWithLogits(x, y, BCEOptions{}) },
	} {
		second := "y"
		if prefix == "bce/" {
			second = "t"
		}
		checkOp(t, lossGoldens, prefix, func(c *opCase) []*Tensor { return []*Tensor{f(c.Var("x"), c.Param(second))} })
	}
	checkOp(t, lossGoldens, "bceweight/", func(c *opCase) []*Tensor {
		w, _ := c.input("w")
		return []*Tensor{BCEWithLogits(c.Var("x"), c.Var("t"), BCEOptions{PosWeight: w})}
	})
}

// backwardOf returns a loss and its gradient with respect to x.
func backwardOf(x []float32, shape []int, loss func(x *Tensor) *Tensor) (float32, []float32) {
	tape := NewTape(Options{Gradients: true, Debug: true, Workers: simd.NewWorkers(2)})
	in := tape.Input(x, shape...).WantGradient()
	l := loss(in)
	g := NewGradients()
	l.Backward(g)
	return l.Float(), g.OfTensor(in)
}

func TestLossesOfNothing(t *testing.T) {
	for name, f := range map[string]func(x *Tensor) *Tensor{
		"cross entropy": func(x *Tensor) *Tensor { return CrossEntropy(x, nil, CrossEntropyOptions{Smoothing: 0.1}) },
		"soft":          func(x *Tensor) *Tensor { return SoftCrossEntropy(x, x, 0.1) },
		"mse":           func(x *Tensor) *Tensor { return MSE(x, x) },
		"l1":            func(x *Tensor) *Tensor { return L1(x, x) },
		"bce":           func(x *Tensor) *Tensor { return BCEWithLogits(x, x, BCEOptions{PosWeight: make([]float32, 4)}) },
	} {
		if l, _ := backwardOf(nil, []int{0, 4}, f); l != 0 {
			t.Errorf("%s of no rows: %v, expected 0", name, l)
		}
	}
	all := func(o CrossEntropyOptions) {
		l, dx := backwardOf(normal(40, 12), []int{3, 4}, func(x *Tensor) *Tensor {
			return CrossEntropy(x, []int{-100, -100, -100}, o)
		})
		if l != 0 || squares(dx) != 0 {
			t.Errorf("all rows ignored: loss %v, gradient %v, expected zeros", l, dx)
		}
	}
	all(CrossEntropyOptions{})
	all(CrossEntropyOptions{Smoothing: 0.1, Reduction: LossSum})
}

// Logits of any size give finite losses, exact where the answer is known.
func TestLossesAtLargeLogits(t *testing.T) {
	l, dx := backwardOf([]float32{30000, 0, -30000, 30001}, []int{2, 2}, func(x *Tensor) *Tensor {
		return CrossEntropy(x, []int{1, 1}, CrossEntropyOptions{})
	})
	if l != 15000 || dx[0] != 0.5 || dx[1] != -0.5 || dx[2] != 0 || dx[3] != 0 {
		t.Errorf("cross entropy %v, gradient %v", l, dx)
	}
	// A logit of -Inf is a class that cannot be.
	inf := float32(math.Inf(-1))
	l, dx = backwardOf([]float32{inf, 2, 2}, []int{1, 3}, func(x *Tensor) *Tensor {
		return CrossEntropy(x, []int{1}, CrossEntropyOptions{})
	})
	if math.Abs(float64(l)-math.Ln2) > 1e-6 || dx[0] != 0 {
		t.Errorf("an impossible class: loss %v, gradient %v", l, dx)
	}
	l, dx = backwardOf([]float32{1000, -1000, 1000, -1000}, []int{4}, func(x *Tensor) *Tensor {
		return BCEWithLogits(x, x.Tape().Input([]float32{0, 1, 1, 0}, 4), BCEOptions{})
	})
	if l != 500 || dx[0] != 0.25 || dx[1] != -0.25 || dx[2] != 0 || dx[3] != 0 {
		t.Errorf("binary cross entropy %v, gradient %v", l, dx)
	}
	// What is nearly certain still has the loss e^-x, not zero.
	for _, x := range []float32{2, 13.7, 15.1, 16, 20, 80} {
		l, _ = backwardOf([]float32{x}, []int{1}, func(x *Tensor) *Tensor {
			return BCEWithLogits(x, x.Tape().Full(1, 1), BCEOptions{})
		})
		if want := math.Log1p(math.Exp(-float64(x))); math.Abs(float64(l)/want-1) > 1e-6 {
			t.Errorf("binary cross entropy of a logit of %v: %v, expected %v", x, l, want)
		}
	}
}

// The loss of many rows does not depend on threads, and each row's on nothing but the row.
func TestCrossEntropyRowsAlone(t *testing.T) {
	const m, n = 90, 1000
	x := normal(41, m*n)
	y := make([]int, m)
	for i := range y {
		y[i] = i * 7 % n
	}
	o := CrossEntropyOptions{Smoothing: 0.1, Reduction: LossEach}
	tape := NewTape(Options{Workers: simd.NewWorkers(2)})
	all := CrossEntropy(tape.Input(x, m, n), y, o).Floats(nil)
	for _, r := range []int{0, 3, 50, m - 1} {
		one := CrossEntropy(tape.Input(x[r*n:(r+1)*n], 1, n), y[r:r+1], o).Floats(nil)
		sameBits(t, "row", all[r:r+1], one)
	}
}

func TestLossPanics(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Full(0, 2, 3)
	for name, f := range map[string]func(){
		"targets":       func() { CrossEntropy(x, []int{1}, CrossEntropyOptions{}) },
		"class":         func() { CrossEntropy(x, []int{1, 3}, CrossEntropyOptions{}) },
		"negative":      func() { CrossEntropy(x, []int{1, -1}, CrossEntropyOptions{}) },
		"weight":        func() { CrossEntropy(x, []int{1, 1}, CrossEntropyOptions{Weight: make([]float32, 2)}) },
		"soft":          func() { SoftCrossEntropy(x, tape.Full(0, 3, 2), 0) },
		"mse":           func() { MSE(x, tape.Full(0, 6)) },
		"bce":           func() { BCEWithLogits(x, tape.Full(0, 6), BCEOptions{}) },
		"bce weight":    func() { BCEWithLogits(x, x, BCEOptions{PosWeight: make([]float32, 2)}) },
		"scalar logits": func() { CrossEntropy(tape.Full(0), []int{0}, CrossEntropyOptions{}) },
	} {
		t.Run(name, func(t *testing.T) { expectShapeError(t, f) })
	}
}

// Losses of single elements, summed or weighted, agree with the mean and its gradients.
func TestBCEReductions(t *testing.T) {
	const n = 5003
	shape := []int{n}
	x, target := ramp(n), ramp(n)
	for i := range target {
		x[i] *= 30
		target[i] = (target[i] + 1) / 2
	}
	loss := func(o BCEOptions, reduce func(l *Tensor) *Tensor) (float32, []float32) {
		return backwardOf(x, shape, func(x *Tensor) *Tensor {
			return reduce(BCEWithLogits(x, x.Tape().Input(target, n), o))
		})
	}
	same := func(l *Tensor) *Tensor { return l }
	for _, weight := range [][]float32{nil, target} {
		want, slope := loss(BCEOptions{PosWeight: weight}, same)
		for name, f := range map[string]func() (float32, []float32){
			"sum": func() (float32, []float32) {
				return loss(BCEOptions{PosWeight: weight, Reduction: LossSum}, func(l *Tensor) *Tensor { return Scale(l, 1./n) })
			},
			"each": func() (float32, []float32) {
				return loss(BCEOptions{PosWeight: weight, Reduction: LossEach}, func(l *Tensor) *Tensor { return Mean(l, false) })
			},
		} {
			got, grad := f()
			if math.Abs(float64(got-want)) > 1e-5*float64(want) {
				t.Errorf("%s: %v, expected %v", name, got, want)
			}
			for i := range grad {
				if math.Abs(float64(grad[i]-slope[i])) > 1e-6*math.Abs(float64(slope[i]))+1e-12 {
					t.Fatalf("%s: gradient %d is %v, expected %v", name, i, grad[i], slope[i])
				}
			}
		}
	}
}

func TestUnknownReduction(t *testing.T) {
	tape := NewTape(Options{})
	x, y := tape.Input([]float32{1, 2}, 1, 2), tape.Input([]float32{0, 1}, 1, 2)
	const unknown = LossEach + 1
	expectUsePanic(t, "unknown reduction", func() { CrossEntropy(x, []int{0}, CrossEntropyOptions{Reduction: unknown}) })
	expectUsePanic(t, "unknown reduction", func() { BCEWithLogits(x, y, BCEOptions{Reduction: unknown}) })
	expectUsePanic(t, "unknown reduction", func() { KLDivergence(x, y, KLOptions{Reduction: unknown}) })
}
