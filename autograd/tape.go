package autograd

import (
	"context"

	"github.com/fovea-ml/fovea/simd"
)

// Options configure a tape. The zero value is serial inference.
type Options struct {
	// Gradients records what Backward needs. Without it and without Training, weights are packed ahead.
	Gradients bool
	// Training turns on the behavior of training: dropout, drop path, batch statistics.
	Training bool
	// Recompute keeps only the inputs of each [Tape.Segment] and runs it again in Backward. This is gradient
	// checkpointing: about a third more work for a fraction of the memory.
	Recompute bool

	// Workers runs operations in parallel; nil is serial. Results do not depend on it.
	Workers *simd.Workers
	// Math is the arithmetic of matrix products, in the forward and in the backward step. The default, simd.Strict, has the
	// same bits everywhere. The section "Math modes" of the package comment describes simd.Accurate, simd.BF16 and
	// simd.Int8. NewTape panics where Int8 meets Gradients.
	Math simd.Math
	// Arena supplies memory; nil means a new one. No other tape may use it meanwhile.
	Arena *Arena
	// Context is checked between segments; when it ends, the tape panics with a [CanceledError].
	Context context.Context

	// Seed and Step key the random operations, with the number of the operation. The same key draws the
	// same numbers.
	Seed, Step uint64

	// Debug fills memory that goes back to the arena with NaN, so that a use after release shows. It checks
	// that an [Op] writes to nothing that it should only read, and divides work over threads in another order.
	Debug bool
	// Profile, when not nil, counts time and work by operation.
	Profile *Profile
}

// Tape records one forward pass and owns its memory. It is used by one goroutine at a time; any number
// of tapes can share a model.
type Tape struct {
	opts     Options
	ctx      context.Context
	workers  *simd.Workers
	arena    *Arena
	gen      uint64
	live     []*Tensor // every Tensor that may hold memory, in the order they were made
	nodes    []*node
	recorded uint64    // nodes so far, those that are gone included
	read     []Operand // in the first run of a recomputed segment: the parameters it used
	draws    uint64    // random operations so far
	begun    uint64    // operations so far
	known    []known   // in the second run of a recomputed segment: its results
	commits  []func()
	lists    []*planeList // for reuse
	record   bool
	rerun    bool // inside the second run of a recomputed segment
	lent     int  // scratch buffers not yet recycled
	lentSize int  // their elements, and those that operations under way have saved
}

// NewTape returns an empty tape. It panics with a [UseError] for options that [Options.Check] refuses.
func NewTape(o Options) *Tape {
	if err := o.Check(); err != nil {
		panic(err)
	}
	a := o.Arena
	if a == nil {
		a = NewArena()
	}
	return &Tape{opts: o, ctx: o.Context, workers: o.Workers, arena: a, record: o.Gradients}
}

// Workers returns the tape's parallelism.
func (t *Tape) Workers() *simd.Workers { return t.workers }

// Training reports whether the tape runs the behavior of training.
func (t *Tape) Training() bool { return t.opts.Training }

// Recording reports whether gradients are being recorded.
func (t *Tape) Recording() bool { return t.record }

// Inference reports whether the tape neither trains nor has gradients. What is derived from parameters alone may then be
// kept for the next pass. Unlike Recording it has one answer for a tape, also in a segment that Backward runs again.
func (t *Tape) Inference() bool { return !t.opts.Gradients && !t.opts.Training }

// Step sets the step that keys random operations, usually right after Reset.
func (t *Tape) Step(step uint64) { t.opts.Step = step }

// Reset ends the pass: every Tensor becomes unusable, its memory goes back to the arena, and queued state
// updates that were not committed are dropped. The tape is then as good as new.
func (t *Tape) Reset() {
	for _, x := range t.live {
		if x.grad != nil {
			t.release(x.grad)
			x.grad = nil
		}
		if x.buf != nil {
			t.release(x.buf)
			x.buf, x.data, x.planes = nil, nil, nil
		}
	}
	clear(t.live)
	t.live = t.live[:0]
	for _, n := range t.nodes {
		t.dropSaved(n)
	}
	clear(t.nodes)
	t.nodes = t.nodes[:0]
	clear(t.commits)
	t.commits = t.commits[:0]
	t.draws = 0
	t.record, t.rerun, t.known = t.opts.Gradients, false, nil
	t.arena.forget(4 * t.lentSize) // lost to a panic
	t.lent, t.lentSize = 0, 0
	t.arena.settle()
	t.gen++
}

// Lent returns how many scratch buffers operations hold. Between operations it is zero, unless one leaked.
func (t *Tape) Lent() int { return t.lent }

// MemoryBytes returns the size of the tape's arena.
func (t *Tape) MemoryBytes() int { return t.arena.Bytes() }

// Queue registers a state update, such as that of running statistics, for Commit to run. The second run of a
// segment queues nothing.
func (t *Tape) Queue(update func()) {
	if !t.rerun {
		t.commits = append(t.commits, update)
	}
}

// Commit runs the queued state updates, once. A training step calls it after a forward pass whose
// results it keeps.
func (t *Tape) Commit() {
	for _, f := range t.commits {
		f()
	}
	clear(t.commits)
	t.commits = t.commits[:0]
}

// Input copies values onto the tape as a Tensor of the given shape.
func (t *Tape) Input(values []float32, shape ...int) *Tensor {
	n := elements("input", shape)
	if n != len(values) {
		shapePanic("input", "expected as many values as the shape has elements", shape, []int{len(values)})
	}
	x := t.newTensor("input", shape)
	copy(x.data, values)
	return x
}

// Borrow makes a Tensor of the caller's memory, without a copy. The memory must not change until the tape is
// reset. It suits caches of keys and values, ring buffers, embedded constants.
func (t *Tape) Borrow(values []float32, shape ...int) *Tensor {
	if elements("borrow", shape) != len(values) {
		shapePanic("borrow", "expected as many values as the shape has elements", shape, []int{len(values)})
	}
	x := &Tensor{tape: t, gen: t.gen, shape: cloneShape(shape), data: values,
		buf: &buffer{data: values, refs: 1, borrowed: true}}
	t.live = append(t.live, x)
	return x
}

// Full returns a Tensor whose elements all are value.
func (t *Tape) Full(value float32, shape ...int) *Tensor {
	x := t.newTensor("full", shape)
	simd.Fill(x.data, value)
	return x
}

// Use starts an expression of parameters alone: a Tensor with p's values through which gradients flow
// back to p. It shares p's memory, which nothing writes to; values in half precision are widened to
// memory of the tape. Once p is updated, using the Tensor panics with a [UseError], and so does a
// Backward that reaches what was computed from it before.
func (t *Tape) Use(p *Parameter) *Tensor {
	const name = "use"
	if p == nil {
		usePanic(name, "nil parameter")
	}
	f := beginOn(t, name, p)
	var y *Tensor
	values := t.values(name, p, func(int) []float32 {
		y = f.out(p.shape...)
		return y.data
	})
	if y == nil {
		y = t.Borrow(values, p.shape...)
	}
	y.buf.use = &use{p, p.Version()}
	return f.done(y, func(b *back) { b.pass(p) })
}

// newTensor returns a Tensor with undefined values.
func (t *Tape) newTensor(op string, shape []int) *Tensor {
	n := elements(op, shape)
	b := t.newBuffer(n)
	if t.opts.Debug {
		poison(b.data)
	}
	x := &Tensor{tape: t, gen: t.gen, shape: cloneShape(shape), buf: b, data: b.data}
	t.live = append(t.live, x)
	return x
}

// share returns a Tensor of another shape over x's memory.
func (t *Tape) share(x *Tensor, shape []int) *Tensor {
	x.buf.refs++
	y := &Tensor{tape: t, gen: t.gen, shape: cloneShape(shape), buf: x.buf, data: x.data}
	t.live = append(t.live, y)
	return y
}

func (t *Tape) newBuffer(n int) *buffer { return &buffer{data: t.arena.get(n), refs: 1} }

func (t *Tape) release(b *buffer) {
	b.refs--
	if b.refs > 0 || b.borrowed {
		return
	}
	if b.planes != nil {
		t.dropPlanes(b.planes)
		b.planes = nil
		return
	}
	t.giveBack(b.data)
	b.data = nil
}

func (t *Tape) giveBack(data []float32) {
	if t.opts.Debug {
		poison(data[:cap(data)])
	}
	t.arena.put(data)
}

// scratch lends memory with undefined contents until recycle.
func (t *Tape) scratch(n int) []float32 {
	s := t.arena.get(n)
	if t.opts.Debug {
		poison(s)
	}
	t.lent++
	t.lentSize += cap(s)
	return s
}

func (t *Tape) recycle(s []float32) {
	t.lent--
	t.lentSize -= cap(s)
	t.giveBack(s)
}

// grain is the number of cheap element operations worth a task of its own.
const grain = 16 << 10

// each runs f over [0, n) in ranges, in parallel when there is enough to do. The cost is the price of one
// index, in units of one cheap operation on an element. The ranges depend on n and cost alone. With Debug and
// threads the last range comes first, so that results that depend on the order show.
func (t *Tape) each(n, cost int, f func(lo, hi int)) {
	if n == 0 {
		return
	}
	step := max(1, grain/max(1, cost))
	if step > 64 {
		step &^= 63 // whole vectors, and whole blocks of random numbers
	}
	tasks := (n + step - 1) / step
	if t.workers.Limit() <= 1 || tasks <= 1 {
		f(0, n)
		return
	}
	t.workers.For(tasks, func(i int) {
		if t.opts.Debug {
			i = tasks - 1 - i
		}
		f(i*step, min(n, (i+1)*step))
	})
}
