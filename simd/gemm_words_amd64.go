package simd

import "golang.org/x/sys/cpu"

// wordKernelsOf returns the kernels of an arithmetic that this machine runs at a level, the best first.
func wordKernelsOf(l Level, x Math) (all []*wordKernel) {
	if l == AVX512 {
		all = amxKernelsOf(x)
	}
	switch {
	case l == AVX512 && x == BF16:
		if cpu.X86.HasAVX512BF16 {
			all = append(all, bf16AVX512)
		}
		return append(all, roundedAVX512)
	case l == AVX512 && x == Int8:
		if cpu.X86.HasAVX512VNNI {
			all = append(all, int8AVX512)
		}
		return append(all, int16AVX512)
	case l == AVX2 && x == BF16:
		return append(all, roundedAVX2)
	case l == AVX2 && x == Int8:
		if cpu.X86.HasAVXVNNI {
			all = append(all, int8AVX2)
		}
		return append(all, int16AVX2)
	case l == Generic && x == BF16:
		return append(all, gemmGeneric.rounded())
	case l == Generic && x == Int8:
		return append(all, int8Generic)
	}
	return all
}

var (
	roundedAVX512 = gemmAVX512.rounded()
	roundedAVX2   = gemmAVX2.rounded()

	// VDPBF16PS has twice the products of a fused multiply-add.
	bf16AVX512 = &wordKernel{
		name: "avx512-bf16", numbers: 2, words: 1, block: wordBlock, chain: wordBlock,
		kern: gemmAVX512.asWords(func(t *gemmTile) {
			switch {
			case t.panels > 1:
				tilesWideBF16512[t.rows](t)
			case t.cols <= lanes512:
				tilesHalfBF16512[t.rows](t)
			default:
				tilesByRowBF16512[t.rows](t)
			}
		}, panels512[:], peak512d, peakBF16512Ops),
		row: func(dst, src []float32, _ float32, _ uint32) int32 {
			if len(src) > 0 {
				bf16Rows512(&dst[0], &src[0], 1, len(src), 0, 0)
			}
			return 0
		},
		rows: func(dst, src []float32, width, stride, rows, n int) {
			each := max(1, maxCall/n)
			for i := 0; i < rows; i += each {
				bf16Rows512(&dst[i*width], &src[i*stride], min(each, rows-i), n, 4*width, 4*stride)
			}
		},
		panel: func(dst, src []float32, stride, k, cols int) {
			bf16Panel512(&dst[0], &src[0], 4*stride, k, cols)
		},
		pixels: func(dst []float32, src [][]float32, _ []float32) {
			if len(dst) > 0 {
				bf16Pixels512(&dst[0], &src[0][0], &src[len(src)-1][0], len(dst), len(src)-1)
			}
		},
		planes: func(dst []float32, rows []*float32, at, words, cols int, _ []float32) {
			bf16Planes512(&dst[0], &rows[0], 4*at, words, cols)
		},
	}

	// VPDPBUSD has four times the products. It wants B without a sign: 128 is added to its integers.
	int8AVX512 = &wordKernel{
		name: "avx512-vnni", numbers: 4, words: 1, block: wordBlock, chain: wordBlock,
		kern: gemmAVX512.asWords(func(t *gemmTile) {
			switch {
			case t.panels > 1:
				tilesWideInt8512[t.rows](t)
			case t.cols <= lanes512:
				tilesHalfInt8512[t.rows](t)
			default:
				tilesByRowInt8512[t.rows](t)
			}
		}, panels512[:], peak512q, peakInt8512Ops),
		row: func(dst, src []float32, inverse float32, flip uint32) int32 {
			if len(src) == 0 {
				return 0
			}
			return int8Row512(&dst[0], &src[0], len(src), inverse, flip)
		},
		pixels: func(dst []float32, src [][]float32, inverses []float32) {
			if len(dst) == 0 {
				return
			}
			var rows [maxPixelChannels]*float32
			for q := range rows {
				rows[q] = &src[min(q, len(src)-1)][0]
			}
			int8Pixels512(&dst[0], &rows[0], &inverses[0], len(dst), len(src), 0x80808080)
		},
		planes: func(dst []float32, rows []*float32, at, words, cols int, inverses []float32) {
			int8Planes512(&dst[0], &rows[0], 4*at, words, cols, &inverses[0], 0x80808080)
		},
		integers: true,
		flip:     0x80808080, offset: 128,
		most:  most512Of,
		scale: scale512Of,
	}

	// VPMADDWD multiplies integers of 16 bits, two in a word.
	int16AVX512 = &wordKernel{
		name: "avx512, products of 16 bits", numbers: 2, words: 1, block: wordBlock, chain: wordBlock,
		kern: gemmAVX512.asWords(func(t *gemmTile) {
			switch {
			case t.panels > 1:
				tilesWideInt16512[t.rows](t)
			case t.cols <= lanes512:
				tilesHalfInt16512[t.rows](t)
			default:
				tilesByRowInt16512[t.rows](t)
			}
		}, panels512[:], peak512m, peakInt16512Ops),
		row:      int16Row256Of,
		pixels:   int16PixelsGeneric,
		integers: true,
		most:     most512Of,
		scale:    scale512Of,
	}
	// AVX-VNNI has VPDPBUSD in 256 bits, for processors without AVX-512.
	int8AVX2 = &wordKernel{
		name: "avx2-vnni", numbers: 4, words: 1, block: wordBlock, chain: wordBlock,
		kern: gemmAVX2.asWords(func(t *gemmTile) {
			if t.panels > 1 {
				tilesWideInt8256[t.rows](t)
			} else {
				tilesByRowInt8256[t.rows](t)
			}
		}, panels256[:], peak256q, peakInt8256Ops),
		row:      int8Row256Of,
		pixels:   int8PixelsGeneric(0x80808080),
		integers: true,
		flip:     0x80808080, offset: 128,
		most:  most256Of,
		scale: scale256Of,
	}
	int16AVX2 = &wordKernel{
		name: "avx2, products of 16 bits", numbers: 2, words: 1, block: wordBlock, chain: wordBlock,
		kern: gemmAVX2.asWords(func(t *gemmTile) {
			if t.panels > 1 {
				tilesWideInt16256[t.rows](t)
			} else {
				tilesByRowInt16256[t.rows](t)
			}
		}, panelsInt16256[:], peak256m, peakInt16256Ops),
		row:      int16Row256Of,
		pixels:   int16PixelsGeneric,
		integers: true,
		most:     most256Of,
		scale:    scale256Of,
	}
)

func most512Of(src []float32) uint32 {
	if len(src) == 0 {
		return 0
	}
	return most512(&src[0], len(src))
}

func scale512Of(c []float32, less int32, row float32, cols []float32) {
	scale512(&c[0], len(c), less, row, &cols[0])
}

func int8Row256Of(dst, src []float32, inverse float32, flip uint32) (sum int32) {
	const step = 4 * lanes256
	if blocks := len(src) / step; blocks > 0 {
		sum = int8Row256(&dst[0], &src[0], blocks, inverse, flip)
		dst, src = dst[blocks*step/4:], src[blocks*step:]
	}
	return sum + int8RowGeneric(dst, src, inverse, flip)
}

func int16Row256Of(dst, src []float32, inverse float32, flip uint32) (sum int32) {
	const step = 2 * lanes256
	if blocks := len(src) / step; blocks > 0 {
		sum = int16Row256(&dst[0], &src[0], blocks, inverse)
		dst, src = dst[blocks*step/2:], src[blocks*step:]
	}
	return sum + int16RowGeneric(dst, src, inverse, flip)
}

func most256Of(src []float32) (most uint32) {
	const step = 2 * lanes256
	if blocks := len(src) / step; blocks > 0 {
		most = most256(&src[0], blocks)
		src = src[blocks*step:]
	}
	return max(most, mostGeneric(src))
}

func scale256Of(c []float32, less int32, row float32, cols []float32) {
	if blocks := len(c) / lanes256; blocks > 0 {
		scale256(&c[0], blocks, less, row, &cols[0])
		c, cols = c[blocks*lanes256:], cols[blocks*lanes256:]
	}
	scaleGeneric(c, less, row, cols)
}

// mostRows is MaxAbsRows where there is a kernel of it.
func mostRows(dst, x []float32) bool {
	if level != AVX512 {
		return false
	}
	if len(dst) > 0 {
		mostRows512(&dst[0], &x[0], len(dst))
	}
	return true
}
