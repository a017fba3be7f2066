package simd

import (
	"fmt"
	"unsafe"

	"github.com/fovea-ml/fovea/simd/internal/portable"
)

//go:generate go run ./internal/dotgen -out .

// RowDots stores in dst the inner products of x with the rows of a matrix: dst[i] = Dot(row i, x), with the same bits.
// Row i begins at rows[i·stride] and has len(x) elements. RowDots panics when rows is too short for len(dst) rows, or
// when the stride is shorter than a row.
//
// A matrix in memory is multiplied about as fast as it is read.
func RowDots(dst, x, rows []float32, stride int) {
	checkRows("RowDots", len(rows), len(dst), len(x), stride)
	rowDots(dst, x, rows, stride)
}

// RowDotsF16 is [RowDots] for rows of float16: the inner products with their values as float32.
func RowDotsF16(dst, x []float32, rows []uint16, stride int) {
	checkRows("RowDotsF16", len(rows), len(dst), len(x), stride)
	rowDots(dst, x, rows, stride)
}

// RowDotsInt8 stores in dst the inner products of integers, each multiplied by the scale of its row:
//
//	dst[i] = float32(Σₖ x[k]·rows[i·stride+k]) · scales[i]
//
// The sum is exact in any order as long as it fits an int32, and wraps around beyond. With |x[k]| < 2²⁴/len(x) it
// always fits. RowDotsInt8 panics as [RowDots] does, and when there are fewer scales than rows.
func RowDotsInt8(dst []float32, x []int16, rows []int8, stride int, scales []float32) {
	checkRows("RowDotsInt8", len(rows), len(dst), len(x), stride)
	atLeast("RowDotsInt8", "scales", len(scales), len(dst))
	if level == Generic || len(x) == 0 {
		for i := range dst {
			sum := int32(0)
			row := rows[i*stride:][:len(x)]
			for k, v := range x {
				sum += int32(v) * int32(row[k])
			}
			dst[i] = float32(sum) * scales[i]
		}
		return
	}
	most := max(1, dotsCall/len(x)/dotGroup)
	at := 0
	for len(dst)-at >= dotGroup {
		groups := min(most, (len(dst)-at)/dotGroup)
		dotGroupsInt8(&dst[at], &x[0], &rows[at*stride], &scales[at], stride, len(x), groups)
		at += groups * dotGroup
	}
	for ; at < len(dst); at++ {
		var sums [dotGroup]float32
		same := [dotGroup]float32{scales[at], scales[at], scales[at], scales[at]}
		dotGroupsInt8(&sums[0], &x[0], &rows[at*stride], &same[0], 0, len(x), 1)
		dst[at] = sums[0]
	}
}

const (
	// dotGroup is the number of rows whose sums a kernel stores together.
	dotGroup = 4

	// dotsCall is about the number of elements in one call of an assembly function. In memory they take about 50 µs.
	dotsCall = 1 << 17
)

// rowDots divides rows into cascades.
func rowDots[E float32 | uint16](dst, x []float32, rows []E, stride int) {
	if len(x) <= chunk {
		rowCascades(dst, x, rows, stride)
		return
	}
	const piece = 64
	for at := 0; at < len(dst); at += piece {
		part := dst[at:min(at+piece, len(dst))]
		var totals [piece]float64
		for k := 0; k < len(x); k += chunk {
			rowCascades(part, x[k:min(k+chunk, len(x))], rows[at*stride+k:], stride)
			for i, v := range part {
				totals[i] += float64(v)
			}
		}
		for i := range part {
			part[i] = float32(totals[i])
		}
	}
}

// rowCascades is rowDots for rows of at most one cascade.
func rowCascades[E float32 | uint16](dst, x []float32, rows []E, stride int) {
	switch {
	case len(x) == 0:
		clear(dst)
		return
	case level == Generic:
		for i := range dst {
			dst[i] = portableDot(rows[i*stride:][:len(x)], x)
		}
		return
	}
	size := int(unsafe.Sizeof(E(0)))
	most := max(1, dotsCall/len(x)/dotGroup)
	at := 0
	for len(dst)-at >= dotGroup {
		groups := min(most, (len(dst)-at)/dotGroup)
		dotGroups(&dst[at], &x[0], unsafe.Pointer(&rows[at*stride]), size, stride*size, len(x), groups)
		at += groups * dotGroup
	}
	for ; at < len(dst); at++ {
		var sums [dotGroup]float32 // a stride of zero takes one row four times
		dotGroups(&sums[0], &x[0], unsafe.Pointer(&rows[at*stride]), size, 0, len(x), 1)
		dst[at] = sums[0]
	}
}

// portableDot is the inner product of at most a cascade, in plain Go.
func portableDot[E float32 | uint16](row []E, x []float32) float32 {
	switch row := any(row).(type) {
	case []uint16:
		var wide [chunk]float32
		portable.F16ToF32(wide[:len(row)], row)
		return portable.Dot(wide[:len(row)], x)
	case []float32:
		return portable.Dot(row, x)
	}
	panic("unreachable")
}

// checkRows panics when so many rows of n elements do not fit.
func checkRows(f string, have, rows, n, stride int) {
	if stride < n {
		panic(fmt.Sprintf("simd: %s: expected a stride of at least %d, found %d", f, n, stride))
	}
	if rows > 0 && n > 0 && (have < n || (have-n)/stride < rows-1) {
		panic(fmt.Sprintf("simd: %s: rows has %d elements, too few for %d rows of %d at stride %d", f, have, rows, n, stride))
	}
}
