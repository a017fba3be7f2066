package autograd

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// expectUsePanic demands a UseError whose text contains reason.
func expectUsePanic(t *testing.T, reason string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		e, ok := recover().(*UseError)
		if !ok {
			t.Errorf("expected a UseError: %s", reason)
		} else if !strings.Contains(e.Error(), reason) {
			t.Errorf("a UseError %q, expected one about %q", e, reason)
		}
	}()
	f()
}

// ramp returns n numbers between -1 and 1, no two neighbors alike.
func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32((i*37)%64)/32 - 1
	}
	return x
}

// perceptron is a model of two layers.
type perceptron struct{ w1, b1, w2, b2 *Parameter }

func newPerceptron(in, hidden, out int) *perceptron {
	return &perceptron{
		w1: ParameterOf(ramp(hidden*in), hidden, in), b1: ParameterOf(ramp(hidden), hidden),
		w2: ParameterOf(ramp(out*hidden), out, hidden), b2: ParameterOf(ramp(out), out),
	}
}

func (p *perceptron) forward(x *Tensor) *Tensor {
	return Linear(LinearAct(x, p.w1, p.b1, ActGelu), p.w2, p.b2)
}

func TestUseAfterReset(t *testing.T) {
	tape := NewTape(Options{Gradients: true})
	x := tape.Full(1, 2, 2)
	y := Exp(x)
	tape.Reset()
	for _, z := range []*Tensor{x, y} {
		expectUsePanic(t, "reset", func() { Exp(z) })
		expectUsePanic(t, "reset", func() { z.Floats(nil) })
		expectUsePanic(t, "reset", func() { Add(z, tape.Full(1, 2, 2)) })
		expectUsePanic(t, "reset", func() { tape.Segment(func(x *Tensor) *Tensor { return x }, z) })
		expectUsePanic(t, "reset", func() { Backward(NewGradients(), []*Tensor{z}, [][]float32{ramp(4)}) })
	}
	if got := Exp(tape.Full(0, 1)).Float(); got != 1 {
		t.Errorf("after Reset, exp 0 is %v", got)
	}
}

func TestUseAfterBackward(t *testing.T) {
	tape := NewTape(Options{Gradients: true, Debug: true})
	x := tape.Full(2, 2).WantGradient()
	y := Square(x)
	kept := Scale(y, 3).Keep()
	loss := Sum(kept, false)
	g := NewGradients()
	loss.Backward(g)
	expectUsePanic(t, "consumed", func() { Exp(y) })
	expectUsePanic(t, "consumed", func() { y.Floats(nil) })
	if v := kept.Floats(nil); v[0] != 12 {
		t.Errorf("a kept Tensor holds %v after Backward, expected 12", v[0])
	}
	if loss.Float() != 24 || x.Floats(nil)[0] != 2 {
		t.Errorf("loss %v and input %v after Backward, expected 24 and 2", loss.Float(), x.Floats(nil)[0])
	}
	sameBits(t, "gradient", g.OfTensor(x), []float32{12, 12})
}

func TestTapesDoNotMix(t *testing.T) {
	a, b := NewTape(Options{Gradients: true}), NewTape(Options{Gradients: true})
	x, y := a.Full(1, 3), b.Full(1, 3)
	p := NewParameter(3)
	expectUsePanic(t, "two tapes", func() { Add(x, y) })
	expectUsePanic(t, "two tapes", func() { Concat(0, p, x, y) })
	expectUsePanic(t, "another tape", func() { a.Segment(func(x *Tensor) *Tensor { return x }, y) })
	expectUsePanic(t, "two tapes", func() {
		Backward(NewGradients(), []*Tensor{x, y}, [][]float32{ramp(3), ramp(3)})
	})
	expectUsePanic(t, "no operand is on a tape", func() { Add(p, p) })
	expectUsePanic(t, "records no gradients", func() {
		Sum(NewTape(Options{}).Full(1, 2), false).Backward(NewGradients())
	})
	if s := Sum(Add(a.Use(p), p), false).Float(); s != 0 {
		t.Errorf("parameters alone: %v", s)
	}
}

func TestInputs(t *testing.T) {
	w := simd.NewWorkers(1)
	tape := NewTape(Options{Gradients: true, Debug: true, Workers: w})
	if !tape.Recording() || tape.Training() || tape.Workers() != w {
		t.Error("the tape does not have its options")
	}
	v := ramp(6)
	x := tape.Input(v, 2, 3)
	v[0] = 100
	if x.Floats(nil)[0] == 100 {
		t.Error("Input does not copy")
	}
	b := tape.Borrow(v, 3, 2)
	if b.Floats(nil)[0] != 100 {
		t.Error("Borrow copies")
	}
	if x.Dim(-1) != 3 || x.Len() != 6 || x.Tape() != tape || !equalShape(b.Shape(), []int{3, 2}) {
		t.Errorf("dim %d, length %d, shape %v", x.Dim(-1), x.Len(), b.Shape())
	}
	expectShapePanic(t, "input", func() { tape.Input(v, 7) })
	expectShapePanic(t, "borrow", func() { tape.Borrow(v, 5) })
	expectShapePanic(t, "full", func() { tape.Full(1, -1) })
	expectShapePanic(t, "full", func() { tape.Full(1, math.MaxInt/2, 3) })
	expectShapePanic(t, "float", func() { x.Float() })
	expectShapePanic(t, "floats", func() { x.Floats(make([]float32, 5)) })
	expectShapePanic(t, "dim", func() { x.Dim(2) })
	expectShapePanic(t, "backward", func() { x.Backward(NewGradients()) })
	tape.Reset()
	if v[0] != 100 || v[5] != ramp(6)[5] {
		t.Error("Reset wrote to borrowed memory")
	}
}

// A training step that has been run before takes nothing large from the heap, and Reset gives everything
// back to the arena.
func TestSteadyState(t *testing.T) {
	m := newPerceptron(64, 256, 10)
	x := ramp(32 * 64)
	g := NewGradients()
	for _, o := range []Options{{Gradients: true}, {Gradients: true, Recompute: true}, {}} {
		tape := NewTape(o)
		step := func() {
			h := tape.Segment(m.forward, tape.Input(x, 32, 64))
			loss := Mean(Square(Softmax(h)), false)
			if o.Gradients {
				g.Zero()
				loss.Backward(g)
			}
			tape.Reset()
		}
		step()
		step()
		held := tape.MemoryBytes()
		var before, after runtime.MemStats
		const n = 20
		runtime.ReadMemStats(&before)
		for range n {
			step()
		}
		runtime.ReadMemStats(&after)
		if bytes := (after.TotalAlloc - before.TotalAlloc) / n; bytes > 16<<10 {
			t.Errorf("gradients %v: a step allocates %d bytes", o.Gradients, bytes)
		}
		if allocs := testing.AllocsPerRun(10, step); allocs > 150 {
			t.Errorf("gradients %v: a step allocates %v times", o.Gradients, allocs)
		}
		if now := tape.MemoryBytes(); now != held {
			t.Errorf("gradients %v: the arena grew from %d to %d bytes", o.Gradients, held, now)
		}
		if tape.Lent() != 0 {
			t.Errorf("%d scratch buffers are lent", tape.Lent())
		}
	}
}

func TestSizeClasses(t *testing.T) {
	last := 0
	for n := 1; n < 1<<16; n += 1 + n/64 {
		class, size := sizeClass(n)
		if size < n || n > smallest && size*8 > n*9+8 {
			t.Fatalf("%d elements get a buffer of %d", n, size)
		}
		if again, s := sizeClass(size); again != class || s != size {
			t.Fatalf("a buffer of %d goes back to class %d, not %d", size, again, class)
		}
		if class < last {
			t.Fatalf("the class of %d elements is below that of fewer", n)
		}
		last = class
	}
}

func TestTry(t *testing.T) {
	tape := NewTape(Options{Gradients: true, Debug: true})
	good := func() {
		t.Helper()
		var v float32
		if err := tape.Try(func() error {
			v = Sum(tape.Full(2, 3), false).Float()
			return nil
		}); err != nil || v != 6 {
			t.Errorf("afterwards: %v, %v", v, err)
		}
	}
	var outside *Tensor
	err := tape.Try(func() error {
		outside = tape.Full(1, 2)
		MatMul(outside, outside)
		return nil
	})
	if e := (*ShapeError)(nil); !errors.As(err, &e) || e.Op != "matmul" || len(e.Shapes) != 2 {
		t.Errorf("expected a ShapeError of matmul, found %v", err)
	}
	expectUsePanic(t, "reset", func() { Exp(outside) })
	good()

	if err := tape.Try(func() error { return fs.ErrNotExist }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("expected f's own error, found %v", err)
	}
	good()

	func() {
		defer func() {
			if recover() == nil {
				t.Error("another panic did not continue")
			}
		}()
		_ = tape.Try(func() error {
			outside = tape.Full(1, 2)
			panic("other")
		})
	}()
	expectUsePanic(t, "reset", func() { Exp(outside) })
	good()
	if tape.Lent() != 0 {
		t.Errorf("%d scratch buffers are lent", tape.Lent())
	}
}

func TestTryCanceled(t *testing.T) {
	cause := errors.New("the visitor left")
	ctx, cancel := context.WithCancelCause(t.Context())
	tape := NewTape(Options{Context: ctx})
	segments := 0
	run := func() error {
		x := tape.Full(1, 4)
		for range 5 {
			x = tape.Segment(func(x *Tensor) *Tensor {
				if segments++; segments == 8 {
					cancel(cause)
				}
				return AddScalar(x, 1)
			}, x)
		}
		return nil
	}
	if err := tape.Try(run); err != nil {
		t.Fatal(err)
	}
	err := tape.Try(run)
	if e := (*CanceledError)(nil); !errors.As(err, &e) || !errors.Is(err, cause) {
		t.Errorf("expected a CanceledError that wraps the cause, found %v", err)
	}
	if err != nil && !strings.Contains(err.Error(), cause.Error()) {
		t.Errorf("%q does not say why", err)
	}
	if segments != 8 {
		t.Errorf("%d segments ran, expected 8", segments)
	}
	if v := AddScalar(tape.Full(1, 1), 1).Float(); v != 2 {
		t.Errorf("the tape computes 1 + 1 = %v afterwards", v)
	}
}

// In debug mode, memory that was given back reads as NaN.
func TestDebugPoisons(t *testing.T) {
	tape := NewTape(Options{Gradients: true, Debug: true})
	y := Exp(tape.Full(0, 300))
	stale := y.data
	tape.Reset()
	if v := stale[7]; !math.IsNaN(float64(v)) {
		t.Errorf("memory of a Tensor after Reset holds %v, expected NaN", v)
	}
	s := tape.scratch(8)
	if !math.IsNaN(float64(s[3])) || tape.Lent() != 1 {
		t.Errorf("scratch holds %v with %d lent, expected NaN and 1", s[3], tape.Lent())
	}
	tape.recycle(s)
	plain := NewTape(Options{})
	y = Exp(plain.Full(0, 300))
	stale = y.data
	plain.Reset()
	if stale[7] != 1 {
		t.Errorf("without Debug memory is left alone, found %v", stale[7])
	}
}

func TestProfile(t *testing.T) {
	p := &Profile{}
	tape := NewTape(Options{Gradients: true, Profile: p})
	m := newPerceptron(8, 16, 4)
	for range 3 {
		Mean(Square(m.forward(tape.Input(ramp(40), 5, 8))), false).Backward(NewGradients())
		tape.Reset()
	}
	table := p.String()
	calls := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(table), "\n")[1:] {
		name := strings.TrimSpace(line[:28])
		calls[name] = strings.Fields(line[28:])[2]
	}
	for _, name := range []string{"linear", "linear+act", "square", "mean", "linear backward", "mean backward"} {
		if calls[name] != "3" {
			t.Errorf("%s: %q calls, expected 3, in\n%s", name, calls[name], table)
		}
	}
	p.Reset()
	if strings.Contains(p.String(), "linear") {
		t.Error("Reset forgets nothing")
	}
}

// One model serves many goroutines, each with a tape and gradients of its own, and all get the same bits.
func TestConcurrentTapes(t *testing.T) {
	m := newPerceptron(24, 48, 8)
	workers := simd.NewWorkers(2)
	x := ramp(6 * 24)
	run := func(o Options) ([]float32, *Gradients) {
		tape := NewTape(o)
		y := tape.Segment(m.forward, tape.Input(x, 6, 24))
		out := y.Floats(nil)
		g := NewGradients()
		if o.Gradients {
			Backward(g, []*Tensor{y}, [][]float32{ramp(48)})
		}
		return out, g
	}
	want, grads := run(Options{Gradients: true})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			o := Options{Gradients: i%2 == 0, Recompute: i%4 == 0, Debug: true}
			if i >= 4 {
				o.Workers = workers
			}
			for range 5 {
				out, g := run(o)
				sameBits(t, "result", out, want)
				if o.Gradients {
					sameBits(t, "gradient", g.Of(m.w1), grads.Of(m.w1))
				}
			}
		})
	}
	wg.Wait()
}

// A second Backward through what the first consumed is refused; values that were kept can be computed with.
func TestBackwardTwice(t *testing.T) {
	p := ParameterOf([]float32{1, 2}, 2)
	g := NewGradients()
	tape := NewTape(Options{Gradients: true, Debug: true})
	h := Mul(tape.Full(1, 2), p).Keep()
	loss := Sum(h, false)
	loss.Backward(g)
	expectUsePanic(t, "earlier Backward", func() { loss.Backward(g) })
	if v := Sum(Square(h), false).Float(); v != 5 {
		t.Errorf("a kept Tensor computes to %v, expected 5", v)
	}
	tape.Reset()

	h = Mul(tape.Full(1, 2), p).Keep()
	Sum(h, false).Backward(g)
	expectUsePanic(t, "earlier Backward", func() { Sum(Square(h), false).Backward(g) })
	Sum(tape.Use(p), false).Backward(g) // and that is all
	tape.Reset()

	// Independent parts of a pass, and inputs, may be used again.
	x := tape.Full(3, 2).WantGradient()
	Sum(Mul(x, p), false).Backward(g)
	Sum(Square(x), false).Backward(g)
	sameBits(t, "gradient", g.OfTensor(x), []float32{1 + 6, 2 + 6})
}

// Mistakes that a nil or an unfinished value makes name themselves.
func TestNils(t *testing.T) {
	tape := NewTape(Options{Gradients: true})
	x := tape.Full(1, 2, 2)
	var p *Parameter
	var n *Tensor
	for name, f := range map[string]func(){
		"linear":    func() { Linear(x, p, nil) },
		"input":     func() { Linear(n, NewParameter(2, 2), nil) },
		"add":       func() { Add(x, p) },
		"concat":    func() { Concat(0, x, p) },
		"use":       func() { tape.Use(p) },
		"embedding": func() { tape.Embedding(p, []int{0}, 1) },
		"conv2d":    func() { Conv2d(tape.Full(1, 1, 1, 2, 2), p, nil, Conv2dOptions{}) },
		"dropout":   func() { Dropout(n, 0.5) },
		"floats":    func() { n.Floats(nil) },
		"zero":      func() { (&Tensor{}).Floats(nil) },
		"backward":  func() { Sum(x, false).Backward(nil) },
	} {
		t.Run(name, func(t *testing.T) { expectUsePanic(t, "", f) })
	}
	expectShapePanic(t, "full", func() { tape.Full(1, 1<<30, 1<<20) })
	expectShapePanic(t, "parameter", func() { NewParameter(1<<30, 1<<20) })
	var g Gradients
	q := ParameterOf([]float32{1, 2, 3, 4}, 2, 2)
	Sum(Mul(x, q), false).Backward(&g)
	sameBits(t, "a zero table", g.Of(q), []float32{1, 1, 1, 1})
}

func TestTryAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := NewTape(Options{Context: ctx}).Try(func() error {
		t.Error("f runs although its context has ended")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("found %v", err)
	}
}
