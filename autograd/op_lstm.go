package autograd

import "github.com/fovea-ml/fovea/simd"

// LSTM runs a long short-term memory (Hochreiter and Schmidhuber, 1997) over sequences, as one direction of one layer of
// PyTorch's LSTM. x is [n, steps, in] and y is [n, steps, H]: the state h after each step. The last states hn and cn
// are [n, H]; the initial ones, h and c, are [n, H] or nil, which means zeros. The weights are wih [4H, in] and
// whh [4H, H], the biases [4H] or nil.
//
// The steps have the bits of a loop of [LSTMCell]. The inputs of all steps are projected by one product, and so are
// the gradients of weights and inputs. It saves the gates and three states of each step. Projections of the state
// (proj_size in PyTorch) are not supported.
func LSTM(x, h, c, wih, whh, bih, bhh Operand, o RecurrentOptions) (y, hn, cn *Tensor) {
	ys := lstm("lstm", false, x, h, c, wih, whh, bih, bhh, o)
	return ys[2], ys[0], ys[1]
}

// LSTMCell is one step of [LSTM], as PyTorch's LSTMCell. The shapes are x [n, in], h and c [n, H] or nil for zeros,
// wih [4H, in], whh [4H, H], and biases [4H] or nil. With the gates i, f, g and o side by side in the rows of
// x·wihᵀ + bih + h·whhᵀ + bhh,
//
//	c' = σ(f)·c + σ(i)·tanh(g)
//	h' = σ(o)·tanh(c')
func LSTMCell(x, h, c, wih, whh, bih, bhh Operand) (hNext, cNext *Tensor) {
	ys := lstm("lstm cell", true, x, h, c, wih, whh, bih, bhh, RecurrentOptions{})
	return ys[0], ys[1]
}

// lstm returns hn and cn, and y unless it runs a cell.
func lstm(name string, cell bool, x, h, c, wih, whh, bih, bhh Operand, o RecurrentOptions) []*Tensor {
	r := begin(name, x, h, c, wih, whh, bih, bhh).recur(4, cell, x, wih, whh, bih, bhh, o, h, c)
	size, wide := r.size, r.wide
	ys := []*Tensor{r.out(r.n, size), r.out(r.n, size)}
	hn, cn := ys[0].data, ys[1].data
	var y []float32
	if !cell {
		ys = append(ys, r.out(r.n, r.steps, size))
		if y = ys[2].data; r.rows() < r.n*r.steps {
			clear(y)
		}
	}
	// By step: the gates, the states before it, and tanh of the state c after it.
	gates, squashed := r.save(r.rows()*wide), r.save(r.rows()*size)
	hs, cs := r.save(r.rows()*size), r.save(r.rows()*size)
	r.project(gates, x, wih, bih)
	recurrent, ep := r.recurrent(whh), &simd.Epilogue{Bias: r.values(bhh)}
	r.first(hs, hn, h)
	r.first(cs, cn, c)
	for s := range r.longest() {
		at, m := r.starts[s], r.count(s)
		recurrent.times(gates[at*wide:], 1, hs[at*size:], m, ep)
		r.each(m, 16*wide, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				g, t := gates[(at+i)*wide:][:wide], squashed[(at+i)*size:][:size]
				simd.Sigmoid(g[:2*size], g)
				simd.Tanh(g[2*size:3*size], g[2*size:])
				simd.Sigmoid(g[3*size:], g[3*size:])
				cell, out := r.next(cs, cn, s, i), r.next(hs, hn, s, i)
				simd.Mul(cell, g[size:], cs[(at+i)*size:])
				simd.MulAdd(cell, g, g[2*size:])
				simd.Tanh(t, cell)
				simd.Mul(out, g[3*size:], t)
				if y != nil {
					copy(y[r.place(s, i)*size:], out)
				}
			}
		})
	}
	recurrent.recycle()
	xv := r.values(x)
	var wx, wh []float32 // inference, which needs panels alone, does not ask for them
	if r.grad {
		wx, wh = r.values(wih), r.values(whh)
	}
	r.doneAll(ys, func(b *back) {
		lastH, lastC := b.dyOf(0), b.dyOf(1)
		var dy []float32
		if !cell {
			dy = b.dyOf(2)
		}
		dh, dc := b.scratch(r.n*size), b.scratch(r.n*size)
		through := r.through(b, whh, wh)
		for s := r.longest() - 1; s >= 0; s-- {
			at, m := r.starts[s], r.count(s)
			r.join(s, dh, lastH)
			r.join(s, dc, lastC)
			b.each(m, 4*wide, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					row := dh[i*size:][:size]
					if dy != nil {
						simd.Add(row, row, dy[r.place(s, i)*size:])
					}
					lstmGradient(gates[(at+i)*wide:][:wide], squashed[(at+i)*size:][:size], cs[(at+i)*size:][:size],
						row, dc[i*size:][:size])
				}
			})
			if s > 0 || b.wants(h) {
				through.times(dh, 0, gates[at*wide:], m, nil)
			}
		}
		through.recycle()
		r.leave(b, h, dh, lastH)
		r.leave(b, c, dc, lastC)
		b.recycle(dh)
		b.recycle(dc)
		r.input(b, x, wih, bih, gates, xv, wx)
		r.parameters(b, whh, bhh, gates, hs, size)
	})
	return ys
}

// lstmGradient is one row of the backward step. It replaces the gates by the gradient of their inputs, and the gradient
// dc of the next state by that of c. Products are rounded before they are added, so that no compiler fuses them on one
// machine and not on another.
func lstmGradient(gates, squashed, c, dh, dc []float32) {
	n := len(dc)
	gi, gf, gg, g0 := gates[:n], gates[n:2*n], gates[2*n:3*n], gates[3*n:]
	for j := range dc {
		i, f, g, o, t := gi[j], gf[j], gg[j], g0[j], squashed[j]
		d := dc[j] + float32(float32(dh[j]*o)*(1-float32(t*t)))
		dc[j] = d * f
		gi[j] = float32(d*g) * float32(i*(1-i))
		gf[j] = float32(d*c[j]) * float32(f*(1-f))
		gg[j] = float32(d*i) * (1 - float32(g*g))
		g0[j] = float32(dh[j]*t) * float32(o*(1-o))
	}
}
