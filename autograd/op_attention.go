package autograd

import (
	"fmt"
	"math"
	"sort"

	"github.com/chewxy/math32"
	"github.com/fovea-ml/fovea/simd"
)

// Columns names columns of every row of a [B, T, C] operand. They begin at From, and there are Heads·HeadDim of
// them. So queries, keys and values are read where one projection left them:
//
//	qkv := autograd.Linear(x, w, b) // [B, T, 3·D]
//	y := autograd.Attention(autograd.Columns{qkv, 0}, autograd.Columns{qkv, D}, autograd.Columns{qkv, 2 * D}, o)
type Columns struct {
	Of   Operand
	From int
}

// AttentionOptions configure [Attention]; the zero value is one head over all keys.
type AttentionOptions struct {
	// Heads is the number of heads; 0 means 1.
	Heads int
	// HeadDim is the width of a head. 0 means the width of the queries' operand, divided by Heads and by the
	// number of parts among queries, keys and values that it holds.
	HeadDim int
	// Scale multiplies the scores; 0 means 1/√HeadDim. It must not be negative.
	Scale float32
	// Causal lets a query see the keys up to its own place. The last query is at the place of the last key:
	// query i sees key j when j ≤ i + Tk - Tq. So a query that follows a cache of keys sees all of it. A query
	// has the bits that it has without the later keys, whatever these hold.
	Causal bool
	// Bias, when given, is added to the scaled scores: [B, H, Tq, Tk], where any of B, H and Tq may be 1
	// and leading dimensions may be left out. Relative-position tables and additive masks go here; its
	// gradient is computed.
	Bias Operand
	// KeyMask, when not nil, has B·Tk elements. A key whose element is false is left out: the result has the
	// bits that it has without the key, whatever the key holds. The mask must not change until backward has run.
	KeyMask []bool
	// Dropout is the probability with which, on a training tape, an attention weight is dropped.
	Dropout float32
	// Weights, when not nil, receives the attention weights before dropout, [B, H, Tq, Tk], in the slice
	// it points to if that is large enough. No gradient flows from them.
	Weights *[]float32
}

// Attention is multi-head scaled dot-product attention (Vaswani et al., arXiv 1706.03762, section 3.2):
// for each head, softmax(scale·Q·Kᵀ + bias)·V. Queries are [B, Tq, Heads·HeadDim], keys and values
// [B, Tk, Heads·HeadDim], head after head in the columns; the result is [B, Tq, Heads·HeadDim]. A query
// with no key to attend to, because all are masked, gets zeros.
//
// The scores exist only for a block of queries of one head at a time. Backward computes them again from the
// maximum and the sum of each row of scores, which are saved.
func Attention(q, k, v Columns, o AttentionOptions) *Tensor {
	f := begin("attention", q.Of, k.Of, v.Of, o.Bias)
	return f.run(newAttention(q, k, v, &o), &o)
}

// run computes the attention of one batch.
func (f *frame) run(a *attention, o *AttentionOptions) *Tensor {
	checkProbability(f.name, o.Dropout)
	if o.Dropout > 0 && f.Training() {
		a.drop, a.random = o.Dropout, f.stream()
	}
	a.math = f.products(nil, nil)
	a.q.data, a.k.data, a.v.data = f.values(a.q.of), f.values(a.k.of), f.values(a.v.of)
	a.bias.data = f.values(o.Bias)
	y := f.out(a.batch, a.tq, a.heads*a.d)
	a.out = y.data
	f.flops = 4 * a.batch * a.heads * a.tq * a.tk * a.d
	if o.Weights != nil {
		n := a.batch * a.heads * a.tq * a.tk
		if cap(*o.Weights) < n {
			*o.Weights = make([]float32, n)
		}
		*o.Weights = (*o.Weights)[:n]
		a.weights = *o.Weights
	}
	if f.grad {
		n := a.batch * a.heads * a.tq
		stats := f.save(2 * n)
		a.max, a.inv = stats[:n], stats[n:]
	}

	f.attend(a)
	a.weights = nil
	return f.done(y, a.backward)
}

// attend runs the forward steps of several attentions, as one set of tasks.
func (f *frame) attend(all ...*attention) {
	// The blocks change no bit of the result, so that they may follow the number of workers.
	rows, first := make([]int, len(all)), make([]int, len(all)+1)
	for i, a := range all {
		rows[i] = a.block
	}
	for {
		small := true
		for i, a := range all {
			first[i+1] = first[i] + a.batch*a.heads*ceilDiv(a.tq, rows[i])
			small = small && rows[i] <= 32
		}
		if small || first[len(all)] >= 3*f.workers.Limit() {
			break
		}
		for i, r := range rows {
			if r > 32 {
				rows[i] = (r + 1) / 2
			}
		}
	}
	tasks, cost, size := first[len(all)], 0, 0
	for i, a := range all {
		cost += a.batch * a.heads * a.tq * a.cost()
		size = max(size, a.scratchSize(rows[i], 1, 1))
	}
	slots := f.slots(tasks, cost/max(1, tasks))
	buf := f.scratch(slots * size)
	f.eachSlot(slots, tasks, func(slot, task int) {
		n := sort.SearchInts(first, task+1) - 1
		a, rows, i := all[n], rows[n], task-first[n]
		each := ceilDiv(a.tq, rows)
		s := a.carve(buf[slot*size:][:size], rows, 1, 1)
		bh, i0 := i/each, i%each*rows
		a.forward(s, bh/a.heads, bh%a.heads, i0, min(a.tq, i0+rows))
	})
	f.recycle(buf)
}

// attention holds the sizes and values that the forward and the backward step share.
type attention struct {
	math                    simd.Math
	batch, heads, tq, tk, d int

	state   *State // whose rows are keys and values, in place of operands
	q, k, v columns
	bias    broadcastBias
	scale   float32
	causal  bool
	spans   []keySpan // a sequence's unmasked keys; nil: all
	gathers bool      // some sequence's unmasked keys are not side by side
	drop    float32   // probability of dropout, 0 when it is off
	random  stream
	drawn   int       // where the random numbers of the first row of weights begin
	out     []float32 // [batch, tq, heads·d]
	weights []float32
	max     []float32 // [batch, heads, tq]: the largest score of each row
	inv     []float32 // 1 / Σ exp(score - max), 0 for a row without keys

	block int // queries in a block
	lds   int // from one row of a block of scores to the next
}

// columns is a Columns with its values.
type columns struct {
	of     Operand
	data   []float32
	from   int
	stride int
}

// attentionBlock is the number of scores in a block: 256 KB. So a block and the keys and values it meets stay
// in a second-level cache of half a megabyte.
const attentionBlock = 64 << 10

func newAttention(q, k, v Columns, o *AttentionOptions) *attention {
	const name = "attention"
	for _, c := range []Columns{q, k, v} {
		if !given(c.Of) {
			shapePanic(name, "expected queries, keys and values")
		}
		if len(c.Of.Shape()) != 3 {
			shapePanic(name, "expected [B, T, C]", c.Of.Shape())
		}
	}
	qs, ks, vs := q.Of.Shape(), k.Of.Shape(), v.Of.Shape()
	if ks[0] != qs[0] || vs[0] != qs[0] || vs[1] != ks[1] {
		shapePanic(name, "expected queries [B, Tq, _], keys [B, Tk, _] and values [B, Tk, _]", qs, ks, vs)
	}
	a := columnsOf(name, q, k, v, o)
	a.begin(name, qs[0], qs[1], ks[1], o)
	return a
}

// begin sets the sizes of a batch, its bias and its mask.
func (a *attention) begin(name string, batch, tq, tk int, o *AttentionOptions) {
	a.batch = batch
	a.resize(tq, tk)
	if given(o.Bias) {
		a.bias = a.broadcast(o.Bias)
	}
	if o.KeyMask != nil {
		if len(o.KeyMask) != batch*tk {
			shapePanic(name, "expected a key mask of B·Tk elements", []int{batch, tk}, []int{len(o.KeyMask)})
		}
		a.maskKeys(o.KeyMask)
	}
}

// columnsOf checks the columns of queries, keys and values. It returns an attention of no sequences yet.
func columnsOf(name string, q, k, v Columns, o *AttentionOptions) *attention {
	last := func(c Columns) int { s := c.Of.Shape(); return s[len(s)-1] }
	a := &attention{heads: max(o.Heads, 1), d: o.HeadDim, causal: o.Causal, scale: o.Scale}
	if a.d == 0 {
		parts := 1
		for _, c := range []Columns{k, v} {
			if c.Of == q.Of {
				parts++
			}
		}
		a.d = last(q) / parts / a.heads
		if a.d*a.heads*parts != last(q) {
			shapePanic(name, fmt.Sprintf("expected queries whose width is a multiple of %d, the heads of the %d parts in one operand", a.heads*parts, parts), q.Of.Shape())
		}
	}
	width := a.heads * a.d
	for i, c := range []Columns{q, k, v} {
		s := c.Of.Shape()
		// The divisions come first: they cannot overflow.
		if a.d < 0 || a.d > last(c)/a.heads || c.From < 0 || c.From > last(c)-width {
			shapePanic(name, fmt.Sprintf("%d heads of %d columns from column %d do not fit", a.heads, a.d, c.From), s)
		}
		for _, e := range []Columns{q, k, v}[:i] {
			if e.Of == c.Of && e.From != c.From && max(e.From-c.From, c.From-e.From) < width {
				shapePanic(name, "columns overlap", s, []int{e.From, c.From, width})
			}
		}
	}
	if a.scale < 0 {
		usePanic(name, "negative scale")
	}
	a.setScale()
	a.q = columns{of: q.Of, from: q.From, stride: last(q)}
	a.k = columns{of: k.Of, from: k.From, stride: last(k)}
	a.v = columns{of: v.Of, from: v.From, stride: last(v)}
	return a
}

// setScale sets the scale that options leave out.
func (a *attention) setScale() {
	if a.scale == 0 {
		a.scale = float32(1 / math.Sqrt(float64(max(a.d, 1))))
	}
}

// resize sets the numbers of queries and keys, and what follows from them.
func (a *attention) resize(tq, tk int) {
	a.tq, a.tk = tq, tk
	a.lds = (a.tk + 15) &^ 15
	a.block = max(16, attentionBlock/max(1, a.tk))
	if a.causal {
		a.block = min(a.block, 64) // later blocks see more keys; earlier ones are spared the work
	}
	if n := ceilDiv(a.tq, a.block); n > 0 {
		a.block = (a.tq + n - 1) / n
	}
}

// cost is the price of one query of one head, in units of one cheap operation on an element.
func (a *attention) cost() int { return (a.tk + 1) * (a.d/4 + 4) }

// attentionScratch is the memory of one task.
type attentionScratch struct {
	blocks [3][]float32 // of scores: rows of lds
	sides  [2][]float32 // of queries: rows of d
	row    []float32    // lds
	inv    []float32    // one a row of a block
	// Gathered keys and values and their gradients, rows of d, where masks leave holes.
	gathered [4][]float32
}

// scratchSize returns what carve needs for blocks of the given number of rows; sides is one for the
// forward step and two for the backward one.
func (a *attention) scratchSize(rows, blocks, sides int) int {
	n := blocks*rows*a.lds + (sides-1)*rows*a.d + a.lds + rows
	if a.gathers {
		n += 2 * sides * a.tk * a.d
	}
	return n
}

func (a *attention) carve(buf []float32, rows, blocks, sides int) attentionScratch {
	cut := func(n int) []float32 {
		s := buf[:n:n]
		buf = buf[n:]
		return s
	}
	var s attentionScratch
	for i := range blocks {
		s.blocks[i] = cut(rows * a.lds)
	}
	for i := range sides - 1 {
		s.sides[i] = cut(rows * a.d)
	}
	s.row, s.inv = cut(a.lds), cut(rows)
	if a.gathers {
		for i := range 2 * sides {
			s.gathered[i] = cut(a.tk * a.d)
		}
	}
	return s
}

var negInf = math32.Inf(-1)

// forward computes the rows i0 to i1 of one head of one sequence.
func (a *attention) forward(s attentionScratch, b, h, i0, i1 int) {
	rows, ld := i1-i0, a.heads*a.d
	if rows == 0 || ld == 0 {
		return
	}
	span := a.span(b)
	n := a.limit(span, i1-1) // the keys that any of these rows sees
	scores := s.blocks[0]
	keys := a.view(a.k, s.gathered[0], span, b, h)
	keys.Trans = true
	a.math.Gemm(nil, rows, n, a.d, a.queries(b, h, i0), keys, 0, scores, a.lds, nil)
	for r := range rows {
		at := (b*a.heads+h)*a.tq + i0 + r
		seen := a.limit(span, i0+r)
		row := scores[r*a.lds:][:n]
		clear(row[seen:])
		scale := a.addBias(row[:seen], s.row, span, b, h, i0+r)
		top := simd.MaxNumber(row[:seen])
		if top == negInf && simd.MaxValue(row[:seen]) == negInf {
			clear(row)
			s.inv[r] = 0
		} else {
			s.inv[r] = 1 / simd.ExpSum(row[:seen], row[:seen], scale, top)
		}
		if a.max != nil {
			a.max[at], a.inv[at] = top, s.inv[r]
		}
		if a.weights != nil {
			a.writeWeights(a.weights[at*a.tk:][:a.tk], row, s.row, span, s.inv[r])
		}
		if a.drop > 0 {
			a.random.keepMask(s.row[:seen], a.position(at), a.drop)
			simd.Mul(row[:seen], row[:seen], s.row)
		}
	}
	out := a.out[(b*a.tq+i0)*ld+h*a.d:]
	a.timesKeys(scores, a.view(a.v, s.gathered[1], span, b, h), span, i0, rows, n, 0, out, ld)
	for r := range rows {
		y := out[r*ld:][:a.d]
		simd.Scale(y, y, s.inv[r])
	}
}

// queries returns the queries of one head of one sequence from row i on.
func (a *attention) queries(b, h, i int) simd.Matrix {
	return simd.Matrix{Data: a.q.data[(b*a.tq+i)*a.q.stride+a.q.from+h*a.d:], Stride: a.q.stride}
}

// position is where the random numbers of a row of weights begin; a row's numbers are whole blocks.
func (a *attention) position(row int) int { return a.drawn + row*((a.tk+3)&^3) }

// writeWeights stores a row of attention weights; tmp has room for one.
func (a *attention) writeWeights(dst, row, tmp []float32, span keySpan, inv float32) {
	clear(dst)
	if span.index == nil {
		simd.Scale(dst[span.first:][:len(row)], row, inv)
		return
	}
	simd.Scale(tmp[:len(row)], row, inv)
	for c, v := range tmp[:len(row)] {
		dst[span.index[c]] = v
	}
}
