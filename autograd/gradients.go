package autograd

import (
	"iter"

	"github.com/fovea-ml/fovea/simd"
)

// Gradients is a table of gradients owned by the caller. Backward adds into it: to accumulate over several
// passes, do not call Zero between them. One Backward uses a table at a time. Passes that run at once have a
// table each, which Merge joins in a fixed order. The zero value is empty and ready.
type Gradients struct {
	index   map[*Parameter]int
	entries []entry
	tensors map[*Tensor][]float32
}

type entry struct {
	param *Parameter
	data  []float32
	fresh bool // nothing was added since Zero; data is undefined
}

// NewGradients returns an empty table.
func NewGradients() *Gradients { return &Gradients{} }

// Of returns the gradient with respect to p, in p's shape, or nil when none was computed since Zero. The
// slice is the table's own: an optimizer may change it.
func (g *Gradients) Of(p *Parameter) []float32 {
	if i, ok := g.index[p]; ok && !g.entries[i].fresh {
		return g.entries[i].data
	}
	return nil
}

// OfTensor returns the gradient with respect to a Tensor that asked for it with WantGradient, or nil.
func (g *Gradients) OfTensor(x *Tensor) []float32 { return g.tensors[x] }

// All yields every parameter that has a gradient, in the order in which the table first met them.
func (g *Gradients) All() iter.Seq2[*Parameter, []float32] {
	return func(yield func(*Parameter, []float32) bool) {
		for i := range g.entries {
			if e := &g.entries[i]; !e.fresh && !yield(e.param, e.data) {
				return
			}
		}
	}
}

// Zero empties the table and keeps its memory.
func (g *Gradients) Zero() {
	for i := range g.entries {
		g.entries[i].fresh = true
	}
	clear(g.tensors)
}

// Merge adds the parameters' gradients of another table.
func (g *Gradients) Merge(o *Gradients) {
	for p, src := range o.All() {
		dst, beta := g.slot(p)
		if beta == 0 {
			copy(dst, src)
		} else {
			simd.Add(dst, dst, src)
		}
	}
}

// Scale multiplies every gradient by s.
func (g *Gradients) Scale(s float32) {
	for _, d := range g.All() {
		simd.Scale(d, d, s)
	}
}

// slot returns p's gradient to be added to; with beta 0 all of it is to be written.
func (g *Gradients) slot(p *Parameter) (dst []float32, beta float32) {
	i, ok := g.index[p]
	if !ok {
		if g.index == nil {
			g.index = map[*Parameter]int{}
		}
		i = len(g.entries)
		g.index[p] = i
		g.entries = append(g.entries, entry{param: p, data: make([]float32, p.Len()), fresh: true})
	}
	e := &g.entries[i]
	if e.fresh {
		e.fresh = false
		return e.data, 0
	}
	return e.data, 1
}

func (g *Gradients) keepTensor(x *Tensor) {
	if g.tensors == nil {
		g.tensors = map[*Tensor][]float32{}
	}
	if old := g.tensors[x]; old != nil {
		simd.Add(old, old, x.grad.data)
		return
	}
	g.tensors[x] = append([]float32(nil), x.grad.data...)
}
