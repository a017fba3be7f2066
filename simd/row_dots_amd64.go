package simd

import "unsafe"

// dotGroups multiplies x with groups of four rows, whose elements have a size of 4 or 2 bytes. The stride is in bytes.
func dotGroups(dst, x *float32, rows unsafe.Pointer, size, stride, n, groups int) {
	switch {
	case level == AVX512 && size == 2:
		rowDotsF16AVX512(dst, x, (*uint16)(rows), stride, n, groups)
	case level == AVX512:
		rowDotsAVX512(dst, x, (*float32)(rows), stride, n, groups)
	case size == 2:
		rowDotsF16AVX2(dst, x, (*uint16)(rows), stride, n, groups)
	default:
		rowDotsAVX2(dst, x, (*float32)(rows), stride, n, groups)
	}
}

func dotGroupsInt8(dst *float32, x *int16, rows *int8, scales *float32, stride, n, groups int) {
	if level == AVX512 {
		rowDotsInt8AVX512(dst, x, rows, scales, stride, n, groups)
	} else {
		rowDotsInt8AVX2(dst, x, rows, scales, stride, n, groups)
	}
}

//go:noescape
func rowDotsAVX2(dst, x *float32, rows *float32, stride, n, groups int)

//go:noescape
func rowDotsF16AVX2(dst, x *float32, rows *uint16, stride, n, groups int)

//go:noescape
func rowDotsInt8AVX2(dst *float32, x *int16, rows *int8, scales *float32, stride, n, groups int)

//go:noescape
func rowDotsAVX512(dst, x *float32, rows *float32, stride, n, groups int)

//go:noescape
func rowDotsF16AVX512(dst, x *float32, rows *uint16, stride, n, groups int)

//go:noescape
func rowDotsInt8AVX512(dst *float32, x *int16, rows *int8, scales *float32, stride, n, groups int)
