package autograd

import (
	"fmt"
	"hash/maphash"
	"slices"
	"unsafe"

	"github.com/fovea-ml/fovea/simd"
)

// Op is a differentiable operation that is written outside this package; [Custom] runs it. The two
// functions get what they need from their step, so an Op can be a variable that many goroutines use. A
// function that returns an Op may close over settings, but not over anything that Forward changes.
type Op struct {
	// Name names the operation in panics and profiles.
	Name string

	// Forward makes the results with NewOut and writes all their elements. It is a function of the
	// operands and of the tape's random numbers alone.
	Forward func(f *ForwardStep)

	// Backward adds to the gradients of the operands that want one. It runs once, and only when a
	// gradient reached a result. Without a Backward, operands that want gradients are refused.
	Backward func(b *BackwardStep)
}

// Custom runs an operation that makes one result. At least one operand is a Tensor. It panics with a
// [UseError] when an operand is nil, when the operands are on two tapes, or when Forward makes more or
// fewer results.
func Custom(op Op, operands ...Operand) *Tensor {
	ys := CustomAll(op, operands...)
	if len(ys) != 1 {
		usePanic(op.Name, fmt.Sprintf("expected Forward to make one result, it made %d; see CustomAll", len(ys)))
	}
	return ys[0]
}

// CustomAll is [Custom] for an operation that makes one result or more, in the order of its calls of NewOut.
func CustomAll(op Op, operands ...Operand) []*Tensor {
	switch {
	case op.Name == "":
		usePanic("custom", "an operation without a name")
	case op.Forward == nil:
		usePanic(op.Name, "an operation without Forward")
	}
	for i, in := range operands {
		if !given(in) {
			usePanic(op.Name, fmt.Sprintf("operand %d is nil", i))
		}
	}
	f := begin(op.Name, operands...)
	if f.needs && op.Backward == nil {
		usePanic(op.Name, "an operand wants a gradient, and the operation has no Backward")
	}
	c := &call{operands: f.ins, values: make([][]float32, len(f.ins))}
	forward := &ForwardStep{step: step{tape: f.Tape, call: c, name: op.Name, widened: f.save}, frame: f}
	op.Forward(forward)
	forward.end("Forward")
	if len(c.outs) == 0 {
		usePanic(op.Name, "Forward made no result")
	}
	f.doneAll(c.outs, func(b *back) {
		backward := &BackwardStep{step: step{tape: b.Tape, call: c, name: op.Name}, back: b}
		backward.widened = backward.Scratch
		op.Backward(backward)
		backward.end("Backward")
	})
	return c.outs
}

// call is the state that both steps of an operation share.
type call struct {
	operands []Operand
	values   [][]float32 // of the operands that were asked for
	outs     []*Tensor
	saved    [][]float32
}

// step is one of the two steps under way.
type step struct {
	tape     *Tape
	call     *call
	name     string
	widened  func(n int) []float32 // lends memory for the values of half-precision parameters
	scratch  [][]float32
	lent     []loan // in Debug mode
	dividing bool   // Each is running
	ended    bool
}

// loan is a slice that was handed out to be read only.
type loan struct {
	what   string
	values []float32
	digest uint64
}

// ForwardStep is the forward step of an operation under way. Its slices and itself are valid until Forward
// returns. Its methods are for the goroutine that runs Forward, not for functions given to Each.
type ForwardStep struct {
	step
	frame *frame
}

// NewOut makes the next result and returns its values: undefined, to be written, all of them.
func (f *ForwardStep) NewOut(shape ...int) []float32 {
	f.use()
	y := f.frame.out(shape...)
	f.call.outs = append(f.call.outs, y)
	return slices.Clip(y.data)
}

// Save lends n elements of undefined values that live until the backward step, which gets them from Saved.
func (f *ForwardStep) Save(n int) []float32 {
	f.use()
	s := f.frame.save(elements(f.name, []int{n}))
	f.call.saved = append(f.call.saved, s)
	return slices.Clip(s)
}

// Uniform fills dst with random numbers in [0, 1), drawn from the tape's stream. A segment that runs again
// draws them again.
func (f *ForwardStep) Uniform(dst []float32) {
	f.use()
	s := f.tape.stream()
	f.tape.each(len(dst), 4, func(lo, hi int) { s.uniform(dst[lo:hi], lo) })
}

// Require panics with a [ShapeError], which names the operation and the operands' shapes, unless ok. The
// text expected describes valid operands, as in "expected x [n, in] and w [out, in]".
func (f *ForwardStep) Require(ok bool, expected string) {
	if ok {
		return
	}
	var shapes [][]int
	for _, in := range f.call.operands {
		shapes = append(shapes, in.Shape())
	}
	shapePanic(f.name, expected, shapes...)
}

// BackwardStep is the backward step of an operation under way. Its slices and itself are valid until
// Backward returns. Its methods are for the goroutine that runs Backward, not for functions given to Each.
type BackwardStep struct {
	step
	back *back
}

// Out returns the values of result i, to be read only.
func (b *BackwardStep) Out(i int) []float32 {
	b.use()
	return b.lend("result", i, b.out(i).data)
}

// OutGrad returns the gradient with respect to result i, to be read only: zeros when none reached it.
func (b *BackwardStep) OutGrad(i int) []float32 {
	b.use()
	b.out(i)
	return b.lend("gradient of result", i, b.back.dyOf(i))
}

// Saved returns what the i-th call of Save lent to the forward step.
func (b *BackwardStep) Saved(i int) []float32 {
	b.use()
	if i < 0 || i >= len(b.call.saved) {
		usePanic(b.name, fmt.Sprintf("Forward called Save %d times, Saved(%d) asks for more", len(b.call.saved), i))
	}
	return slices.Clip(b.call.saved[i])
}

// Add lets f compute a contribution to the gradient with respect to operand i and adds it to what is there.
// The slice dx starts as zeros, in the operand's shape. Nothing happens when the operand wants no gradient.
func (b *BackwardStep) Add(i int, f func(dx []float32)) {
	b.use()
	b.back.add(b.operand(i), func(dx []float32) {
		b.tape.each(len(dx), 1, func(lo, hi int) { clear(dx[lo:hi]) })
		f(slices.Clip(dx))
	})
}

func (b *BackwardStep) out(i int) *Tensor {
	if i < 0 || i >= len(b.call.outs) {
		usePanic(b.name, fmt.Sprintf("there is no result %d of %d", i, len(b.call.outs)))
	}
	return b.call.outs[i]
}

// Shape returns the shape of operand i; it must not be changed.
func (s *step) Shape(i int) []int { return s.operand(i).Shape() }

// In returns the values of operand i, to be read only. Those of a half-precision parameter are widened.
func (s *step) In(i int) []float32 {
	s.use()
	in := s.operand(i)
	if s.call.values[i] == nil {
		s.call.values[i] = s.tape.values(s.name, in, s.widened)
	}
	return s.lend("operand", i, s.call.values[i])
}

// Wants reports whether a gradient with respect to operand i is to be computed. In Forward it tells whether
// something must be saved for it.
func (s *step) Wants(i int) bool { return s.tape.wants(s.operand(i)) }

// Scratch lends n elements of undefined values until the step ends.
func (s *step) Scratch(n int) []float32 {
	s.use()
	v := s.tape.scratch(elements(s.name, []int{n}))
	s.scratch = append(s.scratch, v)
	return slices.Clip(v)
}

// Each runs f over [0, n) in ranges, in parallel where there is enough to do. cost is the price of one index in
// units of one cheap operation on a number. The ranges depend on n and cost alone. No two calls of f may write
// to the same element, and a sum across ranges would depend on their order: results must not.
func (s *step) Each(n, cost int, f func(lo, hi int)) {
	s.use()
	s.dividing = true
	defer func() { s.dividing = false }()
	s.tape.each(n, cost, f)
}

// Workers returns the tape's parallelism, for kernels such as [simd.Gemm].
func (s *step) Workers() *simd.Workers { return s.tape.workers }

func (s *step) operand(i int) Operand {
	if i < 0 || i >= len(s.call.operands) {
		usePanic(s.name, fmt.Sprintf("there is no operand %d of %d", i, len(s.call.operands)))
	}
	return s.call.operands[i]
}

// use panics when the step is over, and inside a function given to Each, where several goroutines would use it.
func (s *step) use() {
	switch {
	case s.ended:
		usePanic(s.name, "a step was used after its function returned")
	case s.dividing:
		usePanic(s.name, "a step was used inside a function given to Each; call its methods before")
	}
}

// lend returns a slice to be read only; in Debug mode, end checks that it was.
func (s *step) lend(what string, i int, values []float32) []float32 {
	if s.tape.opts.Debug {
		s.lent = append(s.lent, loan{fmt.Sprintf("%s %d", what, i), values, digest(values)})
	}
	return slices.Clip(values)
}

// end takes back what was lent to the function named by what.
func (s *step) end(what string) {
	s.ended = true
	for _, l := range s.lent {
		if digest(l.values) != l.digest {
			usePanic(s.name, what+" wrote to "+l.what+", which is to be read only")
		}
	}
	for _, v := range s.scratch {
		s.tape.recycle(v)
	}
}

var digestSeed = maphash.MakeSeed()

// digest returns a hash of the bits of values.
func digest(values []float32) uint64 {
	return maphash.Bytes(digestSeed, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values)))
}
