package gradcheck

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
)

// Options tune a check. The zero value suits functions whose parameters and results are of a size near one.
type Options struct {
	// Seeds weight the elements of the results, a slice for each: gradients are those of the weighted sum.
	// When nil, they are drawn from a normal distribution.
	Seeds [][]float32

	// Step is how far a parameter's elements move for a difference; 0 means 0.004.
	Step float64
	// Tolerance is the largest error of a directional derivative, relative to the length of the gradient;
	// 0 means 0.02. What rounding of the results alone may cause is added to it.
	Tolerance float64

	// Threads is the largest number of threads tried; 0 means 4.
	Threads int
	// Training turns on the behavior of training on all tapes.
	Training bool
}

// Kind names a promise of a differentiable function.
type Kind string

// The promises, in the order in which they are checked.
const (
	Runs          Kind = "run"                    // forward and backward run, and leave no memory lent
	ReadOnly      Kind = "parameters"             // nothing writes to the parameters
	Differences   Kind = "finite differences"     // the gradients are right
	Repetition    Kind = "repetition"             // the same values give the same bits
	Inference     Kind = "inference"              // so does a tape without gradients
	Parallel      Kind = "threads"                // and any number of threads
	Recomputation Kind = "recomputation"          // and a second run in a segment
	Accumulation  Kind = "accumulation"           // gradients are added to those that are there
	Frozen        Kind = "frozen parameter"       // a frozen parameter gets none, the others the same
	Stale         Kind = "update before backward" // an update between forward and Backward panics
)

// Error is one broken promise.
type Error struct {
	Kind Kind
	Err  error // such as an [*autograd.ShapeError] where f panicked with one
}

func (e *Error) Error() string { return "gradcheck: " + string(e.Kind) + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Check tests f, which computes one Tensor or several from the parameters that are not frozen. It returns nil
// when all promises hold, and otherwise the joined errors, each an [*Error]. Panics of f other than the typed
// ones of package autograd continue.
func Check(f func(t *autograd.Tape) []*autograd.Tensor, params []*autograd.Parameter, o Options) error {
	c := &check{f: f, o: o}
	c.o.Step = cmp.Or(o.Step, 4e-3)
	c.o.Tolerance = cmp.Or(o.Tolerance, 0.02)
	c.o.Threads = cmp.Or(o.Threads, 4)
	for _, p := range params {
		if !p.Frozen {
			c.params = append(c.params, p)
			c.values = append(c.values, slices.Clone(p.Values()))
		}
	}
	var err error
	if c.base, err = c.run(c.recorded(), c.whole); err != nil {
		return &Error{Runs, err}
	}
	var all []error
	for _, kind := range []struct {
		kind  Kind
		check func() error
	}{
		{ReadOnly, c.readOnly},
		{Differences, c.differences},
		{Repetition, c.repetition},
		{Inference, c.inference},
		{Parallel, c.parallel},
		{Recomputation, c.recomputation},
		{Accumulation, c.accumulation},
		{Frozen, c.frozen},
		{Stale, c.stale},
	} {
		if err := kind.check(); err != nil {
			all = append(all, &Error{kind.kind, err})
		}
	}
	return errors.Join(all...)
}

// check is one call of Check.
type check struct {
	f      func(t *autograd.Tape) []*autograd.Tensor
	o      Options
	params []*autograd.Parameter
	values [][]float32 // of the parameters, at first
	seeds  [][]float32
	base   *pass
}

func (c *check) recorded() autograd.Options {
	return autograd.Options{Gradients: true, Debug: true, Training: c.o.Training}
}

// whole is a pass that nothing happens to.
func (c *check) whole(t *autograd.Tape, g *autograd.Gradients) []*autograd.Tensor {
	ys := c.f(t)
	if t.Recording() {
		autograd.Backward(g, ys, c.seedsOf(ys))
	}
	return ys
}

// seedsOf returns the weights of the results' elements.
func (c *check) seedsOf(ys []*autograd.Tensor) [][]float32 {
	if c.seeds != nil {
		return c.seeds
	}
	c.seeds = c.o.Seeds
	if c.seeds == nil {
		c.seeds = make([][]float32, len(ys))
		for i, y := range ys {
			c.seeds[i] = normals(y.Len(), uint64(i))
		}
	}
	return c.seeds
}

func normals(n int, stream uint64) []float32 {
	r := rand.New(rand.NewPCG(7, stream))
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

// pass holds the results of one forward and backward pass.
type pass struct {
	shapes [][]int
	outs   [][]float32
	grads  [][]float32 // by parameter; nil for none
}

// run does one pass on a tape of its own, which must give results of the shapes of the first. A typed panic
// becomes an error.
func (c *check) run(o autograd.Options, do func(*autograd.Tape, *autograd.Gradients) []*autograd.Tensor) (p *pass, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *autograd.UseError:
			err = r
		case *autograd.ShapeError:
			err = r
		default:
			panic(r)
		}
	}()
	t, g := autograd.NewTape(o), autograd.NewGradients()
	ys := do(t, g)
	if len(ys) == 0 {
		return nil, errors.New("the function returned no tensor")
	}
	p = &pass{}
	for _, y := range ys {
		p.shapes = append(p.shapes, slices.Clone(y.Shape()))
		p.outs = append(p.outs, y.Floats(nil))
	}
	for _, q := range c.params {
		p.grads = append(p.grads, g.Of(q))
	}
	if c.base != nil && !slices.EqualFunc(p.shapes, c.base.shapes, slices.Equal) {
		return nil, fmt.Errorf("results of the shapes %v, expected %v as at first", p.shapes, c.base.shapes)
	}
	if n := t.Lent(); n != 0 {
		return nil, fmt.Errorf("%d scratch buffers were not given back", n)
	}
	return p, nil
}

// same runs a pass and compares its bits with those of the first one; gradients only when recorded.
func (c *check) same(what string, o autograd.Options, do func(*autograd.Tape, *autograd.Gradients) []*autograd.Tensor) error {
	p, err := c.run(o, do)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return c.compare(what, p, c.base, o.Gradients)
}

func (c *check) compare(what string, got, want *pass, gradients bool) error {
	for i := range want.outs {
		if err := sameBits(got.outs[i], want.outs[i]); err != nil {
			return fmt.Errorf("%s: result %d: %w", what, i, err)
		}
	}
	if !gradients {
		return nil
	}
	for i := range want.grads {
		if err := sameBits(got.grads[i], want.grads[i]); err != nil {
			return fmt.Errorf("%s: gradient of %s: %w", what, c.name(i), err)
		}
	}
	return nil
}

// name names parameter i in errors.
func (c *check) name(i int) string { return fmt.Sprintf("parameter %d %v", i, c.params[i].Shape()) }
