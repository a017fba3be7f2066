package autograd

import "math"

// Where returns a where cond is not zero, and b elsewhere; the three shapes broadcast. cond is a mask: a Tensor of
// zeros and ones, such as [Less] returns, or any numbers. All but +0 and -0 count as true, NaN as well.
//
// No gradient flows to cond. An operand that was not chosen gets zero, also where the gradient of the result is not
// finite.
func Where(cond, a, b Operand) *Tensor {
	const name = "where"
	f := begin(name, cond, a, b)
	f.differentiates(a, b)
	shape := broadcast(name, broadcast(name, cond.Shape(), a.Shape()), b.Shape())
	r := len(shape)
	l := newLayout(name, shape, stridesOf(cond.Shape(), r), stridesOf(a.Shape(), r), stridesOf(b.Shape(), r))
	y := f.out(shape...)
	cv := f.values(cond)
	f.pick(y.data, cv, f.values(a), f.values(b), l)
	return f.done(y, func(back *back) {
		m := newLayout(name, shape, stridesOf(cond.Shape(), r), stridesOf(shape, r))
		to := func(d []float32, k int, part rowFunc) {
			if len(d) == len(back.dy) {
				back.combine(part, d, back.dy, 1, cv, 0, m)
				return
			}
			p := back.scratch(len(back.dy))
			back.combine(part, p, back.dy, 1, cv, 0, m)
			back.sumTo(d, p, nil, l, k)
			back.recycle(p)
		}
		back.add(a, func(da []float32) { to(da, 1, keepWhere) })
		back.add(b, func(db []float32) { to(db, 2, dropWhere) })
	})
}

// MaskedFill returns value where mask is not zero, and x elsewhere. x and mask broadcast, and mask is read as [Where]
// reads it. No gradient flows to mask.
func MaskedFill(x, mask Operand, value float32) *Tensor {
	f, y, l := beginBroadcast("masked fill", x, mask)
	f.differentiates(x)
	mv := f.values(mask)
	fill := math.Float32bits(value)
	f.combine(func(dst, x, mask []float32) {
		for i, v := range x[:len(dst)] {
			m := truth(mask[i])
			dst[i] = math.Float32frombits(math.Float32bits(v)&^m | fill&m)
		}
	}, y.data, f.values(x), 0, mv, 1, l)
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) {
			if len(dx) == len(b.dy) {
				b.combine(dropWhere, dx, b.dy, 2, mv, 1, l)
				return
			}
			p := b.scratch(len(b.dy))
			b.combine(dropWhere, p, b.dy, 2, mv, 1, l)
			b.sumTo(dx, p, nil, l, 0)
			b.recycle(p)
		})
	})
}

// differentiates says that a gradient flows to these operands alone, not to masks and the like.
func (f *frame) differentiates(ins ...Operand) {
	f.needs = false
	for _, in := range ins {
		f.needs = f.needs || f.Tape.needs(in)
	}
	f.grad = f.needs && f.record
}

// truth returns all ones for a true element of a mask, and 0 for a false one. Random masks would mislead a branch.
func truth(c float32) uint32 {
	u := math.Float32bits(c) << 1 // without the sign
	return uint32(int32(u|-u) >> 31)
}

// keepWhere stores dy where the mask is true, and zeros elsewhere.
func keepWhere(dst, dy, mask []float32) {
	for i, v := range dy[:len(dst)] {
		dst[i] = math.Float32frombits(math.Float32bits(v) & truth(mask[i]))
	}
}

// dropWhere stores zeros where the mask is true, and dy elsewhere.
func dropWhere(dst, dy, mask []float32) {
	for i, v := range dy[:len(dst)] {
		dst[i] = math.Float32frombits(math.Float32bits(v) &^ truth(mask[i]))
	}
}

// pick stores a where c is true, and b elsewhere. Under l, c, a and b are the operands 0, 1 and 2.
func (t *Tape) pick(dst, c, a, b []float32, l *layout) {
	if len(dst) == 0 {
		return
	}
	last := l.n - 1
	n := l.size[last]
	sc, sa, sb := l.stride[0][last], l.stride[1][last], l.stride[2][last]
	row := func(dst, c, a, b []float32) {
		for i := range dst {
			m := truth(c[i*sc])
			dst[i] = math.Float32frombits(math.Float32bits(a[i*sa])&m | math.Float32bits(b[i*sb])&^m)
		}
	}
	if last == 0 {
		t.each(n, 2, func(lo, hi int) { row(dst[lo:hi], c[lo*sc:], a[lo*sa:], b[lo*sb:]) })
		return
	}
	t.each(l.count(last), 2*n, func(lo, hi int) {
		at := l.cursor(lo, last)
		for i := lo; i < hi; i++ {
			row(dst[i*n:(i+1)*n], c[at.off[0]:], a[at.off[1]:], b[at.off[2]:])
			at.next()
		}
	})
}
