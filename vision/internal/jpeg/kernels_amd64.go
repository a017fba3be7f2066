package jpeg

import (
	"encoding/binary"

	"github.com/fovea-ml/fovea/simd"
)

// vector reports whether the AVX2 kernels run: on every level of package simd but the generic one.
var vector = simd.Current() != simd.Generic

func inverse(dst []uint8, stride int, b *block, q *[64]int16) {
	if !vector {
		inversePortable(dst, stride, b, q)
		return
	}
	_ = dst[7*stride+7]
	inverseAVX2(&dst[0], stride, b, q, &inverseConstants)
}

// upsampleH2V1 makes the outputs of all samples but the first and the last. The kernel does 32 at a time; the last
// group overlaps the one before.
func upsampleH2V1(dst, src []uint8) {
	n := len(src)
	if !vector || n < 34 {
		upsampleH2V1Portable(dst, src, 1, n-1)
		return
	}
	_ = dst[2*n-1]
	upsampleH2V1AVX2(&dst[2], &src[1], (n-2)/32)
	if n%32 != 2 {
		upsampleH2V1AVX2(&dst[2*(n-33)], &src[n-33], 1)
	}
}

func upsampleH2V2(dst, near, far []uint8) {
	n := len(near)
	if !vector || n < 34 {
		upsampleH2V2Portable(dst, near, far, 1, n-1)
		return
	}
	_, _ = dst[2*n-1], far[n-1]
	upsampleH2V2AVX2(&dst[2], &near[1], &far[1], (n-2)/32)
	if n%32 != 2 {
		upsampleH2V2AVX2(&dst[2*(n-33)], &near[n-33], &far[n-33], 1)
	}
}

// ycbcrToRGB does 32 pixels at a time; the last group overlaps the one before.
func ycbcrToRGB(dst, y, cb, cr []uint8) {
	n := len(y)
	if !vector || n < 32 {
		ycbcrToRGBPortable(dst, y, cb, cr)
		return
	}
	_, _, _ = dst[3*n-1], cb[n-1], cr[n-1]
	ycbcrToRGBAVX2(&dst[0], &y[0], &cb[0], &cr[0], n/32, &colorConstants)
	if n%32 != 0 {
		at := n - 32
		ycbcrToRGBAVX2(&dst[3*at], &y[at], &cb[at], &cr[at], 1, &colorConstants)
	}
}

// inverseConstants are the factors of pairs of inputs in inverseAVX2: for each product, the factors of the first
// and the second of a pair, eight times over.
var inverseConstants = func() (t [12][16]int16) {
	for i, p := range [12][2]int16{
		{1 << cosBits, 1 << cosBits}, {1 << cosBits, -1 << cosBits}, // inputs 0 and 4
		{c0_541, c0_541 - c1_847}, {c0_541 + c0_765, c0_541}, // 2 and 6
		{k7a, k1a}, {k5a, k3a}, // 7 and 1, 5 and 3
		{k7b, k1b}, {k5b, k3b},
		{k7c, k1c}, {k5c, k3c},
		{k7d, k1d}, {k5d, k3d},
	} {
		for lane := range 8 {
			t[i][2*lane], t[i][2*lane+1] = p[0], p[1]
		}
	}
	return t
}()

// colorConstants are the operands of ycbcrToRGBAVX2: 128; the factors of Cb and Cr for green, the latter plus 1; half a
// unit of 16 fractional bits; the factor of Cr for red less 1, and of Cb for blue less 2; 1; and, for the first, second
// and third 16 of 48 bytes, the places of their reds, greens and blues.
var colorConstants = func() (t [15][32]uint8) {
	halves := func(i int, even, odd int) {
		for at := 0; at < 32; at += 4 {
			binary.LittleEndian.PutUint16(t[i][at:], uint16(even))
			binary.LittleEndian.PutUint16(t[i][at+2:], uint16(odd))
		}
	}
	halves(0, 128, 128)
	halves(1, -22554, 65536-46802)
	halves(2, 32768, 0)
	halves(3, 91881-65536, 91881-65536)
	halves(4, 116130-2*65536, 116130-2*65536)
	halves(5, 1, 1)
	for at := range 48 {
		for color := range 3 {
			from := uint8(0x80) // nowhere: zero
			if at%3 == color {
				from = uint8(at / 3)
			}
			m := &t[6+at/16*3+color]
			m[at%16], m[16+at%16] = from, from
		}
	}
	return t
}()

// inverseAVX2 is inversePortable.
//
//go:noescape
func inverseAVX2(dst *uint8, stride int, b *block, q *[64]int16, constants *[12][16]int16)

// upsampleH2V1AVX2 writes the 64·groups outputs of 32·groups samples, reading one more at either end.
//
//go:noescape
func upsampleH2V1AVX2(dst, src *uint8, groups int)

//go:noescape
func upsampleH2V2AVX2(dst, near, far *uint8, groups int)

// ycbcrToRGBAVX2 converts 32·groups pixels.
//
//go:noescape
func ycbcrToRGBAVX2(dst, y, cb, cr *uint8, groups int, constants *[15][32]uint8)
