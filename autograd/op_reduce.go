package autograd

import "github.com/fovea-ml/fovea/simd"

// Sum returns the sum of x over the given dimensions, all of them when none is given; negative ones count
// from the end. With keep they stay as dimensions of one, otherwise they go.
//
// The order of additions depends on x's shape alone.
func Sum(x Operand, keep bool, dims ...int) *Tensor {
	f, y, l, _ := beginReduce("sum", x, keep, dims)
	f.sumTo(y.data, f.values(x), nil, l, 0)
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) { b.repeat(dx, b.dy, l, 0) })
	})
}

// Mean returns the mean of x over the given dimensions, as [Sum] takes them; NaN over no elements.
func Mean(x Operand, keep bool, dims ...int) *Tensor {
	f, y, l, n := beginReduce("mean", x, keep, dims)
	f.sumTo(y.data, f.values(x), nil, l, 0)
	divide(y.data, y.data, float32(n))
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) {
			d := b.scratch(len(b.dy))
			divide(d, b.dy, float32(n))
			b.repeat(dx, d, l, 0)
			b.recycle(d)
		})
	})
}

// divide stores x/s in dst, rounded once, where a product with 1/s would be rounded twice.
func divide(dst, x []float32, s float32) {
	for i, v := range x {
		dst[i] = v / s
	}
}

// beginReduce opens a reduction: its frame, its result, the layout of the result (operand 0) and of x
// (operand 1) under x's shape, and how many elements join into one.
func beginReduce(name string, x Operand, keep bool, dims []int) (f *frame, y *Tensor, l *layout, joined int) {
	f = begin(name, x)
	xs := x.Shape()
	kept := cloneShape(xs) // with the reduced dimensions as ones
	joined = 1
	if len(dims) == 0 {
		for d, n := range xs {
			joined *= n
			kept[d] = 1
		}
	}
	gone := make([]bool, len(xs))
	for _, dim := range dims {
		d := axis(name, dim, xs)
		if gone[d] {
			shapePanic(name, "a dimension is given twice", xs, dims)
		}
		gone[d] = true
		joined *= xs[d]
		kept[d] = 1
	}
	l = newLayout(name, xs, stridesOf(kept, len(xs)), stridesOf(xs, len(xs)))
	shape := kept
	if !keep {
		shape = shape[:0:0]
		for d, n := range kept {
			if len(dims) > 0 && !gone[d] {
				shape = append(shape, n)
			}
		}
	}
	return f, f.out(shape...), l, joined
}

// repeat lays x, operand k under l, out over the whole shape.
func (t *Tape) repeat(dst, x []float32, l *layout, k int) {
	if len(dst) == 0 {
		return
	}
	last := l.n - 1
	n, s := l.size[last], l.stride[k][last]
	row := func(dst, x []float32) {
		if s == 0 {
			simd.Fill(dst, x[0])
		} else {
			copy(dst, x)
		}
	}
	if last == 0 {
		t.each(n, 1, func(lo, hi int) { row(dst[lo:hi], x[lo*s:]) })
		return
	}
	t.each(l.count(last), n, func(lo, hi int) {
		c := l.cursor(lo, last)
		for i := lo; i < hi; i++ {
			row(dst[i*n:(i+1)*n], x[c.off[k]:])
			c.next()
		}
	})
}

// sumTo stores in dst the sums of a, or of a·b when b is not nil, over the dimensions of l that operand k
// repeats. Both a and b have the whole shape. dst holds operand k and overlaps neither.
//
// It is a chain of reductions [outer, n, inner] → [outer, inner], the innermost repeated dimension first.
// Their order, and so the bits of the result, depends on the shape alone.
func (t *Tape) sumTo(dst, a, b []float32, l *layout, k int) {
	total := l.count(l.n)
	if total == 0 {
		clear(dst)
		return
	}
	var lent []float32
	done := false
	inner := 1
	for d := l.n - 1; d >= 0; d-- {
		n := l.size[d]
		if l.stride[k][d] != 0 || n == 1 {
			inner *= n
			continue
		}
		total /= n
		out := dst
		if total > len(dst) {
			out = t.scratch(total)
		}
		t.sumMiddle(out, a, b, total/inner, n, inner)
		if lent != nil {
			t.recycle(lent)
			lent = nil
		}
		if total == len(dst) {
			done = true
			break
		}
		lent, a, b = out, out, nil
	}
	if done {
		return
	}
	// Nothing is repeated.
	t.each(len(dst), 1, func(lo, hi int) {
		if b != nil {
			simd.Mul(dst[lo:hi], a[lo:hi], b[lo:hi])
		} else {
			copy(dst[lo:hi], a[lo:hi])
		}
	})
}

// A long sum is cut into pieces for the threads: of so many elements along a row, or so many rows down a column. They
// are those of a full cascade in package simd, so that the result is that of one simd.Sum or simd.ColumnSumsAdd.
const (
	pieceAlong = 2048
	pieceDown  = 256
	sumColumns = 256 // columns that one task sums
)

// sumMiddle stores the sums over the middle dimension of a·b, [outer, n, inner], in dst, [outer, inner];
// a nil b stands for ones.
func (t *Tape) sumMiddle(dst, a, b []float32, outer, n, inner int) {
	piece := pieceDown
	if inner == 1 {
		piece = pieceAlong
	}
	pieces := (n + piece - 1) / piece
	out := dst
	if pieces > 1 {
		out = t.scratch(outer * pieces * inner)
	}
	if inner == 1 {
		t.each(outer*pieces, min(n, piece), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				from := i / pieces * n
				r0, r1 := from+i%pieces*piece, from+min(n, (i%pieces+1)*piece)
				if b != nil {
					out[i] = simd.Dot(a[r0:r1], b[r0:r1])
				} else {
					out[i] = simd.Sum(a[r0:r1])
				}
			}
		})
	} else {
		strips := (inner + sumColumns - 1) / sumColumns
		t.each(outer*pieces*strips, min(n, piece)*min(inner, sumColumns), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				block, strip := i/strips, i%strips
				r0 := block % pieces * piece
				rows := min(n-r0, piece)
				j0, j1 := strip*sumColumns, min(inner, (strip+1)*sumColumns)
				from := (block/pieces*n+r0)*inner + j0
				sums := out[block*inner+j0 : block*inner+j1]
				clear(sums)
				if b != nil {
					simd.ColumnDotsAdd(sums, a[from:], b[from:], rows, j1-j0, inner, inner)
				} else {
					simd.ColumnSumsAdd(sums, a[from:], rows, j1-j0, inner)
				}
			}
		})
	}
	if pieces > 1 {
		t.each(outer*inner, pieces, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				total := 0.0
				for k := range pieces {
					total += float64(out[(i/inner*pieces+k)*inner+i%inner])
				}
				dst[i] = float32(total)
			}
		})
		t.recycle(out)
	}
}
