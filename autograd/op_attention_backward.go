package autograd

import (
	"slices"

	"github.com/fovea-ml/fovea/simd"
)

// With E = exp(score - max), inv = 1/Σ E, P = inv·E, a dropout mask M (all ones without dropout),
// O = (P∘M)·V and G = inv·dO:
//
//	dV = (E∘M)ᵀ·G
//	dE = (G·Vᵀ)∘M
//	dS = E∘(dE - rowsum(G∘O))
//	dQ = scale·dS·K,  dK = scale·dSᵀ·Q,  dbias = dS
//
// so that neither P nor the division of a row of scores is ever needed.

// gradient is a gradient being computed: with beta 0 its contents are still undefined.
type gradient struct {
	data []float32
	beta float32
}

func (a *attention) backward(g *back) {
	if a.batch*a.heads*a.d == 0 {
		a.clearGradients(g)
		return
	}
	dq, dk, dv := a.gradients(g)
	var dbias []float32
	if a.bias.of != nil && g.wants(a.bias.of) {
		dbias = g.sum(a.bias.of)
	}
	scores := 2
	if a.drop > 0 {
		scores = 3
	}
	// One head of one sequence is one task, unless several add to the same bias: these go in order.
	batches, heads := a.batch, a.heads
	if dbias != nil {
		batches, heads = a.bias.batches, a.bias.heads
	}
	tasks := batches * heads
	slots := g.slots(tasks, a.batch*a.heads/max(1, tasks)*a.tq*a.cost())
	size := a.scratchSize(a.block, scores, 2)
	buf := g.scratch(slots * size)
	g.eachSlot(slots, tasks, func(slot, i int) {
		s := a.carve(buf[slot*size:][:size], a.block, scores, 2)
		for b := i / heads; b < a.batch; b += batches {
			for h := i % heads; h < a.heads; h += heads {
				a.backwardHead(s, g.dy, b, h, dq, dk, dv, dbias)
			}
		}
	})
	g.recycle(buf)
}

// clearGradients sets the gradients of an attention without elements to zeros.
func (a *attention) clearGradients(g *back) {
	var done []Operand
	for _, o := range []Operand{a.q.of, a.k.of, a.v.of, a.bias.of} {
		if g.wants(o) && !slices.Contains(done, o) {
			g.sum(o)
			done = append(done, o)
		}
	}
}

// gradients returns the memory of the gradients with respect to queries, keys and values; data is nil where none
// is wanted.
func (a *attention) gradients(g *back) (dq, dk, dv gradient) {
	out := [3]gradient{}
	cs := [3]columns{a.q, a.k, a.v}
	for i, c := range cs {
		if out[i].data != nil || !g.wants(c.of) {
			continue
		}
		dst, beta := g.into(c.of)
		// All of it is to be written: by what is computed below when the columns fill the rows and no key
		// is left out, by zeros otherwise.
		width, whole := 0, a.tq > 0 && a.tk > 0
		for j, e := range cs {
			if e.of != c.of {
				continue
			}
			for _, d := range cs[:j] {
				if d.of == e.of && d.from == e.from {
					whole = false
				}
			}
			width += a.heads * a.d
			if j > 0 && a.spans != nil {
				whole = false
			}
		}
		if beta == 0 && (!whole || width != c.stride) {
			clear(dst)
			beta = 1
		}
		for j, e := range cs {
			if e.of == c.of {
				out[j] = gradient{data: dst, beta: beta}
			}
		}
	}
	return out[0], out[1], out[2]
}

// backwardHead adds what one head of one sequence contributes to the gradients.
func (a *attention) backwardHead(s attentionScratch, dy []float32, b, h int, dq, dk, dv gradient, dbias []float32) {
	span := a.span(b)
	if span.n == 0 {
		clearRows(dq, a.q, b*a.tq, a.tq, h*a.d, a.d)
		return
	}
	keys := a.view(a.k, s.gathered[0], span, b, h)
	values := a.view(a.v, s.gathered[1], span, b, h)
	keysT, valuesT := keys, values
	keysT.Trans, valuesT.Trans = true, true
	// The gradients of keys and values grow from block to block, in place or beside gathered keys.
	sumK, sumV := a.grow(a.k, dk, s.gathered[2], span, b, h), a.grow(a.v, dv, s.gathered[3], span, b, h)
	ld := a.heads * a.d
	scores, dscores := s.blocks[0], s.blocks[1]

	// From the last block to the first: of causal blocks, the last one sees all keys.
	for i0 := (ceilDiv(a.tq, a.block) - 1) * a.block; i0 >= 0; i0 -= a.block {
		rows := min(a.block, a.tq-i0)
		n := a.limit(span, i0+rows-1)
		if n == 0 {
			clearRows(dq, a.q, b*a.tq+i0, rows, h*a.d, a.d)
			continue
		}
		at := (b*a.heads+h)*a.tq + i0
		g := s.sides[0]
		a.math.Gemm(nil, rows, n, a.d, a.queries(b, h, i0), keysT, 0, scores, a.lds, nil)
		for r := range rows {
			seen := a.limit(span, i0+r)
			row := scores[r*a.lds:][:n]
			gr := g[r*a.d:][:a.d]
			inv := a.inv[at+r]
			if inv == 0 { // no key was seen
				clear(row)
				clear(gr)
				continue
			}
			clear(row[seen:])
			scale := a.addBias(row[:seen], s.row, span, b, h, i0+r)
			simd.ExpSum(row[:seen], row[:seen], scale, a.max[at+r])
			simd.Scale(gr, dy[(b*a.tq+i0+r)*ld+h*a.d:], inv)
		}
		kept := scores
		if a.drop > 0 {
			kept = dscores
			for r := range rows {
				mask := s.blocks[2][r*a.lds:][:n]
				a.random.keepMask(mask, a.position(at+r), a.drop)
				simd.Mul(kept[r*a.lds:][:n], scores[r*a.lds:], mask)
			}
		}
		gm := simd.Matrix{Data: g, Stride: a.d}
		if sumV.data != nil {
			a.timesQueries(kept, gm, span, i0, rows, n, sumV.beta, sumV.data, sumV.stride)
			sumV.beta = 1
		}
		if dq.data == nil && dk.data == nil && dbias == nil {
			continue
		}
		a.math.Gemm(nil, rows, n, a.d, gm, valuesT, 0, dscores, a.lds, nil)
		for r := range rows {
			seen := a.limit(span, i0+r)
			d := dscores[r*a.lds:][:n]
			if a.drop > 0 {
				simd.Mul(d[:seen], d, s.blocks[2][r*a.lds:])
			}
			dot := simd.Dot(g[r*a.d:][:a.d], a.out[(b*a.tq+i0+r)*ld+h*a.d:])
			clear(d[seen:])
			if dbias == nil {
				simd.SoftmaxGradDot(d[:seen], scores[r*a.lds:], d, a.scale, dot)
				continue
			}
			simd.SoftmaxGradDot(d[:seen], scores[r*a.lds:], d, 1, dot)
			a.addBiasGradient(dbias, d[:seen], span, b, h, i0+r)
			simd.Scale(d[:seen], d, a.scale)
		}
		if dq.data != nil {
			a.timesKeys(dscores, keys, span, i0, rows, n, dq.beta,
				dq.data[(b*a.tq+i0)*a.q.stride+a.q.from+h*a.d:], a.q.stride)
		}
		if sumK.data != nil {
			a.timesQueries(dscores, a.queries(b, h, i0), span, i0, rows, n, sumK.beta, sumK.data, sumK.stride)
			sumK.beta = 1
		}
	}
	a.scatter(a.k, dk, sumK, span, b, h)
	a.scatter(a.v, dv, sumV, span, b, h)
}

// clearRows writes zeros to a head's part of rows that nothing is added to.
func clearRows(g gradient, c columns, row, rows, col, n int) {
	if g.data == nil || g.beta != 0 {
		return
	}
	for r := range rows {
		clear(g.data[(row+r)*c.stride+c.from+col:][:n])
	}
}

// growing is the gradient of the keys or values of one head of one sequence.
type growing struct {
	gradient
	stride int
}

// grow returns where the gradient of a span's keys or values is summed: in place, or in tmp.
func (a *attention) grow(c columns, g gradient, tmp []float32, s keySpan, b, h int) growing {
	switch {
	case g.data == nil:
		return growing{}
	case s.index != nil:
		return growing{gradient: gradient{data: tmp}, stride: a.d}
	}
	from := (b*a.tk+s.first)*c.stride + c.from + h*a.d
	return growing{gradient: gradient{data: g.data[from:], beta: g.beta}, stride: c.stride}
}

// scatter adds what was summed beside gathered keys or values to their gradients.
func (a *attention) scatter(c columns, g gradient, sum growing, s keySpan, b, h int) {
	if g.data == nil || s.index == nil || sum.beta == 0 {
		return
	}
	for r, j := range s.index {
		dst := g.data[(b*a.tk+int(j))*c.stride+c.from+h*a.d:][:a.d]
		simd.Add(dst, dst, sum.data[r*a.d:])
	}
}

// addBiasGradient adds a row of score gradients to that of the bias.
func (a *attention) addBiasGradient(dbias, row []float32, s keySpan, b, h, i int) {
	dst := dbias[a.bias.at(b, h, i):][:a.tk]
	if s.index == nil {
		dst = dst[s.first:][:len(row)]
		simd.Add(dst, dst, row)
		return
	}
	for c, v := range row {
		dst[s.index[c]] += v
	}
}
