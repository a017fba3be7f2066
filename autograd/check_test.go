package autograd

import (
	"fmt"
	"maps"
	"math"
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
	t      testing.TB
	g      *golden.File
	name   string
	Tape   *Tape
	vars   map[string]*Tensor
	params map[string]*Parameter
	used   map[string]*Parameter // where the inputs come from when they are not the golden file's
}

// Var returns an input as a Tensor whose gradient is checked.
func (c *opCase) Var(name string) *Tensor {
	if x := c.vars[name]; x != nil {
		return x
	}
	var x *Tensor
	if p := c.used[name]; p != nil {
		x = c.Tape.Use(p)
	} else {
		v, shape := c.input(name)
		x = c.Tape.Input(v, shape...).WantGradient()
	}
	c.vars[name] = x
	return x
}

// Param returns an input as a Parameter whose gradient is checked.
func (c *opCase) Param(name string) *Parameter {
	if p := c.params[name]; p != nil {
		return p
	}
	if p := c.used[name]; p != nil {
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
	return slices.Clone(v), shape
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

// CheckGradients is gradcheck.Check with seeds, for functions of a tape. Package gradcheck imports this one, so that
// the test of the name in package autograd_test sets it.
var CheckGradients func(f func(t *Tape) []*Tensor, params []*Parameter, seeds [][]float32) error

// checkOp runs every case named prefix* of a golden file through build and compares results and gradients
// with PyTorch's, and the bits with those of other machines. The rest is gradcheck's: finite differences, and
// the bits on threads, without gradients and in a segment that runs again.
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
			base := c.compare(t, build)
			more := c.run(build, base.grads)
			for n := range c.vars {
				twice := make([]float32, len(base.grads[n]))
				simd.Scale(twice, base.grads[n], 2)
				golden.Within(t, "gradient added to that of another use of "+n, more.grads[n], twice, 1e-5)
			}

			// The inputs are parameters now, those that were Tensors by way of Use.
			var params []*Parameter
			c.used = map[string]*Parameter{}
			for _, n := range slices.Sorted(maps.Keys(base.grads)) {
				v, shape := c.input(n)
				c.used[n] = ParameterOf(v, shape...)
				params = append(params, c.used[n])
			}
			err := CheckGradients(func(tape *Tape) []*Tensor {
				c.begin(tape)
				return build(&c)
			}, params, base.seeds)
			if err != nil {
				t.Errorf("inputs %v: %v", slices.Sorted(maps.Keys(base.grads)), err)
			}
		})
	}
}

// compare runs build and compares results and gradients with PyTorch's, and the bits with those of other machines.
func (c *opCase) compare(t *testing.T, build func(c *opCase) []*Tensor) *opRun {
	t.Helper()
	base := c.run(build, nil)
	checkPinned(t, t.Name(), base)
	var all float64
	for n := range base.grads {
		want, _ := c.g.Tensor(c.name + "/grad/" + n)
		all += squares(want)
	}
	all = math.Sqrt(all)
	for i, y := range base.outs {
		want, shape := c.g.Tensor(fmt.Sprintf("%s/out/%d", c.name, i))
		if !equalShape(base.shapes[i], shape) {
			t.Fatalf("result %d: shape %v, expected %v", i, base.shapes[i], shape)
		}
		golden.Output(t, fmt.Sprintf("result %d", i), y, want)
	}
	for _, n := range slices.Sorted(maps.Keys(base.grads)) {
		want, _ := c.g.Tensor(c.name + "/grad/" + n)
		golden.Gradient(t, "gradient of "+n, base.grads[n], want, all)
	}
	return base
}

type opRun struct {
	outs   [][]float32
	shapes [][]int
	seeds  [][]float32
	grads  map[string][]float32
}

// begin starts a pass of build on a tape.
func (c *opCase) begin(tape *Tape) {
	c.Tape, c.vars, c.params = tape, map[string]*Tensor{}, map[string]*Parameter{}
}

// run builds the operation once on a tape of its own, and runs it backward; other are gradients that the Tensors
// among the inputs get from elsewhere.
func (c *opCase) run(build func(*opCase) []*Tensor, other map[string][]float32) *opRun {
	c.t.Helper()
	c.begin(NewTape(Options{Gradients: true, Debug: true}))
	ys := build(c)
	r := &opRun{grads: map[string][]float32{}}
	for i, y := range ys {
		seed, _ := c.g.Tensor(fmt.Sprintf("%s/seed/%d", c.name, i))
		if len(seed) != y.Len() {
			c.t.Fatalf("result %d: shape %v, expected %d elements", i, y.Shape(), len(seed))
		}
		r.seeds = append(r.seeds, seed)
		r.outs = append(r.outs, y.Floats(nil))
		r.shapes = append(r.shapes, cloneShape(y.Shape()))
	}
	seeds := r.seeds
	for n, x := range c.vars {
		if other != nil {
			ys, seeds = append(ys, x), append(seeds, other[n])
		}
	}
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
	if n := c.Tape.Lent(); n != 0 {
		c.t.Errorf("%d scratch buffers leaked", n)
	}
	c.Tape.Reset()
	return r
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
