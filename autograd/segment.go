package autograd

// Segment runs f on x and bounds the life of what f makes.
//
// Without gradients, all that f made goes back to the arena except its result; and x goes too when it is
// itself the result of a segment and nobody called Keep on it, so that a chain of blocks runs in the
// memory of two. With gradients nothing changes, unless the tape's Options ask for Recompute: then only x
// is kept, and f runs a second time in Backward.
//
// f must be pure: it changes nothing outside (state updates go through [Tape.Queue]), and a second run
// draws the same random numbers. It may use Tensors made before the segment and return one of them. The
// tape's context is checked before f runs.
func (t *Tape) Segment(f func(x *Tensor) *Tensor, x *Tensor) *Tensor {
	x.check("segment")
	if x.tape != t {
		usePanic("segment", "tensor of another tape")
	}
	t.checkContext()
	if !t.record {
		return t.segmentForward(f, x)
	}
	if !t.opts.Recompute {
		return f(x)
	}
	draws := t.draws
	t.record = false
	kept := x.kept
	x.kept = true
	y := t.segmentForward(f, x)
	x.kept = kept
	t.record = true
	if !y.segment { // made before the segment
		return y
	}
	y.segment = false
	y.needs = true
	n := &node{name: "segment", outs: []*Tensor{y}}
	n.back = func(b *back) { b.rerunSegment(f, x, y, draws) }
	y.maker = n
	t.nodes = append(t.nodes, n)
	return y
}

// segmentForward runs f without gradients and frees what it made but its result, which it marks as a
// segment's.
func (t *Tape) segmentForward(f func(x *Tensor) *Tensor, x *Tensor) *Tensor {
	mark := len(t.live)
	y := f(x)
	y.check("segment")
	made := false
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
	if !made {
		return y
	}
	y.segment = true
	if x.segment && !x.kept {
		x.free()
	}
	return y
}

// rerunSegment records f(x) afresh and runs its backward steps with the gradient of y.
func (b *back) rerunSegment(f func(*Tensor) *Tensor, x, y *Tensor, draws uint64) {
	t := b.Tape
	mark, nodes := len(t.live), len(t.nodes)
	after, outer := t.draws, t.rerun
	t.draws, t.rerun = draws, true
	z := f(x)
	t.draws, t.rerun = after, outer
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
