package autograd_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// product is Mul of operands of one shape, written outside package autograd.
var product = autograd.Op{
	Name: "product",
	Forward: func(f *autograd.ForwardStep) {
		f.Require(slices.Equal(f.Shape(0), f.Shape(1)), "expected operands of one shape")
		x, w, y := f.In(0), f.In(1), f.NewOut(f.Shape(0)...)
		f.Each(len(y), 1, func(lo, hi int) { simd.Mul(y[lo:hi], x[lo:hi], w[lo:hi]) })
	},
	Backward: func(b *autograd.BackwardStep) {
		x, w, dy := b.In(0), b.In(1), b.OutGrad(0)
		b.Add(0, func(dx []float32) { simd.Mul(dx, dy, w) })
		b.Add(1, func(dw []float32) { simd.Mul(dw, dy, x) })
	},
}

// An operation written outside the package has the bits of its twin inside. The cases are with and without gradients,
// recomputed, on threads, and of parameters that are frozen or in half precision.
func TestCustomBits(t *testing.T) {
	const n = 40000
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(i%31-15) / 8
	}
	half := make([]uint16, n)
	simd.F32ToF16(half, values)
	kinds := map[string]func() *autograd.Parameter{
		"float32": func() *autograd.Parameter { return autograd.ParameterOf(slices.Clone(values), n) },
		"half": func() *autograd.Parameter {
			p := autograd.NewParameter(n)
			p.MapHalf(autograd.Float16, [][]uint16{half[:n/3], half[n/3:]}, nil, nil)
			return p
		},
		"frozen": func() *autograd.Parameter {
			p := autograd.ParameterOf(slices.Clone(values), n)
			p.Frozen = true
			return p
		},
	}
	custom := func(x, y autograd.Operand) *autograd.Tensor { return autograd.Custom(product, x, y) }
	programs := map[string]func(x *autograd.Tensor, p *autograd.Parameter, mul func(x, y autograd.Operand) *autograd.Tensor) *autograd.Tensor{
		"parameter second": func(x *autograd.Tensor, p *autograd.Parameter, mul func(x, y autograd.Operand) *autograd.Tensor) *autograd.Tensor {
			return mul(x, p)
		},
		"parameter first": func(x *autograd.Tensor, p *autograd.Parameter, mul func(x, y autograd.Operand) *autograd.Tensor) *autograd.Tensor {
			return mul(p, x)
		},
		"twice the same": func(x *autograd.Tensor, p *autograd.Parameter, mul func(x, y autograd.Operand) *autograd.Tensor) *autograd.Tensor {
			y := mul(x, p)
			return mul(y, y)
		},
		"used": func(x *autograd.Tensor, p *autograd.Parameter, mul func(x, y autograd.Operand) *autograd.Tensor) *autograd.Tensor {
			return autograd.Add(mul(x, x.Tape().Use(p)), mul(x, p))
		},
	}
	for kind, parameter := range kinds {
		for name, f := range programs {
			for _, o := range []autograd.Options{
				{}, {Gradients: true}, {Gradients: true, Recompute: true}, {Gradients: true, Workers: simd.NewWorkers(3)},
			} {
				o.Debug = true
				run := func(mul func(x, y autograd.Operand) *autograd.Tensor) (out, dx, dp []float32) {
					p, tape := parameter(), autograd.NewTape(o)
					x := tape.Full(0.75, n).WantGradient()
					y := tape.Segment(func(x *autograd.Tensor) *autograd.Tensor { return f(x, p, mul) }, x)
					out = y.Floats(nil)
					g := autograd.NewGradients()
					if o.Gradients {
						autograd.Backward(g, []*autograd.Tensor{y}, [][]float32{values})
					}
					if tape.Lent() != 0 {
						t.Errorf("%s, %s: %d buffers are lent", kind, name, tape.Lent())
					}
					return out, g.OfTensor(x), g.Of(p)
				}
				out, dx, dp := run(custom)
				wantOut, wantX, wantP := run(autograd.Mul)
				if !slices.Equal(out, wantOut) || !slices.Equal(dx, wantX) || !slices.Equal(dp, wantP) {
					t.Errorf("%s, %s, %+v: the results or gradients differ", kind, name, o)
				}
				if (dp == nil) != (!o.Gradients || kind == "frozen") {
					t.Errorf("%s, %s, %+v: the gradient has %d values", kind, name, o, len(dp))
				}
			}
		}
	}
}

// noise multiplies by random numbers that it saves.
var noise = autograd.Op{
	Name: "noise",
	Forward: func(f *autograd.ForwardStep) {
		x, y := f.In(0), f.NewOut(f.Shape(0)...)
		by := f.Save(len(y))
		f.Uniform(by)
		simd.Mul(y, x, by)
	},
	Backward: func(b *autograd.BackwardStep) {
		b.Add(0, func(dx []float32) { simd.Mul(dx, b.OutGrad(0), b.Saved(0)) })
	},
}

// A segment that runs again draws the same numbers, and a saved slice is not another operation's.
func TestCustomRandomness(t *testing.T) {
	run := func(recompute bool) (out, dx []float32) {
		tape := autograd.NewTape(autograd.Options{Gradients: true, Recompute: recompute, Debug: true, Seed: 5})
		x := tape.Full(1, 1000).WantGradient()
		y := x
		for range 3 {
			y = tape.Segment(func(y *autograd.Tensor) *autograd.Tensor {
				return autograd.Custom(noise, autograd.Custom(noise, y))
			}, y)
		}
		g := autograd.NewGradients()
		out = y.Floats(nil)
		autograd.Sum(y, false).Backward(g)
		return out, g.OfTensor(x)
	}
	out, dx := run(false)
	again, dx2 := run(true)
	if !slices.Equal(out, again) || !slices.Equal(dx, dx2) {
		t.Error("the results or gradients of a second run differ")
	}
	tape := autograd.NewTape(autograd.Options{Seed: 5})
	want := tape.Uniform(1000).Floats(nil)
	tape.Reset()
	if got := autograd.Custom(noise, tape.Full(1, 1000)).Floats(nil); !slices.Equal(got, want) {
		t.Error("Uniform of a step draws other numbers than Uniform of a tape")
	}
}

// sineCosine has two results; the gradient through one is computed from the other.
var sineCosine = autograd.Op{
	Name: "sine and cosine",
	Forward: func(f *autograd.ForwardStep) {
		x, sin, cos := f.In(0), f.NewOut(f.Shape(0)...), f.NewOut(f.Shape(0)...)
		for i, v := range x {
			s, c := math.Sincos(float64(v))
			sin[i], cos[i] = float32(s), float32(c)
		}
	},
	Backward: func(b *autograd.BackwardStep) {
		sin, cos, dsin, dcos := b.Out(0), b.Out(1), b.OutGrad(0), b.OutGrad(1)
		b.Add(0, func(dx []float32) {
			for i := range dx {
				dx[i] += dsin[i]*cos[i] - dcos[i]*sin[i]
			}
		})
	},
}

func TestCustomAll(t *testing.T) {
	for used, want := range map[string]func(x float64) float64{
		"sine":   math.Cos,
		"cosine": func(x float64) float64 { return -math.Sin(x) },
		"both":   func(x float64) float64 { return math.Cos(x) - math.Sin(x) },
	} {
		tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true})
		x := tape.Input([]float32{-1, 0, 2}, 3).WantGradient()
		ys := autograd.CustomAll(sineCosine, x)
		var y *autograd.Tensor
		switch used {
		case "sine":
			y = ys[0]
		case "cosine":
			y = ys[1]
		default:
			y = autograd.Add(ys[0], ys[1])
		}
		g := autograd.NewGradients()
		autograd.Sum(y, false).Backward(g)
		for i, v := range []float64{-1, 0, 2} {
			if got := g.OfTensor(x)[i]; math.Abs(float64(got)-want(v)) > 1e-6 {
				t.Errorf("%s: the gradient at %v is %v, expected %v", used, v, got, want(v))
			}
		}
	}
}

// Backward is asked only for gradients that are wanted, and not at all where there are none.
func TestCustomWants(t *testing.T) {
	var wanted []bool
	op := product
	op.Forward = func(f *autograd.ForwardStep) {
		wanted = []bool{f.Wants(0), f.Wants(1)}
		product.Forward(f)
	}
	added := ""
	op.Backward = func(b *autograd.BackwardStep) {
		for i := range 2 {
			if b.Wants(i) != wanted[i] {
				t.Errorf("operand %d: Wants is %v in Forward and %v in Backward", i, wanted[i], b.Wants(i))
			}
			b.Add(i, func([]float32) { added += fmt.Sprint(i) })
		}
	}
	p := autograd.NewParameter(2)
	for _, c := range []struct {
		record, want, frozen bool
		added                string
	}{
		{true, true, false, "01"}, {true, false, false, "1"}, {true, true, true, "0"}, {true, false, true, ""}, {false, true, false, ""},
	} {
		p.Frozen, added = c.frozen, ""
		tape := autograd.NewTape(autograd.Options{Gradients: c.record, Debug: true})
		x := tape.Full(1, 2)
		if c.want {
			x.WantGradient()
		}
		y := autograd.Custom(op, x, p)
		if c.record {
			autograd.Sum(y, false).Backward(autograd.NewGradients())
		}
		if added != c.added {
			t.Errorf("%+v: the gradients of %q were asked for", c, added)
		}
	}
}

// Both steps give kernels the parallelism of their tape: none where the tape is serial.
func TestCustomWorkers(t *testing.T) {
	for _, want := range []*simd.Workers{nil, simd.NewWorkers(2)} {
		var got []*simd.Workers
		op := product
		op.Forward = func(f *autograd.ForwardStep) {
			got = append(got, f.Workers())
			product.Forward(f)
		}
		op.Backward = func(b *autograd.BackwardStep) {
			got = append(got, b.Workers())
			product.Backward(b)
		}
		tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true, Workers: want})
		p := autograd.ParameterOf([]float32{2, 3}, 2)
		autograd.Sum(autograd.Custom(op, tape.Full(1, 2), p), false).Backward(autograd.NewGradients())
		if !slices.Equal(got, []*simd.Workers{want, want}) {
			t.Errorf("the steps have %v, expected twice %v", got, want)
		}
	}
}

// Each mistake panics with a typed error that names the operation.
func TestCustomMistakes(t *testing.T) {
	out := func(f *autograd.ForwardStep) { simd.Fill(f.NewOut(f.Shape(0)...), 1) }
	none := func(*autograd.BackwardStep) {}
	var late *autograd.ForwardStep
	p := autograd.ParameterOf([]float32{1, 2}, 2)
	other := autograd.NewTape(autograd.Options{}).Full(1, 2)
	cases := map[string]struct {
		op       autograd.Op
		operands []autograd.Operand
		reason   string
	}{
		"no forward":      {autograd.Op{Name: "test"}, nil, "without Forward"},
		"nil operand":     {autograd.Op{Name: "test", Forward: out, Backward: none}, []autograd.Operand{nil}, "operand 1 is nil"},
		"nil parameter":   {autograd.Op{Name: "test", Forward: out, Backward: none}, []autograd.Operand{p, (*autograd.Parameter)(nil)}, "operand 2 is nil"},
		"two tapes":       {autograd.Op{Name: "test", Forward: out, Backward: none}, []autograd.Operand{other}, "two tapes"},
		"no backward":     {autograd.Op{Name: "test", Forward: out}, nil, "no Backward"},
		"no result":       {autograd.Op{Name: "test", Forward: func(*autograd.ForwardStep) {}, Backward: none}, nil, "made no result"},
		"two results":     {autograd.Op{Name: "test", Forward: func(f *autograd.ForwardStep) { out(f); out(f) }, Backward: none}, nil, "it made 2"},
		"operand":         {autograd.Op{Name: "test", Forward: func(f *autograd.ForwardStep) { f.In(3) }, Backward: none}, nil, "no operand 3 of 1"},
		"negative":        {autograd.Op{Name: "test", Forward: func(f *autograd.ForwardStep) { f.Save(-1) }, Backward: none}, nil, "negative dimension"},
		"shapes":          {product, []autograd.Operand{autograd.NewParameter(3)}, "expected operands of one shape"},
		"writes operand":  {autograd.Op{Name: "test", Forward: func(f *autograd.ForwardStep) { out(f); f.In(0)[1]++ }, Backward: none}, nil, "Forward wrote to operand 0"},
		"result":          {autograd.Op{Name: "test", Forward: out, Backward: func(b *autograd.BackwardStep) { b.Out(1) }}, nil, "no result 1 of 1"},
		"saved":           {autograd.Op{Name: "test", Forward: out, Backward: func(b *autograd.BackwardStep) { b.Saved(0) }}, nil, "called Save 0 times"},
		"writes result":   {autograd.Op{Name: "test", Forward: out, Backward: func(b *autograd.BackwardStep) { b.Out(0)[0]++ }}, nil, "Backward wrote to result 0"},
		"writes gradient": {autograd.Op{Name: "test", Forward: out, Backward: func(b *autograd.BackwardStep) { b.OutGrad(0)[0]++ }}, nil, "Backward wrote to gradient of result 0"},
		"step kept": {autograd.Op{Name: "test", Forward: func(f *autograd.ForwardStep) { out(f); late = f }, Backward: func(*autograd.BackwardStep) {
			late.Scratch(1)
		}}, nil, "after its function returned"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true})
			defer func() {
				var use *autograd.UseError
				var shape *autograd.ShapeError
				switch err, _ := recover().(error); {
				case errors.As(err, &use) && use.Op == c.op.Name, errors.As(err, &shape) && shape.Op == c.op.Name:
					if !strings.Contains(err.Error(), c.reason) {
						t.Errorf("found %v, expected %q", err, c.reason)
					}
				default:
					t.Errorf("found %v, expected a typed error of %q", err, c.op.Name)
				}
			}()
			y := autograd.Custom(c.op, append([]autograd.Operand{tape.Full(1, 2).WantGradient()}, c.operands...)...)
			autograd.Sum(y, false).Backward(autograd.NewGradients())
		})
	}
	var use *autograd.UseError
	func() {
		defer func() { errors.As(recover().(error), &use) }()
		autograd.Custom(autograd.Op{Forward: out}, p)
	}()
	if use == nil || !strings.Contains(use.Reason, "without a name") {
		t.Errorf("an operation without a name: %v", use)
	}
}

// A step that is used inside a function given to Each panics on any number of threads: its methods are not for several
// goroutines.
func TestStepInsideEach(t *testing.T) {
	op := autograd.Op{Name: "inside", Forward: func(f *autograd.ForwardStep) {
		y := f.NewOut(f.Shape(0)...)
		f.Each(len(y), 1, func(lo, hi int) { copy(y[lo:hi], f.Scratch(hi-lo)) })
	}}
	for threads := 1; threads <= 2; threads++ {
		func() {
			defer func() {
				var use *autograd.UseError
				if err, _ := recover().(error); !errors.As(err, &use) || !strings.Contains(use.Reason, "Each") {
					t.Errorf("%d threads: %v", threads, err)
				}
			}()
			autograd.Custom(op, autograd.NewTape(autograd.Options{Workers: simd.NewWorkers(threads)}).Full(1, 3, 1<<15))
		}()
	}
}
