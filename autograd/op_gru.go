package autograd

import "github.com/fovea-ml/fovea/simd"

// GRU runs a gated recurrent unit (Cho et al., arXiv 1406.1078) over sequences, as one direction of one layer of
// PyTorch's GRU. x is [n, steps, in] and y is [n, steps, H]: the state after each step. The last state hn is [n, H]; the
// initial one, h, is [n, H] or nil, which means zeros. The weights are wih [3H, in] and whh [3H, H], the biases [3H] or
// nil.
//
// The steps have the bits of a loop of [GRUCell]. The inputs of all steps are projected by one product, and so are the
// gradients of weights and inputs.
func GRU(x, h, wih, whh, bih, bhh Operand, o RecurrentOptions) (y, hn *Tensor) {
	ys := gru("gru", false, x, h, wih, whh, bih, bhh, o)
	return ys[1], ys[0]
}

// GRUCell is one step of [GRU], as PyTorch's GRUCell. The shapes are x [n, in], h [n, H] or nil for zeros,
// wih [3H, in], whh [3H, H], and biases [3H] or nil. With the gates r, z and n side by side in the rows of
// p = x·wihᵀ + bih and q = h·whhᵀ + bhh,
//
//	r = σ(pᵣ + qᵣ)
//	z = σ(p_z + q_z)
//	n = tanh(pₙ + r·qₙ)
//	h' = (1 - z)·n + z·h, computed as n + z·(h - n)
func GRUCell(x, h, wih, whh, bih, bhh Operand) (hNext *Tensor) {
	return gru("gru cell", true, x, h, wih, whh, bih, bhh, RecurrentOptions{})[0]
}

// gru returns hn, and y unless it runs a cell.
func gru(name string, cell bool, x, h, wih, whh, bih, bhh Operand, o RecurrentOptions) []*Tensor {
	r := begin(name, x, h, wih, whh, bih, bhh).recur(3, cell, x, wih, whh, bih, bhh, o, h)
	size, wide := r.size, r.wide
	ys := []*Tensor{r.out(r.n, size)}
	hn := ys[0].data
	var y []float32
	if !cell {
		ys = append(ys, r.out(r.n, r.steps, size))
		if y = ys[1].data; r.rows() < r.n*r.steps {
			clear(y)
		}
	}
	// By step: the gates, the state before it, and qₙ.
	gates, hs, news := r.save(r.rows()*wide), r.save(r.rows()*size), r.save(r.rows()*size)
	r.project(gates, x, wih, bih)
	recurrent, ep := r.recurrent(whh), &simd.Epilogue{Bias: r.values(bhh)}
	r.first(hs, hn, h)
	q := r.scratch(r.n * wide)
	for s := range r.longest() {
		at, m := r.starts[s], r.count(s)
		recurrent.times(q, 0, hs[at*size:], m, ep)
		r.each(m, 16*wide, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				g, q, past := gates[(at+i)*wide:][:wide], q[i*wide:][:wide], hs[(at+i)*size:][:size]
				simd.Add(g[:2*size], g, q)
				simd.Sigmoid(g[:2*size], g)
				simd.MulAdd(g[2*size:], g, q[2*size:])
				simd.Tanh(g[2*size:], g[2*size:])
				copy(news[(at+i)*size:][:size], q[2*size:])
				out, diff := r.next(hs, hn, s, i), q[:size]
				simd.Sub(diff, past, g[2*size:])
				copy(out, g[2*size:])
				simd.MulAdd(out, g[size:], diff)
				if y != nil {
					copy(y[r.place(s, i)*size:], out)
				}
			}
		})
	}
	r.recycle(q)
	recurrent.recycle()
	xv := r.values(x)
	var wx, wh []float32 // inference, which needs panels alone, does not ask for them
	if r.grad {
		wx, wh = r.values(wih), r.values(whh)
	}
	r.doneAll(ys, func(b *back) {
		last := b.dyOf(0)
		var dy []float32
		if !cell {
			dy = b.dyOf(1)
		}
		dh, dq := b.scratch(r.n*size), b.scratch(r.rows()*wide)
		through := r.through(b, whh, wh)
		for s := r.longest() - 1; s >= 0; s-- {
			at, m := r.starts[s], r.count(s)
			r.join(s, dh, last)
			b.each(m, 4*wide, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					row := dh[i*size:][:size]
					if dy != nil {
						simd.Add(row, row, dy[r.place(s, i)*size:])
					}
					gruGradient(gates[(at+i)*wide:][:wide], dq[(at+i)*wide:][:wide], news[(at+i)*size:][:size],
						hs[(at+i)*size:][:size], row)
				}
			})
			if s > 0 || b.wants(h) {
				through.times(dh, 1, dq[at*wide:], m, nil)
			}
		}
		through.recycle()
		r.leave(b, h, dh, last)
		b.recycle(dh)
		r.input(b, x, wih, bih, gates, xv, wx)
		r.parameters(b, whh, bhh, dq, hs, size)
		b.recycle(dq)
	})
	return ys
}

// gruGradient is one row of the backward step. It replaces the gates by the gradient of p, writes that of q to dq, and
// replaces the gradient dh of the next state by the part of that of h which does not pass through q. Products are
// rounded before they are added, as in lstmGradient.
func gruGradient(gates, dq, news, h, dh []float32) {
	n := len(dh)
	gr, gz, gn := gates[:n], gates[n:2*n], gates[2*n:]
	qr, qz, qn := dq[:n], dq[n:2*n], dq[2*n:]
	for j, d := range dh {
		r, z, c := gr[j], gz[j], gn[j]
		dn := float32(d*(1-z)) * (1 - float32(c*c))
		dr := float32(dn*news[j]) * float32(r*(1-r))
		dz := float32(d*(h[j]-c)) * float32(z*(1-z))
		gr[j], gz[j], gn[j] = dr, dz, dn
		qr[j], qz[j], qn[j] = dr, dz, dn*r
		dh[j] = d * z
	}
}
