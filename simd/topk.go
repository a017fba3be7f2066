package simd

import (
	"math"
	"slices"
)

// Order says in which order [TopK] takes elements.
type Order uint8

// The orders. In both, equal elements stay in the order of their indices, -0 equals +0, and NaN is larger than every
// number, as in PyTorch's stable sort.
const (
	Ascending Order = iota
	Descending
)

// TopK stores in dst the indices of the first len(dst) elements of x in the given order: in Descending the largest.
// When dst is as long as x, that sorts x. keys is memory for len(x) numbers, allocated when nil. TopK panics when dst is
// longer than x, or keys is shorter.
//
// It takes time in proportion to the length of x as long as dst is much shorter.
func TopK(dst []int32, x []float32, order Order, keys []uint64) {
	atLeast("TopK", "x", len(x), len(dst))
	if keys == nil {
		keys = make([]uint64, len(x))
	}
	atLeast("TopK", "keys", len(keys), len(x))
	keys = keys[:len(x)]
	for i, v := range x {
		keys[i] = orderKey(v, i, order)
	}
	for i, key := range firstKeys(keys, len(dst)) {
		dst[i] = int32(uint32(key))
	}
}

// orderKey returns a number that orders a value and its index. No two are equal, so every way to sort gives one result.
func orderKey(v float32, index int, order Order) uint64 {
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
	return uint64(u)<<32 | uint64(uint32(index))
}

// firstKeys returns the k smallest keys in ascending order; it moves the keys.
func firstKeys(keys []uint64, k int) []uint64 {
	if k > len(keys)/8 {
		slices.Sort(keys)
		return keys[:k]
	}
	heap := keys[:k] // the smallest so far, the largest of them at the root
	if k == 0 {
		return heap
	}
	for i := k/2 - 1; i >= 0; i-- {
		siftDown(heap, i)
	}
	for _, key := range keys[k:] {
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
