package autograd

import "slices"

// PackedAttention is [Attention] within sequences of unequal length that lie one after the other, without padding.
// Queries are [total, Heads·HeadDim], and so are keys and values of another total. Sequence i has the queries
// queryStarts[i] to queryStarts[i+1] and attends to the keys keyStarts[i] to keyStarts[i+1]. The lists are cumulative
// lengths (cu_seqlens in FlashAttention): 0 first, the total last. Nil keyStarts are queryStarts.
// The result is [total of the queries, Heads·HeadDim].
//
//	y := autograd.PackedAttention(q, k, v, []int{0, 12, 19}, nil, o) // 12 tokens, then 7
//
// A sequence has the bits that it has alone, gradients included, except where weights are dropped. Bias, KeyMask and
// Weights must not be set.
func PackedAttention(q, k, v Columns, queryStarts, keyStarts []int, o AttentionOptions) *Tensor {
	const name = "packed attention"
	if keyStarts == nil {
		keyStarts = queryStarts
	}
	f := begin(name, q.Of, k.Of, v.Of)
	checkProbability(name, o.Dropout)
	if given(o.Bias) || o.KeyMask != nil || o.Weights != nil {
		usePanic(name, "expected no Bias, KeyMask or Weights: packed sequences do not support them")
	}
	for _, c := range []Columns{q, k, v} {
		if !given(c.Of) {
			shapePanic(name, "expected queries, keys and values")
		}
		if len(c.Of.Shape()) != 2 {
			shapePanic(name, "expected [total, C]", c.Of.Shape())
		}
	}
	total, keys := q.Of.Shape()[0], k.Of.Shape()[0]
	checkStarts(name, queryStarts, total)
	checkStarts(name, keyStarts, keys)
	if len(keyStarts) != len(queryStarts) || v.Of.Shape()[0] != keys {
		shapePanic(name, "expected as many values as keys, and as many sequences of queries as of keys",
			k.Of.Shape(), v.Of.Shape(), []int{len(queryStarts), len(keyStarts)})
	}

	queryStarts, keyStarts = slices.Clone(queryStarts), slices.Clone(keyStarts) // backward reads them
	a := columnsOf(name, q, k, v, &o)
	if o.Dropout > 0 && f.Training() {
		a.drop, a.random = o.Dropout, f.stream()
	}
	a.math = f.products(nil, nil)
	a.q.data, a.k.data, a.v.data = f.values(q.Of), f.values(k.Of), f.values(v.Of)
	width := a.heads * a.d
	y := f.out(total, width)
	a.out = y.data
	if f.grad {
		stats := f.save(2 * total * a.heads)
		a.max, a.inv = stats[:total*a.heads], stats[total*a.heads:]
	}

	// Each sequence is an attention of a batch of one, with its part of the values.
	p := &packedAttention{attention: a, sequences: make([]*attention, len(queryStarts)-1), queryStarts: queryStarts, keyStarts: keyStarts}
	drawn := 0
	for i := range p.sequences {
		s := *a
		s.batch, s.drawn = 1, drawn
		q0, k0 := queryStarts[i], keyStarts[i]
		s.resize(queryStarts[i+1]-q0, keyStarts[i+1]-k0)
		s.q.data, s.out = a.q.data[q0*a.q.stride:], a.out[q0*width:]
		s.k.data, s.v.data = a.k.data[k0*a.k.stride:], a.v.data[k0*a.v.stride:]
		s.max, s.inv = from(a.max, q0*a.heads), from(a.inv, q0*a.heads)
		drawn = s.position(s.heads * s.tq)
		f.flops += 4 * s.heads * s.tq * s.tk * s.d
		p.sequences[i] = &s
	}
	f.attend(p.sequences...)
	return f.done(y, p.backward)
}

// checkStarts panics unless starts divide total rows into sequences.
func checkStarts(name string, starts []int, total int) {
	bad := len(starts) == 0 || starts[0] != 0 || starts[len(starts)-1] != total
	for i := 1; i < len(starts) && !bad; i++ {
		bad = starts[i] < starts[i-1]
	}
	if bad {
		shapePanic(name, "expected starts that begin with 0, never fall, and end with the number of tokens", []int{total}, starts)
	}
}

// packedAttention is an attention whose sequences are attentions of their own.
type packedAttention struct {
	*attention
	sequences              []*attention
	queryStarts, keyStarts []int
}

func (p *packedAttention) backward(g *back) {
	if p.heads*p.d == 0 || len(p.sequences) == 0 {
		p.clearGradients(g)
		return
	}
	// The shared part takes the fewest queries and keys: where there are none, gradients must be cleared first.
	p.tq, p.tk = p.sequences[0].tq, p.sequences[0].tk
	scores, cost, size := 2, 0, 0
	if p.drop > 0 {
		scores = 3
	}
	for _, s := range p.sequences {
		p.tq, p.tk = min(p.tq, s.tq), min(p.tk, s.tk)
		cost += s.tq * s.cost()
		size = max(size, s.scratchSize(s.block, scores, 2))
	}
	dq, dk, dv := p.gradients(g)
	part := func(g gradient, c columns, row int) gradient {
		return gradient{data: from(g.data, row*c.stride), beta: g.beta}
	}
	tasks := len(p.sequences) * p.heads
	slots := g.slots(tasks, cost/len(p.sequences))
	buf := g.scratch(slots * size)
	g.eachSlot(slots, tasks, func(slot, i int) {
		n, h := i/p.heads, i%p.heads
		s, q0, k0 := p.sequences[n], p.queryStarts[n], p.keyStarts[n]
		s.backwardHead(s.carve(buf[slot*size:][:size], s.block, scores, 2), g.dy[q0*p.heads*p.d:], 0, h,
			part(dq, p.q, q0), part(dk, p.k, k0), part(dv, p.v, k0), nil)
	})
	g.recycle(buf)
}
