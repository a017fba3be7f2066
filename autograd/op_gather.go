package autograd

import (
	"fmt"
	"math"
	"unsafe"
)

// Gather picks elements of x along a dimension, as torch.gather does. index has the given shape, in row-major order. Its
// dimensions are as many as x's, and none but dim is larger than x's. For three dimensions and dim 1, the result is
//
//	y[i, j, k] = x[i, index[i, j, k], k]
//
// The gradients of an element that is picked more than once are added in the order of the indices. An index outside the
// dimension panics with a [ShapeError] that names it.
func Gather(x Operand, dim int, index []int, shape ...int) *Tensor {
	f := begin("gather", x)
	shape = cloneShape(shape)
	at, l := f.places(x.Shape(), dim, index, shape)
	y := f.out(shape...)
	f.gatherPlaces(y.data, f.values(x), at)
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) {
			b.each(len(dx), 1, func(lo, hi int) { clear(dx[lo:hi]) })
			b.addPlaces(dx, b.dy, at, l)
		})
	})
}

// ScatterAdd returns x with the elements of src added along a dimension, as torch.scatter_add does. index has src's shape
// and the rules of [Gather], whose transpose this is. For three dimensions and dim 1, y begins as x, and then
//
//	y[i, index[i, j, k], k] += src[i, j, k]
//
// in the order of the indices.
func ScatterAdd(x Operand, dim int, index []int, src Operand) *Tensor {
	f := begin("scatter add", x, src)
	at, l := f.places(x.Shape(), dim, index, src.Shape())
	xv, y := f.values(x), f.out(x.Shape()...)
	f.each(len(xv), 1, func(lo, hi int) { copy(y.data[lo:hi], xv[lo:hi]) })
	f.addPlaces(y.data, f.values(src), at, l)
	return f.done(y, func(b *back) {
		b.pass(x)
		b.add(src, func(ds []float32) { b.gatherPlaces(ds, b.dy, at) })
	})
}

// Scatter returns x with elements replaced by those of src along a dimension, as torch.scatter does. index has src's shape
// and the rules of [Gather]. For three dimensions and dim 1, y begins as x, and then
//
//	y[i, index[i, j, k], k] = src[i, j, k]
//
// Of several elements for the same place the last one counts, and it alone has a gradient.
func Scatter(x Operand, dim int, index []int, src Operand) *Tensor {
	f := begin("scatter", x, src)
	at, l := f.places(x.Shape(), dim, index, src.Shape())
	xv, sv, y := f.values(x), f.values(src), f.out(x.Shape()...)
	f.each(len(xv), 1, func(lo, hi int) { copy(y.data[lo:hi], xv[lo:hi]) })
	f.eachPlace(at, l, func(k, p int) { y.data[p] = sv[k] })
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) {
			b.each(len(dx), 1, func(lo, hi int) { copy(dx[lo:hi], b.dy[lo:hi]) })
			b.eachPlace(at, l, func(_, p int) { dx[p] = 0 })
		})
		b.add(src, func(ds []float32) {
			s := b.scratch(len(b.dy))
			last := int32s(s) // by place, of the elements of src
			b.eachPlace(at, l, func(k, p int) { last[p] = int32(k) })
			b.each(len(ds), 2, func(lo, hi int) {
				for k := lo; k < hi; k++ {
					ds[k] = 0
					if p := at[k]; last[p] == int32(k) {
						ds[k] = b.dy[p]
					}
				}
			})
			b.recycle(s)
		})
	})
}

// IndexSelect returns the slices of x with the given indices along a dimension, as torch.index_select does. The
// dimension has len(index) elements in the result. A slice may be asked for more than once: its gradients are added
// in the order of the indices. An index outside the dimension panics with a [ShapeError] that names it.
func IndexSelect(x Operand, dim int, index []int) *Tensor {
	f := begin("index select", x)
	shape := cloneShape(x.Shape())
	d := axis(f.name, dim, shape)
	l := linesOf(shape, d)
	shape[d] = len(index)
	return f.gather(x, index, l, shape)
}

// places checks indices along a dimension of an array and returns the position in the array of the element that each
// stands for, in memory that the backward step still finds, and the lines of the indices' shape. Different lines never
// share a position.
func (f *frame) places(xs []int, dim int, index, shape []int) ([]int32, lines) {
	d := axis(f.name, dim, xs)
	ok := len(shape) == len(xs)
	for i := range min(len(shape), len(xs)) {
		ok = ok && (i == d || shape[i] <= xs[i])
	}
	switch {
	case !ok:
		shapePanic(f.name, fmt.Sprintf("expected a shape of the indices with as many dimensions as x, none larger than x's except dimension %d", d), xs, shape)
	case elements(f.name, shape) != len(index):
		shapePanic(f.name, "expected as many indices as their shape has elements", shape, []int{len(index)})
	case elements(f.name, xs) > math.MaxInt32 || len(index) > math.MaxInt32:
		shapePanic(f.name, "too many elements", xs, shape)
	}
	at, l := int32s(f.save(len(index))), linesOf(shape, d)
	if len(index) == 0 {
		return at, l
	}
	n, step := xs[d], linesOf(xs, d).inner
	strides := stridesOf(xs, len(xs))
	strides[d] = 0
	others := newLayout(f.name, shape, strides)
	last := others.n - 1
	width, stride := others.size[last], others.stride[0][last]
	c := others.cursor(0, last)
	for k := 0; k < len(index); k += width {
		p := c.off[0]
		for j, i := range index[k : k+width] {
			if i < 0 || i >= n {
				shapePanic(f.name, fmt.Sprintf("index %d at position %d is outside 0 to %d", i, k+j, n-1), xs, shape)
			}
			at[k+j] = int32(p + i*step)
			p += stride
		}
		c.next()
	}
	return at, l
}

// int32s returns memory of a tape as whole numbers.
func int32s(s []float32) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

func (t *Tape) gatherPlaces(dst, src []float32, at []int32) {
	t.each(len(at), 2, func(lo, hi int) {
		for k := lo; k < hi; k++ {
			dst[k] = src[at[k]]
		}
	})
}

// addPlaces adds element k of src to element at[k] of dst.
func (t *Tape) addPlaces(dst, src []float32, at []int32, l lines) {
	t.eachPlace(at, l, func(k, p int) { dst[p] += src[k] })
}

// eachPlace calls f for every index k and its position p. Calls for the same position come one after the other, in the
// order of the indices.
func (t *Tape) eachPlace(at []int32, l lines, f func(k, p int)) {
	t.eachLines(l, 4, func(from, _, w int) {
		for j := range l.n {
			for k := from + j*l.inner; k < from+j*l.inner+w; k++ {
				f(k, int(at[k]))
			}
		}
	})
}
