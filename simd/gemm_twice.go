package simd

import (
	"fmt"
	"sync/atomic"
)

// The MLP of a transformer multiplies twice, and the values between are four times as many as its operands and results. So
// both products of a block of rows follow each other: the values between stay in cache, and take the memory of a block.

// hiddenBlocks divides m rows into n blocks, the last of which may have fewer rows, and says how many are under way at once.
func hiddenBlocks(threads, m int, b1, b2 *Packed) (n, rows, slots int) {
	n = ceilDiv(m, TaskRows)
	if n <= 2*threads || b1.half != nil || b2.half != nil {
		// Threads share each product where rows are too few for all of them. Half precision is widened once for all rows.
		return 1, m, 1
	}
	rows = ceilDiv(m, roundUp(n, threads))
	return ceilDiv(m, rows), rows, threads
}

// GemmPackedTwice computes two products in a row: H = A·B1 with the steps of ep1, and C = H·B2 with those of ep2. Its bits
// are those of [GemmPacked] called twice with a beta of 0. A is m×k, H has b1's columns, which are b2's rows, and C is m×n
// with ldc elements from row to row. C must not overlap A, nor what ep1 reads.
//
// lend is called at most once, for n elements of memory that nothing else uses until GemmPackedTwice returns. It holds H, a few
// rows at a time where there are more than twice [TaskRows] for each thread and no panels in half precision. GemmPackedTwice
// panics like GemmPacked, and when b1 and b2 do not fit together. Without columns of C it does nothing.
func GemmPackedTwice(w *Workers, m int, a Matrix, b1 *Packed, ep1 *Epilogue, lend func(n int) []float32, b2 *Packed, c []float32, ldc int, ep2 *Epilogue) {
	const op = "GemmPackedTwice"
	if b1.n != b2.k {
		panic(fmt.Sprintf("simd: %s: B1 has %d columns, and B2 %d rows", op, b1.n, b2.k))
	}
	checkSizes(op, m, b2.n, b1.k)
	checkView(op, "A", a, m, b1.k)
	checkStored(op, "C", len(c), ldc, m, b2.n)
	checkEpilogue(op, ep1, m, b1.n)
	checkEpilogue(op, ep2, m, b2.n)
	if m == 0 || b2.n == 0 {
		return
	}
	if ep1 == nil || b1.n == 0 {
		ep1 = &Epilogue{}
	}
	if ep2 == nil {
		ep2 = &Epilogue{}
	}
	n, rows, slots := hiddenBlocks(w.Limit(), m, b1, b2)
	hidden := lend(slots * rows * b1.n)
	each := w // the threads of one product
	if slots > 1 {
		each = nil
	}
	var next atomic.Int64
	w.For(slots, func(slot int) {
		h := Matrix{Data: hidden[slot*rows*b1.n:][:rows*b1.n], Stride: b1.n}
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			i0, i1 := i*rows, min((i+1)*rows, m)
			x := a
			if b1.k > 0 {
				x.Data = a.at(i0, 0)
			}
			first, second := ep1.from(i0), ep2.from(i0)
			GemmPacked(each, i1-i0, x, b1, 0, h.Data, h.Stride, &first)
			GemmPacked(each, i1-i0, h, b2, 0, c[i0*ldc:], ldc, &second)
		}
	})
}
