package gradcheck_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/autograd/gradcheck"
)

// elementwise is an operation of a function and its derivative.
func elementwise(name string, f, derivative func(x float64) float64) autograd.Op {
	return autograd.Op{
		Name: name,
		Forward: func(s *autograd.ForwardStep) {
			x, y := s.In(0), s.NewOut(s.Shape(0)...)
			s.Each(len(y), 16, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					y[i] = float32(f(float64(x[i])))
				}
			})
		},
		Backward: func(s *autograd.BackwardStep) {
			x, dy := s.In(0), s.OutGrad(0)
			s.Add(0, func(dx []float32) {
				s.Each(len(dx), 16, func(lo, hi int) {
					for i := lo; i < hi; i++ {
						dx[i] = dy[i] * float32(derivative(float64(x[i])))
					}
				})
			})
		},
	}
}

var softplus = elementwise("softplus",
	func(x float64) float64 { return math.Log1p(math.Exp(x)) },
	func(x float64) float64 { return 1 / (1 + math.Exp(-x)) })

// ramp returns a parameter of n values from -2 to 2, none of them near zero.
func ramp(n int) *autograd.Parameter {
	v := make([]float32, n)
	for i := range v {
		v[i] = -2 + 4*(float32(i)+0.5)/float32(n)
	}
	return autograd.ParameterOf(v, n)
}

// TestGoodOperations checks functions that keep all promises.
func TestGoodOperations(t *testing.T) {
	x, w, b := ramp(12), ramp(8), ramp(2)
	half := autograd.NewParameter(6)
	half.MapHalf(autograd.BFloat16, [][]uint16{{0x3f80, 0x4000}, {0xbf80, 0x3f00, 0x4040, 0xbf00}}, nil, nil)
	frozen := ramp(12)
	frozen.Frozen = true
	for name, c := range map[string]struct {
		f      func(t *autograd.Tape) []*autograd.Tensor
		params []*autograd.Parameter
		o      gradcheck.Options
	}{
		"softplus": {func(t *autograd.Tape) []*autograd.Tensor {
			return []*autograd.Tensor{autograd.Custom(softplus, t.Use(x))}
		}, []*autograd.Parameter{x}, gradcheck.Options{}},
		"large, in ranges": {func(t *autograd.Tape) []*autograd.Tensor {
			y := autograd.BroadcastTo(autograd.Reshape(t.Use(x), 12, 1), 12, 500)
			return []*autograd.Tensor{autograd.Mean(autograd.Custom(softplus, y), false, 1)}
		}, []*autograd.Parameter{x}, gradcheck.Options{Threads: 3}},
		"a layer with dropout": {func(t *autograd.Tape) []*autograd.Tensor {
			h := autograd.Linear(autograd.Reshape(t.Use(x), 3, 4), autograd.Reshape(t.Use(w), 2, 4), b)
			return []*autograd.Tensor{autograd.Dropout(autograd.Custom(softplus, h), 0.3), h}
		}, []*autograd.Parameter{x, w, b}, gradcheck.Options{Training: true}},
		"half precision": {func(t *autograd.Tape) []*autograd.Tensor {
			return []*autograd.Tensor{autograd.Custom(softplus, autograd.Mul(t.Full(2, 6), half))}
		}, []*autograd.Parameter{half}, gradcheck.Options{}},
		"frozen beside trained": {func(t *autograd.Tape) []*autograd.Tensor {
			return []*autograd.Tensor{autograd.Mul(t.Use(x), frozen)}
		}, []*autograd.Parameter{frozen, x}, gradcheck.Options{}},
		"seeds": {func(t *autograd.Tape) []*autograd.Tensor {
			return []*autograd.Tensor{autograd.Sum(autograd.Square(t.Use(x)), false)}
		}, []*autograd.Parameter{x}, gradcheck.Options{Seeds: [][]float32{{0.25}}, Step: 0.01, Tolerance: 0.001}},
	} {
		before := x.Values()[3]
		if err := gradcheck.Check(c.f, c.params, c.o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if x.Values()[3] != before || x.Frozen {
			t.Errorf("%s: the parameter was left with %v, frozen %v", name, x.Values()[3], x.Frozen)
		}
	}
}

// kinds lists the promises that an error says are broken.
func kinds(err error) (ks []gradcheck.Kind) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			ks = append(ks, kinds(e)...)
		}
		return ks
	}
	var e *gradcheck.Error
	if errors.As(err, &e) {
		ks = append(ks, e.Kind)
	}
	return ks
}

// TestBrokenPromises breaks each promise in turn.
func TestBrokenPromises(t *testing.T) {
	var x *autograd.Parameter
	custom := func(op autograd.Op) func(t *autograd.Tape) []*autograd.Tensor {
		return func(t *autograd.Tape) []*autograd.Tensor { return []*autograd.Tensor{autograd.Custom(op, t.Use(x))} }
	}
	var mu sync.Mutex
	calls := 0
	var last *autograd.Tape
	var rng *rand.Rand
	var steps []*autograd.ForwardStep
	for name, c := range map[string]struct {
		f      func(t *autograd.Tape) []*autograd.Tensor
		broken []gradcheck.Kind // when it is one, no other is
		says   string
	}{
		"a wrong gradient": {custom(elementwise("softplus", func(x float64) float64 { return math.Log1p(math.Exp(x)) },
			func(x float64) float64 { return 1 / (1 + math.Exp(x)) })),
			[]gradcheck.Kind{gradcheck.Differences}, "a central difference"},
		"a gradient five percent too large": {custom(elementwise("square", func(x float64) float64 { return x * x },
			func(x float64) float64 { return 2.1 * x })),
			[]gradcheck.Kind{gradcheck.Differences}, "parameter 0 [40]"},
		"a missing gradient": {func(t *autograd.Tape) []*autograd.Tensor {
			return []*autograd.Tensor{autograd.Mul(t.Use(x), t.Input(x.Values(), 40))}
		}, []gradcheck.Kind{gradcheck.Differences}, ""},
		"a kink": {func(t *autograd.Tape) []*autograd.Tensor {
			return []*autograd.Tensor{autograd.Relu(autograd.Sub(t.Use(x), ramp(40)))}
		}, []gradcheck.Kind{gradcheck.Differences}, "too near a kink"},
		// The sum of the ranges is added in the order in which they end.
		"the order of threads": {custom(autograd.Op{
			Name: "sum",
			Forward: func(f *autograd.ForwardStep) {
				v, y := f.In(0), f.NewOut(1)
				y[0] = 0
				f.Each(len(v), 4000, func(lo, hi int) {
					s := float32(0)
					for _, x := range v[lo:hi] {
						s += x * x * x * 1.1
					}
					mu.Lock()
					y[0] += s
					mu.Unlock()
				})
			},
			Backward: func(b *autograd.BackwardStep) {
				x, dy := b.In(0), b.OutGrad(0)
				b.Add(0, func(dx []float32) {
					for i, v := range x {
						dx[i] = 3.3 * v * v * dy[0]
					}
				})
			},
		}), []gradcheck.Kind{gradcheck.Parallel}, "threads: result 0: value 0"},
		// Random numbers of its own, which begin anew on each tape, but not in a second run on the same.
		"impure when it runs again": {func(t *autograd.Tape) []*autograd.Tensor {
			if t != last {
				last, rng = t, rand.New(rand.NewPCG(1, 2))
			}
			return []*autograd.Tensor{autograd.Scale(t.Use(x), rng.Float32())}
		}, []gradcheck.Kind{gradcheck.Recomputation}, "gradient of parameter 0"},
		"impure": {func(t *autograd.Tape) []*autograd.Tensor {
			calls++
			return []*autograd.Tensor{autograd.Scale(t.Use(x), float32(calls))}
		}, []gradcheck.Kind{gradcheck.Repetition, gradcheck.Inference, gradcheck.Recomputation}, ""},
		"another shape": {func(t *autograd.Tape) []*autograd.Tensor {
			calls++
			return []*autograd.Tensor{autograd.BroadcastTo(t.Use(x), calls, 40)}
		}, []gradcheck.Kind{gradcheck.Repetition, gradcheck.Frozen}, "as at first"},
		"a frozen parameter matters": {func(t *autograd.Tape) []*autograd.Tensor {
			if x.Frozen {
				return []*autograd.Tensor{autograd.Scale(t.Use(x), 2)}
			}
			return []*autograd.Tensor{t.Use(x)}
		}, []gradcheck.Kind{gradcheck.Frozen}, "parameter 0 [40] frozen"},
		"writes to an operand": {custom(autograd.Op{
			Name: "in place",
			Forward: func(f *autograd.ForwardStep) {
				v := f.In(0)
				v[0] = 7
				copy(f.NewOut(len(v)), v)
			},
			Backward: func(b *autograd.BackwardStep) { b.Add(0, func(dx []float32) { copy(dx, b.OutGrad(0)) }) },
		}), []gradcheck.Kind{gradcheck.Runs}, "Forward wrote to operand 0"},
		"writes to a parameter": {func(t *autograd.Tape) []*autograd.Tensor {
			x.Values()[0] = 5
			return []*autograd.Tensor{t.Use(x)}
		}, []gradcheck.Kind{gradcheck.ReadOnly, gradcheck.Differences}, "was changed"},
		"an element that nobody writes": {custom(autograd.Op{
			Name:     "lazy",
			Forward:  func(f *autograd.ForwardStep) { copy(f.NewOut(40), f.In(0)[1:]) },
			Backward: func(b *autograd.BackwardStep) {},
		}), []gradcheck.Kind{gradcheck.Differences}, "NaN"},
		"a step that is kept": {custom(autograd.Op{
			Name:     "kept",
			Forward:  func(f *autograd.ForwardStep) { copy(f.NewOut(40), f.In(0)); steps = append(steps, f) },
			Backward: func(b *autograd.BackwardStep) { steps[0].Save(3) },
		}), []gradcheck.Kind{gradcheck.Runs}, "after its function returned"},
		"no result": {func(t *autograd.Tape) []*autograd.Tensor { return nil }, []gradcheck.Kind{gradcheck.Runs}, "no tensor"},
	} {
		t.Run(name, func(t *testing.T) {
			x = ramp(40)
			err := gradcheck.Check(c.f, []*autograd.Parameter{x}, gradcheck.Options{})
			found := kinds(err)
			for _, k := range c.broken {
				if !slices.Contains(found, k) {
					t.Errorf("%q is not reported: %v", k, err)
				}
			}
			if len(c.broken) == 1 && len(found) > 1 {
				t.Errorf("reported %v, expected %v alone: %v", found, c.broken, err)
			}
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("expected %q in %v", c.says, err)
			}
		})
	}
}

// A typed panic of the function is found in the error.
func TestErrorUnwrap(t *testing.T) {
	x, y := autograd.NewParameter(2), autograd.NewParameter(3)
	err := gradcheck.Check(func(t *autograd.Tape) []*autograd.Tensor {
		return []*autograd.Tensor{autograd.Add(t.Use(x), t.Use(y))}
	}, []*autograd.Parameter{x, y}, gradcheck.Options{})
	var broken *gradcheck.Error
	var shape *autograd.ShapeError
	if !errors.As(err, &broken) || broken.Kind != gradcheck.Runs || !errors.As(err, &shape) || shape.Op != "add" {
		t.Errorf("found %v", err)
	}
}
