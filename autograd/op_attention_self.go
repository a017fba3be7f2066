package autograd

import "github.com/fovea-ml/fovea/simd"

// SelfAttention is the attention of tokens to those of their own sequence. One projection, x·wᵀ + b, gives queries, keys and
// values, side by side in that order: w is [3·width, in], b is [3·width] or nil, and o.Heads divides width. x is [B, T, in],
// or with starts [total, in], packed as for [PackedAttention]. The result has x's shape, with width in place of in.
//
// The bits are those of [Linear] and then of [Attention] or PackedAttention. It panics where these do. In inference, a thread
// projects and attends some sequences at a time: what the projection gives stays in cache and needs little memory. That takes
// tokens enough for all threads, no sequence much longer than the others, weights that are not in half precision, and options
// without KeyMask, Bias, Weights and HeadDim.
func SelfAttention(x, w, b Operand, starts []int, o AttentionOptions) *Tensor {
	name := "attention"
	if starts != nil {
		name = "packed attention"
	}
	t := tapeOf(name, x, w, b)
	if p, ok := w.(*Parameter); ok && t.Inference() && o.HeadDim == 0 && !given(o.Bias) && o.KeyMask == nil && o.Weights == nil {
		if groups, most := sequenceGroups(x.Shape(), p.Shape(), starts, &o, t.workers.Limit()); groups != nil {
			panels := p.store.panels(t.workers, t.MathOf(x, p), p.Shape()[0], p.Shape()[1], true)
			if panels.Format() == simd.FormatF32 { // else each group would widen them again
				return selfAttention(name, x, p, b, panels, groups, most, &o)
			}
		}
	}
	qkv := Linear(x, w, b)
	width := qkv.Dim(-1) / 3
	q, k, v := Columns{Of: qkv}, Columns{qkv, width}, Columns{qkv, 2 * width}
	if starts != nil {
		return PackedAttention(q, k, v, starts, nil, o)
	}
	return Attention(q, k, v, o)
}

// Each thread has at least groupsEach times the tokens of the largest group, so that threads end together and hold a part of what
// the projection gives.
const groupsEach = 4

// sequenceGroups divides the sequences of x, of a shape, into groups of at least simd.TaskRows tokens, but for the last: the starts
// of the sequences of each, and the tokens of the largest. It returns nil where groups are too large for the threads, and for
// operands that do not fit, of which the operations one by one say more.
func sequenceGroups(x, w, starts []int, o *AttentionOptions, threads int) (groups [][]int, most int) {
	rank := 2
	if starts == nil {
		rank = 3
	}
	if len(x) != rank || len(w) != 2 || w[0] == 0 || w[0]%3 != 0 || w[0]/3%max(o.Heads, 1) != 0 || x[rank-1] != w[1] || w[1] == 0 || o.Scale < 0 {
		return nil, 0
	}
	total := x[0]
	if starts == nil {
		total *= x[1]
	}
	if total < groupsEach*threads*simd.TaskRows {
		return nil, 0
	}
	if starts == nil {
		starts = make([]int, x[0]+1)
		for i := range starts {
			starts[i] = i * x[1]
		}
	}
	checkStarts("packed attention", starts, total)
	for first := 0; first < len(starts)-1; {
		last := first + 1
		for last < len(starts)-1 && starts[last]-starts[first] < simd.TaskRows {
			last++
		}
		groups = append(groups, starts[first:last+1])
		most = max(most, starts[last]-starts[first])
		first = last
	}
	if total < groupsEach*threads*most {
		return nil, 0
	}
	return groups, most
}

// selfAttention is SelfAttention by groups of sequences, on a tape for inference.
func selfAttention(name string, x Operand, w *Parameter, b Operand, panels *simd.Packed, groups [][]int, most int, o *AttentionOptions) *Tensor {
	f := begin("self attention", x, w, b)
	xs := x.Shape()
	out, in := checkLinear("linear", xs, w, b)
	checkProbability(name, o.Dropout)
	y := f.out(append(cloneShape(xs[:len(xs)-1]), out/3)...)
	a := &attention{math: f.MathOf(nil, nil), batch: 1, heads: max(o.Heads, 1), causal: o.Causal, scale: o.Scale}
	a.d = out / 3 / a.heads
	a.setScale()
	for i, c := range []*columns{&a.q, &a.k, &a.v} {
		c.from, c.stride = i*out/3, out
	}

	total, _ := rows(xs)
	f.flops = 2 * total * in * out
	scratch := 0
	for _, starts := range groups {
		for i := range starts[1:] {
			n := starts[i+1] - starts[i]
			a.resize(n, n)
			f.flops += 4 * a.heads * n * n * a.d
			scratch = max(scratch, a.scratchSize(a.block, 1, 1))
		}
	}
	xv, ep := f.values(x), &simd.Epilogue{Bias: f.values(b)}
	f.products(x, w)
	size := most*out + scratch
	slots := f.slots(len(groups), f.flops/len(groups))
	buf := f.scratch(slots * size)
	f.eachSlot(slots, len(groups), func(slot, task int) {
		starts, qkv := groups[task], buf[slot*size:][:size]
		from := starts[0]
		simd.GemmPacked(nil, starts[len(starts)-1]-from, simd.Matrix{Data: xv[from*in:], Stride: in}, panels, 0, qkv, out, ep)
		s := *a // of one sequence after the other
		for i := range starts[1:] {
			n := starts[i+1] - starts[i]
			s.resize(n, n)
			s.q.data = qkv[(starts[i]-from)*out:][:n*out]
			s.k.data, s.v.data, s.out = s.q.data, s.q.data, y.data[starts[i]*out/3:]
			part := s.carve(qkv[most*out:], s.block, 1, 1)
			for h := range s.heads {
				for i0 := 0; i0 < n; i0 += s.block {
					s.forward(part, 0, h, i0, min(n, i0+s.block))
				}
			}
		}
	})
	f.recycle(buf)
	return f.done(y, nil)
}
