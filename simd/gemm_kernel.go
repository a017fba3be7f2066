package simd

//go:generate go run ./internal/gemmgen -out .

import "unsafe"

// A gemmKernel holds the part of a product that differs between instruction sets: the size of the register
// tile, and the routines that fill and multiply panels. The portable one follows below; the others are in
// gemm_amd64.go and gemm_arm64.go, their assembly in files that internal/gemmgen writes.
type gemmKernel struct {
	level  Level
	mr, nr int // rows and columns of C that one tile holds in registers
	kc     int // about as many rows of B are in one slab
	mc     int // most rows of A that a group of panels passes by

	// rows says that tiles of every height up to mr exist and read A with any row stride. Then a row-major
	// A needs no copy, and row counts are balanced over two adjacent heights. Otherwise a tile of A is
	// always packed k-major, mr wide.
	rows bool

	// multiply runs t.tiles tiles, one above the other, against one B panel. A tile's sums over t.k products, a K
	// block, start from +0. With t.accum they are then added to C; else C becomes them and is not read.
	multiply func(t *gemmTile)
	// slide is multiply with an A that is gathered: element (i, k) of a tile is i + taps[k] elements from its spot.
	slide func(t *gemmTile)
	// slidesPast says that slide may read up to GatherSlack elements past the last position of a tile.
	slidesPast bool
	// deep is the number of products of a sum from which GemmFilters is faster than Gemm; 0 says that it never is.
	deep int
	// transpose sets dst[j·width+i] to src[i·stride+j], for i < rows and j < cols.
	transpose func(dst []float32, width int, src []float32, stride, rows, cols int)
	// end, which may be nil, is transpose followed by x = max(x + bias[j], floor) for row j of dst; a floor of -Inf keeps x.
	// It does the first rows of src and returns how many.
	end func(dst []float32, width int, src []float32, stride, rows, cols int, bias []float32, floor float32) int
	// halves says that multiply widens a B in half precision as it loads it.
	halves bool
	// lanes is the number of columns of the narrowest tile of window.
	lanes int
	// ahead is the number of rows of the next operand that multiply prefetches from during a tile.
	ahead int
	// panels, by height of a tile, is the number of panels that it can cover at once; nil stands for one.
	panels []int

	// few, which may be nil, computes a few rows of C without packing anything. C already holds beta·C.
	few func(s *gemmScratch, o *gemmOperands, g *gemmRun, i0, i1, j0, j1 int)

	// ends says that multiply ends with t.rowScales, t.bias, t.scale and t.residual, for one panel of float32 or of words and an
	// A with rows in memory order.
	ends bool

	// window, which may be nil, runs t.tiles tiles side by side, whose rows of B begin t.taps elements after t.b. It ends
	// with t.bias, t.residual and t.relu.
	window func(t *gemmTile)

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
	k      int            // products of a sum, at least 1
	chain  int            // products of a chain in it
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
	accum  int            // 1: the sums are added to C; 0: C becomes them
	part   unsafe.Pointer // room for a tile, where the kernel keeps the sums of earlier chains
	ahead  uintptr        // address to prefetch from meanwhile, a line of some rows in four steps of k; need not be valid
	astep  int            // bytes from one of those rows to the next
	atiles int            // bytes to the rows of the next tile, from where a tile leaves off
	afour  int            // bytes that the prefetch goes on in four steps of k
	_      uintptr        // the kernel's own position in A: it may pass the last row, where no pointer may point
	_, _   int            // the kernel's own: steps of k to go, and whether there were earlier chains
	taps   *int           // for slide and window: the offsets of the k of the pixels, in elements
	spots  *tileSpot      // for slide: where each tile is
	bias   unsafe.Pointer // added at the end unless nil: to the rows of C by window, to the columns by multiply
	relu   int            // for window: 1 applies ReLU at the end
	out    uintptr        // for slide: where the sums will be transposed to, to prefetch; 0: no prefetch
	ldout  int            // bytes from one row there to the next

	residual unsafe.Pointer // added after the bias and the scale, unless nil
	ldres    int            // bytes from one row of it to the next
	_        uintptr        // the kernel's own: where the rows that it prefetches end, or the residual of a tile
	scale    unsafe.Pointer // for multiply: the columns are multiplied by it after the bias, unless nil

	// For integers, unless rowScales is 0: the sums become float32 first, as by wordKernel.scale. The kernel moves on to the
	// rows of the next tile, past the last one at the end.
	rowScales uintptr
	rowLess   uintptr
	colScales unsafe.Pointer

	format Format // of B; half precision has an A with rows in memory order, or a packed one where rows is false
}

// A tileSpot locates a tile of a gathered A and its C, in bytes.
type tileSpot struct{ a, c int }

// The portable tile is 4×4, computed two rows at a time: eight chains cover the latency of a scalar
// multiply and add and leave registers for the operands.
const genericTile = 4

var gemmGeneric = gemmKernel{
	level: Generic, mr: genericTile, nr: genericTile, kc: 384, mc: 128,
	multiply:  multiplyGeneric,
	slide:     slideGeneric,
	deep:      256,
	transpose: transposeGeneric,
	few:       fewGeneric,
	packPanel: packPanelGeneric,
	peak:      peakGeneric,
	peakFlops: 16,
}

func multiplyGeneric(t *gemmTile) {
	for i := range t.tiles {
		a := unsafe.Add(t.a, i*t.atile)
		for r := 0; r < t.rows; r += 2 {
			var sum [2][genericTile]float32
			c := unsafe.Add(t.c, (i*t.rows+r)*t.ldc)
			for k := 0; k < t.k; k += t.chain {
				var chain [2][genericTile]float32
				tile2x4(&chain, unsafe.Add(a, 4*(r+k*genericTile)), unsafe.Add(t.b, 4*k*genericTile), min(t.chain, t.k-k))
				if k == 0 {
					sum = chain
					continue
				}
				for q := range sum {
					for j, v := range chain[q] {
						sum[q][j] += v
					}
				}
			}
			for q := range min(2, t.rows-r) {
				row := unsafe.Slice((*float32)(unsafe.Add(c, q*t.ldc)), t.cols)
				if t.accum == 0 {
					copy(row, sum[q][:])
					continue
				}
				for j := range row {
					row[j] += sum[q][j]
				}
			}
		}
	}
}

// tile2x4 sets sum to the product of two rows of a packed tile of A and a panel of B, k long.
func tile2x4(sum *[2][genericTile]float32, a, b unsafe.Pointer, k int) {
	var c00, c01, c02, c03, c10, c11, c12, c13 float32
	for q := 0; q < k; q++ {
		x := (*[2]float32)(unsafe.Add(a, q*4*genericTile))
		y := (*[genericTile]float32)(unsafe.Add(b, q*4*genericTile))
		a0, a1 := x[0], x[1]
		b0, b1, b2, b3 := y[0], y[1], y[2], y[3]
		c00 += a0 * b0
		c10 += a1 * b0
		c01 += a0 * b1
		c11 += a1 * b1
		c02 += a0 * b2
		c12 += a1 * b2
		c03 += a0 * b3
		c13 += a1 * b3
	}
	sum[0] = [genericTile]float32{c00, c01, c02, c03}
	sum[1] = [genericTile]float32{c10, c11, c12, c13}
}

// fewGeneric computes rows i0 to i1 of C, four elements of a chain or four chains at a time.
func fewGeneric(s *gemmScratch, o *gemmOperands, g *gemmRun, i0, i1, j0, j1 int) {
	n := j1 - j0
	s.b = grow(s.b, 2*n)
	sums, chain := s.b[:n], s.b[n:2*n]
	for i := i0; i < i1; i++ {
		c := o.c[i*o.ldc+j0:][:n]
		a := o.a.at(i, 0)
		if o.a.Trans {
			s.a = grow(s.a, g.k)
			for q := range g.k {
				s.a[q] = a[q*o.a.Stride]
			}
			a = s.a
		}
		for k0 := 0; k0 < g.k; k0 += g.block {
			k1 := min(k0+g.block, g.k)
			for q := k0; q < k1; q += g.chain {
				part, b := a[q:min(q+g.chain, k1)], o.b.at(q, j0)
				if o.b.Trans {
					dots(chain, part, b, o.b.Stride)
				} else {
					combine(chain, part, b, o.b.Stride)
				}
				if q == k0 {
					copy(sums, chain)
				} else {
					Add(sums, sums, chain)
				}
			}
			if k0 == 0 && g.beta == 0 {
				copy(c, sums)
			} else {
				Add(c, c, sums)
			}
		}
	}
}

// dots sets c[j] to the dot product of a and row j of b.
func dots(c, a, b []float32, stride int) {
	j := 0
	for ; j+4 <= len(c); j += 4 {
		b0, b1, b2, b3 := b[j*stride:][:len(a)], b[(j+1)*stride:][:len(a)], b[(j+2)*stride:][:len(a)], b[(j+3)*stride:][:len(a)]
		var c0, c1, c2, c3 float32
		for q, v := range a {
			c0 += v * b0[q]
			c1 += v * b1[q]
			c2 += v * b2[q]
			c3 += v * b3[q]
		}
		c[j], c[j+1], c[j+2], c[j+3] = c0, c1, c2, c3
	}
	for ; j < len(c); j++ {
		var sum float32
		for q, v := range b[j*stride:][:len(a)] {
			sum += a[q] * v
		}
		c[j] = sum
	}
}

// combine sets c to the sum of the rows of b, each times its element of a.
func combine(c, a, b []float32, stride int) {
	clear(c)
	q := 0
	for ; q+4 <= len(a); q += 4 {
		b0, b1, b2, b3 := b[q*stride:][:len(c)], b[(q+1)*stride:][:len(c)], b[(q+2)*stride:][:len(c)], b[(q+3)*stride:][:len(c)]
		a0, a1, a2, a3 := a[q], a[q+1], a[q+2], a[q+3]
		for j, v := range c {
			v += a0 * b0[j]
			v += a1 * b1[j]
			v += a2 * b2[j]
			v += a3 * b3[j]
			c[j] = v
		}
	}
	for ; q < len(a); q++ {
		for j, v := range b[q*stride:][:len(c)] {
			c[j] += a[q] * v
		}
	}
}
