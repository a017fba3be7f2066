package autograd

import (
	"math"
	"slices"
	"unsafe"
)

// Order says in which order [Sort] and [TopK] return elements.
type Order uint8

// The orders. In both, equal elements stay in the order of their indices, and NaN is larger than every number.
const (
	Ascending Order = iota
	Descending
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
	if k < 0 || k > l.n || l.n > math.MaxInt32 {
		shapePanic(name, "expected a k of 0 to the size of the dimension", xs, []int{k})
	}
	shape := cloneShape(xs)
	shape[d] = k
	y := f.out(shape...)
	at := int32s(f.save(len(y.data)))
	// A sort of n keys compares about n·log n times; a search for the first few mostly n times.
	f.eachRange(l.outer*l.inner, 8*(l.n+4*k), 2*l.n, func(s []float32, lo, hi int) {
		keys := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(s))), l.n)
		for i := lo; i < hi; i++ {
			o, c := i/l.inner, i%l.inner
			for j := range keys {
				keys[j] = sortKey(xv[(o*l.n+j)*l.inner+c], j, order)
			}
			for j, key := range firstKeys(keys, k) {
				at[(o*k+j)*l.inner+c] = int32(uint32(key))
			}
		}
	})
	indices := make([]int, len(at))
	for i, j := range at {
		indices[i] = int(j)
	}
	f.eachChosen(l, k, at, func(k, p int) { y.data[k] = xv[p] })
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) {
			b.each(len(dx), 1, func(lo, hi int) { clear(dx[lo:hi]) })
			b.eachChosen(l, k, at, func(k, p int) { dx[p] = b.dy[k] })
		})
	}), indices
}

// sortKey returns a number that orders a value and its index. No two are equal, so every way to sort gives one result.
func sortKey(v float32, index int, order Order) uint64 {
	u := math.Float32bits(v + 0) // -0 becomes +0
	switch {
	case v != v:
		u = math.MaxUint32
	case u>>31 != 0:
		u = ^u
	default:
		u |= 1 << 31
	}
	if order == Descending {
		u = ^u
	}
	return uint64(u)<<32 | uint64(index)
}

// firstKeys returns the k smallest keys in ascending order; it moves the keys.
func firstKeys(keys []uint64, k int) []uint64 {
	if k > len(keys)/8 {
		slices.Sort(keys)
		return keys[:k]
	}
	// The smallest so far are a heap with the largest of them at its root.
	heap, rest := keys[:k], keys[k:]
	if k == 0 {
		return heap
	}
	for i := k/2 - 1; i >= 0; i-- {
		siftDown(heap, i)
	}
	for _, key := range rest {
		if key < heap[0] {
			heap[0] = key
			siftDown(heap, 0)
		}
	}
	slices.Sort(heap)
	return heap
}

// siftDown moves element i of a heap down to its place.
func siftDown(heap []uint64, i int) {
	for {
		c := 2*i + 1
		if c >= len(heap) {
			return
		}
		if c+1 < len(heap) && heap[c+1] > heap[c] {
			c++
		}
		if heap[i] >= heap[c] {
			return
		}
		heap[i], heap[c] = heap[c], heap[i]
		i = c
	}
}
