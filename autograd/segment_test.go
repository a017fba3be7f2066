package autograd

import (
	"context"
	"errors"
	"testing"
)

func TestSegmentConsumes(t *testing.T) {
	tape := NewTape(Options{Debug: true})
	var inside *Tensor
	double := func(x *Tensor) *Tensor {
		inside = Scale(x, 2)
		return AddScalar(inside, 0)
	}
	x := tape.Full(1, 3)
	a := tape.Segment(double, x)
	expectUsePanic(t, "consumed", func() { Exp(inside) })
	b := tape.Segment(double, a)
	expectUsePanic(t, "consumed", func() { a.Floats(nil) })
	if x.Floats(nil)[0] != 1 || b.Floats(nil)[0] != 4 {
		t.Errorf("input %v and result %v, expected 1 and 4", x.Floats(nil)[0], b.Floats(nil)[0])
	}
	b.Keep()
	c := tape.Segment(double, b)
	if b.Floats(nil)[0] != 4 || c.Floats(nil)[0] != 8 {
		t.Errorf("kept %v and result %v, expected 4 and 8", b.Floats(nil)[0], c.Floats(nil)[0])
	}
	var kept *Tensor
	tape.Segment(func(x *Tensor) *Tensor {
		kept = Scale(x, 3).Keep()
		return AddScalar(kept, 1)
	}, c)
	if kept.Floats(nil)[0] != 24 {
		t.Errorf("a Tensor kept inside holds %v, expected 24", kept.Floats(nil)[0])
	}
}

// A segment may return its own input, or a Tensor made before it.
func TestSegmentOfNothing(t *testing.T) {
	for _, o := range []Options{{Debug: true}, {Debug: true, Gradients: true}, {Debug: true, Gradients: true, Recompute: true}} {
		tape := NewTape(o)
		x := tape.Full(3, 2).WantGradient()
		before := Scale(x, 2)
		same := tape.Segment(func(x *Tensor) *Tensor { return x }, x)
		other := tape.Segment(func(*Tensor) *Tensor { return before }, x)
		y := Sum(Add(same, other), false)
		if y.Float() != 18 {
			t.Errorf("%+v: %v, expected 18", o, y.Float())
		}
		if o.Gradients {
			g := NewGradients()
			y.Backward(g)
			sameBits(t, "gradient", g.OfTensor(x), []float32{3, 3})
		}
	}
}

// chain runs 50 blocks one after the other, each in a segment when asked.
func chain(tape *Tape, x *Tensor, segments bool) *Tensor {
	block := func(x *Tensor) *Tensor { return AddScalar(Tanh(Scale(x, 1.5)), 0.1) }
	for range 50 {
		if segments {
			x = tape.Segment(block, x)
		} else {
			x = block(x)
		}
	}
	return x
}

// A chain of segments runs in the memory of two; with gradients, recomputation keeps one Tensor a segment.
func TestSegmentMemory(t *testing.T) {
	const n = 4096
	run := func(o Options, segments bool) (bytes int, out, grad []float32) {
		o.Debug = true
		tape := NewTape(o)
		x := tape.Input(ramp(n), n).WantGradient()
		y := chain(tape, x, segments)
		out = y.Floats(nil)
		if o.Gradients {
			g := NewGradients()
			Sum(y, false).Backward(g)
			grad = g.OfTensor(x)
		}
		return tape.MemoryBytes(), out, grad
	}
	long, want, _ := run(Options{}, false)
	short, got, _ := run(Options{}, true)
	sameBits(t, "result", got, want)
	if one := 4 * n; short > 6*one || long < 150*one {
		t.Errorf("50 blocks hold %d bytes in segments and %d without, of Tensors of %d", short, long, one)
	}
	full, want, wantGrad := run(Options{Gradients: true}, true)
	less, got, grad := run(Options{Gradients: true, Recompute: true}, true)
	sameBits(t, "recomputed result", got, want)
	sameBits(t, "recomputed gradient", grad, wantGrad)
	if 2*less > full {
		t.Errorf("recomputation holds %d bytes, recording %d", less, full)
	}
}

// Recompute holds what one part makes at a time, on a tape that records the segments within.
func TestRecomputeMemory(t *testing.T) {
	const n = 4096
	run := func(parts int, again bool) (bytes int, grad []float32) {
		tape := NewTape(Options{Gradients: true, Debug: true})
		x := tape.Input(ramp(n), n).WantGradient()
		var sums []Operand
		for range parts {
			part := func(x *Tensor) *Tensor { return Sum(chain(tape, x, true), true) }
			if again {
				sums = append(sums, tape.Recompute(part, x))
			} else {
				sums = append(sums, part(x))
			}
		}
		g := NewGradients()
		Sum(Concat(0, sums...), false).Backward(g)
		return tape.MemoryBytes(), g.OfTensor(x)
	}
	one, _ := run(1, false)
	_, want := run(8, false)
	eight, grad := run(8, true)
	sameBits(t, "gradient", grad, want)
	if eight > one+one/10 {
		t.Errorf("eight parts hold %d bytes, one %d", eight, one)
	}
}

// The end of a context stops Backward before a segment runs again.
func TestRecomputeStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	tape := NewTape(Options{Gradients: true, Context: ctx, Debug: true})
	p, runs := ParameterOf(ramp(4), 4), 0
	err := tape.Try(func() error {
		y := Sum(tape.Recompute(func(*Tensor) *Tensor { runs++; return Tanh(tape.Use(p)) }, nil), false)
		cancel()
		y.Backward(NewGradients())
		return nil
	})
	if !errors.Is(err, context.Canceled) || runs != 1 {
		t.Errorf("%v after %d runs, expected %v after 1", err, runs, context.Canceled)
	}
	if tape.Lent() != 0 {
		t.Error("scratch buffers leaked")
	}
}

// noisy is a block whose result and gradient depend on random numbers, inside and around a segment.
func noisy(tape *Tape, x *Tensor, p *Parameter) *Tensor {
	x = Mul(x, tape.Uniform(x.Shape()...))
	for range 3 {
		x = tape.Segment(func(x *Tensor) *Tensor {
			x = tape.Segment(func(x *Tensor) *Tensor { return Mul(Linear(x, p, nil), tape.Uniform(x.Shape()...)) }, x)
			return Add(x, tape.Uniform(x.Shape()...))
		}, x)
	}
	return Mul(x, tape.Uniform(x.Shape()...))
}

func TestRecomputeRandomness(t *testing.T) {
	p := ParameterOf(ramp(36), 6, 6)
	run := func(o Options) (out, dx, dp []float32) {
		o.Gradients, o.Debug = true, true
		tape := NewTape(o)
		x := tape.Input(ramp(30), 5, 6).WantGradient()
		y := noisy(tape, x, p)
		out = y.Floats(nil)
		g := NewGradients()
		Backward(g, []*Tensor{y}, [][]float32{ramp(30)})
		return out, g.OfTensor(x), g.Of(p)
	}
	out, dx, dp := run(Options{Seed: 3, Step: 4})
	again, dx2, dp2 := run(Options{Seed: 3, Step: 4, Recompute: true})
	sameBits(t, "result", again, out)
	sameBits(t, "gradient of the input", dx2, dx)
	sameBits(t, "gradient of the parameter", dp2, dp)
	for _, o := range []Options{{Seed: 4, Step: 4}, {Seed: 3, Step: 5}} {
		if other, _, _ := run(o); other[0] == out[0] && other[1] == out[1] && other[2] == out[2] {
			t.Errorf("seed %d, step %d draws the numbers of seed 3, step 4", o.Seed, o.Step)
		}
	}
}

func TestUniform(t *testing.T) {
	tape := NewTape(Options{Seed: 1})
	x := tape.Uniform(20000).Floats(nil)
	mean, square := 0.0, 0.0
	for _, v := range x {
		if v < 0 || v >= 1 {
			t.Fatalf("%v is outside [0, 1)", v)
		}
		mean += float64(v) / float64(len(x))
		square += float64(v) * float64(v) / float64(len(x))
	}
	if mean < 0.49 || mean > 0.51 || square < 0.323 || square > 0.344 {
		t.Errorf("mean %v and mean square %v, expected 1/2 and 1/3", mean, square)
	}
	if y := tape.Uniform(4).Floats(nil); y[0] == x[0] {
		t.Error("the second operation draws the numbers of the first")
	}
	tape.Reset()
	sameBits(t, "after Reset", tape.Uniform(20000).Floats(nil), x)
	tape.Reset()
	tape.Step(1)
	if y := tape.Uniform(4).Floats(nil); y[0] == x[0] {
		t.Error("the second step draws the numbers of the first")
	}
}

// State updates that segments queue are run once, by Commit, however often the segments are.
func TestQueueOnce(t *testing.T) {
	for _, o := range []Options{{}, {Gradients: true}, {Gradients: true, Recompute: true}} {
		tape := NewTape(o)
		b := NewBuffer(0, 1)
		runs := 0
		pass := func() {
			x := tape.Full(1, 2).WantGradient()
			for range 3 {
				x = tape.Segment(func(x *Tensor) *Tensor {
					runs++
					tape.Queue(func() { b.Update(func(v []float32) { v[0]++ }) })
					return Scale(x, 2)
				}, x)
			}
			if o.Gradients {
				Sum(x, false).Backward(NewGradients())
			}
		}
		pass()
		if want := map[bool]int{false: 3, true: 6}[o.Recompute]; runs != want {
			t.Errorf("%+v: %d runs, expected %d", o, runs, want)
		}
		if b.Values()[0] != 0 {
			t.Errorf("%+v: an update ran before Commit", o)
		}
		tape.Commit()
		tape.Commit()
		if b.Values()[0] != 3 {
			t.Errorf("%+v: %v updates ran, expected 3", o, b.Values()[0])
		}
		tape.Reset()
		pass()
		tape.Reset() // drops what was not committed
		tape.Commit()
		if b.Values()[0] != 3 {
			t.Errorf("%+v: %v updates ran after a pass that was dropped, expected 3", o, b.Values()[0])
		}
	}
}

// What a segment records beside its result goes back to the arena too, and a segment that turns out to
// need no gradient leaves nothing behind.
func TestRecomputeSideBranch(t *testing.T) {
	m := newPerceptron(32, 64, 8)
	tape := NewTape(Options{Gradients: true, Recompute: true, Debug: true})
	g := NewGradients()
	held := 0
	for i := range 6 {
		first := tape.Use(m.b1) // recorded before the segment
		y := tape.Segment(func(x *Tensor) *Tensor {
			m.forward(x)
			return Scale(x, 2)
		}, tape.Input(ramp(16*32), 16, 32))
		Add(Sum(y, false), Sum(first, false)).Backward(g)
		tape.Reset()
		switch now := tape.MemoryBytes(); {
		case i == 1:
			held = now
		case i > 1 && now > held:
			t.Fatalf("the arena grew from %d to %d bytes", held, now)
		}
	}
	for p := range g.All() {
		if p != m.b1 {
			t.Error("a branch that does not reach the result has a gradient")
		}
	}
}

// A segment that leads to nothing trainable is freed like one of inference, though the tape records
// gradients, and is not run again. Parameters around it have the same gradients.
func TestFrozenSegments(t *testing.T) {
	const n = 64
	frozen := ParameterOf(ramp(n*n), n, n)
	frozen.Frozen = true
	head := ParameterOf(ramp(n*3), 3, n)
	side := ParameterOf(ramp(n*n), n, n)
	runs := 0
	block := func(x *Tensor) *Tensor {
		runs++
		return Tanh(Linear(Tanh(Linear(x, frozen, nil)), frozen, nil))
	}
	pass := func(o Options) (bytes int, out, dHead, dSide []float32) {
		o.Debug = true
		runs = 0
		tape := NewTape(o)
		x := tape.Segment(block, tape.Input(ramp(n*n), n, n))
		y := Mul(x, side) // Backward needs x
		x = tape.Segment(block, x)
		inner := x
		for range 20 {
			x = tape.Segment(block, x)
		}
		expectUsePanic(t, "consumed", func() { Exp(inner) })
		x = Add(Linear(x, head, nil), Linear(y, head, nil))
		out = x.Floats(nil)
		if o.Gradients {
			g := NewGradients()
			Backward(g, []*Tensor{x}, [][]float32{ramp(n * 3)})
			dHead, dSide = g.Of(head), g.Of(side)
			if g.Of(frozen) != nil {
				t.Error("a frozen parameter has a gradient")
			}
		}
		if runs != 22 {
			t.Errorf("%+v: %d runs, expected 22", o, runs)
		}
		return tape.MemoryBytes(), out, dHead, dSide
	}
	least, want, _, _ := pass(Options{})
	bytes, got, dHead, dSide := pass(Options{Gradients: true})
	sameBits(t, "result", got, want)
	if bytes > 2*least {
		t.Errorf("with gradients the tape holds %d bytes, without %d", bytes, least)
	}
	_, got, again, againSide := pass(Options{Gradients: true, Recompute: true})
	sameBits(t, "result", got, want)
	sameBits(t, "gradient of the head", again, dHead)
	sameBits(t, "gradient of the side", againSide, dSide)
}

// A frozen segment inside one that runs again does not free what the second run needs.
func TestFrozenInsideRecomputed(t *testing.T) {
	frozen, p := ParameterOf(ramp(9), 3, 3), ParameterOf(ramp(9), 3, 3)
	frozen.Frozen = true
	run := func(o Options) []float32 {
		o.Gradients, o.Debug = true, true
		tape := NewTape(o)
		f := func(x *Tensor) *Tensor { return Linear(x, frozen, nil) }
		x := Linear(tape.Full(1, 3, 3), p, nil)
		a := tape.Segment(f, tape.Input(ramp(9), 3, 3))
		y := tape.Segment(func(x *Tensor) *Tensor {
			return Mul(x, tape.Segment(f, tape.Segment(f, a)))
		}, x)
		g := NewGradients()
		Backward(g, []*Tensor{y}, [][]float32{ramp(9)})
		return g.Of(p)
	}
	sameBits(t, "gradient", run(Options{Recompute: true}), run(Options{}))
}

// A segment may start from nothing but numbers of its own.
func TestSegmentOfNoTensor(t *testing.T) {
	table := ParameterOf(ramp(12), 4, 3)
	run := func(o Options) (out, grad []float32, bytes int) {
		o.Debug = true
		tape := NewTape(o)
		y := tape.Segment(func(*Tensor) *Tensor {
			return Scale(tape.Embedding(table, []int{1, 3, 1}, 3), 2)
		}, nil)
		y = tape.Segment(func(x *Tensor) *Tensor { return Square(x) }, y)
		out = y.Floats(nil)
		if o.Gradients {
			g := NewGradients()
			Backward(g, []*Tensor{y}, [][]float32{ramp(9)})
			grad = g.Of(table)
		}
		return out, grad, tape.MemoryBytes()
	}
	want, wantGrad, _ := run(Options{Gradients: true})
	out, grad, _ := run(Options{Gradients: true, Recompute: true})
	sameBits(t, "result", out, want)
	sameBits(t, "gradient", grad, wantGrad)
	out, _, _ = run(Options{})
	sameBits(t, "result", out, want)
}

// What cannot be right under recomputation is refused, not computed.
func TestRecomputeMistakes(t *testing.T) {
	p := ParameterOf(ramp(4), 2, 2)
	start := func() (*Tape, *Tensor) {
		tape := NewTape(Options{Gradients: true, Recompute: true, Debug: true})
		return tape, tape.Full(1, 2, 2)
	}
	g := NewGradients()

	tape, x := start()
	var inner *Tensor
	y := tape.Segment(func(x *Tensor) *Tensor {
		inner = Mul(x, p).Keep()
		return Scale(inner, 2)
	}, x)
	sameBits(t, "kept inside", inner.Floats(nil), p.Values())
	expectUsePanic(t, "return it from the segment", func() { Add(y, inner) })
	expectUsePanic(t, "has no gradient", func() { Backward(g, []*Tensor{inner}, [][]float32{ramp(4)}) })

	tape, x = start()
	y = tape.Segment(func(x *Tensor) *Tensor { return Square(Mul(x, p)) }, x)
	p.Update(func(v []float32) { v[0]++ })
	expectUsePanic(t, "changed between forward and backward", func() { Sum(y, false).Backward(g) })

	tape, x = start()
	runs := 0
	y = tape.Segment(func(x *Tensor) *Tensor {
		if runs++; runs == 2 {
			return Sum(Mul(x, p), false)
		}
		return Mul(x, p)
	}, x)
	expectUsePanic(t, "pure", func() { Sum(y, false).Backward(g) })

	tape, x = start()
	expectUsePanic(t, "inside a segment", func() {
		tape.Segment(func(x *Tensor) *Tensor {
			y := Sum(Mul(x, p), false)
			y.Backward(g)
			return y
		}, x)
	})
	other, z := start()
	for _, tape := range []*Tape{NewTape(Options{}), NewTape(Options{Gradients: true}), other} {
		expectUsePanic(t, "no tensor", func() { tape.Segment(func(*Tensor) *Tensor { return nil }, nil) })
		tape.Reset()
		_, z = start()
		expectUsePanic(t, "another tape", func() { tape.Segment(func(*Tensor) *Tensor { return z }, nil) })
		tape.Reset()
	}
}

// A panic anywhere in a pass, backward and second runs included, leaves the arena's books in order: the
// same pass afterwards needs no more memory than it would have.
func TestPanicsLeakNothing(t *testing.T) {
	m := newPerceptron(32, 64, 8)
	for _, recompute := range []bool{false, true} {
		pass := func(tape *Tape, boom int) {
			at := 0
			tick := func() {
				if at++; at == boom {
					panic("boom")
				}
			}
			_ = tape.Try(func() error {
				y := tape.Segment(func(x *Tensor) *Tensor {
					y := m.forward(x)
					tick()
					f := begin("test", y)
					f.save(5000)
					tick()
					z := f.out(y.shape...)
					copy(z.data, y.data)
					return f.done(z, func(b *back) {
						tick()
						b.pass(y)
						tick()
					})
				}, tape.Input(ramp(16*32), 16, 32))
				tick()
				Sum(y, false).Backward(NewGradients())
				return nil
			})
		}
		fresh := NewTape(Options{Gradients: true, Recompute: recompute, Debug: true})
		pass(fresh, 0)
		tape := NewTape(Options{Gradients: true, Recompute: recompute, Debug: true})
		for boom := 1; boom < 10; boom++ {
			func() {
				defer func() { _ = recover() }()
				pass(tape, boom)
			}()
			if tape.Lent() != 0 || tape.lentSize != 0 {
				t.Fatalf("boom %d: %d lent", boom, tape.Lent())
			}
		}
		pass(tape, 0)
		if tape.MemoryBytes() != fresh.MemoryBytes() {
			t.Errorf("recompute %v: the arena holds %d bytes after panics, expected %d", recompute, tape.MemoryBytes(), fresh.MemoryBytes())
		}
	}
}
