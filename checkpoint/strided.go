package checkpoint

import (
	"runtime"
	"slices"
)

// A strided describes a tensor whose elements do not follow each other in the file: a transposed matrix, a column of a
// matrix, an expanded row. Reading gathers the elements, only as many as are asked for.
type strided struct {
	base           *source
	begin          int // of the first element
	size           int // of an element
	shape, strides []int
}

// gather returns the bytes [begin, end) of the tensor in row-major order. Both are multiples of an element's size.
func (v *strided) gather(begin, end int) []byte {
	defer runtime.KeepAlive(v.base) // or its mapping could end while bytes are copied
	dst := make([]byte, 0, end-begin)
	if end == begin {
		return dst
	}
	// The last index runs in the inner loop. The others count up as on an odometer.
	rank := len(v.shape)
	at := slices.Clone(v.shape)
	first := begin / v.size
	place := 0
	for i := rank - 1; i >= 0; i-- {
		at[i] = first % v.shape[i]
		first /= v.shape[i]
		place += at[i] * v.strides[i]
	}
	inner, step := v.shape[rank-1], v.strides[rank-1]
	data := v.base.slice(v.begin, len(v.base.data))
	for {
		n := min(inner-at[rank-1], (end-begin-len(dst))/v.size)
		dst = v.row(dst, data, place, n, step)
		if len(dst) == end-begin {
			return dst
		}
		place -= at[rank-1] * step
		at[rank-1] = 0
		for i := rank - 2; i >= 0; i-- {
			place += v.strides[i]
			if at[i]++; at[i] < v.shape[i] {
				break
			}
			place -= v.shape[i] * v.strides[i]
			at[i] = 0
		}
	}
}

// row appends n elements, step elements apart, from the element at place on.
func (v *strided) row(dst, data []byte, place, n, step int) []byte {
	from := place * v.size
	if step == 1 {
		return append(dst, data[from:from+n*v.size]...)
	}
	jump := step * v.size
	switch v.size { // a fixed length copies by one move
	case 1:
		for range n {
			dst = append(dst, data[from])
			from += jump
		}
	case 2:
		for range n {
			dst = append(dst, data[from:from+2]...)
			from += jump
		}
	case 4:
		for range n {
			dst = append(dst, data[from:from+4]...)
			from += jump
		}
	default:
		for range n {
			dst = append(dst, data[from:from+v.size]...)
			from += jump
		}
	}
	return dst
}
