package simd

import (
	"syscall"
	"testing"
	"unsafe"
)

// A guarded is memory between two pages that fault when touched.
type guarded struct{ data []byte }

// newGuarded returns memory for at least n bytes between two guard pages, for the length of the test.
func newGuarded(t testing.TB, n int) *guarded {
	t.Helper()
	page := syscall.Getpagesize()
	size := (n + page - 1) / page * page
	all, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(all) })
	for _, guard := range [][]byte{all[:page], all[page+size:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return &guarded{all[page : page+size]}
}

// floats returns n elements that end at the upper guard page, or start at the lower one.
func (g *guarded) floats(n int, atEnd bool) []float32 {
	return place[float32](g.data, n, atEnd)
}

// halves is floats for 16-bit numbers.
func (g *guarded) halves(n int, atEnd bool) []uint16 {
	return place[uint16](g.data, n, atEnd)
}

// samples is floats for bytes.
func (g *guarded) samples(n int, atEnd bool) []uint8 {
	return place[uint8](g.data, n, atEnd)
}

func place[T any](data []byte, n int, atEnd bool) []T {
	var zero T
	all := unsafe.Slice((*T)(unsafe.Pointer(&data[0])), len(data)/int(unsafe.Sizeof(zero)))
	if atEnd {
		return all[len(all)-n:]
	}
	return all[:n:n]
}
