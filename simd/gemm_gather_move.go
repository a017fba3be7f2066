package simd

import (
	"fmt"
	"unsafe"
)

// A mover holds the kernels of an instruction set that copy numbers from where they lie apart. gather copies n
// pieces of lanes elements for each of some taps; gatherGeneric says which. The others may be nil: copyRows and
// copyOther copy rows of at least block elements, with a step of 1 and 2, and spreadOther moves blocks of block
// elements with a step of 2. fetch asks for lines of memory.
type mover struct {
	gather func(dst, src *float32, taps *int, pieces *gatherPiece, stride, rows, n int)
	lanes  int

	copyRows, copyOther func(dst, src *float32, dstStride, srcStride, rows, cols int)
	spreadOther         func(dst, src *float32, blocks, add int)
	block               int
	fetch               func(src *float32, lines int)
}

// gatherGeneric copies pieces of one element: piece p of tap i goes from byte 4·taps[i] + pieces[p].src of src to
// byte i·stride + pieces[p].dst of dst.
func gatherGeneric(dst, src *float32, taps *int, pieces *gatherPiece, stride, rows, n int) {
	list := unsafe.Slice(pieces, n)
	for i, tap := range unsafe.Slice(taps, rows) {
		to, from := unsafe.Add(unsafe.Pointer(dst), i*stride), unsafe.Add(unsafe.Pointer(src), 4*tap)
		for _, p := range list {
			*(*float32)(unsafe.Add(to, p.dst)) = *(*float32)(unsafe.Add(from, p.src))
		}
	}
}

// CopyRows copies a matrix whose elements are step apart in src:
//
//	dst[r·dstStride+c] = src[r·srcStride+c·step] for r < rows, c < cols
//
// It panics when a slice is too short or step is less than 1. dst must not overlap src.
func CopyRows(dst []float32, dstStride int, src []float32, srcStride, rows, cols, step int) {
	checkStep("CopyRows", step)
	checkMatrix("CopyRows", "dst", len(dst), rows, cols, dstStride)
	checkMatrix("CopyRows", "src", len(src), rows, max(0, (cols-1)*step+1), srcStride)
	if rows == 0 || cols == 0 {
		return
	}
	move := &movers[level]
	kernel := move.copyRows
	if step == 2 {
		kernel = move.copyOther
	}
	if kernel != nil && step <= 2 && cols >= move.block {
		// The kernel reads pairs. That of the last element may not be there.
		whole := rows
		if len(src) < (rows-1)*srcStride+cols*step {
			whole--
		}
		if whole > 0 {
			kernel(&dst[0], &src[0], 4*dstStride, 4*srcStride, whole, cols)
		}
		if whole == rows {
			return
		}
		dst, src, rows = dst[whole*dstStride:], src[whole*srcStride:], 1
	}
	for r := range rows {
		to, from := dst[r*dstStride:][:cols], src[r*srcStride:]
		if step == 1 {
			copy(to, from)
			continue
		}
		for c := range to {
			to[c] = from[c*step]
		}
	}
}

// Fetch asks the processor to bring x to its caches, and does not wait. A copy of rows that lie far apart then waits for
// memory less often. The portable level does nothing.
func Fetch(x []float32) {
	if fetch := movers[level].fetch; fetch != nil && len(x) > 0 {
		fetch(&x[0], ceilDiv(len(x), lineFloats))
	}
}

// Spread sets every step-th element of dst: dst[i·step] = src[i], or dst[i·step] += src[i] when add is set. The elements
// between keep their values. It panics when dst is too short or step is less than 1.
func Spread(dst, src []float32, step int, add bool) {
	checkStep("Spread", step)
	if len(src) == 0 {
		return
	}
	atLeast("Spread", "dst", len(dst), (len(src)-1)*step+1)
	if move := &movers[level]; step == 2 && move.spreadOther != nil {
		if blocks := (len(src) - 1) / move.block; blocks > 0 {
			sum := 0
			if add {
				sum = 1
			}
			move.spreadOther(&dst[0], &src[0], blocks, sum)
			done := blocks * move.block
			dst, src = dst[2*done:], src[done:]
		}
	}
	if add {
		for i, v := range src {
			dst[i*step] += v
		}
		return
	}
	for i, v := range src {
		dst[i*step] = v
	}
}

func checkStep(name string, step int) {
	if step < 1 {
		panic(fmt.Sprintf("simd: %s: expected a step of at least 1, found %d", name, step))
	}
}
