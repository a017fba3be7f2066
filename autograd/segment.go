package autograd

import "slices"

// Segment runs f on x and bounds the life of the Tensors that f makes.
//
// Where no gradient is recorded, all that f made goes back to the arena except its result. So does x, when it is
// itself the result of a segment, nobody called Keep on it, and f did not return it. A chain of blocks then runs
// in the memory of two. This is so without gradients. It is also so on a tape that records them, for a segment
// without a trainable part, such as a block of a frozen encoder. Elsewhere nothing is freed, unless the tape's
// Options ask for Recompute: then only x is kept, and f runs a second time in Backward.
//
// f must be pure: it changes nothing outside (state updates go through [Tape.Queue]), and a second run draws the
// same random numbers. It may use Tensors made before the segment and return one of them. x may be nil when f
// starts from numbers of its own, such as token ids. Gradients flow out of a segment through its result alone.
// Other Tensors that f made and kept can be read, but computing with one panics with a [UseError] when its
// gradient would be lost because f runs again. The tape's context is checked before f runs.
func (t *Tape) Segment(f func(x *Tensor) *Tensor, x *Tensor) *Tensor {
	return t.SegmentAll(func(xs []*Tensor) []*Tensor { return []*Tensor{f(xs[0])} }, x)[0]
}

// SegmentAll is [Tape.Segment] for several Tensors, some of which may be nil, and one result or more, such as
// the feature maps of a pyramid. Each of xs is freed as Segment frees x. Gradients flow through every result. A
// result that leads to no output of Backward adds nothing.
func (t *Tape) SegmentAll(f func(xs []*Tensor) []*Tensor, xs ...*Tensor) []*Tensor {
	return t.segment(t.opts.Recompute, f, xs)
}

// Recompute is [Tape.Segment] that keeps only x, and runs f again in Backward, whatever Options.Recompute says. It is
// for a large part of a pass whose result is small: one micro-batch of many that share a loss. Backward then holds what
// one such part makes at a time.
func (t *Tape) Recompute(f func(x *Tensor) *Tensor, x *Tensor) *Tensor {
	return t.segment(true, func(xs []*Tensor) []*Tensor { return []*Tensor{f(xs[0])} }, []*Tensor{x})[0]
}

// segment is SegmentAll; recompute says whether it runs again in Backward.
func (t *Tape) segment(recompute bool, f func(xs []*Tensor) []*Tensor, xs []*Tensor) []*Tensor {
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
	if t.record && recompute {
		return slices.Clone(t.recomputed(f, slices.Clone(xs))) // callers may write to both lists
	}
	mark, recorded := len(t.live), t.recorded
	last := t.last(xs)
	ys := t.results(f(slices.Clone(xs)))
	if t.recorded == recorded {
		t.sweep(mark, ys)
		freeUnless(ys, last)
	}
	return ys
}

// results checks the results of a segment.
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

// last returns the Tensors that a segment is the last to use. They are results of another segment, nobody keeps
// them, and no operation was recorded since that may need their values in Backward.
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

// sweep frees the Tensors that a segment made, except kept ones and its results, which it marks.
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
	draws, mark, begun := t.draws, len(t.live), t.begun
	t.recorded++ // segments inside must not free what was made before: f runs again
	t.record, t.read = false, t.read[:0]
	ys := t.results(f(slices.Clone(xs)))
	t.record = true
	t.sweep(mark, ys)

	made := t.live[mark:]
	n := &node{name: "segment"}
	var at []int // the places of the node's results in ys
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
	n.back = func(b *back) { b.rerunSegment(f, xs, len(ys), at, draws, begun) }
	t.nodes = append(t.nodes, n)
	t.recorded++
	return ys
}

// known is a result of a recomputed segment. The operation that made it is the last one, of which Backward seldom needs the values
// again: a second run copies them, where the operation asks for it (frame.again).
type known struct {
	op     uint64 // the number that the operation has in the second run
	result *Tensor
	used   bool
}

// again copies the values of y from the first run of a segment, and reports whether it could. The operation calls it in
// both runs, on its result.
func (f *frame) again(y *Tensor) bool {
	y.op = f.number
	for i := range f.known {
		if k := &f.known[i]; k.op == f.number && len(k.result.data) == len(y.data) && len(y.data) > 0 {
			k.used = true
			copy(y.data, k.result.data)
			return true
		}
	}
	return false
}

// rerunSegment records f(xs) again and runs its backward steps with the gradients of the node's results. The
// node's results are results of f; at holds their places among them. draws and begun were the tape's when f ran first.
func (b *back) rerunSegment(f func([]*Tensor) []*Tensor, xs []*Tensor, results int, at []int, draws, begun uint64) {
	t := b.Tape
	t.checkContext()
	ys := b.node.outs
	mark, nodes := len(t.live), len(t.nodes)
	after, outer := t.draws, t.rerun
	t.draws, t.rerun = draws, true
	var list []known
	for _, y := range ys {
		if y.op != 0 {
			list = append(list, known{op: y.op - begun + t.begun, result: y})
		}
	}
	others := t.known
	t.known = list
	zs := t.results(f(slices.Clone(xs)))
	t.known = others
	t.draws, t.rerun = after, outer
	if len(zs) != results {
		usePanic("segment", "the second run gave more or fewer results; the function must be pure")
	}
	for i, y := range ys {
		z := zs[at[i]]
		if !equalShape(z.shape, y.shape) || !z.needs || !slices.Contains(t.live[mark:], z) {
			usePanic("segment", "the second run gave another result; the function must be pure")
		}
		for _, k := range list {
			if k.used && k.result == y && z.op != k.op {
				usePanic("segment", "the second run did other operations; the function must be pure")
			}
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
