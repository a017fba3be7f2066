package simd

import "unsafe"

// An aBlock is where a task finds its rows of A. The tile that starts at row r starts r·row bytes in (for
// packed tiles too: they are as wide as they are high, or all mr). acs 0 means a packed tile's own width.
type aBlock struct {
	data     []float32
	ars, acs int
	row      int
}

// from is the block without its first rows.
func (a aBlock) from(row int) aBlock {
	a.data = a.data[row*a.row/4:]
	return a
}

// copiesA reports whether the kernels cannot read a where it is. Row-major rows are read in place even where
// they lie a multiple of 4 KB apart: a copy at another stride cost 3 to 4 % and saved less.
func (g *gemmRun) copiesA(a Matrix) bool { return !g.kern.rows || a.Trans }

// layA says where a block of A lies for the tiles of a task: in place, or in a copy.
func (g *gemmRun) layA(s *gemmScratch, a Matrix, i0, i1, k0, kc int) aBlock {
	if !g.copiesA(a) {
		return aBlock{data: a.at(i0, k0), ars: 4 * a.Stride, acs: 4, row: 4 * a.Stride}
	}
	var data []float32
	if g.sharedA != nil {
		data = g.sharedArea(i0, k0)
	} else {
		s.a = grow(s.a, g.areaSize())
		data = s.a
		g.copyA(data, a, i0, i1, k0, kc)
	}
	return aBlock{data: data, ars: 4, acs: 0, row: 4 * kc}
}

// copyA lays a block of A out at dst as tiles packed k-major.
func (g *gemmRun) copyA(dst []float32, a Matrix, i0, i1, k0, kc int) {
	src := a.at(i0, k0)
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
			// A tile of A, k-major, is what a panel of its transpose would be.
			g.kern.packPanel(dst[r*kc:][:kc*width], src[from:], a.Stride, !a.Trans, kc, h, width)
		}
	}
}

// areaSize is the room for a task's rows of one K block.
func (g *gemmRun) areaSize() int { return roundUp(g.taskRows, g.kern.mr) * g.depth }

func (g *gemmRun) kBlocks() int { return (g.k + g.depth - 1) / g.depth }

// sharedMost bounds a copy that tasks share: 32 MB.
const sharedMost = 8 << 20

func (g *gemmRun) sharedSize() int { return g.rowTasks * g.kBlocks() * g.areaSize() }

func (g *gemmRun) sharedArea(i0, k0 int) []float32 {
	size := g.areaSize()
	return g.sharedA[(i0/g.taskRows*g.kBlocks()+k0/g.depth)*size:][:size]
}

// layShared copies block i of A, for the tasks that follow.
func (g *gemmRun) layShared(i int) {
	i0, k0 := i/g.kBlocks()*g.taskRows, i%g.kBlocks()*g.depth
	g.copyA(g.sharedArea(i0, k0), g.one.a, i0, min(i0+g.taskRows, g.m), k0, min(g.depth, g.k-k0))
}

// A bBlock is where a task finds a group of panels of B.
type bBlock struct {
	data []float32
	brs  int // bytes from one k to the next
	bps  int // bytes from one panel to the next

	// A B in place may end in a panel that is not full. The panels before whole are; edge is a copy of the
	// one that is not.
	whole int
	edge  []float32

	// The rows that the next group will be packed from, if that is near; 0 is none.
	next       uintptr
	nextStride int
}

// layB says where panels p0 to p1 of a K block lie: packed ahead, widened or packed into scratch, or in
// place.
func (g *gemmRun) layB(s *gemmScratch, b Matrix, p0, p1, k0, kc int) bBlock {
	nr := g.kern.nr
	x := bBlock{brs: 4 * nr, bps: 4 * kc * nr, whole: p1}
	switch {
	case g.packed != nil && g.packed.half != nil:
		s.b = grow(s.b, (p1-p0)*kc*nr)
		x.data = s.b
		g.packed.widenFrom(s.b, k0, kc, p0, p1)
	case g.packed != nil:
		x.data = g.packed.panelsFrom(k0, kc, p0)
	case g.kern.rows && !b.Trans && g.taskRows <= 2*g.kern.mr:
		// Too few rows to pay for a copy of B.
		x.data, x.brs, x.bps = b.at(k0, p0*nr), 4*b.Stride, 4*nr
		if cols := g.n - (p1-1)*nr; cols < nr {
			s.b = grow(s.b, kc*nr)
			x.whole, x.edge = p1-1, s.b[:kc*nr]
			g.kern.packPanel(x.edge, b.at(k0, (p1-1)*nr), b.Stride, false, kc, cols, nr)
		}
	default:
		s.b = grow(s.b, g.groupCols*kc*nr)
		x.data = s.b
		g.kern.pack(s.b, b, k0, p0*nr, kc, min(p1*nr, g.n)-p0*nr)
	}
	return x
}

// fetchNext has the tiles of x fetch the rows of b that the group beginning at panel p and row k0 will be packed
// from, where packing transposes: reads that no prefetcher follows from one group to the next.
func (g *gemmRun) fetchNext(x *bBlock, b Matrix, p, k0 int) {
	if g.packed == nil && b.Trans && k0 < g.k {
		x.next, x.nextStride = uintptr(unsafe.Pointer(&b.at(k0, p*g.kern.nr)[0])), 4*b.Stride
	}
}

func (g *gemmRun) panelGroups() int { return (g.panels + g.groupCols - 1) / g.groupCols }

// packShared packs a group of panels of one K block of B, for the tasks that follow.
func (g *gemmRun) packShared(i int) {
	nr := g.kern.nr
	k0, p := i/g.panelGroups()*g.depth, i%g.panelGroups()*g.groupCols
	kc := min(g.depth, g.k-k0)
	dst := g.sharedB.data[k0*g.panels*nr+p*kc*nr:]
	g.kern.pack(dst, g.one.b, k0, p*nr, kc, min(g.groupCols*nr, g.n-p*nr))
}

// A rowTiling divides rows into tiles: balanced over two adjacent heights, or full tiles and a rest.
type rowTiling struct {
	tiles    int
	low      int // height of the later tiles
	high     int // tiles that are one row higher, the first ones
	rows     int
	balanced bool
}

func tilesOf(rows, mr int, balanced bool) rowTiling {
	n := (rows + mr - 1) / mr
	if balanced {
		return rowTiling{tiles: n, low: rows / n, high: rows % n, rows: rows, balanced: true}
	}
	return rowTiling{tiles: n, low: mr, rows: rows}
}

func (t rowTiling) height(i int) int {
	if i < t.high {
		return t.low + 1
	}
	return min(t.low, t.rows-t.start(i))
}

func (t rowTiling) start(i int) int { return i*t.low + min(i, t.high) }
