package simd

import "golang.org/x/sys/cpu"

// resizeKernelOf returns the kernel of a level. The kernel of AVX-512 multiplies bytes (VNNI); a machine without those
// instructions runs AVX2's.
func resizeKernelOf(l Level) *resizeKernel {
	switch {
	case l == AVX512 && cpu.X86.HasAVX512VNNI:
		return &resizeAVX512
	case l == AVX512, l == AVX2:
		return &resizeAVX2
	}
	return nil
}

// AVX2 works on two rows at a time, one in each half of a register. Each channel has a lane. Samples are widened to
// words and multiplied in pairs, by the low and by the high words of the weights.
var resizeAVX2 = resizeKernel{
	words: 4, pack: splitWords,
	group: 2, rows: [5]func(*resizeRowsArgs){3: resizeRows3AVX2, 4: resizeRows4AVX2},
	block: 32, columns: resizeColumnsAVX2,
}

// AVX-512 works on four rows at a time. Four samples of a channel share a lane. They are multiplied as bytes by the
// first, second and third bytes of the weights.
var resizeAVX512 = resizeKernel{
	words: 3, pack: splitBytes,
	group: 4, rows: [5]func(*resizeRowsArgs){3: resizeRows3AVX512, 4: resizeRows4AVX512},
	block: 64, columns: resizeColumnsAVX512,
}

//go:noescape
func resizeRows3AVX2(a *resizeRowsArgs)

//go:noescape
func resizeRows4AVX2(a *resizeRowsArgs)

//go:noescape
func resizeColumnsAVX2(a *resizeColumnsArgs)

//go:noescape
func resizeRows3AVX512(a *resizeRowsArgs)

//go:noescape
func resizeRows4AVX512(a *resizeRowsArgs)

//go:noescape
func resizeColumnsAVX512(a *resizeColumnsArgs)

// splitWords writes weights as pairs of 16-bit words, low parts and high parts: w = low + high·2¹⁶.
func splitWords(dst []uint32, w *[4]int32) {
	var low, high [4]uint32
	for k, c := range w {
		l := int32(int16(c))
		low[k], high[k] = uint32(uint16(l)), uint32(uint16((c-l)>>16))
	}
	dst[0], dst[1] = low[0]|low[1]<<16, low[2]|low[3]<<16
	dst[2], dst[3] = high[0]|high[1]<<16, high[2]|high[3]<<16
}

// splitBytes writes weights as three signed bytes: w = b₀ + b₁·2⁸ + b₂·2¹⁶.
func splitBytes(dst []uint32, w *[4]int32) {
	clear(dst)
	for k, c := range w {
		for i := range 3 {
			b := int32(int8(c))
			dst[i] |= uint32(uint8(b)) << (8 * k)
			c = (c - b) >> 8
		}
	}
}
