package simd

import "golang.org/x/sys/cpu"

// The kernels of AMX. Four tile registers hold 32×32 sums, so that a step of 16 words of k is four loads of 1 KB and four
// products of 16 cycles.

// amxStep is the number of words of k in a step.
const amxStep = 16

// amxKernel returns a kernel with tiles of up to 16 and up to 32 rows.
func amxKernel(low, high func(*gemmTile), peak func(int), ops int) *gemmKernel {
	k := gemmAVX512.asWords(func(t *gemmTile) {
		if t.rows <= 16 {
			low(t)
		} else {
			high(t)
		}
	}, nil, peak, ops)
	k.mr, k.mc, k.ends = 32, 256, false
	return k
}

// peakAMXOps is the number of operations of a round of the loops that Math.Peak times, with words of n numbers.
func peakAMXOps(n int) int { return 4 * 16 * 16 * 16 * 2 * n }

var (
	bf16AMX = &wordKernel{
		name: "amx-bf16", numbers: 2 * amxStep, words: amxStep, block: wordBlock, chain: wordBlock,
		kern: amxKernel(amx16BF16, amx32BF16, peakAMXBF16, peakAMXOps(2)),
		row: func(dst, src []float32, inverse float32, flip uint32) int32 {
			bf16AVX512.row(dst, src, inverse, flip)
			clear(dst[bf16AVX512.count(len(src)):])
			return 0
		},
		panel: func(dst, src []float32, stride, k, cols int) {
			bf16AVX512.panel(dst, src, stride, k, cols)
			clear(dst[bf16AVX512.count(k)*cols512:])
		},
	}
	int8AMX = &wordKernel{
		name: "amx-int8", numbers: 4 * amxStep, words: amxStep, block: wordBlock, chain: wordBlock,
		kern: amxKernel(amx16Int8, amx32Int8, peakAMXInt8, peakAMXOps(4)),
		row: func(dst, src []float32, inverse float32, flip uint32) int32 {
			clear(dst[int8AVX512.count(len(src)):])
			return int8AVX512.row(dst, src, inverse, flip)
		},
		integers: true,
		most:     most512Of,
		scale:    scale512Of,
	}
	accurateAMX = &wordKernel{
		name: "amx-bf16, three parts", numbers: 2 * amxStep, words: accuratePlanes * amxStep, block: accurateBlock, chain: accurateBlock,
		kern: amxKernel(amx16Accurate, amx32Accurate, peakAMXBF16, peakAMXOps(2)),
		row:  accurateRow,
	}
)

// amxKernelsOf returns the kernel of an arithmetic, if the matrix unit has it.
func amxKernelsOf(x Math) []*wordKernel {
	switch {
	case !matrixUnit:
		return nil
	case x == BF16 && cpu.X86.HasAMXBF16:
		return []*wordKernel{bf16AMX}
	case x == Accurate && cpu.X86.HasAMXBF16:
		return []*wordKernel{accurateAMX}
	case x == Int8 && cpu.X86.HasAMXInt8:
		return []*wordKernel{int8AMX}
	}
	return nil
}
