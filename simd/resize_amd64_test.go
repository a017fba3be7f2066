package simd

import "testing"

// The parts of a weight add up to it.
func TestResizePacked(t *testing.T) {
	w := [4]int32{-resizeLargest, resizeLargest, 1<<15 - 1, -129}
	var p [4]uint32
	splitBytes(p[:3], &w)
	for k, want := range w {
		b := func(i int) int32 { return int32(int8(p[i] >> (8 * k))) }
		if got := b(0) + b(1)<<8 + b(2)<<16; got != want {
			t.Errorf("bytes of %d give %d", want, got)
		}
	}
	splitWords(p[:], &w)
	for k, want := range w {
		low, high := int32(int16(p[k/2]>>(k%2*16))), int32(int16(p[2+k/2]>>(k%2*16)))
		if got := low + high<<16; got != want {
			t.Errorf("words of %d give %d", want, got)
		}
	}
}
