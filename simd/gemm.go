package simd

// A matrix product, from top to bottom:
//
//	gemm.go           the functions and what they check
//	gemm_plan.go      a product is divided into tasks
//	gemm_lay.go       a task lays blocks of A and B out for the kernels, or finds them laid out
//	gemm_drive.go     a task runs the kernels block by block
//	gemm_kernel.go    a kernel computes tiles of C; the one in Go, and the table that others fill
//	gemm_epilogue.go  finished rows of C get their bias, activation and residual
//	gemm_words.go     in other arithmetics than Strict, operands become words
//
// Beside this path, gemm_packed.go lays a weight out ahead of time, and gemm_int8.go one of integers. gemm_twice.go
// multiplies twice, block of rows by block. gemm_gather.go collects the B of a convolution, gemm_pixels.go one of words,
// and gemm_pointwise.go one of words for filters of one tap. gemm_accurate.go splits numbers into three parts.
// gemm_window.go multiplies a B in place, and gemm_slide.go reads pixels in place for filters that were laid out ahead of
// time. gemm_amd64.go, gemm_arm64.go, gemm_amx_amd64.go and gemm_words_amd64.go and _arm64.go hold the kernels in assembly.
// Sizes of tiles stand in internal/gemmgen/tiles.go, which writes that assembly.

import "fmt"

// The numbers of products in a block of a sum and in a chain of that block are part of the contract of [Gemm]. The
// error of a chain grows with its length, so that chains are short; the second level bounds the number of additions to
// a sum. Sums of chains stay in the first-level cache, and C is read and written once a block.
const (
	kBlock = 384
	kChain = 96
)

// A Matrix is a view of row-major numbers in a slice. Its logical element (i, j) is Data[i*Stride+j], or
// Data[j*Stride+i] when Trans is set. A linear layer's weight of shape [out, in] is Matrix{w, in, true} where
// a product takes [in, out]. The stride may exceed the row length: a column range of a wider matrix is a
// Matrix too.
type Matrix struct {
	Data   []float32
	Stride int // elements from one stored row to the next
	Trans  bool
}

// at returns the data from logical element (i, j) on.
func (x Matrix) at(i, j int) []float32 {
	if x.Trans {
		i, j = j, i
	}
	return x.Data[i*x.Stride+j:]
}

// An Epilogue lists the steps that follow a product while it is still in cache. Each rounds to float32:
//
//	x = A·B + beta·C
//	x = x + Bias[j]            if Bias is not nil
//	x = x + RowBias[i]         if RowBias is not nil
//	x = x + Residual[i, j]     if ResidualFirst
//	Pre[i, j] = x              if Pre is not nil
//	x = Act(x)
//	C[i, j] = x + Residual[i, j], or x if ResidualFirst
//
// Residual and Pre must not overlap C or each other.
type Epilogue struct {
	Bias           []float32 // n values, one for each column
	RowBias        []float32 // m values, one for each row: the output channels of a convolution
	Pre            []float32 // receives the values before Act, for the backward pass
	PreStride      int
	Act            Activation
	Scale          []float32 // n values by which the columns are multiplied after Act: layer scale
	Residual       []float32 // added at the end, as transformers do
	ResidualStride int
	ResidualFirst  bool // added before Act, as residual networks do
}

// Gemm computes C = scale·act(A·B + beta·C + bias) + residual. A is m×k, B is k×n and C is m×n with ldc elements
// from row to row. ep lists the steps after the product; nil means none. With beta 0, C is only written.
//
// Each element of C is a sum over k in blocks of 384, and of chains of 96 in a block. Both are cut from the first k
// on; the last may be shorter. A chain is one of fused multiply-adds in ascending k, from +0. A block is the sum of its
// chains, in order, and blocks are added in order:
//
//	s = ((c₀ + c₁) + c₂) + c₃
//	C = (…((beta·C + s₀) + s₁) + …)
//
// Each sum is rounded to float32, and so is beta·C; with beta 0 the sum begins with s₀. Instruction set, thread count,
// tile, packing and neighboring rows do not change these bits. (The Generic level on hardware without fused
// multiply-add rounds each product too.) A product with k = 0 is beta·C.
//
// C must not overlap A or B. Gemm panics when a slice is too short for its sizes.
func Gemm(w *Workers, m, n, k int, a, b Matrix, beta float32, c []float32, ldc int, ep *Epilogue) {
	Strict.Gemm(w, m, n, k, a, b, beta, c, ldc, ep)
}

// GemmPacked is [Gemm] with a B that [Pack] or [PackRows] laid out ahead of time; n and k are b's. It panics
// like Gemm.
func GemmPacked(w *Workers, m int, a Matrix, b *Packed, beta float32, c []float32, ldc int, ep *Epilogue) {
	checkSizes("GemmPacked", m, b.n, b.k)
	checkView("GemmPacked", "A", a, m, b.k)
	checkStored("GemmPacked", "C", len(c), ldc, m, b.n)
	checkEpilogue("GemmPacked", ep, m, b.n)
	if m == 0 || b.n == 0 {
		return
	}
	g := gemmRuns.get()
	g.kern = b.kern
	g.m, g.n, g.k, g.block, g.chain, g.beta = m, b.n, b.k, kBlock, kChain, beta
	g.packed = b
	if b.word != nil {
		g.useWords(b.word)
	}
	g.one = gemmOperands{a: a, c: c, ldc: ldc}
	g.setEpilogue(ep)
	g.run(w, 1)
}

// GemmBatch computes count products of one size, C = A·B + beta·C, each as [Gemm] would. operands returns the
// views of problem i. It may be called more than once for one i, and from several goroutines at once. The C
// of a problem must not overlap the operands of another. GemmBatch panics like Gemm.
//
// Problems run in parallel over w. Where there are fewer problems than workers, each is divided too.
func GemmBatch(w *Workers, count, m, n, k int, beta float32, operands func(i int) (a, b Matrix, c []float32, ldc int)) {
	Strict.GemmBatch(w, count, m, n, k, beta, operands)
}

func checkSizes(op string, m, n, k int) {
	if m < 0 || n < 0 || k < 0 {
		panic(fmt.Sprintf("simd: %s: negative size: m=%d n=%d k=%d", op, m, n, k))
	}
}

// checkView panics unless the logical rows×cols matrix lies in its slice.
func checkView(op, name string, x Matrix, rows, cols int) {
	if x.Trans {
		rows, cols = cols, rows
	}
	checkStored(op, name, len(x.Data), x.Stride, rows, cols)
}

// checkStored panics unless rows stored rows of cols elements, stride apart, fit in length elements.
func checkStored(op, name string, length, stride, rows, cols int) {
	if rows == 0 || cols == 0 {
		return
	}
	if stride < cols {
		panic(fmt.Sprintf("simd: %s: %s has stride %d, less than its %d columns", op, name, stride, cols))
	}
	if length < cols || rows-1 > (length-cols)/stride {
		panic(fmt.Sprintf("simd: %s: %s has %d elements, too few for %d rows of %d with stride %d",
			op, name, length, rows, cols, stride))
	}
}

func checkEpilogue(op string, ep *Epilogue, m, n int) {
	if ep == nil {
		return
	}
	if ep.Bias != nil && len(ep.Bias) < n {
		panic(fmt.Sprintf("simd: %s: Bias has %d elements for %d columns", op, len(ep.Bias), n))
	}
	if ep.Scale != nil && len(ep.Scale) < n {
		panic(fmt.Sprintf("simd: %s: Scale has %d elements for %d columns", op, len(ep.Scale), n))
	}
	if ep.RowBias != nil && len(ep.RowBias) < m {
		panic(fmt.Sprintf("simd: %s: RowBias has %d elements for %d rows", op, len(ep.RowBias), m))
	}
	if ep.Pre != nil {
		checkStored(op, "Pre", len(ep.Pre), ep.PreStride, m, n)
	}
	if ep.Residual != nil {
		checkStored(op, "Residual", len(ep.Residual), ep.ResidualStride, m, n)
	}
	if !ep.Act.Valid() {
		panic(fmt.Sprintf("simd: %s: unknown activation %d", op, ep.Act))
	}
}
