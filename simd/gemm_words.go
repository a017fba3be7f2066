package simd

import "math"

// A product in another arithmetic than Strict is one of words. A word takes the four bytes of a float32 and holds several
// numbers with neighboring k: two of bfloat16, four integers of 8 bits, or two of 16. The operands become matrices of words,
// whose k is that much smaller. Everything else is the path of [Gemm]: tasks, panels and tiles move elements of four
// bytes. Only the instruction that multiplies is another one.

// A wordKernel computes the products of one arithmetic at one level.
type wordKernel struct {
	name string      // the instruction set and instruction, as Math.Kernel returns it: "avx512-bf16"
	kern *gemmKernel // its elements are words

	// A group of numbers with neighboring k becomes a group of words.
	numbers, words int

	// Words in a K block and in a chain of it. Rounding to bfloat16 weighs more than the order of sums, and integers are
	// exact, so that a block is one chain.
	block, chain int

	// row makes words of a row, the last group filled with zeros. Integers are the numbers times inverse, rounded; it
	// returns their sum. Then the bits of flip change in each word.
	row func(dst, src []float32, inverse float32, flip uint32) (sum int32)
	// rows, which may be nil, is row for several rows of n numbers where words need no scale: at least one of each. Rows of
	// numbers are stride elements apart, those of words width.
	rows func(dst, src []float32, width, stride, rows, n int)
	// panel, which may be nil, makes a panel of k rows of cols numbers, stride elements apart.
	panel func(dst, src []float32, stride, k, cols int)
	// pixels makes words of the rows of several channels, as many as a word has or fewer: see gemm_pixels.go. It is nil
	// where a group has several words, and where words are numbers.
	pixels func(dst []float32, src [][]float32, inverses []float32)
	// planes, which may be nil, makes a panel of words of the channels that begin at rows, from element at on: cols numbers of
	// as many rows as the words have, at least one.
	planes func(dst []float32, rows []*float32, at, words, cols int, inverses []float32)

	// integers says that sums are integers of 32 bits. The rest concerns only them.
	integers bool
	// VPDPBUSD takes integers of B without a sign. row changes the bits of flip in B's words, which adds offset to each
	// integer; less, below, takes the offset out of the sums.
	flip   uint32
	offset int32
	// most returns the bits of the largest magnitude, NaN being the largest.
	most func(src []float32) uint32
	// scale makes sums float32: x = ((x - less)·row)·cols[j].
	scale func(c []float32, less int32, row float32, cols []float32)
}

// wordBlock is the number of words in a K block of sums that are not Strict's.
const wordBlock = 384

// intSegment is the number of products whose sum fits in 32 bits: 127·127·98304 < 2³¹. It is a whole number of slabs.
// Longer sums are added in float32, segment by segment.
const intSegment = 256 * wordBlock

// count returns how many words n numbers become.
func (x *wordKernel) count(n int) int { return ceilDiv(n, x.numbers) * x.words }

// words returns the kernel of x at the level in use; nil stands for the kernel of Strict.
func (x Math) words() *wordKernel { return wordKernels[level][x] }

// wordKernels holds, by level and arithmetic, the best kernel that this machine runs.
var wordKernels = func() (best [len(levelNames)][len(mathNames)]*wordKernel) {
	for _, l := range supportedLevels() {
		for x := range mathNames {
			if all := wordKernelsOf(l, Math(x)); len(all) > 0 {
				best[l][x] = all[0]
			}
		}
	}
	return best
}()

// asWords returns a copy of a kernel of float32 that multiplies words.
func (kern gemmKernel) asWords(multiply func(*gemmTile), panels []int, peak func(int), ops int) *gemmKernel {
	kern.multiply, kern.panels, kern.peak, kern.peakFlops = multiply, panels, peak, ops
	kern.few, kern.window, kern.slide, kern.halves = nil, nil, nil, false
	return &kern
}

// rounded returns the kernel of BF16 where no instruction multiplies bfloat16: that of float32, with operands that are
// rounded first. A word is one number.
func (kern gemmKernel) rounded() *wordKernel {
	kern.few, kern.window = nil, nil
	return &wordKernel{
		name: kern.level.String() + ", float32 products of bfloat16 numbers",
		kern: &kern, numbers: 1, words: 1, block: kBlock, chain: kChain,
		row: roundRow,
	}
}

// roundRow rounds numbers to bfloat16.
func roundRow(dst, src []float32, _ float32, _ uint32) int32 {
	var half [256]uint16
	for len(src) > 0 {
		n := min(len(src), len(half))
		vecF32ToBF16(half[:n], src[:n])
		vecBF16ToF32(dst[:n], half[:n])
		dst, src = dst[n:], src[n:]
	}
	return 0
}

// quantized holds the scales of the operands of a product of integers, and the sums of the rows of A that correct the
// offset of B.
type quantized struct {
	rows []float32 // scales of A
	sums []int32   // of the integers in a segment of a row of A, times the offset of B: by segment, by row
	cols []float32 // scales of B

	inverses []float32 // of the columns of B, while that is packed
}

// scales returns the scale of numbers whose largest magnitude has the given bits, and what to multiply them by before
// they are rounded. Numbers below 2^-120 count as zero. A NaN or an infinity makes the scale NaN, and with it all results.
func scales(most uint32) (scale, inverse float32) {
	switch m := math.Float32frombits(most); {
	case most >= 0x7f800000:
		return float32(math.NaN()), 0
	case m < 0x1p-120:
		return 0, 0
	default:
		return m / 127, 127 / m
	}
}

// useWords makes g a product of words; k is that of the numbers.
func (g *gemmRun) useWords(x *wordKernel) {
	g.word, g.kern, g.numbers = x, x.kern, g.k
	g.k, g.block, g.chain = x.count(g.k), x.block, x.chain
}

// wordRows is the number of rows of A whose words are made at once: what sharedMost has room for.
func (g *gemmRun) wordRows() int {
	return max(sharedMost/rowPitch(g.k)/g.kern.mr, 1) * g.kern.mr
}

// batchWords bounds the words of A that a task of a batch has at once: 16 MB.
const batchWords = 4 << 20

// batchRows is the number of rows that a task of a batch covers at most.
func (g *gemmRun) batchRows() int {
	return max(batchWords/rowPitch(g.k)/g.kern.mr, 2) * g.kern.mr
}

// part returns a run of rows i0 to i1 of a product.
func (g *gemmRun) part(i0, i1 int) *gemmRun {
	p := gemmRuns.get()
	p.kern, p.word, p.packed = g.kern, g.word, g.packed
	p.m, p.n, p.k, p.numbers, p.block, p.chain, p.beta = i1-i0, g.n, g.k, g.numbers, g.block, g.chain, g.beta
	p.one = g.one
	p.one.c = g.one.c[i0*g.one.ldc:]
	if g.k > 0 {
		p.one.a.Data = g.one.a.at(i0, 0)
	}
	if g.hasEp {
		ep := g.ep.from(i0)
		p.setEpilogue(&ep)
	}
	return p
}

// convertLeast is the number of elements from which a second core helps to convert them.
const convertLeast = 16 << 10

// convert makes words of A ahead of the tasks, and scales of a B that is not packed.
func (g *gemmRun) convert(w *Workers, s *gemmScratch) {
	g.plain = g.one
	g.one.a = g.roomForWords(s, &g.quant, g.m)
	if blocks := min(g.m*g.numbers/convertLeast, 8*w.Limit()); w.Limit() > 1 && blocks > 1 {
		g.blockA = ceilDiv(g.m, blocks)
		w.For(ceilDiv(g.m, g.blockA), g.convertTask)
	} else {
		g.blockA = g.m
		g.convertTask(0)
	}
	if g.word.integers && g.packed == nil {
		if w.Limit() > 1 && g.numbers*g.n > convertLeast {
			w.For(ceilDiv(g.n, groupWidth), g.scaleTask)
		} else {
			g.word.scaleColumns(&g.quant, g.one.b, g.numbers, 0, g.n)
		}
	}
}

// convertBlock makes words of block i of the rows of A.
func (g *gemmRun) convertBlock(i int) {
	s := gemmScratches.get()
	defer gemmScratches.put(s)
	g.convertRows(s, &g.quant, g.one.a, g.plain.a, i*g.blockA, min((i+1)*g.blockA, g.m))
}

// scaleGroup finds the scales of block i of the columns of B.
func (g *gemmRun) scaleGroup(i int) {
	if g.scalesPixels() {
		g.scalePixels(i*groupWidth, min((i+1)*groupWidth, g.n))
		return
	}
	g.word.scaleColumns(&g.quant, g.one.b, g.numbers, i*groupWidth, min((i+1)*groupWidth, g.n))
}

// roomForWords returns a matrix for the words of some rows of A in scratch.
func (g *gemmRun) roomForWords(s *gemmScratch, q *quantized, rows int) Matrix {
	pitch := rowPitch(g.k)
	s.words = grow(s.words, rows*pitch)
	if g.word.integers {
		s.scales = grow(s.scales, rows+2*g.n)
		q.rows, q.cols, q.inverses = s.scales[:rows], s.scales[rows:][:g.n], s.scales[rows+g.n:][:g.n]
		sums := rows * ceilDiv(g.numbers, intSegment)
		if cap(s.sums) < sums {
			s.sums = make([]int32, sums)
		}
		q.sums = s.sums[:sums]
		if g.packed != nil {
			q.cols = g.packed.scales
		}
	}
	return Matrix{Data: s.words, Stride: pitch}
}

// convertOne makes the words of a problem's rows i0 to i1 and the scales of its columns j0 to j1. o becomes the problem
// of these rows alone.
func (g *gemmRun) convertOne(s *gemmScratch, o *gemmOperands, i0, i1, j0, j1 int) {
	if g.k > 0 {
		o.a.Data = o.a.at(i0, 0)
	}
	o.c = o.c[i0*o.ldc:]
	a := o.a
	o.a = g.roomForWords(s, &s.quant, i1-i0)
	g.convertRows(s, &s.quant, o.a, a, 0, i1-i0)
	if g.word.integers {
		g.word.scaleColumns(&s.quant, o.b, g.numbers, j0, j1)
	}
}

// convertRows makes words of rows i0 to i1 of a.
func (g *gemmRun) convertRows(s *gemmScratch, q *quantized, words, a Matrix, i0, i1 int) {
	x, n := g.word, g.numbers
	if n == 0 || i0 == i1 {
		return
	}
	if x.rows != nil && !a.Trans {
		x.rows(words.at(i0, 0), a.at(i0, 0), words.Stride, a.Stride, i1-i0, n)
		return
	}
	one := func(i int, src []float32) {
		dst := words.at(i, 0)[:g.k]
		if !x.integers {
			x.row(dst, src, 0, 0)
			return
		}
		var inverse float32
		q.rows[i], inverse = scales(x.most(src))
		for at := 0; at < n; at += intSegment {
			end := min(at+intSegment, n)
			q.sums[at/intSegment*len(q.rows)+i] = x.offset * x.row(dst[x.count(at):x.count(end)], src[at:end], inverse, 0)
		}
	}
	if !a.Trans {
		for i := i0; i < i1; i++ {
			one(i, a.at(i, 0)[:n])
		}
		return
	}
	const rows = 16
	width := rowPitch(n)
	s.rows = grow(s.rows, rows*width)
	for i := i0; i < i1; i += rows {
		h := min(rows, i1-i)
		x.kern.transpose(s.rows, width, a.at(i, 0), a.Stride, n, h)
		for r := range h {
			one(i+r, s.rows[r*width:][:n])
		}
	}
}

// scaleColumns finds the scales of columns j0 to j1 of a B with n rows.
func (x *wordKernel) scaleColumns(q *quantized, b Matrix, n, j0, j1 int) {
	for j := j0; j < j1; j++ {
		var most uint32
		if b.Trans && n > 0 {
			most = x.most(b.at(0, j)[:n])
		}
		q.cols[j], q.inverses[j] = scales(most)
	}
	if b.Trans || n == 0 {
		return
	}
	most := q.cols[j0:j1] // as bits; float32 numbers without a sign have the order of their bits
	for i := range n {
		for j, v := range b.at(i, j0)[:j1-j0] {
			most[j] = math.Float32frombits(max(math.Float32bits(most[j]), math.Float32bits(v)&^signBit))
		}
	}
	for j := range most {
		q.cols[j0+j], q.inverses[j0+j] = scales(math.Float32bits(most[j]))
	}
}

const signBit = 1 << 31

// pack lays out kc rows of words and cols columns of a B of n rows, from (k0, j0) on, panel after panel.
func (x *wordKernel) pack(s *gemmScratch, dst []float32, b Matrix, n, k0, j0, kc, cols int, inverses []float32) {
	nr := x.kern.nr
	for ; cols > 0; cols -= nr {
		x.packPanel(s, dst[:kc*nr], b, n, k0, j0, kc, min(nr, cols), inverses)
		dst, j0 = dst[kc*nr:], j0+nr
	}
}

// packPanel lays out one panel. inverses are those of all columns; for integers only.
func (x *wordKernel) packPanel(s *gemmScratch, dst []float32, b Matrix, n, k0, j0, kc, cols int, inverses []float32) {
	from := k0 / x.words * x.numbers
	src, stride := b.at(from, j0), b.Stride
	n = min(n-from, kc/x.words*x.numbers)
	if !b.Trans && x.panel != nil {
		x.panel(dst, src, stride, n, cols)
		return
	}
	if !b.Trans {
		stride = rowPitch(n)
		s.rows = grow(s.rows, cols*stride)
		x.kern.transpose(s.rows, stride, src, b.Stride, n, cols)
		src = s.rows
	}
	pitch := rowPitch(kc)
	s.line = grow(s.line, cols*pitch)
	if x.rows != nil {
		x.rows(s.line, src, pitch, stride, cols, n)
	} else {
		for j := range cols {
			var inverse float32
			if x.integers {
				inverse = inverses[j0+j]
			}
			x.row(s.line[j*pitch:][:kc], src[j*stride:][:n], inverse, x.flip)
		}
	}
	x.kern.packPanel(dst, s.line, pitch, true, kc, cols, x.kern.nr)
}

// keep copies a block of C, to which a segment of integer sums will be added.
func (s *gemmScratch) keep(o *gemmOperands, i0, i1, j0, j1 int) {
	n := j1 - j0
	s.kept = grow(s.kept, (i1-i0)*n)
	for i := i0; i < i1; i++ {
		copy(s.kept[(i-i0)*n:][:n], o.c[i*o.ldc+j0:])
	}
}

// scaleSums makes a block of C float32 that holds integer sums of a segment. Unless kept is nil, it is added; its rows are
// those of C from k0 on and its columns those from l0 to l1.
func (g *gemmRun) scaleSums(q *quantized, segment int, o *gemmOperands, i0, i1, j0, j1 int, kept []float32, k0, l0, l1 int) {
	for i := i0; i < i1; i++ {
		c := o.c[i*o.ldc+j0:][:j1-j0]
		g.word.scale(c, q.sums[segment*len(q.rows)+i], q.rows[i], q.cols[j0:j1])
		if kept != nil {
			Add(c, kept[(i-k0)*(l1-l0)+j0-l0:][:j1-j0], c)
		}
	}
}
