package autograd

import (
	"time"

	"github.com/fovea-ml/fovea/simd"
)

// Backward computes the gradients of x, which has one element, and adds them into g. It consumes the
// recording: afterwards only x, inputs and Tensors with Keep can still be read.
func (x *Tensor) Backward(g *Gradients) {
	x.check("backward")
	if len(x.data) != 1 {
		shapePanic("backward", "expected one element; give seeds to autograd.Backward otherwise", x.shape)
	}
	Backward(g, []*Tensor{x}, [][]float32{{1}})
}

// Backward computes the gradients of Σ seed·output and adds them into g. A seed has as many values as its output
// has elements. All outputs are on one tape; an output that leads to nothing trainable adds nothing. Backward
// consumes the recording: afterwards only outputs, inputs and Tensors with Keep can still be read. Computing
// with them goes on, but gradients do not flow through them a second time: a later Backward that gets there
// panics with a [UseError].
func Backward(g *Gradients, outputs []*Tensor, seeds [][]float32) {
	if len(outputs) == 0 {
		return
	}
	if len(seeds) != len(outputs) {
		shapePanic("backward", "expected one seed for each output", []int{len(outputs)}, []int{len(seeds)})
	}
	if g == nil {
		usePanic("backward", "nil gradients; make a table with NewGradients")
	}
	outputs[0].check("backward")
	t := outputs[0].tape
	switch {
	case !t.opts.Gradients:
		usePanic("backward", "the tape records no gradients (Options.Gradients)")
	case !t.record:
		usePanic("backward", "called inside a segment that runs again")
	}
	for i, y := range outputs {
		y.check("backward")
		switch {
		case y.tape != t:
			usePanic("backward", "outputs of two tapes")
		case y.spent:
			usePanic("backward", spentReason)
		case y.severed:
			usePanic("backward", "an output that was kept inside a segment that runs again has no gradient")
		}
		if len(seeds[i]) != len(y.data) {
			shapePanic("backward", "expected a seed as large as its output", y.shape, []int{len(seeds[i])})
		}
	}
	for i, y := range outputs {
		if !y.needs {
			continue
		}
		if y.grad == nil {
			y.grad = t.newBuffer(len(y.data))
			copy(y.grad.data, seeds[i])
		} else {
			simd.Add(y.grad.data, y.grad.data, seeds[i])
		}
	}
	kept := make([]bool, len(outputs))
	for i, y := range outputs {
		kept[i], y.kept = y.kept, true
	}
	t.unwind(g, 0)
	for i, y := range outputs {
		y.kept = kept[i]
	}
	// What still has a gradient is a leaf.
	spent := false
	for _, x := range t.live {
		if x.grad != nil {
			spent = spent || x.spent
			if x.want {
				g.keepTensor(x)
			}
			t.release(x.grad)
			x.grad = nil
		}
	}
	if spent {
		usePanic("backward", spentReason)
	}
}

const spentReason = "an earlier Backward has consumed the operations that led here; give all outputs to one Backward"

// unwind runs the backward steps of the nodes from the last down to first and drops them.
func (t *Tape) unwind(g *Gradients, first int) {
	b := &back{Tape: t, grads: g}
	for i := len(t.nodes) - 1; i >= first; i-- {
		n := t.nodes[i] // stays until its step has run, for Reset to find when the step panics
		reached := false
		for _, y := range n.outs {
			reached = reached || y.grad != nil
		}
		if reached {
			if versions(n.operands) != n.version {
				usePanic(n.name, "a parameter was changed between forward and backward")
			}
			b.node, b.dy = n, nil
			if g := n.outs[0].grad; g != nil {
				b.dy = g.data
			}
			if p := t.opts.Profile; p != nil {
				start := time.Now()
				n.back(b)
				p.add(n.name+" backward", time.Since(start), 0, 0)
			} else {
				n.back(b)
			}
		}
		t.dropSaved(n)
		for _, y := range n.outs {
			if y.grad != nil {
				if y.want {
					g.keepTensor(y)
				}
				t.release(y.grad)
				y.grad = nil
			}
			if !y.kept {
				y.free()
			}
			y.spent = true
		}
		t.nodes[i] = nil
		t.nodes = t.nodes[:i]
	}
}

// back is one backward step under way.
type back struct {
	*Tape
	grads *Gradients
	node  *node
	dy    []float32 // the gradient of the first result, nil when none reached it
}

// dyOf returns the gradient of result i, zeros when none reached it.
func (b *back) dyOf(i int) []float32 {
	y := b.node.outs[i]
	if y.grad == nil {
		y.grad = b.newBuffer(elements(b.node.name, y.shape))
		clear(y.grad.data)
	}
	return y.grad.data
}

// into returns the memory of the gradient with respect to in. With beta 0 its contents are undefined and the
// caller writes all of it; with beta 1 the caller adds to it. It is called only for wanted operands, once for
// each.
func (b *back) into(in Operand) (dst []float32, beta float32) {
	x, p := in.operand()
	if x == nil {
		return b.grads.slot(p)
	}
	if x.grad == nil {
		x.grad = b.newBuffer(len(x.data))
		if b.opts.Debug {
			poison(x.grad.data)
		}
		return x.grad.data, 0
	}
	if x.grad.refs > 1 {
		own := b.newBuffer(len(x.data))
		copy(own.data, x.grad.data)
		b.release(x.grad)
		x.grad = own
	}
	return x.grad.data, 1
}

// sum returns the gradient with respect to in for the caller to add to: zeros when nothing was there.
func (b *back) sum(in Operand) []float32 {
	dst, beta := b.into(in)
	if beta == 0 {
		clear(dst)
	}
	return dst
}

// add lets f compute a contribution to the gradient with respect to in and adds it; f writes every element.
// Nothing happens for an operand that wants no gradient.
func (b *back) add(in Operand, f func(dx []float32)) {
	if !b.wants(in) {
		return
	}
	dst, beta := b.into(in)
	if beta == 0 {
		f(dst)
		return
	}
	tmp := b.scratch(len(dst))
	f(tmp)
	b.each(len(dst), 1, func(lo, hi int) { simd.Add(dst[lo:hi], dst[lo:hi], tmp[lo:hi]) })
	b.recycle(tmp)
}

// pass adds the result's gradient, unchanged, to that of an operand with as many elements.
func (b *back) pass(in Operand) {
	if !b.wants(in) {
		return
	}
	if x, _ := in.operand(); x != nil && x.grad == nil {
		x.grad = b.node.outs[0].grad
		x.grad.refs++
		return
	}
	dst, beta := b.into(in)
	if beta == 0 {
		copy(dst, b.dy)
		return
	}
	b.each(len(dst), 1, func(lo, hi int) { simd.Add(dst[lo:hi], dst[lo:hi], b.dy[lo:hi]) })
}
