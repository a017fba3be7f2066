package simd

import "unsafe"

// An aSlab locates a task's rows of A in one slab of K. The tile that starts at row r begins r·row bytes in. That
// holds for packed tiles too: all are as wide as they are high, or all mr wide.
type aSlab struct {
	data     []float32
	ars, acs int // bytes from one row and from one k to the next; acs 0 stands for a packed tile's width
	row      int
}

// from returns the slab without its first rows.
func (a aSlab) from(row int) aSlab {
	a.data = a.data[row*a.row/4:]
	return a
}

// copiesA reports whether the tiles read a copy of a. Rows in memory order are read in place, unless they lie a
// multiple of 4 KB apart: then all fall into one set of the first-level cache, which holds 8 to 12 of them. Tiles of
// more rows are 12 to 20 % faster with a copy, which the columns of C share.
func (g *gemmRun) copiesA(a Matrix) bool {
	if !g.kern.rows || a.Trans {
		return true
	}
	return a.Stride%1024 == 0 && g.kern.mr > 8 && g.m > 2*g.kern.mr && g.n >= 256
}

// layA locates a slab of A for the tiles of a task: in place, in a copy that tasks share, or in its own copy.
func (g *gemmRun) layA(s *gemmScratch, a Matrix, i0, i1, k0, kc int) aSlab {
	if !g.copiesA(a) {
		return aSlab{data: a.at(i0, k0), ars: 4 * a.Stride, acs: 4, row: 4 * a.Stride}
	}
	var data []float32
	if g.sharedA != nil {
		data = g.sharedArea(i0, k0)
	} else {
		s.a = grow(s.a, g.areaSize())
		data = s.a
		g.copyA(data, a, i0, i1, k0, kc)
	}
	if g.copiesRows(a) {
		row := 4 * rowPitch(g.depth)
		return aSlab{data: data, ars: row, acs: 4, row: row}
	}
	return aSlab{data: data, ars: 4, acs: 0, row: 4 * kc}
}

// copiesRows reports whether copyA keeps rows as they are, at another distance.
func (g *gemmRun) copiesRows(a Matrix) bool { return g.kern.rows && !a.Trans }

// rowPitch is the distance of copied rows of n elements: an odd number of cache lines, so that the rows of a tile use all sets.
func rowPitch(n int) int { return roundUp(n, 2*lineFloats) + lineFloats }

// copyA copies a slab of A to dst, as rows or as tiles packed k-major.
func (g *gemmRun) copyA(dst []float32, a Matrix, i0, i1, k0, kc int) {
	src := a.at(i0, k0)
	if g.copiesRows(a) {
		pitch := rowPitch(g.depth)
		for i := range i1 - i0 {
			copy(dst[i*pitch:][:kc], src[i*a.Stride:][:kc])
		}
		return
	}
	mr := g.kern.mr
	for r0 := i0; r0 < i1; r0 += g.blockRows {
		t := tilesOf(min(g.blockRows, i1-r0), mr, g.kern.rows)
		for i := range t.tiles {
			h, r := t.height(i), r0-i0+t.start(i)
			from := r
			if !a.Trans {
				from *= a.Stride
			}
			width := mr
			if g.kern.rows {
				width = h
			}
			// A k-major tile of A equals a panel of its transpose.
			g.kern.packPanel(dst[r*kc:][:kc*width], src[from:], a.Stride, !a.Trans, kc, h, width)
		}
	}
}

// areaSize is the number of elements that the copy of a task's rows of one slab takes.
func (g *gemmRun) areaSize() int {
	rows := roundUp(g.taskRows, g.kern.mr)
	if g.copiesRows(g.one.a) {
		return rows * rowPitch(g.depth)
	}
	return rows * g.depth
}

func (g *gemmRun) slabs() int { return ceilDiv(g.k, g.depth) }

// sharedMost bounds a copy that tasks share, in elements: 32 MB.
const sharedMost = 8 << 20

func (g *gemmRun) sharedSize() int { return g.rowTasks * g.slabs() * g.areaSize() }

func (g *gemmRun) sharedArea(i0, k0 int) []float32 {
	size := g.areaSize()
	return g.sharedA[(i0/g.taskRows*g.slabs()+k0/g.depth)*size:][:size]
}

// layShared copies slab i of A, for the tasks that follow.
func (g *gemmRun) layShared(i int) {
	i0, k0 := i/g.slabs()*g.taskRows, i%g.slabs()*g.depth
	g.copyA(g.sharedArea(i0, k0), g.one.a, i0, min(i0+g.taskRows, g.m), k0, min(g.depth, g.k-k0))
}

// A bSlab locates a group of panels of B in one slab of K.
type bSlab struct {
	data   []float32
	half   []uint16 // instead of data, in another format than float32
	format Format
	brs    int // bytes from one k to the next
	bps    int // bytes from one panel to the next

	// The panels before whole are full. In a B in place one that is not may follow; edge is a copy of it.
	whole int
	edge  []float32

	// The panel that is multiplied after these; nil stands for the one that follows in memory.
	after unsafe.Pointer

	// Where the rows are that the next group will be packed from; 0 stands for no prefetching.
	next       uintptr
	nextStride int
}

// layB locates panels p0 to p1 of a slab: packed ahead of time, in half precision or not, widened or packed into
// scratch, or in place.
func (g *gemmRun) layB(s *gemmScratch, b Matrix, p0, p1, k0, kc int) bSlab {
	nr := g.kern.nr
	x := bSlab{brs: 4 * nr, bps: 4 * kc * nr, whole: p1}
	switch {
	case g.packed != nil && g.packed.half != nil && g.kern.halves && g.m <= 2*g.kern.mr && !(g.kern.rows && g.one.a.Trans):
		// Too few rows to pay for a copy.
		x.half, x.format = g.packed.halvesFrom(k0, kc, p0), g.packed.format
		x.brs, x.bps = 2*nr, 2*kc*nr
	case g.packed != nil && g.packed.half != nil:
		s.b = grow(s.b, (p1-p0)*kc*nr)
		x.data = s.b
		g.packed.format.widen(x.data[:(p1-p0)*kc*nr], g.packed.halvesFrom(k0, kc, p0))
	case g.packed != nil:
		x.data = g.packed.panelsFrom(k0, kc, p0)
	case g.gather != nil:
		s.b = grow(s.b, (p1-p0)*kc*nr)
		x.data = s.b
		g.packGather(s, s.b, p0, p1, k0, kc)
	case g.kern.rows && !b.Trans && g.taskRows <= 2*g.kern.mr && g.word == nil:
		// Too few rows to pay for a copy of B.
		x.data, x.brs, x.bps = b.at(k0, p0*nr), 4*b.Stride, 4*nr
		if cols := g.n - (p1-1)*nr; cols < nr {
			s.b = grow(s.b, kc*nr)
			x.whole, x.edge = p1-1, s.b[:kc*nr]
			g.kern.packPanel(x.edge, b.at(k0, (p1-1)*nr), b.Stride, false, kc, cols, nr)
		}
	default:
		s.b = grow(s.b, (p1-p0)*kc*nr)
		x.data = s.b
		g.pack(s, s.b, b, k0, p0*nr, kc, min(p1*nr, g.n)-p0*nr)
	}
	return x
}

// panel returns the first element of a panel.
func (x *bSlab) panel(i int) unsafe.Pointer {
	if x.format != FormatF32 {
		return unsafe.Pointer(&x.half[i*x.bps/2])
	}
	return unsafe.Pointer(&x.data[i*x.bps/4])
}

// fetchNext lets the tiles of x prefetch the rows of b from which the group at panel p and row k0 will be packed.
// It does so where packing transposes: the hardware does not foresee those reads from one group to the next.
func (g *gemmRun) fetchNext(x *bSlab, b Matrix, p, k0 int) {
	if g.packed == nil && g.gather == nil && g.word == nil && b.Trans && k0 < g.k {
		x.next, x.nextStride = uintptr(unsafe.Pointer(&b.at(k0, p*g.kern.nr)[0])), 4*b.Stride
	}
}

// panelAfter returns the panel that a thread multiplies after those of a slab that ends at row k0: the first of the task's
// next slab, or of the task that the thread is likely to take next. It returns nil where these are not packed.
func (g *gemmRun) panelAfter(i0, p0, k0 int) unsafe.Pointer {
	if g.packed == nil || g.packed.half != nil {
		return nil
	}
	if k0 == g.k {
		// Each thread takes one task, then the first of the others.
		task := p0/g.taskCols*g.rowTasks + i0/g.taskRows + g.threads
		if k0, p0 = 0, task/g.rowTasks*g.taskCols; p0 >= g.panels {
			return nil
		}
	}
	return unsafe.Pointer(&g.packed.panelsFrom(k0, min(g.depth, g.k-k0), p0)[0])
}

func (g *gemmRun) panelGroups() int { return ceilDiv(g.panels, g.groupCols) }

// packShared packs group i of the panels of B, for the tasks that follow.
func (g *gemmRun) packShared(i int) {
	nr := g.kern.nr
	k0, p := i/g.panelGroups()*g.depth, i%g.panelGroups()*g.groupCols
	kc := min(g.depth, g.k-k0)
	dst := g.sharedB.data[k0*g.panels*nr+p*kc*nr:]
	s := gemmScratches.get()
	defer gemmScratches.put(s)
	if g.gather != nil {
		g.packGather(s, dst, p, min(p+g.groupCols, g.panels), k0, kc)
		return
	}
	g.pack(s, dst, g.one.b, k0, p*nr, kc, min(g.groupCols*nr, g.n-p*nr))
}

// pack lays out the kc rows and cols columns of b that start at (k0, j0), panel after panel.
func (g *gemmRun) pack(s *gemmScratch, dst []float32, b Matrix, k0, j0, kc, cols int) {
	if g.pointwise() {
		g.packPixels(s, dst, k0, j0, kc, cols)
	} else if g.word != nil {
		g.word.pack(s, dst, b, g.numbers, k0, j0, kc, cols, g.quantOf(s).inverses)
	} else {
		g.kern.pack(dst, b, k0, j0, kc, cols)
	}
}

// quantOf returns the scales of a task's problem.
func (g *gemmRun) quantOf(s *gemmScratch) *quantized {
	if g.operands != nil {
		return &s.quant
	}
	return &g.quant
}

// stripPanels bounds the panels that are filled at once. They often lie a multiple of 4 KB apart, and the first-level
// cache keeps few such lines.
const stripPanels = 4

// pack lays out the kc rows and cols columns of b that start at (k0, j0), panel after panel.
func (kern *gemmKernel) pack(dst []float32, b Matrix, k0, j0, kc, cols int) {
	nr := kern.nr
	for !b.Trans && kern.packStrip != nil && cols >= 2*nr {
		full := min(stripPanels, cols/nr)
		kern.packStrip(&dst[0], &b.at(k0, j0)[0], 4*b.Stride, kc, full)
		dst, j0, cols = dst[full*kc*nr:], j0+full*nr, cols-full*nr
	}
	for ; cols > 0; cols -= nr {
		kern.packPanel(dst[:kc*nr], b.at(k0, j0), b.Stride, b.Trans, kc, min(nr, cols), nr)
		dst, j0 = dst[kc*nr:], j0+nr
	}
}

// packPanelGeneric copies a panel of kc rows and cols columns into dst, in rows of width elements of which the
// last are zero. src begins at the panel's first element. The rows of a transposed source are the columns of
// the panel.
func packPanelGeneric(dst, src []float32, stride int, trans bool, kc, cols, width int) {
	if trans {
		for j := range cols {
			col := src[j*stride:][:kc]
			for i, v := range col {
				dst[i*width+j] = v
			}
		}
	} else {
		for i := range kc {
			copy(dst[i*width:][:cols], src[i*stride:][:cols])
		}
	}
	if cols < width {
		for i := range kc {
			clear(dst[i*width+cols : (i+1)*width])
		}
	}
}

// packColumns fills the part of a panel that transposes of whole blocks leave: in rows k0 to k1, the columns
// from index from to cols and the zeros after them.
func packColumns(dst, src []float32, stride, k0, k1, from, cols, width int) {
	for i := k0; i < k1; i++ {
		row := dst[i*width : (i+1)*width]
		for j := from; j < cols; j++ {
			row[j] = src[j*stride+i]
		}
		clear(row[cols:])
	}
}
