package autograd

import (
	"time"

	"github.com/fovea-ml/fovea/simd"
)

// An operation is written in one place: the forward computation, then the backward computation as a closure. The
// frame below does the work that all operations share.
//
//	func Relu(x Operand) *Tensor {
//		f := begin("relu", x)
//		xs := f.values(x)
//		y := f.out(x.Shape()...)
//		f.each(len(xs), 1, func(lo, hi int) { simd.Relu(y.data[lo:hi], xs[lo:hi]) })
//		return f.done(y, func(b *back) {
//			b.add(x, func(dx []float32) { … b.dy … })
//		})
//	}
//
// A Tensor's values stay until every operation that used it has run its backward step, so a closure may
// hold the slices of its operands and of its own result.

// node is the record of one operation.
type node struct {
	name     string
	outs     []*Tensor
	back     func(*back)
	saved    [][]float32
	operands []Operand
	version  uint64 // sum of the versions of the parameters whose values were read
}

// frame is one operation under way.
type frame struct {
	*Tape
	name  string
	ins   []Operand
	needs bool // a gradient flows through the result
	grad  bool // so it does, and the operation is recorded, not the first run of a recomputed segment
	saved [][]float32
	start time.Time

	number uint64 // among the tape's operations
	flops  int
	math   simd.Math // of its products
}

// begin opens an operation on the tape of its operands, at least one of which is a Tensor; optional
// operands may be nil.
func begin(name string, ins ...Operand) *frame {
	f := beginPlanes(name, ins...)
	f.joinPlanes()
	return f
}

// beginPlanes is begin for an operation that takes planes that lie apart.
func beginPlanes(name string, ins ...Operand) *frame {
	return beginOn(tapeOf(name, ins...), name, ins...)
}

// tapeOf returns the tape of the operands.
func tapeOf(name string, ins ...Operand) *Tape {
	var t *Tape
	for _, in := range ins {
		if !given(in) {
			continue
		}
		if x, _ := in.operand(); x != nil {
			if t != nil && x.tape != t {
				usePanic(name, "operands of two tapes")
			}
			t = x.tape
		}
	}
	if t == nil {
		usePanic(name, "no operand is on a tape; start an expression of parameters with Tape.Use")
	}
	return t
}

// beginOn opens an operation on a given tape.
func beginOn(t *Tape, name string, ins ...Operand) *frame {
	t.begun++
	f := &frame{Tape: t, name: name, number: t.begun}
	for _, in := range ins {
		if !given(in) {
			continue
		}
		f.ins = append(f.ins, in)
		if x, _ := in.operand(); x != nil {
			x.check(name)
			if x.tape != t {
				usePanic(name, "operands of two tapes")
			}
			if x.severed && t.record {
				usePanic(name, "a tensor kept inside a segment that Backward runs again has no gradient; return it from the segment")
			}
		}
		f.needs = f.needs || t.needs(in)
		if !t.record && t.opts.Gradients { // the first run of a recomputed segment
			if p := lender(in); p != nil {
				t.read = append(t.read, p)
			}
		}
	}
	f.grad = f.needs && t.record
	if t.opts.Profile != nil {
		f.start = time.Now()
	}
	return f
}

// wants reports whether a gradient with respect to in is to be computed by a recorded step.
func (t *Tape) wants(in Operand) bool { return t.record && given(in) && t.needs(in) }

// needs reports whether a gradient flows to in, perhaps only when a segment runs again.
func (t *Tape) needs(in Operand) bool {
	if !t.opts.Gradients {
		return false
	}
	x, p := in.operand()
	if x != nil {
		return x.needs
	}
	return !p.Frozen
}

// values returns the values of an operand, to be read only; nil for an absent one. Those of a half-precision
// parameter are widened to memory of the tape, which lives until the backward step has run.
func (f *frame) values(in Operand) []float32 {
	if !given(in) {
		return nil
	}
	return f.Tape.values(f.name, in, f.save)
}

// values returns the values of an operand; those in half precision are widened to memory that lend gives.
func (t *Tape) values(name string, in Operand, lend func(n int) []float32) []float32 {
	x, p := in.operand()
	if x != nil {
		return x.data
	}
	form := p.stored(name)
	if v, ok := p.store.whole(p.Len()); ok {
		return v
	}
	v := lend(p.Len())
	t.each(len(v), 1, func(lo, hi int) { form.read(v[lo:hi], lo) })
	return v
}

// packsAhead reports whether weights are used in packed form, which is kept until they change. This is so in
// inference alone. A tape that trains would pack every weight again at each step, so it packs as it goes, also
// in passes without gradients.
func (f *frame) packsAhead() bool { return f.Inference() }

// out makes a result with undefined values.
func (f *frame) out(shape ...int) *Tensor { return f.newTensor(f.name, shape) }

// save lends memory with undefined contents that lives until the backward step has run. When there is no
// backward step, it lives until done.
func (f *frame) save(n int) []float32 {
	s := f.arena.get(n)
	if f.opts.Debug {
		poison(s)
	}
	f.saved = append(f.saved, s)
	f.lentSize += cap(s)
	return s
}

// done closes an operation with one result.
func (f *frame) done(y *Tensor, step func(*back)) *Tensor {
	f.doneAll([]*Tensor{y}, step)
	return y
}

// doneAll closes an operation with several results.
func (f *frame) doneAll(ys []*Tensor, step func(*back)) {
	for _, s := range f.saved {
		f.lentSize -= cap(s)
	}
	for _, y := range ys {
		y.needs = f.needs && step != nil
	}
	if f.grad && step != nil {
		n := &node{name: f.name, outs: ys, back: step, saved: f.saved, operands: f.ins, version: versions(f.ins)}
		f.nodes = append(f.nodes, n)
		f.recorded++
	} else {
		for _, s := range f.saved {
			f.giveBack(s)
		}
	}
	if p := f.opts.Profile; p != nil {
		bytes := 0
		for _, y := range ys {
			bytes += 4 * len(y.data) // none where planes lie apart
		}
		p.add(f.profileName(), time.Since(f.start), bytes, f.flops)
	}
}

// profileName is the name of the operation, with its arithmetic where the tape asks for another than Strict.
func (f *frame) profileName() string {
	if f.flops == 0 || f.opts.Math == simd.Strict {
		return f.name
	}
	return f.name + " " + f.math.String()
}

func versions(ins []Operand) uint64 {
	var sum uint64
	for _, in := range ins {
		if p := lender(in); p != nil {
			sum += p.Version()
		}
	}
	return sum
}

func (t *Tape) dropSaved(n *node) {
	for _, s := range n.saved {
		t.giveBack(s)
	}
	n.saved = nil
}
