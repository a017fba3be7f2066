package simd

import "unsafe"

// dotGroups multiplies x with groups of four rows, whose elements have a size of 4 or 2 bytes. The stride is in bytes.
func dotGroups(dst, x *float32, rows unsafe.Pointer, size, stride, n, groups int) {
	if size == 2 {
		rowDotsF16NEON(dst, x, (*uint16)(rows), stride, n, groups)
	} else {
		rowDotsNEON(dst, x, (*float32)(rows), stride, n, groups)
	}
}

func dotGroupsInt8(dst *float32, x *int16, rows *int8, scales *float32, stride, n, groups int) {
	rowDotsInt8NEON(dst, x, rows, scales, stride, n, groups)
}

//go:noescape
func rowDotsNEON(dst, x *float32, rows *float32, stride, n, groups int)

//go:noescape
func rowDotsF16NEON(dst, x *float32, rows *uint16, stride, n, groups int)

//go:noescape
func rowDotsInt8NEON(dst *float32, x *int16, rows *int8, scales *float32, stride, n, groups int)
