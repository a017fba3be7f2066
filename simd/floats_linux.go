package simd

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// askLargePages advises the kernel to use huge pages for the parts of s that fill them. The kernel is free to refuse.
func askLargePages(s []float32) {
	const page = 2 << 20
	if 4*len(s) < page {
		return
	}
	start := uintptr(unsafe.Pointer(unsafe.SliceData(s)))
	skip := -start % page
	if size := (4*uintptr(len(s)) - min(skip, 4*uintptr(len(s)))) / page * page; size > 0 {
		first := (*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), skip))
		_ = unix.Madvise(unsafe.Slice(first, size), unix.MADV_HUGEPAGE)
	}
}
