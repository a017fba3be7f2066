//go:build linux && amd64

package jpeg

import (
	"os"
	"syscall"
	"testing"
)

// guarded returns n bytes that end at a page that faults when touched, or begin behind one, for the length of the test.
func guarded(t *testing.T, n int, atEnd bool) []byte {
	page := os.Getpagesize()
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
	if atEnd {
		return all[page+size-n : page+size : page+size]
	}
	return all[page : page+n : page+n]
}

// The kernels touch nothing outside their slices; a fault would end the test's program.
func TestKernelsStayInside(t *testing.T) {
	if !vector {
		t.Skip("no kernels on this level")
	}
	for _, atEnd := range []bool{false, true} {
		for n := 2; n < 140; n++ {
			a, b, c := guarded(t, n, atEnd), guarded(t, n, atEnd), guarded(t, n, atEnd)
			UpsampleH2V1(guarded(t, 2*n, atEnd), a)
			UpsampleH2V2(guarded(t, 2*n, atEnd), a, b)
			YCbCrToRGB(guarded(t, 3*n, atEnd), a, b, c)
		}
		for _, stride := range []int{8, 9, 40} {
			inverse(guarded(t, 7*stride+8, atEnd), stride, new(block), new([64]int16))
		}
	}
}
