package autograd

import "github.com/fovea-ml/fovea/simd"

// Add returns x + y. Here and in the other operations of two operands, shapes broadcast by NumPy's rule:
// aligned at their last dimensions, sizes are equal or one of them is 1.
func Add(x, y Operand) *Tensor {
	f, z, l := beginBroadcast("add", x, y)
	f.combine(simd.Add, z.data, f.values(x), 0, f.values(y), 1, l)
	return f.done(z, func(b *back) {
		b.passTo(x, 0, l)
		b.passTo(y, 1, l)
	})
}

// Sub returns x - y, broadcast.
func Sub(x, y Operand) *Tensor {
	f, z, l := beginBroadcast("sub", x, y)
	f.combine(simd.Sub, z.data, f.values(x), 0, f.values(y), 1, l)
	return f.done(z, func(b *back) {
		b.passTo(x, 0, l)
		b.add(y, func(dy []float32) {
			b.sumTo(dy, b.dy, nil, l, 1)
			b.each(len(dy), 1, func(lo, hi int) { simd.Neg(dy[lo:hi], dy[lo:hi]) })
		})
	})
}

// Mul returns x·y, broadcast.
func Mul(x, y Operand) *Tensor {
	f, z, l := beginBroadcast("mul", x, y)
	xv, yv := f.values(x), f.values(y)
	f.combine(simd.Mul, z.data, xv, 0, yv, 1, l)
	return f.done(z, func(b *back) {
		b.add(x, func(dx []float32) { b.mulTo(dx, 0, yv, 1, l) })
		b.add(y, func(dy []float32) { b.mulTo(dy, 1, xv, 0, l) })
	})
}

// AddScaled returns x + scale·y, where x and y are [..., n] and scale is [n]: the end of a residual branch with layer scale
// (CaiT, arXiv 2103.17239, section 2.1). It has the bits of [Add] after [Mul], in one pass over the result.
func AddScaled(x, y, scale Operand) *Tensor {
	const name = "add scaled"
	f := begin(name, x, y, scale)
	shape := x.Shape()
	if len(shape) == 0 || !equalShape(shape, y.Shape()) {
		shapePanic(name, "expected two operands [..., n]", shape, y.Shape())
	}
	m, n := rows(shape)
	if !equalShape(scale.Shape(), []int{n}) {
		shapePanic(name, "expected a scale [n]", shape, scale.Shape())
	}
	z := f.out(shape...)
	xv, yv, sv := f.values(x), f.values(y), f.values(scale)
	f.each(m, 2*n, func(lo, hi int) {
		for i := lo * n; i < hi*n; i += n {
			row := z.data[i : i+n]
			simd.Mul(row, yv[i:i+n], sv)
			simd.Add(row, xv[i:i+n], row)
		}
	})
	return f.done(z, func(b *back) {
		r := len(shape)
		l := newLayout(name, shape, stridesOf(shape, r), stridesOf([]int{n}, r), stridesOf(shape, r))
		b.pass(x)
		b.add(y, func(dy []float32) { b.mulTo(dy, 0, sv, 1, l) })
		b.add(scale, func(ds []float32) { b.mulTo(ds, 1, yv, 0, l) })
	})
}

// Div returns x / y, broadcast.
func Div(x, y Operand) *Tensor {
	f, z, l := beginBroadcast("div", x, y)
	yv, zv := f.values(y), z.data
	f.combine(simd.Div, zv, f.values(x), 0, yv, 1, l)
	return f.done(z, func(b *back) {
		b.add(x, func(dx []float32) {
			if len(dx) == len(zv) {
				b.combine(simd.Div, dx, b.dy, 2, yv, 1, l)
				return
			}
			q := b.scratch(len(zv))
			b.combine(simd.Div, q, b.dy, 2, yv, 1, l)
			b.sumTo(dx, q, nil, l, 0)
			b.recycle(q)
		})
		// ∂(x/y)/∂y = -(x/y)/y, and y is the same wherever it is repeated.
		b.add(y, func(dy []float32) {
			b.sumTo(dy, b.dy, zv, l, 1)
			b.each(len(dy), 2, func(lo, hi int) {
				simd.Div(dy[lo:hi], dy[lo:hi], yv[lo:hi])
				simd.Neg(dy[lo:hi], dy[lo:hi])
			})
		})
	})
}

// Maximum returns the larger of x and y, broadcast. Where they are equal each takes half of the gradient,
// as in PyTorch.
func Maximum(x, y Operand) *Tensor { return choose("maximum", simd.Max, share, x, y) }

// Minimum returns the smaller of x and y, broadcast. Where they are equal each takes half of the gradient,
// as in PyTorch.
func Minimum(x, y Operand) *Tensor {
	return choose("minimum", simd.Min, func(dst, a, b []float32) { share(dst, b, a) }, x, y)
}

func choose(name string, op, part rowFunc, x, y Operand) *Tensor {
	f, z, l := beginBroadcast(name, x, y)
	xv, yv := f.values(x), f.values(y)
	f.combine(op, z.data, xv, 0, yv, 1, l)
	return f.done(z, func(b *back) {
		if !b.wants(x) && !b.wants(y) {
			return
		}
		p := b.scratch(len(b.dy))
		defer b.recycle(p)
		b.add(x, func(dx []float32) {
			b.combine(part, p, xv, 0, yv, 1, l)
			b.sumTo(dx, b.dy, p, l, 0)
		})
		b.add(y, func(dy []float32) {
			b.combine(part, p, yv, 1, xv, 0, l)
			b.sumTo(dy, b.dy, p, l, 1)
		})
	})
}

// share stores the part of a gradient that a takes when the larger of a and b is chosen.
func share(dst, a, b []float32) {
	for i, v := range a[:len(dst)] {
		switch w := b[i]; {
		case v > w:
			dst[i] = 1
		case v == w:
			dst[i] = 0.5
		default:
			dst[i] = 0
		}
	}
}

// beginBroadcast opens an operation of two operands: its frame, its result, and the layout of x, y and
// the result under the result's shape, in this order.
func beginBroadcast(name string, x, y Operand) (*frame, *Tensor, *layout) {
	f := begin(name, x, y)
	xs, ys := x.Shape(), y.Shape()
	if equalShape(xs, ys) { // the common case, without the general rule's allocations
		l := &layout{n: 1}
		l.size[0] = elements(name, xs)
		for k := range l.stride {
			l.stride[k][0] = 1
		}
		return f, f.out(xs...), l
	}
	shape := broadcast(name, xs, ys)
	r := len(shape)
	l := newLayout(name, shape, stridesOf(xs, r), stridesOf(ys, r), stridesOf(shape, r))
	return f, f.out(shape...), l
}

// rowFunc is an elementwise kernel of two rows; dst may be either of them.
type rowFunc func(dst, a, b []float32)

// combine computes dst = op(a, b) over the shape of l. Under it, a and b lie as the operands ka and kb. dst has
// the whole shape, and overlaps neither where it is repeated.
func (t *Tape) combine(op rowFunc, dst, a []float32, ka int, b []float32, kb int, l *layout) {
	if len(dst) == 0 {
		return
	}
	last := l.n - 1
	n := l.size[last]
	sa, sb := l.stride[ka][last], l.stride[kb][last]
	if last == 0 {
		t.each(n, 1, func(lo, hi int) { combineRow(op, dst[lo:hi], a[lo*sa:], sa, b[lo*sb:], sb) })
		return
	}
	t.each(l.count(last), n, func(lo, hi int) {
		c := l.cursor(lo, last)
		for i := lo; i < hi; i++ {
			combineRow(op, dst[i*n:(i+1)*n], a[c.off[ka]:], sa, b[c.off[kb]:], sb)
			c.next()
		}
	})
}

// combineRow computes one row. At most one operand has stride 0: it is a number, which is first copied all over
// dst.
func combineRow(op rowFunc, dst, a []float32, sa int, b []float32, sb int) {
	switch {
	case sa != 0 && sb != 0:
		op(dst, a, b)
	case sa != 0:
		simd.Fill(dst, b[0])
		op(dst, a, dst)
	default:
		simd.Fill(dst, a[0])
		op(dst, dst, b)
	}
}

// passTo adds the result's gradient to that of an operand which lies as operand k under l.
func (b *back) passTo(in Operand, k int, l *layout) {
	if b.wants(in) && elements(b.node.name, in.Shape()) == len(b.dy) {
		b.pass(in)
		return
	}
	b.add(in, func(d []float32) { b.sumTo(d, b.dy, nil, l, k) })
}

// mulTo computes d, the sum of dy·v over the dimensions in which operand k is repeated. v lies as operand kv
// under l.
func (b *back) mulTo(d []float32, k int, v []float32, kv int, l *layout) {
	switch n := len(b.dy); {
	case len(d) == n:
		b.combine(simd.Mul, d, b.dy, 2, v, kv, l)
	case len(v) == n:
		b.sumTo(d, b.dy, v, l, k)
	default:
		p := b.scratch(n)
		b.combine(simd.Mul, p, b.dy, 2, v, kv, l)
		b.sumTo(d, p, nil, l, k)
		b.recycle(p)
	}
}
