package autograd

// Segment runs f on x and bounds the life of what f makes.
//
// Where no gradient is recorded, all that f made goes back to the arena except its result; and x goes too
// when it is itself the result of a segment and nobody called Keep on it, so that a chain of blocks runs
// in the memory of two. This is so without gradients, and on a tape that records them for a segment that
// leads to nothing trainable, such as a block of a frozen encoder. Elsewhere nothing is freed, unless the
// tape's Options ask for Recompute: then only x is kept, and f runs a second time in Backward.
//
// f must be pure: it changes nothing outside (state updates go through [Tape.Queue]), and a second run
// draws the same random numbers. It may use Tensors made before the segment and return one of them; x may
// be nil when f starts from numbers of its own, such as token ids. Gradients flow out of a segment through
// its result alone: others that f made and kept can be read, but to compute with them where f is to run
// again panics with a [UseError]. The tape's context is checked before f runs.
func (t *Tape) Segment(f func(x *Tensor) *Tensor, x *Tensor) *Tensor {
	if x != nil {
		x.check("segment")
		if x.tape != t {
			usePanic("segment", "tensor of another tape")
		}
	}
	t.checkContext()
	if t.record && t.opts.Recompute {
		return t.recomputed(f, x)
	}
	mark, recorded := len(t.live), t.recorded
	last := t.last(x)
	y := t.result(f(x))
	if t.recorded == recorded && t.sweep(mark, y) && last {
		x.free()
	}
	return y
}

// result checks what a segment returned.
func (t *Tape) result(y *Tensor) *Tensor {
	if y == nil {
		usePanic("segment", "the function returned no tensor")
	}
	y.check("segment")
	if y.tape != t {
		usePanic("segment", "the function returned a tensor of another tape")
	}
	return y
}

// last reports whether a segment is the last to use x: it is the result of another one, nobody keeps it,
// and nothing was recorded since that may hold its values for Backward.
func (t *Tape) last(x *Tensor) bool {
	return x != nil && x.segment && !x.kept && x.recorded == t.recorded
}

// sweep frees what a segment made but its result, which it marks, and what is kept. It reports whether the
// segment made the result.
func (t *Tape) sweep(mark int, y *Tensor) (made bool) {
	keep := t.live[:mark]
	for _, z := range t.live[mark:] {
		switch {
		case z == y:
			made = true
			keep = append(keep, z)
		case z.kept:
			keep = append(keep, z)
		default:
			z.free()
		}
	}
	clear(t.live[len(keep):])
	t.live = keep
	if made {
		y.segment, y.recorded = true, t.recorded
	}
	return made
}

// recomputed runs f without recording it, and records that Backward is to run it again.
func (t *Tape) recomputed(f func(x *Tensor) *Tensor, x *Tensor) *Tensor {
	last := t.last(x)
	draws, mark := t.draws, len(t.live)
	t.recorded++ // what was made before is not for the segments inside to free: f runs again
	t.record, t.wanted, t.read = false, false, t.read[:0]
	y := t.result(f(x))
	t.record = true
	made := t.sweep(mark, y)
	switch {
	case !made:
		return y
	case !t.wanted: // nothing in it is trainable
		if last {
			x.free()
		}
		return y
	}
	for _, z := range t.live[mark:] {
		z.severed = z != y
	}
	y.segment = false
	y.needs = true
	n := &node{name: "segment", outs: []*Tensor{y}, operands: append([]Operand(nil), t.read...), version: versions(t.read)}
	n.back = func(b *back) { b.rerunSegment(f, x, y, draws) }
	y.maker = n
	t.nodes = append(t.nodes, n)
	t.recorded++
	return y
}

// unrecorded notes an operand of an operation in the first run of a recomputed segment: whether a gradient
// will flow to it, and which parameters must not change until then.
func (t *Tape) unrecorded(in Operand) {
	if p := lender(in); p != nil {
		t.read = append(t.read, p)
	}
	if x, p := in.operand(); p != nil {
		t.wanted = t.wanted || !p.Frozen
	} else {
		t.wanted = t.wanted || x.needs
	}
}

// rerunSegment records f(x) afresh and runs its backward steps with the gradient of y.
func (b *back) rerunSegment(f func(*Tensor) *Tensor, x, y *Tensor, draws uint64) {
	t := b.Tape
	mark, nodes := len(t.live), len(t.nodes)
	after, outer := t.draws, t.rerun
	t.draws, t.rerun = draws, true
	z := t.result(f(x))
	t.draws, t.rerun = after, outer
	if !equalShape(z.shape, y.shape) {
		usePanic("segment", "the second run gave a result of another shape; the function must be pure")
	}
	if z.needs && z.grad == nil {
		z.grad = y.grad
		z.grad.refs++
	}
	t.unwind(b.grads, nodes) // drops what does not reach z
	for _, w := range t.live[mark:] {
		if w.grad != nil {
			t.release(w.grad)
			w.grad = nil
		}
		w.free()
	}
	clear(t.live[mark:])
	t.live = t.live[:mark]
}
