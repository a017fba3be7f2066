package autograd

import (
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/simd"
)

// RecurrentOptions describe the sequences that [LSTM] and [GRU] read. The zero value reads all steps, the first one
// first.
type RecurrentOptions struct {
	// Lengths are the numbers of steps of the sequences, 0 to steps each; nil means that all are full. Steps after a
	// sequence's last are not read; the results there are zero. The last state of a sequence is that of its own last
	// step. PyTorch gives the same results for a pack_padded_sequence.
	Lengths []int
	// Reverse reads each sequence from its last step to its first. The result at a step is still that step's, and the
	// last state is that after the first step.
	Reverse bool
}

// recurrence is a recurrent operation under way: its sizes, and the order in which it visits steps.
//
// Buffers that hold all steps are step-major. The rows of a step lie together, the longest sequence first. So the
// sequences that go on are the first rows of a step, and one product serves them all.
type recurrence struct {
	*frame
	n, steps, in, size int
	wide               int // columns of all gates
	reverse            bool
	order              []int // the sequences, the longest first
	lengths            []int // their lengths, in that order
	starts             []int // the first row of each step, then the number of rows
	plain              bool  // rows lie in x in that order already
}

// recur checks the operands of a recurrent operation over x [n, steps, in], or over x [n, in] with one step.
func (f *frame) recur(gates int, cell bool, x, wih, whh, bih, bhh Operand, o RecurrentOptions, states ...Operand) *recurrence {
	r := &recurrence{frame: f, reverse: o.Reverse, steps: 1}
	xs, ws := x.Shape(), whh.Shape()
	expected := "expected x [n, steps, in]"
	if cell {
		expected = "expected x [n, in]"
	}
	switch {
	case cell && len(xs) == 2:
		r.n, r.in = xs[0], xs[1]
	case !cell && len(xs) == 3:
		r.n, r.steps, r.in = xs[0], xs[1], xs[2]
	default:
		shapePanic(f.name, expected, xs)
	}
	if len(ws) == 2 {
		r.size = ws[1]
	}
	r.wide = gates * r.size
	if !equalShape(wih.Shape(), []int{r.wide, r.in}) || !equalShape(ws, []int{r.wide, r.size}) {
		shapePanic(f.name, fmt.Sprintf("expected weights [%dH, in] and [%dH, H], where in is the last dimension of x", gates, gates), xs, wih.Shape(), ws)
	}
	for _, b := range []Operand{bih, bhh} {
		if given(b) && !equalShape(b.Shape(), []int{r.wide}) {
			shapePanic(f.name, fmt.Sprintf("expected biases [%dH]", gates), ws, b.Shape())
		}
	}
	for _, s := range states {
		if given(s) && !equalShape(s.Shape(), []int{r.n, r.size}) {
			shapePanic(f.name, expected+" and states [n, H]", xs, ws, s.Shape())
		}
	}
	r.arrange(o.Lengths)
	f.products(wih, whh)
	f.flops = 2 * r.rows() * r.wide * (r.in + r.size)
	return r
}

// arrange sorts the sequences by length and numbers the rows.
func (r *recurrence) arrange(lengths []int) {
	if lengths != nil && len(lengths) != r.n {
		shapePanic(r.name, "expected a length for each sequence", []int{r.n, r.steps, r.in}, []int{len(lengths)})
	}
	r.order, r.lengths = make([]int, r.n), make([]int, r.n)
	length := func(i int) int {
		if lengths == nil {
			return r.steps
		}
		return lengths[i]
	}
	for i := range r.order {
		if l := length(i); l < 0 || l > r.steps {
			shapePanic(r.name, fmt.Sprintf("expected lengths from 0 to the number of steps, found %d", l), []int{r.n, r.steps, r.in})
		}
		r.order[i] = i
	}
	slices.SortStableFunc(r.order, func(a, b int) int { return length(b) - length(a) })
	for i, s := range r.order {
		r.lengths[i] = length(s)
	}
	r.starts = append(r.starts, 0)
	for count := r.n; ; {
		s := len(r.starts) - 1
		for count > 0 && r.lengths[count-1] <= s {
			count--
		}
		if count == 0 {
			break
		}
		r.starts = append(r.starts, r.starts[s]+count)
	}
	r.plain = r.n == 1 && !r.reverse || r.steps == 1 && r.rows() == r.n
}

// longest returns the number of steps that any sequence has.
func (r *recurrence) longest() int { return len(r.starts) - 1 }

// rows returns the number of steps of all sequences together.
func (r *recurrence) rows() int { return r.starts[r.longest()] }

// count returns how many sequences have a step s.
func (r *recurrence) count(s int) int {
	if s >= r.longest() {
		return 0
	}
	return r.starts[s+1] - r.starts[s]
}

// place returns the row of x that sequence i in the order reads in step s.
func (r *recurrence) place(s, i int) int {
	if r.reverse {
		s = r.lengths[i] - 1 - s
	}
	return r.order[i]*r.steps + s
}

// next returns where sequence i in the order leaves the state after step s: in the row that the next step reads, or
// in the last states.
func (r *recurrence) next(states, last []float32, s, i int) []float32 {
	if i < r.count(s+1) {
		return states[(r.starts[s+1]+i)*r.size:][:r.size]
	}
	return last[r.order[i]*r.size:][:r.size]
}

// first writes the initial states, zeros when there are none, to the rows that step 0 reads. Sequences without a step
// keep them as their last ones.
func (r *recurrence) first(states, last []float32, initial Operand) {
	v := r.values(initial)
	for i, q := range r.order {
		dst := last[q*r.size:][:r.size]
		if i < r.count(0) {
			dst = states[i*r.size:][:r.size]
		}
		if v == nil {
			clear(dst)
		} else {
			copy(dst, v[q*r.size:])
		}
	}
}

// inputs returns the rows of x in the order of the steps; t lends memory for them when they do not lie in it already.
func (r *recurrence) inputs(t *Tape, x []float32) (rows []float32, recycle func()) {
	if r.plain {
		return x, func() {}
	}
	rows = t.scratch(r.rows() * r.in)
	t.each(r.longest(), r.n*r.in, func(lo, hi int) {
		for s := lo; s < hi; s++ {
			for i := range r.count(s) {
				copy(rows[(r.starts[s]+i)*r.in:][:r.in], x[r.place(s, i)*r.in:])
			}
		}
	})
	return rows, func() { t.recycle(rows) }
}

// project computes the inputs' part of all gates at once: gates = x·wihᵀ + bih.
func (r *recurrence) project(gates []float32, x, wih, bih Operand) {
	rows, recycle := r.inputs(r.Tape, r.values(x))
	r.weight(wih, r.wide, r.in, false).times(gates, 0, rows, r.rows(), &simd.Epilogue{Bias: r.values(bih)})
	recycle()
}

// recurrent returns whhᵀ for the products of the steps.
func (r *recurrence) recurrent(whh Operand) *stepWeight {
	return r.weight(whh, r.wide, r.size, r.longest() > 1)
}

// through returns whh for the gradients of the steps.
func (r *recurrence) through(b *back, whh Operand, values []float32) *stepWeight {
	w := &stepWeight{tape: b.Tape, math: r.MathOf(whh, nil), k: r.wide, n: r.size, matrix: simd.Matrix{Data: values, Stride: r.size}}
	if r.longest() > 1 {
		w.pack()
	}
	return w
}

// weight returns the transpose of w, [out, in]. Inference uses w's packed panels; other tapes pack w here when it serves
// several products.
func (r *recurrence) weight(w Operand, out, in int, several bool) *stepWeight {
	s := &stepWeight{tape: r.Tape, math: r.MathOf(w, nil), k: in, n: out, matrix: simd.Matrix{Stride: in, Trans: true}}
	if p, ok := w.(*Parameter); ok && r.packsAhead() {
		s.panels = p.store.panels(r.workers, s.math, out, in, true)
	} else if s.matrix.Data = r.values(w); several {
		s.pack()
	}
	return s
}

// stepWeight is a matrix [k, n] that the rows of several steps are multiplied with.
type stepWeight struct {
	tape   *Tape
	math   simd.Math
	k, n   int
	matrix simd.Matrix
	panels *simd.Packed // instead of matrix
	memory []float32    // of the panels, when they are made for one pass
}

func (s *stepWeight) pack() {
	s.memory = s.tape.scratch(s.math.PackedLen(s.k, s.n))
	s.panels = simd.Pack(s.tape.workers, s.k, s.n, s.matrix, simd.PackOptions{Math: s.math, Memory: s.memory})
}

// times computes dst = x·s + beta·dst and its epilogue for the m rows of x.
func (s *stepWeight) times(dst []float32, beta float32, x []float32, m int, ep *simd.Epilogue) {
	a := simd.Matrix{Data: x, Stride: s.k}
	if s.panels != nil {
		simd.GemmPacked(s.tape.workers, m, a, s.panels, beta, dst, s.n, ep)
	} else {
		s.math.Gemm(s.tape.workers, m, s.n, s.k, a, s.matrix, beta, dst, s.n, ep)
	}
}

func (s *stepWeight) recycle() {
	if s.memory != nil {
		s.tape.recycle(s.memory)
	}
}

// join starts the gradients of the states at step s: those of sequences that end there come from their last states.
func (r *recurrence) join(s int, d, last []float32) {
	for i := r.count(s + 1); i < r.count(s); i++ {
		copy(d[i*r.size:][:r.size], last[r.order[i]*r.size:])
	}
}

// leave adds the gradients of the states before step 0 to those of the initial ones.
func (r *recurrence) leave(b *back, initial Operand, d, last []float32) {
	if !given(initial) {
		return
	}
	b.add(initial, func(dst []float32) {
		for i, q := range r.order {
			src := last[q*r.size:]
			if i < r.count(0) {
				src = d[i*r.size:]
			}
			copy(dst[q*r.size:][:r.size], src)
		}
	})
}

// parameters adds the gradients of a weight w, [gates, width], and its bias, from those of the gates and the rows that
// w was multiplied with.
func (r *recurrence) parameters(b *back, w, bias Operand, dgates, rows []float32, width int) {
	if b.wants(bias) {
		b.columnSums(b.sum(bias), dgates, r.rows(), r.wide)
	}
	if b.wants(w) {
		d, beta := b.into(w)
		r.MathOf(w, nil).Gemm(b.workers, r.wide, width, r.rows(), simd.Matrix{Data: dgates, Stride: r.wide, Trans: true},
			simd.Matrix{Data: rows, Stride: width}, beta, d, width, nil)
	}
}

// input adds the gradients of x, wih and bih, from those of the gates.
func (r *recurrence) input(b *back, x, wih, bih Operand, dgates, xv, wv []float32) {
	rows, recycle := r.inputs(b.Tape, xv)
	r.parameters(b, wih, bih, dgates, rows, r.in)
	recycle()
	if !b.wants(x) {
		return
	}
	times := func(dst []float32, beta float32) {
		r.MathOf(wih, nil).Gemm(b.workers, r.rows(), r.in, r.wide, simd.Matrix{Data: dgates, Stride: r.wide},
			simd.Matrix{Data: wv, Stride: r.in}, beta, dst, r.in, nil)
	}
	if r.plain && r.rows() == r.n*r.steps {
		times(b.into(x))
		return
	}
	d := b.scratch(r.rows() * r.in)
	times(d, 0)
	dx := b.sum(x)
	b.each(r.longest(), r.n*r.in, func(lo, hi int) {
		for s := lo; s < hi; s++ {
			for i := range r.count(s) {
				row := dx[r.place(s, i)*r.in:][:r.in]
				simd.Add(row, row, d[(r.starts[s]+i)*r.in:])
			}
		}
	})
	b.recycle(d)
}
