package simd

import "unsafe"

// wordKernelsOf returns the kernels of an arithmetic that this machine runs at a level, the best first.
func wordKernelsOf(l Level, x Math) (all []*wordKernel) {
	switch {
	case l == NEON && x == BF16:
		if features.bf16 {
			all = append(all, bf16NEON)
		}
		return append(all, roundedNEON)
	case l == NEON && x == Int8:
		if features.i8mm {
			all = append(all, int8PairsNEON)
		}
		if features.dot {
			all = append(all, int8NEON)
		}
		return append(all, int16NEON)
	case l == Generic && x == BF16:
		return append(all, gemmGeneric.rounded())
	case l == Generic && x == Int8:
		return append(all, int8Generic)
	}
	return nil
}

var (
	roundedNEON = gemmNEON.rounded()

	// BFMMLA has four times the products of a fused multiply-add. It adds those of a word to each other, then to the sum.
	// Both times it cuts off what float32 has no room for, and sets the last bit if that is not nothing.
	bf16NEON = &wordKernel{
		name: "neon-bf16", numbers: 4, words: 2, block: wordBlock, chain: wordBlock,
		kern: gemmNEON.asPairs(productBfmmla.multiply, peakBfmmla, peakBfmmlaOps),
		row: func(dst, src []float32, _ float32, _ uint32) int32 {
			bf16RowOf(dst, src)
			return 0
		},
	}

	// SMMLA has eight times the products of a fused multiply-add, SDOT four times, and SMLAL as many.
	int8PairsNEON = &wordKernel{
		name: "neon-i8mm", numbers: 8, words: 2, block: wordBlock, chain: wordBlock,
		kern:     gemmNEON.asPairs(productSmmla.multiply, peakSmmla, peakSmmlaOps),
		row:      int8RowOf,
		integers: true,
		most:     mostOf,
		scale:    scaleSumsOf,
	}
	int8NEON = &wordKernel{
		name: "neon-dotprod", numbers: 4, words: 1, block: wordBlock, chain: wordBlock,
		kern:     gemmNEON.asWords(productSdot.multiply, nil, peakSdot, peakSdotOps),
		row:      int8RowOf,
		pixels:   int8PixelsGeneric(0),
		integers: true,
		most:     mostOf,
		scale:    scaleSumsOf,
	}
	int16NEON = &wordKernel{
		name: "neon, products of 16 bits", numbers: 2, words: 1, block: wordBlock, chain: wordBlock,
		kern:     gemmNEON.asWords(productSmlal.multiply, nil, peakSmlal, peakSmlalOps),
		row:      int16RowOf,
		pixels:   int16PixelsGeneric,
		integers: true,
		most:     mostOf,
		scale:    scaleSumsOf,
	}
)

// asPairs is asWords for words in pairs: two words of a row or column, with neighboring k, lie side by side in a panel.
// Word (k, i) of a panel that is width wide is element (k-k%2)·width + 2·i + k%2.
func (kern gemmKernel) asPairs(multiply func(*gemmTile), peak func(int), ops int) *gemmKernel {
	k := kern.asWords(multiply, nil, peak, ops)
	k.packPanel = packPairsPanel
	return k
}

// packPairsPanel packs words that lie in rows along k: it transposes pairs.
func packPairsPanel(dst, src []float32, stride int, trans bool, kc, cols, width int) {
	if !trans || kc%2 != 0 {
		panic("simd: expected an even number of words in rows along k")
	}
	const block = 4 // columns, and words of each
	blocks, at := kc/block, 0
	for ; blocks > 0 && at+block <= cols; at += block {
		packPairsNEON(&dst[2*at], &src[at*stride], 4*stride, blocks, 8*width)
	}
	rest := func(k0, from int) {
		for k := k0; k < kc; k += 2 {
			row := dst[k*width:][:2*width]
			for j := from; j < cols; j++ {
				row[2*j], row[2*j+1] = src[j*stride+k], src[j*stride+k+1]
			}
			clear(row[2*cols:])
		}
	}
	rest(0, at)
	rest(block*blocks, 0)
}

// The kernels of rows make whole blocks of words. The last one overlaps those before it, so that Go has less than a word
// left to do.

func bf16RowOf(dst, src []float32) {
	const step, word = 2 * lanesNEON, 2
	if done := len(src) / step * step; done > 0 {
		bf16RowNEON(&dst[0], &src[0], done/step)
		if words := len(src) / word * word; words > done {
			bf16RowNEON(&dst[(words-step)/word], &src[words-step], 1)
			done = words
		}
		dst, src = dst[done/word:], src[done:]
	}
	clear(dst)
	if len(src) > 0 {
		vecF32ToBF16(unsafe.Slice((*uint16)(unsafe.Pointer(&dst[0])), len(src)), src)
	}
}

// int8RowOf makes words of four integers. Their sum is not asked for: B has no offset.
func int8RowOf(dst, src []float32, inverse float32, flip uint32) int32 {
	const step, word = 4 * lanesNEON, 4
	if done := len(src) / step * step; done > 0 {
		int8RowNEON(&dst[0], &src[0], done/step, inverse)
		if words := len(src) / word * word; words > done {
			int8RowNEON(&dst[(words-step)/word], &src[words-step], 1, inverse)
			done = words
		}
		dst, src = dst[done/word:], src[done:]
	}
	n := ceilDiv(len(src), word)
	clear(dst[n:])
	return int8RowGeneric(dst[:n], src, inverse, flip)
}

func int16RowOf(dst, src []float32, inverse float32, flip uint32) int32 {
	const step, word = 2 * lanesNEON, 2
	if done := len(src) / step * step; done > 0 {
		int16RowNEON(&dst[0], &src[0], done/step, inverse)
		if words := len(src) / word * word; words > done {
			int16RowNEON(&dst[(words-step)/word], &src[words-step], 1, inverse)
			done = words
		}
		dst, src = dst[done/word:], src[done:]
	}
	return int16RowGeneric(dst, src, inverse, flip)
}

func mostOf(src []float32) uint32 {
	const step = 4 * lanesNEON
	blocks := len(src) / step
	if blocks == 0 {
		return mostGeneric(src)
	}
	most := mostNEON(&src[0], blocks)
	if rest := len(src) % step; rest > 0 {
		most = max(most, mostNEON(&src[len(src)-step], 1))
	}
	return most
}

func scaleSumsOf(c []float32, less int32, row float32, cols []float32) {
	if blocks := len(c) / lanesNEON; blocks > 0 {
		scaleSumsNEON(&c[0], blocks, row, &cols[0])
		c, cols = c[blocks*lanesNEON:], cols[blocks*lanesNEON:]
	}
	scaleGeneric(c, less, row, cols)
}

// mostRows is LargestRows where there is a kernel of it.
func mostRows(dst, x []float32) bool { return false }
