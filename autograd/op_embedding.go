package autograd

import (
	"fmt"
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// Embedding looks rows of a table [rows, D] up: the result is [shape..., D], where shape has as many elements as
// there are ids. An id outside 0 … rows-1 panics with a [ShapeError] that names it.
//
// The gradients of an id that occurs more than once are added in the order of the ids.
func (t *Tape) Embedding(table *Parameter, ids []int, shape ...int) *Tensor {
	f := beginOn(t, "embedding", table)
	if len(table.Shape()) != 2 {
		shapePanic(f.name, "expected a table [rows, D]", table.shape)
	}
	if elements(f.name, shape) != len(ids) {
		shapePanic(f.name, "expected as many ids as the shape has elements", shape, []int{len(ids)})
	}
	return f.gather(table, ids, lines{1, table.shape[0], table.shape[1]}, append(cloneShape(shape), table.shape[1]))
}

// GatherRows returns rows of x, which is seen as [R, D] over its last dimension: [len(index), D]. A row
// may be asked for more than once. An index outside 0 … R-1 panics with a [ShapeError].
func GatherRows(x Operand, index []int) *Tensor {
	f := begin("gather rows", x)
	n, w := rows(x.Shape())
	return f.gather(x, index, lines{1, n, w}, []int{len(index), w})
}

// ScatterRows adds the rows of x, seen as [R, D] over its last dimension, to n rows of zeros: row i to row
// index[i] of the result, [n, D]. It is the transpose of [GatherRows]. An index outside 0 … n-1 panics with a
// [ShapeError].
func ScatterRows(x Operand, index []int, n int) *Tensor {
	f := begin("scatter rows", x)
	r, w := rows(x.Shape())
	if r != len(index) {
		shapePanic(f.name, "expected one index for each row", x.Shape(), []int{len(index)})
	}
	y := f.out(n, w)
	at := f.indices(index, n)
	f.each(n, w, func(lo, hi int) { clear(y.data[lo*w : hi*w]) })
	l := lines{1, n, w}
	f.scatterAdd(y.data, f.values(x), at, l)
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) { b.gatherSlices(dx, b.dy, at, l) })
	})
}

// gather returns the slices of x with the given numbers, of l.inner elements each: for each of l.outer, in this order.
func (f *frame) gather(x Operand, index []int, l lines, shape []int) *Tensor {
	y := f.out(shape...)
	at, w := f.indices(index, l.n), l.inner
	if _, p := x.operand(); p != nil && p.DType() != Float32 { // a table of which few rows are widened
		form := p.stored(f.name)
		f.eachSlice(at, l, func(i, from int) { form.read(y.data[i*w:(i+1)*w], from*w) })
	} else {
		f.gatherSlices(y.data, f.values(x), at, l)
	}
	return f.done(y, func(b *back) {
		if !b.wants(x) {
			return
		}
		dx, beta := b.into(x)
		if beta == 0 {
			b.each(len(dx), 1, func(lo, hi int) { clear(dx[lo:hi]) })
		}
		b.scatterAdd(dx, b.dy, at, l)
	})
}

// indices checks indices below n and copies them to memory that the backward step still finds.
func (f *frame) indices(index []int, n int) []int32 {
	if n > math.MaxInt32 {
		shapePanic(f.name, "too many slices", []int{n})
	}
	for i, r := range index {
		if r < 0 || r >= n {
			shapePanic(f.name, fmt.Sprintf("index %d at position %d is outside 0 to %d", r, i, n-1), []int{n}, []int{len(index)})
		}
	}
	at := int32s(f.save(len(index)))
	for i, r := range index {
		at[i] = int32(r)
	}
	return at
}

// eachSlice calls f with the number of each slice of a gathered array, and the number in the source of its copy.
func (t *Tape) eachSlice(at []int32, l lines, f func(i, from int)) {
	m := len(at)
	t.each(l.outer*m, l.inner+8, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			f(i, i/m*l.n+int(at[i%m]))
		}
	})
}

// gatherSlices copies the slices of src with the numbers in at.
func (t *Tape) gatherSlices(dst, src []float32, at []int32, l lines) {
	w := l.inner
	t.eachSlice(at, l, func(i, from int) { copyShort(dst[i*w:(i+1)*w], src[from*w:(from+1)*w]) })
}

// scatterColumns is how many columns one task of a scatter adds. Tasks divide the columns, not the slices: one
// task then adds all slices with the same number, in their order.
const scatterColumns = 128

// scatterAdd adds slice i of src to slice at[i] of dst.
func (t *Tape) scatterAdd(dst, src []float32, at []int32, l lines) {
	w := l.inner
	strips := ceilDiv(w, scatterColumns)
	t.each(l.outer*strips, min(w, scatterColumns)*max(1, len(at)), func(lo, hi int) {
		for lo < hi {
			o := lo / strips
			end := min(hi, (o+1)*strips)
			j0, j1 := (lo-o*strips)*scatterColumns, min(w, (end-o*strips)*scatterColumns)
			for i, to := range at {
				d := dst[(o*l.n+int(to))*w+j0 : (o*l.n+int(to))*w+j1]
				simd.Add(d, d, src[(o*len(at)+i)*w+j0:])
			}
			lo = end
		}
	})
}
