package simd

import "unsafe"

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
			checkView("GemmBatch", "A", o.a, g.m, g.numbers)
			checkView("GemmBatch", "B", o.b, g.numbers, g.n)
			checkStored("GemmBatch", "C", len(o.c), o.ldc, g.m, g.n)
		}
		if g.word != nil && g.operands != nil {
			nr := g.kern.nr
			g.convertOne(s, o, i0, i1, p0*nr, min(p1*nr, g.n))
			g.compute(s, o, 0, i1-i0, p0, p1)
			continue
		}
		g.compute(s, o, i0, i1, p0, p1)
	}
}

// compute computes rows i0 to i1 and panels p0 to p1 of one problem's C.
func (g *gemmRun) compute(s *gemmScratch, o *gemmOperands, i0, i1, p0, p1 int) {
	kern := g.kern
	nr := kern.nr
	j0, j1 := p0*nr, min(p1*nr, g.n)
	if g.scalesPixels() && g.rowTasks == 1 {
		g.scalePixels(j0, j1)
	}
	few := kern.few != nil && g.packed == nil && g.gather == nil && i1-i0 <= 2*kern.mr && g.k > 0
	if g.k == 0 || g.beta != 0 {
		scaleBlock(o.c, o.ldc, g.beta, i0, i1, j0, j1)
	}
	if g.window {
		g.multiplyInPlace(s, o, i0, i1, j0, j1)
		return
	}
	if few {
		kern.few(s, o, g, i0, i1, j0, j1)
	}
	if few || g.k == 0 {
		if g.hasEp {
			g.ep.finish(o, i0, i1, j0, j1)
		}
		return
	}
	integers := g.word != nil && g.word.integers
	segment := 0
	if integers {
		segment = g.word.count(intSegment)
	}
	s.part = grow(s.part, tileMost)
	t := &s.tile
	t.ldc, t.chain, t.part = 4*o.ldc, g.chain, unsafe.Pointer(&s.part[0])
	for k0 := 0; k0 < g.k; k0 += g.depth {
		kc := min(g.depth, g.k-k0)
		add, last := k0 > 0 || g.beta != 0, k0+kc == g.k
		var kept []float32
		if integers {
			// C holds integers from the first slab of a segment to its last.
			first := k0%segment == 0
			if add && first {
				s.keep(o, i0, i1, j0, j1)
			}
			if g.beta != 0 || k0 >= segment {
				kept = s.kept
			}
			add = !first
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
					b.after = g.panelAfter(i0, p0, k0+kc)
				}
				var quant *quantized
				if integers && last && kept == nil {
					quant = g.quantOf(s)
				}
				ep, scaled := g.multiply(t, o, quant, a.from(r0-i0), b, add, last, kc, r0, r1, p, q)
				if integers && !scaled && (last || (k0+kc)%segment == 0) {
					g.scaleSums(g.quantOf(s), k0/segment, o, r0, r1, p*nr, min(q*nr, g.n), kept, i0, j0, j1)
				}
				if g.hasEp && last && !ep.empty() {
					ep.finish(o, r0, r1, p*nr, min(q*nr, g.n))
				}
			}
		}
	}
}

// callTiles bounds the tiles of one call of a kernel. Assembly cannot be preempted and a garbage collection
// waits for it, so a call should end within some tens of microseconds.
const callTiles = 16

// linesMost is the number of rows up to which tiles prefetch all of the next panel. More rows have time enough to wait
// for it.
const linesMost = 112

// multiply multiplies rows r0 to r1 by panels p0 to p1 of a slab of kc, one panel after the other; for few rows,
// several side by side. A panel stays in the nearest cache while the tiles of A pass by. A call of the kernel
// adds one K block; with add, the first block is added to C too. quant, unless nil, has the scales of integers that tiles may
// apply to their sums. multiply returns the steps of the epilogue that are left after the last slab, and whether tiles have
// scaled integers.
func (g *gemmRun) multiply(t *gemmTile, o *gemmOperands, quant *quantized, a aSlab, b bSlab, add, last bool, kc, r0, r1, p0, p1 int) (left *Epilogue, scaled bool) {
	kern, nr := g.kern, g.kern.nr
	rows := tilesOf(r1-r0, kern.mr, kern.rows)
	wide := 1
	if rows.tiles == 1 && kern.panels != nil && (a.acs == 4 || r1-r0 == 1 || !kern.rows) { // a packed row is row-major
		wide = kern.panels[r1-r0]
	}
	integers := g.word != nil && g.word.integers
	// Integers must be scaled before the other steps, so that tiles that may not scale them do none.
	final := quant != nil || g.hasEp && !integers
	ends := kern.ends && final && last && wide == 1 && a.acs == 4 && b.format == FormatF32
	t.brs, t.bps, t.format = b.brs, b.bps, b.format
	for p := p0; p < p1; p += t.panels {
		t.panels = 1
		if p+wide <= p1 && (p+wide)*nr <= g.n {
			t.panels = wide
		}
		t.cols = min(t.panels*nr, g.n-p*nr)
		panel := b.panel(p - p0)
		ahead := uintptr(panel) + uintptr(t.panels*t.bps)
		t.astep, t.afour = 4*kc, 16
		lines := false
		if p+t.panels >= p1 && b.after != nil {
			ahead = uintptr(b.after)
		}
		switch {
		case b.next != 0:
			ahead = b.next + uintptr((p-p0)*nr*b.nextStride)
			t.astep = b.nextStride
		case rows.tiles >= 3 && r1-r0 <= linesMost:
			// Together the tiles fetch the next panel line by line. One or two are too few for that and disturb the
			// hardware's own prefetching.
			lines = true
			t.astep, t.afour = line, min(roundUp(ceilDiv(4*t.brs, rows.tiles), line/4), kern.ahead*line)
		}
		if p+t.panels > b.whole {
			// The last panel of a B in place was copied, so that it can be read to its full width.
			panel, t.brs = unsafe.Pointer(unsafe.SliceData(b.edge)), 4*nr
		}
		for from := 0; from < rows.tiles; {
			// A run of tiles of one height.
			h := rows.height(from)
			to := from + 1
			for to < rows.tiles && to-from < callTiles && rows.height(to) == h {
				to++
			}
			r := rows.start(from)
			t.rows = h
			tile := unsafe.Pointer(&a.data[r*a.row/4])
			t.ars, t.acs, t.atile = a.ars, a.acs, h*a.row
			if a.acs == 0 {
				t.acs = 4 * h
				if !kern.rows {
					t.acs, t.atile = 4*kern.mr, kern.mr*a.row
				}
			}
			t.c = unsafe.Pointer(&o.c[(r0+r)*o.ldc+p*nr])
			for k := 0; k < kc; k += g.block {
				t.k, t.tiles, t.accum = min(g.block, kc-k), to-from, 1
				if k == 0 && !add {
					t.accum = 0
				}
				t.a, t.b = unsafe.Add(tile, k*t.acs), unsafe.Add(panel, k*t.brs)
				t.ahead = ahead + uintptr(from*kern.ahead*t.astep+4*k)
				t.atiles = kern.ahead*t.astep - t.k/4*t.afour
				if lines {
					t.ahead, t.atiles = ahead+uintptr(k*t.brs+from*t.k/4*t.afour), 0
				}
				t.bias, t.scale, t.residual, t.rowScales = nil, nil, nil, 0
				if ends && k+t.k == kc {
					g.endTiles(t, quant, r0+r, p*nr)
				}
				kern.multiply(t)
			}
			from = to
		}
	}
	if ends {
		return &g.rest, integers
	}
	return &g.ep, false
}

// endTiles has tiles that begin at row i and column j of C scale integers and do the steps of the epilogue that are not in
// g.rest.
func (g *gemmRun) endTiles(t *gemmTile, quant *quantized, i, j int) {
	if quant != nil {
		t.rowScales, t.rowLess = uintptr(unsafe.Pointer(&quant.rows[i])), uintptr(unsafe.Pointer(&quant.sums[i]))
		t.colScales = unsafe.Pointer(&quant.cols[j])
	}
	if g.ep.Bias != nil {
		t.bias = unsafe.Pointer(&g.ep.Bias[j])
	}
	if g.ep.Scale != nil && g.rest.Scale == nil {
		t.scale = unsafe.Pointer(&g.ep.Scale[j])
	}
	if g.ep.Residual != nil && g.rest.Residual == nil {
		t.residual, t.ldres = unsafe.Pointer(&g.ep.Residual[i*g.ep.ResidualStride+j]), 4*g.ep.ResidualStride
	}
}

// tileMost is at least the number of sums in a tile.
const tileMost = 1024

// A gemmScratch holds the memory of one task beside its operands.
type gemmScratch struct {
	tile     gemmTile
	operands gemmOperands
	a, b     []float32
	taps     []int
	edge     []int // the taps of a copy
	pieces   []gatherPiece
	rows     []float32 // gathered, to be transposed
	part     []float32 // gemmTile.part

	// For products of words.
	words  []float32 // of A
	line   []float32 // of rows that become a panel
	scales []float32
	sums   []int32
	quant  quantized // of the task's problem
	kept   []float32 // C before a segment of integer sums
	planes [maxPixelChannels][]float32
}

var gemmScratches = freeList[gemmScratch]{
	most: 64,
	make: func() *gemmScratch { return new(gemmScratch) },
	wipe: func(s *gemmScratch) {
		s.tile, s.operands, s.quant = gemmTile{}, gemmOperands{}, quantized{}
		clear(s.planes[:])
	},
}

// sharedScratches hold the copies that the tasks of one call share, one for each concurrent call.
var sharedScratches = freeList[gemmScratch]{
	most: 64,
	make: func() *gemmScratch { return new(gemmScratch) },
	wipe: func(*gemmScratch) {},
}

// grow returns s at its capacity, or a new slice where that is below n.
func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return alignedFloats(n)
	}
	return s[:cap(s)]
}

// A cache line, in bytes and in elements.
const (
	line       = 64
	lineFloats = line / 4
)

// alignedFloats returns n zeros that start at a cache line, so that no panel row straddles two.
func alignedFloats(n int) []float32 { return aligned(Floats(n+lineFloats-1), n) }

// aligned returns the n elements of s from a cache line on. s has at least lineFloats-1 more.
func aligned(s []float32, n int) []float32 {
	skip := 0
	if r := uintptr(unsafe.Pointer(&s[0])) % line; r != 0 {
		skip = int(line-r) / 4
	}
	return s[skip : skip+n : skip+n]
}
