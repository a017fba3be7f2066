package autograd

import "slices"

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
	return t.SegmentAll(func(xs []*Tensor) []*Tensor { return []*Tensor{f(xs[0])} }, x)[0]
}

// SegmentAll is [Tape.Segment] for a function of any number of Tensors, some of which may be nil, that
// returns one or more, such as the feature maps of a pyramid. Each of xs is freed as Segment frees x,
// unless f returns it. Gradients flow through every result; those that lead to no output of Backward add
// nothing.
func (t *Tape) SegmentAll(f func(xs []*Tensor) []*Tensor, xs ...*Tensor) []*Tensor {
	for _, x := range xs {
		if x == nil {
			continue
		}
		x.check("segment")
		if x.tape != t {
			usePanic("segment", "tensor of another tape")
		}
	}
	t.checkContext()
	if t.record && t.opts.Recompute {
		return t.recomputed(f, slices.Clone(xs))
	}
	mark, recorded := len(t.live), t.recorded
	last := t.last(xs)
	ys := t.results(f(xs))
	if t.recorded == recorded {
		t.sweep(mark, ys)
		freeUnless(ys, last)
	}
	return ys
}

// results checks what a segment returned.
func (t *Tape) results(ys []*Tensor) []*Tensor {
	if len(ys) == 0 || slices.Contains(ys, nil) {
		usePanic("segment", "the function returned no tensor")
	}
	for _, y := range ys {
		y.check("segment")
		if y.tape != t {
			usePanic("segment", "the function returned a tensor of another tape")
		}
	}
	return ys
}

// last returns the Tensors that a segment is the last to use: they are results of another one, nobody keeps
// them, and nothing was recorded since that may hold their values for Backward.
func (t *Tape) last(xs []*Tensor) (last []*Tensor) {
	for _, x := range xs {
		if x != nil && x.segment && !x.kept && x.recorded == t.recorded {
			last = append(last, x)
		}
	}
	return last
}

// freeUnless frees Tensors that a segment was the last to use and did not return.
func freeUnless(returned, last []*Tensor) {
	for _, x := range last {
		if !slices.Contains(returned, x) {
			x.free()
		}
	}
}

// sweep frees what a segment made, apart from what is kept and its results, which it marks.
func (t *Tape) sweep(mark int, ys []*Tensor) {
	keep := t.live[:mark]
	for _, z := range t.live[mark:] {
		switch {
		case slices.Contains(ys, z):
			z.segment, z.recorded = true, t.recorded
			keep = append(keep, z)
		case z.kept:
			keep = append(keep, z)
		default:
			z.free()
		}
	}
	clear(t.live[len(keep):])
	t.live = keep
}

// recomputed runs f without recording it, and records that Backward is to run it again.
func (t *Tape) recomputed(f func(xs []*Tensor) []*Tensor, xs []*Tensor) []*Tensor {
	last := t.last(xs)
	draws, mark := t.draws, len(t.live)
	t.recorded++ // what was made before is not for the segments inside to free: f runs again
	t.record, t.read = false, t.read[:0]
	ys := t.results(f(slices.Clone(xs)))
	t.record = true
	t.sweep(mark, ys)

	made := t.live[mark:]
	n := &node{name: "segment"}
	var at []int // where in ys the node's results are
	for i, y := range ys {
		if y.needs && slices.Contains(made, y) && !slices.Contains(n.outs, y) {
			n.outs, at = append(n.outs, y), append(at, i)
		}
	}
	for _, z := range made {
		if z.needs && !slices.Contains(n.outs, z) {
			z.needs, z.severed = false, true
		}
	}
	if len(n.outs) == 0 { // nothing trainable leads to a result
		freeUnless(ys, last)
		return ys
	}
	for _, z := range made {
		z.segment = false
	}
	n.operands, n.version = slices.Clone(t.read), versions(t.read)
	n.back = func(b *back) { b.rerunSegment(f, xs, len(ys), at, draws) }
	t.nodes = append(t.nodes, n)
	t.recorded++
	return ys
}

// rerunSegment records f(xs) afresh and runs its backward steps with the gradients of the node's results,
// which are the results of f that at names.
func (b *back) rerunSegment(f func([]*Tensor) []*Tensor, xs []*Tensor, results int, at []int, draws uint64) {
	t := b.Tape
	ys := b.node.outs
	mark, nodes := len(t.live), len(t.nodes)
	after, outer := t.draws, t.rerun
	t.draws, t.rerun = draws, true
	zs := t.results(f(slices.Clone(xs)))
	t.draws, t.rerun = after, outer
	if len(zs) != results {
		usePanic("segment", "the second run gave more or fewer results; the function must be pure")
	}
	for i, y := range ys {
		z := zs[at[i]]
		if !equalShape(z.shape, y.shape) || !z.needs || !slices.Contains(t.live[mark:], z) {
			usePanic("segment", "the second run gave another result; the function must be pure")
		}
		if y.grad != nil {
			z.grad = y.grad
			z.grad.refs++
		}
	}
	t.unwind(b.grads, nodes) // drops what does not reach a result
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
