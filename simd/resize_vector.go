package simd

import "unsafe"

// resizeVector is a ResizeTaps in the form that vector kernels read. All windows have steps times four positions,
// filled up with weights of zero. Windows near the end of a line begin earlier instead of leaving it.
type resizeVector struct {
	kernel *resizeKernel
	steps  int
	at     []int32  // by output: where its window begins
	packed []uint32 // by output, by step: kernel.words words
}

// A resizeKernel holds the routines of an instruction set and the sizes that they work with.
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

// resizeLargest bounds the weights that kernels take: three signed bytes, or a signed word and the bits above it.
const resizeLargest = 127 << 16

// newResizeVector returns nil where there is no kernel, a line is shorter than a padded window, or a weight is too
// large.
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

// resizeColumns computes outputs of n columns, at least a block. The last block ends where the rows do and may repeat
// samples of the one before.
func (v *resizeVector) resizeColumns(dst []uint8, dstStride int, src []uint8, srcStride, n, from, to int) {
	block := v.kernel.block
	piece := max(1, resizeCall/v.steps) * block
	whole := n - n%block
	a := resizeColumnsArgs{stride: srcStride, steps: v.steps}
	for i := from; i < to; i++ {
		d, s := dst[(i-from)*dstStride:][:n], src[int(v.at[i])*srcStride:]
		a.packed = unsafe.Pointer(&v.packed[i*v.steps*v.kernel.words])
		for x := 0; x < whole; x += piece {
			a.src, a.dst, a.blocks = unsafe.Pointer(&s[x]), unsafe.Pointer(&d[x]), min(piece, whole-x)/block
			v.kernel.columns(&a)
		}
		if whole < n {
			a.src, a.dst, a.blocks = unsafe.Pointer(&s[n-block]), unsafe.Pointer(&d[n-block]), 1
			v.kernel.columns(&a)
		}
	}
}
