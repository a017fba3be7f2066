package simd

//go:generate go run ./internal/gemmgen -out .

import "unsafe"

// A gemmKernel is what an instruction set brings to Gemm: the size of its register tile and the routines
// that fill and multiply panels. Everything above them is shared.
type gemmKernel struct {
	level  Level
	mr, nr int // rows and columns of C that one tile holds in registers
	kc     int // most rows of B in one block
	mc     int // most rows of A that a group of panels passes by

	// rows: tiles of any height up to mr exist and read A with any row stride, so that A needs no
	// copy when it is row-major, and row counts are balanced over two adjacent heights. Otherwise a
	// tile of A is always packed k-major, mr wide.
	rows bool

	// multiply runs t.tiles tiles, one above the other, against one B panel.
	multiply func(t *gemmTile)
	// ahead is how many rows of what comes next multiply prefetches from while it does a tile.
	ahead int
	// panels, by height of a tile, is the number of panels that it can cover at once; nil stands for one.
	panels []int

	// few, which may be nil, adds few rows' products to C without packing anything.
	few func(s *gemmScratch, o *gemmOperands, k, i0, i1, j0, j1 int)

	// packPanel copies kc rows of cols elements, or their transpose, to rows of width elements, the
	// rest zero.
	packPanel func(dst, src []float32, stride int, trans bool, kc, cols, width int)
	// packStrip, which may be nil, fills several full panels from untransposed rows, stride bytes apart.
	packStrip func(dst, src *float32, stride, kc, panels int)

	// peak runs rounds of independent multiply-adds on registers, each of peakFlops operations.
	peak      func(rounds int)
	peakFlops int
}

// A gemmTile is one call of a kernel. The assembly reads it by offset.
type gemmTile struct {
	a      unsafe.Pointer // first element of the first tile's A
	b      unsafe.Pointer // first element of the panel
	c      unsafe.Pointer // first element of the first tile's C
	k      int            // length of the chains
	ars    int            // bytes from one row of A to the next
	acs    int            // bytes from one k of A to the next
	atile  int            // bytes from one tile's A to the next tile's
	brs    int            // bytes from one k of B to the next
	ldc    int            // bytes from one row of C to the next
	tiles  int            // tiles to do, at least 1
	rows   int            // their height, 1 to mr
	cols   int            // columns of C to write: 1 to nr, or panels·nr
	panels int            // panels side by side
	bps    int            // bytes from one panel to the next
	accum  int            // 1: the chains start from C; 0: from +0
	ahead  uintptr        // address to prefetch from meanwhile, 4·k bytes of some rows a tile; need not be valid
	astep  int            // bytes from one of those rows to the next
	atiles int            // bytes to the rows of the next tile, from where a tile leaves off
	_      uintptr        // the kernel's own: it steps past the last row, where no pointer may point
}

// pack lays out the kc rows and cols columns of b that start at (k0, j0), panel after panel.
func (kern *gemmKernel) pack(dst []float32, b Matrix, k0, j0, kc, cols int) {
	nr := kern.nr
	if full := cols / nr; full > 1 && !b.Trans && kern.packStrip != nil {
		kern.packStrip(&dst[0], &b.at(k0, j0)[0], 4*b.Stride, kc, full)
		dst, j0, cols = dst[full*kc*nr:], j0+full*nr, cols-full*nr
	}
	for ; cols > 0; cols -= nr {
		kern.packPanel(dst[:kc*nr], b.at(k0, j0), b.Stride, b.Trans, kc, min(nr, cols), nr)
		dst, j0 = dst[kc*nr:], j0+nr
	}
}

// gemmOperands are the views of one problem.
type gemmOperands struct {
	a, b Matrix
	c    []float32
	ldc  int
}

// do runs task i.
func (g *gemmRun) do(i int) {
	s := gemmScratches.get()
	defer gemmScratches.put(s)
	each := g.rowTasks * g.colTasks
	first := i / each * g.group
	i %= each
	i0 := i % g.rowTasks * g.taskRows
	p0 := i / g.rowTasks * g.taskCols
	i1, p1 := min(i0+g.taskRows, g.m), min(p0+g.taskCols, g.panels)
	for p := first; p < min(first+g.group, g.count); p++ {
		o := &g.one
		if g.operands != nil {
			o = &s.operands
			o.a, o.b, o.c, o.ldc = g.operands(p)
			checkView("GemmBatch", "A", o.a, g.m, g.k)
			checkView("GemmBatch", "B", o.b, g.k, g.n)
			checkStored("GemmBatch", "C", len(o.c), o.ldc, g.m, g.n)
		}
		g.block(s, o, i0, i1, p0, p1)
	}
}

// block computes rows i0 to i1 and panels p0 to p1 of one problem's C.
func (g *gemmRun) block(s *gemmScratch, o *gemmOperands, i0, i1, p0, p1 int) {
	kern := g.kern
	nr := kern.nr
	j0, j1 := p0*nr, min(p1*nr, g.n)
	few := kern.few != nil && g.packed == nil && i1-i0 <= 2*kern.mr && g.k > 0
	if g.k == 0 || few || g.beta != 0 {
		scaleBlock(o.c, o.ldc, g.beta, i0, i1, j0, j1)
	}
	if few {
		kern.few(s, o, g.k, i0, i1, j0, j1)
	}
	if few || g.k == 0 {
		if g.hasEp {
			g.finish(o, i0, i1, j0, j1)
		}
		return
	}
	t := &s.tile
	t.ldc = 4 * o.ldc
	for k0 := 0; k0 < g.k; k0 += g.depth {
		kc := min(g.depth, g.k-k0)
		t.k, t.accum = kc, 1
		if k0 == 0 && g.beta == 0 {
			t.accum = 0
		}
		a := g.layA(s, o.a, i0, i1, k0, kc)
		// The panels of a group stay in the second-level cache while all blocks of rows pass by.
		for p := p0; p < p1; p += g.groupCols {
			q := min(p+g.groupCols, p1)
			b := g.layB(s, o.b, p, q, k0, kc)
			for r0 := i0; r0 < i1; r0 += g.blockRows {
				r1 := min(r0+g.blockRows, i1)
				if r1 == i1 && q < p1 {
					g.fetchNext(&b, o.b, q, k0)
				} else if r1 == i1 {
					g.fetchNext(&b, o.b, p0, k0+kc)
				}
				g.multiplyBlock(t, o, a.from(r0-i0), b, r0, r1, p, q)
				if g.hasEp && k0+kc == g.k {
					g.finish(o, r0, r1, p*nr, min(q*nr, g.n))
				}
			}
		}
	}
}

// callTiles bounds how many tiles one call of a kernel does: assembly cannot be pre-empted, and a garbage
// collection waits for it, so that a call should end within some tens of microseconds.
const callTiles = 16

// multiplyBlock multiplies rows r0 to r1 by panels p0 to p1, one panel (or, for few rows, several side by
// side) after the other: the panel stays in the nearest cache while the tiles of A pass by.
func (g *gemmRun) multiplyBlock(t *gemmTile, o *gemmOperands, a aBlock, b bBlock, r0, r1, p0, p1 int) {
	kern, nr := g.kern, g.kern.nr
	rows := tilesOf(r1-r0, kern.mr, kern.rows)
	wide := 1
	if rows.tiles == 1 && kern.panels != nil && a.acs == 4 {
		wide = kern.panels[r1-r0]
	}
	t.brs, t.bps = b.brs, b.bps
	for p := p0; p < p1; p += t.panels {
		t.panels = 1
		if p+wide <= p1 && (p+wide)*nr <= g.n {
			t.panels = wide
		}
		t.cols = min(t.panels*nr, g.n-p*nr)
		t.b = unsafe.Pointer(&b.data[(p-p0)*b.bps/4])
		ahead := uintptr(t.b) + uintptr(t.panels*t.bps)
		t.astep = 4 * t.k
		if b.next != 0 {
			ahead = b.next + uintptr((p-p0)*nr*b.nextStride)
			t.astep = b.nextStride
		}
		t.atiles = kern.ahead*t.astep - t.k/4*16
		if p+t.panels > b.whole {
			// The last panel of a B in place was copied, so that it can be read to its full width.
			t.b, t.brs = unsafe.Pointer(unsafe.SliceData(b.edge)), 4*nr
		}
		for from := 0; from < rows.tiles; {
			// A run of tiles of one height.
			h := rows.height(from)
			to := from + 1
			for to < rows.tiles && to-from < callTiles && rows.height(to) == h {
				to++
			}
			r := rows.start(from)
			t.rows, t.tiles = h, to-from
			t.ahead = ahead + uintptr(from*kern.ahead*t.astep)
			t.a = unsafe.Pointer(&a.data[r*a.row/4])
			t.ars, t.acs, t.atile = a.ars, a.acs, h*a.row
			if a.acs == 0 {
				t.acs = 4 * h
				if !kern.rows {
					t.acs, t.atile = 4*kern.mr, kern.mr*a.row
				}
			}
			t.c = unsafe.Pointer(&o.c[(r0+r)*o.ldc+p*nr])
			kern.multiply(t)
			from = to
		}
	}
}
