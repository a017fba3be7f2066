package autograd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

// opCase gives a case of a golden file (see testdata/gen/opcases.py) to the function that builds the
// operation under test.
type opCase struct {
	t       testing.TB
	g       *golden.File
	name    string
	Tape    *Tape
	vars    map[string]*Tensor
	params  map[string]*Parameter
	shift   map[string][]float32 // added to an input, for finite differences
	segment bool
}

// Var returns an input as a Tensor whose gradient is checked.
func (c *opCase) Var(name string) *Tensor {
	if x := c.vars[name]; x != nil { // made outside the segment
		return x
	}
	v, shape := c.input(name)
	x := c.Tape.Input(v, shape...).WantGradient()
	c.vars[name] = x
	return x
}

// Param returns an input as a Parameter whose gradient is checked.
func (c *opCase) Param(name string) *Parameter {
	if p := c.params[name]; p != nil { // a segment runs twice on the same parameter
		return p
	}
	v, shape := c.input(name)
	p := ParameterOf(v, shape...)
	c.params[name] = p
	return p
}

// Ints returns an integer input.
func (c *opCase) Ints(name string) []int {
	return c.g.Ints(c.name + "/int/" + name)
}

func (c *opCase) input(name string) ([]float32, []int) {
	v, shape := c.g.Tensor(c.name + "/in/" + name)
	v = slices.Clone(v)
	for i, s := range c.shift[name] {
		v[i] += s
	}
	return v, shape
}

// caseNames lists the cases of a golden file whose names begin with prefix.
func caseNames(g *golden.File, prefix string) []string {
	var names []string
	for _, n := range g.Names() {
		if i := strings.Index(n, "/out/0"); i > 0 && strings.HasPrefix(n, prefix) {
			names = append(names, n[:i])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// checkOp runs every case named prefix* of a golden file through build and compares results and gradients
// with PyTorch's, gradients with finite differences, and the bits of all with those of a run on two
// threads, of one inside a recomputed segment, and of other machines.
func checkOp(t *testing.T, file, prefix string, build func(c *opCase) []*Tensor) {
	t.Helper()
	g := golden.Load(t, filepath.Join("testdata", file))
	names := caseNames(g, prefix)
	if len(names) == 0 {
		t.Fatalf("no case %s* in %s", prefix, file)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			c := opCase{t: t, g: g, name: name}
			base := c.run(build, Options{Gradients: true, Debug: true})
			checkPinned(t, t.Name(), base)
			var all float64
			for _, n := range base.inputs() {
				want, _ := g.Tensor(name + "/grad/" + n)
				all += squares(want)
			}
			all = math.Sqrt(all)
			for i, y := range base.outs {
				want, shape := g.Tensor(fmt.Sprintf("%s/out/%d", name, i))
				if !equalShape(base.shapes[i], shape) {
					t.Fatalf("result %d: shape %v, expected %v", i, base.shapes[i], shape)
				}
				golden.Output(t, fmt.Sprintf("result %d", i), y, want)
			}
			for _, n := range base.inputs() {
				want, _ := g.Tensor(name + "/grad/" + n)
				golden.Gradient(t, "gradient of "+n, base.grads[n], want, all)
				c.checkDifferences(build, base, n)
			}

			plain := c.run(build, Options{})
			threads := c.run(build, Options{Gradients: true, Debug: true, Workers: simd.NewWorkers(2)})
			again := c
			again.segment = true
			segment := again.run(build, Options{Gradients: true, Debug: true, Recompute: true})
			for i := range base.outs {
				sameBits(t, "result without gradients", plain.outs[i], base.outs[i])
				sameBits(t, "result on two threads", threads.outs[i], base.outs[i])
				if i == 0 {
					sameBits(t, "result of a segment", segment.outs[i], base.outs[i])
				}
			}
			for _, n := range base.inputs() {
				sameBits(t, "gradient on two threads of "+n, threads.grads[n], base.grads[n])
				if len(base.outs) == 1 {
					sameBits(t, "recomputed gradient of "+n, segment.grads[n], base.grads[n])
				}
			}
		})
	}
}

type opRun struct {
	outs   [][]float32
	shapes [][]int
	grads  map[string][]float32
	loss   float64
	scale  float64 // of the terms of the loss
}

func (r *opRun) inputs() []string {
	var names []string
	for n := range r.grads {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// run builds the operation once on a tape of its own, and runs it backward when the tape records.
func (c opCase) run(build func(*opCase) []*Tensor, o Options) *opRun {
	c.t.Helper()
	c.Tape = NewTape(o)
	c.vars, c.params = map[string]*Tensor{}, map[string]*Parameter{}
	var ys []*Tensor
	if c.segment {
		// Inputs are made before the segment, which a first run on another tape lists.
		list := c
		list.Tape, list.vars, list.params = NewTape(Options{}), map[string]*Tensor{}, map[string]*Parameter{}
		build(&list)
		for n := range list.vars {
			c.Var(n)
		}
		one := c.Tape.Full(1, 1)
		y := c.Tape.Segment(func(*Tensor) *Tensor { return build(&c)[0] }, one)
		ys = []*Tensor{y}
	} else {
		ys = build(&c)
	}
	r := &opRun{grads: map[string][]float32{}}
	var seeds [][]float32
	for i, y := range ys {
		seed, _ := c.g.Tensor(fmt.Sprintf("%s/seed/%d", c.name, i))
		v := y.Floats(nil)
		if len(seed) != len(v) {
			c.t.Fatalf("result %d: shape %v, expected %d elements", i, y.Shape(), len(seed))
		}
		for j, s := range seed {
			r.loss += float64(s) * float64(v[j])
			r.scale += math.Abs(float64(s) * float64(v[j]))
		}
		seeds = append(seeds, seed)
		r.outs = append(r.outs, v)
		r.shapes = append(r.shapes, cloneShape(y.Shape()))
	}
	if o.Gradients {
		g := NewGradients()
		Backward(g, ys, seeds)
		for n, x := range c.vars {
			if r.grads[n] = g.OfTensor(x); r.grads[n] == nil {
				r.grads[n] = make([]float32, elements("test", x.shape))
			}
		}
		for n, p := range c.params {
			if r.grads[n] = g.Of(p); r.grads[n] == nil {
				r.grads[n] = make([]float32, p.Len())
			}
		}
	}
	if n := c.Tape.Lent(); n != 0 {
		c.t.Errorf("%d scratch buffers leaked", n)
	}
	c.Tape.Reset()
	return r
}

const (
	differenceStep      = 4e-3
	differenceTolerance = 0.02
)

// checkDifferences compares the gradient with respect to one input with a central difference along a
// random direction.
func (c opCase) checkDifferences(build func(*opCase) []*Tensor, base *opRun, input string) {
	c.t.Helper()
	grad := base.grads[input]
	if len(grad) == 0 {
		return
	}
	rng := rand.New(rand.NewPCG(7, uint64(len(grad))))
	dir := make([]float32, len(grad))
	want := 0.0
	for i := range dir {
		dir[i] = float32(rng.NormFloat64())
		want += float64(dir[i]) * float64(grad[i])
	}
	at := func(h float32) *opRun {
		d := make([]float32, len(dir))
		for i := range d {
			d[i] = h * dir[i]
		}
		s := c
		s.shift = map[string][]float32{input: d}
		return s.run(build, Options{Debug: true})
	}
	hi, lo := at(differenceStep), at(-differenceStep)
	got := (hi.loss - lo.loss) / (2 * differenceStep)
	tol := differenceTolerance*math.Sqrt(squares(grad)) + 3e-7*(hi.scale+lo.scale)/(2*differenceStep)
	if d := math.Abs(got - want); !(d <= tol) {
		c.t.Errorf("gradient of %s: finite difference %g, gradient %g, off by %g > %g", input, got, want, d, tol)
	}
}

func squares(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return s
}

// sameBits demands equality bit for bit; any NaN equals any NaN.
func sameBits(t testing.TB, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, expected %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) && !(got[i] != got[i] && want[i] != want[i]) {
			t.Errorf("%s: value %d is %v, expected %v to the bit", what, i, got[i], want[i])
			return
		}
	}
}
