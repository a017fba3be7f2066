package simd

import (
	"fmt"
	"unsafe"
)

// Few rows do not pay for packing a gathered B: with 24 filters a panel takes a third as long to pack as to multiply.
// The functions here let tiles read the pixels where they lie. A tile is some neighbors in a row of positions, and its
// rows of B begin at the offsets of the taps. The sums are those of [Gemm], and so are the bits.

// FewRows is the number of rows of C below which [GemmGather] reads pixels in place. From there on packing pays.
const FewRows = 32

const (
	// windowFew is the number of rows of C from which a B in memory order is read in place, up to windowTiles tiles.
	windowFew, windowTiles = 16, 12
	// windowWeights is the number of elements of A, 256 KiB, up to which A stays in the second-level cache. AVX-512 reads a B
	// in place at any height up to windowMost elements: tasks divide the rows of A into parts of windowWeights.
	windowWeights = 64 << 10
	windowMost    = 4 * windowWeights
	// windowCols is about the number of columns that all K blocks are added to before the next columns.
	windowCols = 256
	// windowPixels bounds the products of k and columns that one height of tiles reads after the other, so that gathered
	// pixels stay in the first-level cache: taps of a row share most of them. A B in memory order is read from the second
	// level, up to windowMatrix; longer rows of C and of the residual are easier to foresee.
	windowPixels, windowMatrix = 8 << 10, 64 << 10
)

// windows reports whether tiles read a gathered B in place. The ends of rows leave lanes empty; more than a fifth is
// worse than packing.
func (g *gemmRun) windows() bool {
	b := g.gather
	if b == nil || b.Trans || g.kern.window == nil || g.one.a.Trans || g.m >= FewRows || g.k == 0 {
		return false
	}
	return 4*roundUp(b.Width, g.kern.lanes) <= 5*b.Width
}

// inPlace reports whether tiles read a B in place whose rows lie in memory order. On a Zen 4 that is 3 to 20 % faster
// than packing for 16 to 1,024 rows and AVX-512, and 2 to 20 % for 16 to 72 rows and AVX2. Fewer rows have wide tiles. More
// rows share the cost of packing. More than a K block would read each page of B for every panel. Rows a multiple of 4 KB
// apart fall into one set of the first-level cache, which low tiles, many for the same rows, read too often.
func (g *gemmRun) inPlace() bool {
	kern, b := g.kern, g.one.b
	if g.operands != nil || g.packed != nil || g.gather != nil || kern.window == nil || g.one.a.Trans || b.Trans {
		return false
	}
	if g.m < windowFew || g.k == 0 || g.k > g.block || g.n < kern.nr {
		return false
	}
	if kern.mr > 8 {
		return g.m <= windowTiles*kern.mr || g.m*g.k <= windowMost
	}
	return g.m <= windowTiles*kern.mr && b.Stride%1024 != 0
}

// row returns row k of a B that is not gathered.
func (g *gemmRun) row(k int) []float32 {
	if g.rows != nil {
		return g.rows(k)
	}
	return g.one.b.at(k, 0)
}

// A windowRun is some neighbors of a row of positions: columns j to j+cols of C. The pixel of the first one is at b, to
// which the offsets of the taps are added.
type windowRun struct {
	b       unsafe.Pointer
	taps    []int
	j, cols int
}

// multiplyInPlace computes rows i0 to i1 and columns j0 to j1 of C, without packing.
func (g *gemmRun) multiplyInPlace(s *gemmScratch, o *gemmOperands, i0, i1, j0, j1 int) {
	t := &s.tile
	s.part = grow(s.part, tileMost)
	t.ldc, t.ars, t.chain, t.part = 4*o.ldc, 4*o.a.Stride, g.chain, unsafe.Pointer(&s.part[0])
	base := g.offsets(s)
	whole := j1 // the columns from here on are read from a copy
	if g.gather == nil {
		if rest := (j1 - j0) % g.kern.nr; rest > 0 {
			whole = j1 - rest
			g.copyEdge(s, whole, rest)
		}
	}
	ends := g.endsInTile()
	for from := j0; from < j1; {
		to := g.groupEnd(from, j1)
		for k0 := 0; k0 < g.k; k0 += g.block {
			t.k, t.accum = min(g.block, g.k-k0), 1
			if k0 == 0 && g.beta == 0 {
				t.accum = 0
			}
			end := ends && k0+t.k == g.k
			pixels := windowMatrix
			if g.gather != nil {
				pixels = windowPixels
			}
			most := max(1, pixels/t.k/g.kern.nr) * g.kern.nr
			for j := from; j < to; {
				run := windowRun{j: j, cols: min(to-j, most)}
				switch {
				case j >= whole:
					run.b, run.taps, run.cols = unsafe.Pointer(&s.b[0]), s.edge[k0:], to-j
				case g.gather == nil:
					run.b, run.taps, run.cols = unsafe.Add(base, 4*j), s.taps[k0:], min(run.cols, whole-j)
				default:
					p := g.gather.From + j
					run.b, run.taps = unsafe.Add(base, 4*g.gather.position(p)), s.taps[k0:]
					run.cols = min(run.cols, g.gather.Width-p%g.gather.Width)
				}
				g.multiplyRun(t, o, run, end, i0, i1, k0)
				j += run.cols
			}
		}
		if g.hasEp && !ends {
			g.ep.finish(o, i0, i1, from, to)
		}
		from = to
	}
}

// groupEnd returns where a group of columns ends: after whole rows of positions, if there are several.
func (g *gemmRun) groupEnd(from, most int) int {
	if g.gather == nil {
		return min(most, from+windowCols)
	}
	b, to := g.gather, from
	for to < most && to-from < windowCols {
		to += b.Width - (b.From+to)%b.Width
	}
	return min(most, to)
}

// offsets lists in s.taps where the rows of B begin, in elements from the pointer that it returns.
func (g *gemmRun) offsets(s *gemmScratch) unsafe.Pointer {
	if g.gather != nil {
		s.taps = g.gather.taps(s.taps[:0], 0, g.k)
		return unsafe.Pointer(&g.gather.Data[0])
	}
	s.taps = s.taps[:0]
	base := unsafe.Pointer(unsafe.SliceData(g.row(0)))
	for k := range g.k {
		// Rows of different slices lie any distance apart. The caller keeps them alive.
		at := uintptr(unsafe.Pointer(unsafe.SliceData(g.row(k))))
		s.taps = append(s.taps, (int(at)-int(uintptr(base)))/4)
	}
	return base
}

// copyEdge copies the last columns of B, which are less than a tile: whole registers would end outside the rows. s.edge
// lists the rows of the copy.
func (g *gemmRun) copyEdge(s *gemmScratch, j, cols int) {
	nr := g.kern.nr
	s.b = grow(s.b, g.k*nr)
	s.edge = s.edge[:0]
	for k := range g.k {
		copy(s.b[k*nr:][:cols], g.row(k)[j:])
		s.edge = append(s.edge, k*nr)
	}
}

// multiplyRun adds a K block to a run, or stores it.
func (g *gemmRun) multiplyRun(t *gemmTile, o *gemmOperands, run windowRun, end bool, i0, i1, k0 int) {
	kern := g.kern
	rows := tilesOf(i1-i0, kern.mr, true)
	full, rest := run.cols/kern.nr, run.cols%kern.nr
	t.taps = &run.taps[0]
	for i := range rows.tiles {
		r := i0 + rows.start(i)
		t.rows = rows.height(i)
		t.a = unsafe.Pointer(&o.a.Data[r*o.a.Stride+k0])
		t.bias, t.relu = nil, 0
		if end && g.ep.RowBias != nil {
			t.bias = unsafe.Pointer(&g.ep.RowBias[r])
		}
		if end && g.ep.Act == ActRelu {
			t.relu = 1
		}
		tiles := func(from, n, cols int) {
			t.tiles, t.cols = n, cols
			t.b, t.c = unsafe.Add(run.b, 4*from), unsafe.Pointer(&o.c[r*o.ldc+run.j+from])
			t.residual = nil
			if end && g.ep.Residual != nil {
				t.residual, t.ldres = unsafe.Pointer(&g.ep.Residual[r*g.ep.ResidualStride+run.j+from]), 4*g.ep.ResidualStride
			}
			kern.window(t)
		}
		for q := 0; q < full; q += callTiles {
			tiles(q*kern.nr, min(callTiles, full-q), kern.nr)
		}
		if rest > 0 && full > 0 && t.accum == 0 {
			// Sums may be computed again. A full store is much faster than a masked one of AVX2.
			rest = roundUp(rest, kern.lanes)
		}
		if rest > 0 {
			tiles(run.cols-rest, 1, rest)
		}
	}
}

// endsInTile reports whether tiles do all of the epilogue.
func (g *gemmRun) endsInTile() bool {
	ep := &g.ep
	return g.hasEp && ep.Bias == nil && ep.Scale == nil && ep.Pre == nil && (ep.Residual == nil || ep.ResidualFirst) && (ep.Act == ActNone || ep.Act == ActRelu)
}

// GemmRows is [Gemm] with a B whose rows lie apart: the planes of images that were joined or cut by channels. Row i of B
// is the first n elements of rows(i); rows may be called more than once for one i, and from several goroutines at once.
// GemmRows panics like Gemm.
func GemmRows(w *Workers, m, n, k int, a Matrix, rows func(i int) []float32, beta float32, c []float32, ldc int, ep *Epilogue) {
	checkSizes("GemmRows", m, n, k)
	checkView("GemmRows", "A", a, m, k)
	for i := range k {
		if x := rows(i); len(x) < n {
			panic(fmt.Sprintf("simd: GemmRows: row %d of B has %d elements, expected %d", i, len(x), n))
		}
	}
	checkStored("GemmRows", "C", len(c), ldc, m, n)
	checkEpilogue("GemmRows", ep, m, n)
	if m == 0 || n == 0 {
		return
	}
	kern := gemmKernels[level]
	if kern.window == nil || a.Trans || k == 0 || n < kern.nr {
		s := sharedScratches.get()
		defer sharedScratches.put(s)
		s.b = grow(s.b, k*n)
		b := s.b
		for i := range k {
			copy(b[i*n:][:n], rows(i))
		}
		Gemm(w, m, n, k, a, Matrix{Data: b, Stride: n}, beta, c, ldc, ep)
		return
	}
	g := gemmRuns.get()
	g.kern = kern
	g.m, g.n, g.k, g.block, g.chain, g.beta = m, n, k, kBlock, kChain, beta
	g.rows = rows
	g.one = gemmOperands{a: a, c: c, ldc: ldc}
	g.setEpilogue(ep)
	g.run(w, 1)
}
