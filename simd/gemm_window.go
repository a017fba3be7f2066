package simd

import "unsafe"

// Few rows do not pay for packing a gathered B: with 24 filters a panel takes a third as long to pack as to multiply.
// The functions here let tiles read the pixels where they lie. A tile is some neighbors in a row of positions, and its
// rows of B begin at the offsets of the taps. The sums are those of [Gemm], and so are the bits.

const (
	// windowRows is the number of rows of C from which packing pays.
	windowRows = 32
	// windowCols is about the number of columns that all K blocks are added to before the next columns.
	windowCols = 256
	// windowPixels bounds the products of k and columns that one height of tiles reads after the other, so that the
	// pixels stay in the first-level cache. Taps of a row share most of their pixels.
	windowPixels = 8 << 10
)

// windows reports whether tiles read B in place. The ends of rows leave lanes empty; more than a fifth is worse than
// packing.
func (g *gemmRun) windows() bool {
	b := g.gather
	if b == nil || b.Trans || g.kern.window == nil || g.one.a.Trans || g.m >= windowRows || g.k == 0 {
		return false
	}
	return 4*roundUp(b.Width, g.kern.lanes) <= 5*b.Width
}

// multiplyInPlace computes rows i0 to i1 and columns j0 to j1 of C.
func (g *gemmRun) multiplyInPlace(s *gemmScratch, o *gemmOperands, i0, i1, j0, j1 int) {
	b, t := g.gather, &s.tile
	s.taps = b.taps(s.taps[:0], 0, g.k)
	s.part = grow(s.part, tileMost)
	t.ldc, t.ars, t.chain, t.part = 4*o.ldc, 4*o.a.Stride, g.chain, unsafe.Pointer(&s.part[0])
	ends := g.endsInTile()
	for from := j0; from < j1; {
		to := from
		for to < j1 && to-from < windowCols {
			to = min(j1, to+b.Width-(b.From+to)%b.Width)
		}
		for k0 := 0; k0 < g.k; k0 += g.block {
			t.k, t.accum = min(g.block, g.k-k0), 1
			if k0 == 0 && g.beta == 0 {
				t.accum = 0
			}
			end := ends && k0+t.k == g.k
			t.taps = &s.taps[k0]
			most := max(g.kern.nr, windowPixels/t.k/g.kern.nr*g.kern.nr)
			for j := from; j < to; {
				p := b.From + j
				cols := min(b.Width-p%b.Width, to-j, most)
				g.multiplyRun(t, o, end, i0, i1, j, cols, b.position(p), k0)
				j += cols
			}
		}
		if g.hasEp && !ends {
			g.ep.finish(o, i0, i1, from, to)
		}
		from = to
	}
}

// multiplyRun adds a K block to some neighbors: columns j to j+cols, whose first pixel is at.
func (g *gemmRun) multiplyRun(t *gemmTile, o *gemmOperands, end bool, i0, i1, j, cols, at, k0 int) {
	kern := g.kern
	rows := tilesOf(i1-i0, kern.mr, true)
	full, rest := cols/kern.nr, cols%kern.nr
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
		for q := 0; q < full; q += callTiles {
			t.tiles, t.cols = min(callTiles, full-q), kern.nr
			t.b, t.c = unsafe.Pointer(&g.gather.Data[at+q*kern.nr]), unsafe.Pointer(&o.c[r*o.ldc+j+q*kern.nr])
			kern.window(t)
		}
		if rest > 0 {
			t.tiles, t.cols = 1, rest
			if full > 0 && t.accum == 0 {
				// Sums may be computed again. A full store is much faster than a masked one of AVX2.
				t.cols = roundUp(rest, kern.lanes)
			}
			from := cols - t.cols
			t.b, t.c = unsafe.Pointer(&g.gather.Data[at+from]), unsafe.Pointer(&o.c[r*o.ldc+j+from])
			kern.window(t)
		}
	}
}

// endsInTile reports whether tiles do all of the epilogue.
func (g *gemmRun) endsInTile() bool {
	ep := &g.ep
	return g.hasEp && ep.Bias == nil && ep.Pre == nil && ep.Residual == nil && (ep.Act == ActNone || ep.Act == ActRelu)
}
