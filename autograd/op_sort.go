package autograd

import (
	"math"
	"unsafe"

	"github.com/fovea-ml/fovea/simd"
)

// Order says in which order [Sort] and [TopK] return elements.
type Order = simd.Order

// The orders. In both, equal elements stay in the order of their indices, and NaN is larger than every number.
const (
	Ascending  = simd.Ascending
	Descending = simd.Descending
)

// Sort returns the elements of x in order along a dimension, and their indices in it, as a stable torch.sort does. The
// indices are those of the result's elements, in row-major order. Each gradient flows to the element it is of.
func Sort(x Operand, dim int, order Order) (y *Tensor, indices []int) {
	const name = "sort"
	return sorted(name, x, dim, x.Shape()[axis(name, dim, x.Shape())], order)
}

// TopK returns the first k elements of [Sort], and their indices. Descending, these are the k largest, as torch.topk
// returns them; ascending, the k smallest. A k below 0 or above the dimension's size panics with a [ShapeError].
func TopK(x Operand, dim, k int, order Order) (y *Tensor, indices []int) {
	return sorted("top-k", x, dim, k, order)
}

func sorted(name string, x Operand, dim, k int, order Order) (*Tensor, []int) {
	f := begin(name, x)
	xs, xv := x.Shape(), f.values(x)
	d := axis(name, dim, xs)
	l := linesOf(xs, d)
	if order > Descending {
		usePanic(name, "unknown order")
	}
	if k < 0 || k > l.n || l.n > math.MaxInt32 {
		shapePanic(name, "expected a k of 0 to the size of the dimension", xs, []int{k})
	}
	shape := cloneShape(xs)
	shape[d] = k
	at := int32s(f.save(elements(name, shape)))
	// A sort of n keys compares about n·log n times; a search for the first few mostly n times.
	f.eachRange(l.outer*l.inner, 8*(l.n+4*k), 4*l.n, func(s []float32, lo, hi int) {
		keys := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(s))), l.n)
		line, first := s[2*l.n:][:l.n], int32s(s[3*l.n:][:k])
		for i := lo; i < hi; i++ {
			o, c := i/l.inner, i%l.inner
			for j := range line {
				line[j] = xv[(o*l.n+j)*l.inner+c]
			}
			simd.TopK(first, line, order, keys)
			for j, from := range first {
				at[(o*k+j)*l.inner+c] = from
			}
		}
	})
	indices := make([]int, len(at))
	for i, j := range at {
		indices[i] = int(j)
	}
	return f.chosen(x, shape, l, k, at), indices
}
