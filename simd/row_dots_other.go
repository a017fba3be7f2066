//go:build !amd64 && !arm64

package simd

import "unsafe"

// Other architectures have the portable level alone, which does not come here.

func dotGroups(dst, x *float32, rows unsafe.Pointer, size, stride, n, groups int) {
	panic("simd: no kernel")
}

func dotGroupsInt8(dst *float32, x *int16, rows *int8, scales *float32, stride, n, groups int) {
	panic("simd: no kernel")
}
