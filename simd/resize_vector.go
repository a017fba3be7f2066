package simd

import "unsafe"

// resizeVector is a ResizeTaps as vector kernels read it: windows of steps times four positions, all of one length,
// filled up with weights of zero. Windows near the end of a line begin earlier instead of leaving it.
type resizeVector struct {
	kernel *resizeKernel
	steps  int
	at     []int32  // by output: where its window begins
	packed []uint32 // by output, by step: kernel.words words
}

// A resizeKernel is what an instruction set offers.
type resizeKernel struct {
	words int // of packed weights for four positions
	pack  func(dst []uint32, w *[4]int32)

	group   int                        // rows that one call works on
	rows    [5]func(a *resizeRowsArgs) // by channels; nil where there is none
	block   int                        // samples a step along the columns
	columns func(a *resizeColumnsArgs)
}

// resizeRowsArgs is one call of a row kernel. Rows past the last repeat it. The assembly knows the offsets.
type resizeRowsArgs struct {
	src     [4]unsafe.Pointer // 0
	dst     [4]unsafe.Pointer // 32
	at      unsafe.Pointer    // 64
	packed  unsafe.Pointer    // 72
	steps   int               // 80
	outputs int               // 88
}

// resizeColumnsArgs is one call of a column kernel: blocks times kernel.block samples.
type resizeColumnsArgs struct {
	src    unsafe.Pointer // 0: the window's first row
	dst    unsafe.Pointer // 8
	stride int            // 16
	packed unsafe.Pointer // 24
	steps  int            // 32
	blocks int            // 40
}

// resizeLargest bounds the weights that kernels take: three signed bytes, or a signed word and what is above it.
const resizeLargest = 127 << 16

// newResizeVector returns nil when there is no kernel, when lines are shorter than a padded window, or when a weight
// is too large.
func newResizeVector(t *ResizeTaps, k *resizeKernel) *resizeVector {
	if k == nil || t.Outputs() == 0 {
		return nil
	}
	for _, w := range t.weights {
		if w > resizeLargest || w < -resizeLargest {
			return nil
		}
	}
	v := &resizeVector{kernel: k, at: make([]int32, t.Outputs())}
	for i := range t.first {
		v.steps = max(v.steps, int(t.start[i+1]-t.start[i]+3)/4)
	}
	last := int32(t.length - 4*v.steps)
	if last < 0 {
		return nil
	}
	for i, first := range t.first {
		v.at[i] = min(first, last)
	}
	v.packed = make([]uint32, t.Outputs()*v.steps*k.words)
	window := make([]int32, 4*v.steps)
	p := v.packed
	for i, first := range t.first {
		clear(window)
		copy(window[first-v.at[i]:], t.weights[t.start[i]:t.start[i+1]])
		for s := range v.steps {
			k.pack(p[:k.words], (*[4]int32)(window[4*s:]))
			p = p[k.words:]
		}
	}
	return v
}

// resizeCall bounds the steps of one call of assembly, which cannot be preempted, to well under 50 µs.
const resizeCall = 4096

func (v *resizeVector) resizeRows(dst []uint8, dstStride int, src []uint8, srcStride, rows, channels, outputs int) {
	piece := max(1, resizeCall/v.steps)
	var a resizeRowsArgs
	a.steps = v.steps
	for y := 0; y < rows; y += v.kernel.group {
		for i := 0; i < outputs; i += piece {
			for r := range v.kernel.group {
				at := min(y+r, rows-1)
				a.src[r] = unsafe.Pointer(&src[at*srcStride])
				a.dst[r] = unsafe.Pointer(&dst[at*dstStride+i*channels])
			}
			a.at = unsafe.Pointer(&v.at[i])
			a.packed = unsafe.Pointer(&v.packed[i*v.steps*v.kernel.words])
			a.outputs = min(piece, outputs-i)
			v.kernel.rows[channels](&a)
		}
	}
}

// resizeColumn computes output i of len(dst) columns, at least a block. The last block ends where dst does and may
// repeat samples of the one before.
func (v *resizeVector) resizeColumn(dst, src []uint8, stride, i int) {
	block := v.kernel.block
	row := src[int(v.at[i])*stride:]
	a := resizeColumnsArgs{stride: stride, packed: unsafe.Pointer(&v.packed[i*v.steps*v.kernel.words]), steps: v.steps}
	piece := max(1, resizeCall/v.steps)
	run := func(x, blocks int) {
		a.src, a.dst, a.blocks = unsafe.Pointer(&row[x]), unsafe.Pointer(&dst[x]), blocks
		v.kernel.columns(&a)
	}
	n := len(dst) / block
	for b := 0; b < n; b += piece {
		run(b*block, min(piece, n-b))
	}
	if n*block < len(dst) {
		run(len(dst)-block, 1)
	}
}

// splitWords writes weights as pairs of 16-bit words, low parts and what is above them: w = low + high·2¹⁶.
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

// wholeWords writes weights as they are.
func wholeWords(dst []uint32, w *[4]int32) {
	for k, c := range w {
		dst[k] = uint32(c)
	}
}
