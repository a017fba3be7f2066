package train

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// An Optimizer changes parameters by their gradients. The optimizers of this package are made from groups. They keep
// their memory of a parameter in Buffers of its shape.
type Optimizer interface {
	// Step does one step at learning rate lr for every parameter that has a gradient. It first multiplies the gradients by
	// gradScale: the factor of clipping, or 1/n for a sum of n batches. Their values are undefined afterwards. Results do
	// not depend on the number of workers.
	Step(g *autograd.Gradients, lr, gradScale float64, w *simd.Workers)

	// Parameters yields the parameters in the order of the groups.
	Parameters() iter.Seq2[string, *autograd.Parameter]

	// Memory yields the buffers, each under its kind and the parameter's path: "m/blocks.0.weight".
	Memory() iter.Seq2[string, *autograd.Buffer]

	// Counts returns the number of steps of each parameter, in the order of Parameters. Resuming a run writes to the
	// slice.
	Counts() []int64

	// Describe returns the settings by name. A resumed run compares them.
	Describe() map[string]string

	// Err returns the first mistake in the settings, such as a negative weight decay, or nil. [Run] returns it before the
	// first step; Step panics with it.
	Err() error
}

// chunk is the number of elements in one task of a step: 64 KiB of each of up to four streams. They stay in a
// second-level cache between the passes of optimizers that need several.
const chunk = 16 << 10

// slots holds the parameters of an optimizer and its memory of them.
type slots struct {
	params []slot
	counts []int64
	kinds  []string // names of the buffers kept of each parameter
	err    error    // the first mistake in the settings
}

// slot is one parameter with its settings and buffers.
type slot struct {
	Param
	scale, decay float64
	memory       []*autograd.Buffer
	values       [][]float32 // of memory
}

// newSlots panics when a parameter or a path comes twice: each step would change it twice.
func newSlots(optimizer string, groups []Group, kinds ...string) slots {
	s := slots{kinds: kinds}
	paths, seen := map[string]bool{}, map[*autograd.Parameter]bool{}
	for _, g := range groups {
		scale := orElse(g.LRScale, 1)
		s.check(optimizer, g.err)
		s.check(optimizer, atLeastZero("LRScale", scale))
		s.check(optimizer, atLeastZero("WeightDecay", g.WeightDecay))
		for _, p := range g.Params {
			if paths[p.Path] || seen[p.Parameter] {
				panic(fmt.Sprintf("train: %s: parameter %q is given twice", optimizer, p.Path))
			}
			paths[p.Path], seen[p.Parameter] = true, true
			t := slot{Param: p, scale: scale, decay: g.WeightDecay}
			for range kinds {
				b := autograd.NewBuffer(0, p.Shape()...)
				t.memory = append(t.memory, b)
				t.values = append(t.values, nil)
				b.Update(func(v []float32) { t.values[len(t.values)-1] = v })
			}
			s.params = append(s.params, t)
		}
	}
	moves := func(t slot) bool { return t.scale != 0 }
	if len(s.params) > 0 && !slices.ContainsFunc(s.params, moves) {
		s.check(optimizer, errors.New("nothing to train: LRScale is 0 in every group"))
	}
	s.counts = make([]int64, len(s.params))
	return s
}

// Parameters yields the parameters in the order of the groups.
func (s *slots) Parameters() iter.Seq2[string, *autograd.Parameter] {
	return func(yield func(string, *autograd.Parameter) bool) {
		for i := range s.params {
			if p := &s.params[i]; !yield(p.Path, p.Parameter) {
				return
			}
		}
	}
}

// Memory yields the buffers of each parameter, under their kind and the path of the parameter.
func (s *slots) Memory() iter.Seq2[string, *autograd.Buffer] {
	return func(yield func(string, *autograd.Buffer) bool) {
		for i := range s.params {
			for k, b := range s.params[i].memory {
				if !yield(s.kinds[k]+"/"+s.params[i].Path, b) {
					return
				}
			}
		}
	}
}

// Counts returns the number of steps of each parameter, in the order of Parameters. Resuming a run writes to it.
func (s *slots) Counts() []int64 { return s.counts }

// settingsOf precedes a parameter's path in the description of an optimizer.
const settingsOf = "settings of "

// allSettings stands for the settings of every parameter in Config.Accept.
const allSettings = "settings"

// describe returns the settings of the optimizer and of each parameter.
func (s *slots) describe(optimizer string) map[string]string {
	d := map[string]string{buffersName: optimizer}
	for i := range s.params {
		p := &s.params[i]
		d[settingsOf+p.Path] = fmt.Sprintf("learning rate × %v, weight decay %v", p.scale, p.decay)
	}
	return d
}

// each calls f for every parameter with a gradient, for f to change the values, and counts the step.
func (s *slots) each(g *autograd.Gradients, f func(t *slot, count int64, p, grad []float32)) {
	if s.err != nil {
		panic(s.err)
	}
	for i := range s.params {
		t := &s.params[i]
		grad := g.Of(t.Parameter)
		if grad == nil {
			continue
		}
		s.counts[i]++
		t.Update(func(p []float32) { f(t, s.counts[i], p, grad) })
	}
}

// chunks runs f over the ranges of [0, n), in parallel. The ranges depend on n alone.
func chunks(w *simd.Workers, n int, f func(lo, hi int)) {
	w.For((n+chunk-1)/chunk, func(i int) { f(i*chunk, min(n, (i+1)*chunk)) })
}

// Err returns the first mistake in the settings.
func (s *slots) Err() error { return s.err }

// check keeps the first mistake. Errors of Groups name the package already.
func (s *slots) check(optimizer string, err error) {
	if err == nil || s.err != nil {
		return
	}
	if !strings.HasPrefix(err.Error(), "train: ") {
		err = fmt.Errorf("train: %s: %w", optimizer, err)
	}
	s.err = err
}

// atLeastZero returns an error for a number that is negative or not finite.
func atLeastZero(name string, x float64) error {
	if !finite(x) || x < 0 {
		return fmt.Errorf("%s: expected 0 or more, found %v", name, x)
	}
	return nil
}

// belowOne returns an error for a number that is not in [0, 1).
func belowOne(name string, x float64) error {
	if !(x >= 0 && x < 1) {
		return fmt.Errorf("%s: expected 0 or more and below 1, found %v", name, x)
	}
	return nil
}

// orElse returns the number that x points to, or the default when x is nil.
func orElse(x *float64, byDefault float64) float64 {
	if x == nil {
		return byDefault
	}
	return *x
}
