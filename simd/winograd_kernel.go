package simd

import "unsafe"

// A winogradKernel holds the transforms of an instruction set. Each goes along n tiles of a row, lanes at a time; the last
// may end after n.
type winogradKernel struct {
	lanes int
	// pixels writes the 16 elements of transformed tiles, plane bytes apart, from 4 rows of pixels, row bytes apart.
	pixels func(dst, src *float32, plane, row, n int)
	// sums writes 2 rows of results, row bytes apart, from the sums of tiles, plane bytes apart:
	// max(result + bias, floor), or a result that is NaN.
	sums func(dst, src *float32, row, plane, n int, bias, floor float32)
}

var winogradGeneric = winogradKernel{1, winogradPixelsGeneric, winogradSumsGeneric}

func winogradPixelsGeneric(dst, src *float32, plane, row, n int) {
	for t := range n {
		var d [4][4]float32
		for i := range d {
			d[i] = *(*[4]float32)(unsafe.Add(unsafe.Pointer(src), i*row+8*t))
		}
		for x := range 4 {
			d[0][x], d[1][x], d[2][x], d[3][x] = d[0][x]-d[2][x], d[1][x]+d[2][x], d[2][x]-d[1][x], d[1][x]-d[3][x]
		}
		for i, r := range d {
			for j, v := range [4]float32{r[0] - r[2], r[1] + r[2], r[2] - r[1], r[1] - r[3]} {
				*(*float32)(unsafe.Add(unsafe.Pointer(dst), (4*i+j)*plane+4*t)) = v
			}
		}
	}
}

func winogradSumsGeneric(dst, src *float32, row, plane, n int, bias, floor float32) {
	for t := range n {
		m := func(p int) float32 { return *(*float32)(unsafe.Add(unsafe.Pointer(src), p*plane+4*t)) }
		var z [2][4]float32
		for j := range 4 {
			z[0][j], z[1][j] = m(j)+m(4+j)+m(8+j), m(4+j)-m(8+j)-m(12+j)
		}
		for i, r := range z {
			for x, v := range [2]float32{r[0] + r[1] + r[2], r[1] - r[2] - r[3]} {
				if v += bias; floor > v {
					v = floor
				}
				*(*float32)(unsafe.Add(unsafe.Pointer(dst), i*row+8*t+4*x)) = v
			}
		}
	}
}
