package index

import (
	"encoding/binary"
	"unsafe"

	"github.com/fovea-ml/fovea/checkpoint"
)

// number is an element type of a segment's tensors.
type number interface {
	int8 | uint16 | float32 | int64
}

// littleEndian reports whether this machine stores numbers in the byte order of files.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// valuesOf returns the elements of a tensor: in place, or copied where they are not aligned or the machine is
// big-endian.
func valuesOf[E number](t checkpoint.Tensor) []E {
	b := t.Bytes()
	size := int(unsafe.Sizeof(E(0)))
	p := unsafe.Pointer(unsafe.SliceData(b))
	if len(b) > 0 && littleEndian && uintptr(p)%unsafe.Alignof(E(0)) == 0 {
		return unsafe.Slice((*E)(p), len(b)/size)
	}
	values := make([]E, len(b)/size) // never nil: the field that is set tells the type
	if dst := asBytes(values); littleEndian {
		copy(dst, b)
	} else {
		reverse(dst, b, size)
	}
	return values
}

// bytesOf returns numbers as the bytes of a file, in place on a little-endian machine.
func bytesOf[E number](values []E) []byte {
	b := asBytes(values)
	if littleEndian {
		return b
	}
	swapped := make([]byte, len(b))
	reverse(swapped, b, int(unsafe.Sizeof(E(0))))
	return swapped
}

func asBytes[E number](values []E) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(E(0))))
}

// reverse copies elements with their bytes in the other order.
func reverse(dst, src []byte, size int) {
	for at := 0; at < len(src); at += size {
		for i := range size {
			dst[at+i] = src[at+size-1-i]
		}
	}
}
