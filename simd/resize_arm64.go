package simd

func resizeKernelOf(l Level) *resizeKernel {
	if l == NEON {
		return &resizeNEON
	}
	return nil
}

// NEON works on two rows at a time, which share the weights. A table look-up widens the channels of a pixel to
// the lanes of a register; one multiplication by a weight follows.
var resizeNEON = resizeKernel{
	words: 4, pack: wholeWords,
	group: 2, rows: [5]func(*resizeRowsArgs){3: resizeRows3NEON, 4: resizeRows4NEON},
	block: 16, columns: resizeColumnsNEON,
}

//go:noescape
func resizeRows3NEON(a *resizeRowsArgs)

//go:noescape
func resizeRows4NEON(a *resizeRowsArgs)

//go:noescape
func resizeColumnsNEON(a *resizeColumnsArgs)

// wholeWords writes weights as they are.
func wholeWords(dst []uint32, w *[4]int32) {
	for k, c := range w {
		dst[k] = uint32(c)
	}
}
