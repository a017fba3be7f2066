package simd

import "fmt"

// A Gather is the B operand of a convolution's product, which is not stored: its elements are the pixels under
// a window that slides over planes. A product copies them straight into its panels, or reads them in place where few rows
// would use a panel.
//
// Row k of the product's B is tap k%len(Window) of channel k/len(Window). Column j is the position of the window
// whose element is From+j in order of rows and columns. Positions at the same row of an image are neighbors in
// memory, at every tap. So a convolution with a stride of s reads planes that were split by the remainders of
// their coordinates modulo s, and planes are surrounded by the zeros that padding calls for.
//
//	element(k, j) = Data[k/len(Window)*Plane + Window[k%len(Window)] + position(From+j)]
//	position(p)   = r/Height*Image + r%Height*Pitch + p%Width, where r = p/Width
//
// A copy moves whole registers: Data has [GatherSlack] elements after the last that the product uses.
type Gather struct {
	Data   []float32
	Window []int // offset of each tap in a plane
	Plane  int   // elements from one channel to the next
	Width  int   // positions of a row
	Pitch  int   // elements from one row to the next
	Height int   // rows of an image; 0 stands for all
	Image  int   // elements from one image to the next
	From   int   // the first position
	Trans  bool  // B is transposed: its rows are positions, its columns taps

	// Next is memory that the caller reads afterwards. [GemmGatherPacked] asks for it meanwhile, if there are at most
	// [NearWeights], so that the caller does not wait.
	Next Ahead
}

// Ahead is memory that will be read: Rows rows of Cols elements, Stride elements apart. The zero value is none.
type Ahead struct {
	Data               []float32
	Stride, Rows, Cols int
}

// GatherSlack is the number of elements of a [Gather]'s Data that may be read past the last one of the matrix.
const GatherSlack = 16

// GemmGather is [Gemm] with a gathered B, and with blocks of block products instead of 384. Like those of Gemm, they are
// cut into chains of 96. The weight of a convolution is A, and its blocks are whole channels. GemmGather panics like
// Gemm, and when block is less than 1.
func GemmGather(w *Workers, m, n, k int, a Matrix, b *Gather, block int, beta float32, c []float32, ldc int, ep *Epilogue) {
	checkSizes("GemmGather", m, n, k)
	checkView("GemmGather", "A", a, m, k)
	b.check(n, k)
	checkStored("GemmGather", "C", len(c), ldc, m, n)
	checkEpilogue("GemmGather", ep, m, n)
	if block < 1 {
		panic(fmt.Sprintf("simd: GemmGather: expected a block of at least 1, found %d", block))
	}
	if m == 0 || n == 0 {
		return
	}
	g := gemmRuns.get()
	g.kern = gemmKernels[level]
	g.m, g.n, g.k, g.beta = m, n, k, beta
	g.gather, g.block, g.chain = b, block, kChain
	g.one = gemmOperands{a: a, c: c, ldc: ldc}
	g.setEpilogue(ep)
	g.run(w, 1)
}

// check panics unless a k×n matrix lies in the data.
func (b *Gather) check(n, k int) {
	checkStored("GemmGather", "Next", len(b.Next.Data), b.Next.Stride, b.Next.Rows, b.Next.Cols)
	if b.Trans {
		n, k = k, n
	}
	if n == 0 || k == 0 {
		return
	}
	if b.Width < 1 || b.From < 0 || b.Height < 0 || b.Pitch < 0 || b.Image < 0 || b.Plane < 0 || len(b.Window) == 0 {
		panic(fmt.Sprintf("simd: GemmGather: impossible geometry: %d taps, plane %d, width %d, pitch %d, height %d, image %d, from %d",
			len(b.Window), b.Plane, b.Width, b.Pitch, b.Height, b.Image, b.From))
	}
	// The last position of a row, of an image and of all: one of them is the furthest.
	last := b.From + n - 1
	far := b.position(last)
	for _, size := range [...]int{b.Width, b.Width * b.Height} {
		if size > 0 {
			if p := (last+1)/size*size - 1; p >= b.From {
				far = max(far, b.position(p))
			}
		}
	}
	low, high := b.Window[0], b.Window[0]
	for _, o := range b.Window {
		low, high = min(low, o), max(high, o)
	}
	if end := (k-1)/len(b.Window)*b.Plane + high + far + 1; low < 0 || end+GatherSlack > len(b.Data) {
		panic(fmt.Sprintf("simd: GemmGather: B has %d elements; offsets from %d to %d and %d of slack do not fit",
			len(b.Data), low, end, GatherSlack))
	}
}

// position returns the offset of a position.
func (b *Gather) position(p int) int {
	r := p / b.Width
	at := p % b.Width
	if b.Height > 0 {
		at += r / b.Height * b.Image
		r %= b.Height
	}
	return at + r*b.Pitch
}

// A gatherPiece is one vector of a row of positions: where it comes from and goes to, in bytes.
type gatherPiece struct{ src, dst int }

// pieces lists the copies of cols positions from column j0 on, in vectors of the given number of lanes. A run of
// neighbors ends in a vector that may be wider than the run. A later piece writes over the excess.
func (b *Gather) pieces(buf []gatherPiece, j0, cols, lanes int) []gatherPiece {
	for j := 0; j < cols; {
		p := b.From + j0 + j
		run := min(b.Width-p%b.Width, cols-j)
		at := b.position(p)
		for i := 0; i < run; i += lanes {
			buf = append(buf, gatherPiece{4 * (at + i), 4 * (j + i)})
		}
		j += run
	}
	return buf
}

// taps lists the offsets of n taps from tap k0 on.
func (b *Gather) taps(buf []int, k0, n int) []int {
	c := k0 / len(b.Window)
	i := k0 - c*len(b.Window)
	for base := c * b.Plane; len(buf) < n; base += b.Plane {
		for ; i < len(b.Window) && len(buf) < n; i++ {
			buf = append(buf, base+b.Window[i])
		}
		i = 0
	}
	return buf
}

// packGather lays out panels p to q of kc rows from k0 on. The columns past the last one of B keep what is there:
// no result comes from them.
func (g *gemmRun) packGather(s *gemmScratch, dst []float32, p, q, k0, kc int) {
	b, kern, move := g.gather, g.kern, &movers[g.kern.level]
	nr := kern.nr
	if b.Trans {
		s.pieces = b.pieces(s.pieces[:0], k0, kc, move.lanes)
		stride := gatherStride(kc)
		s.rows = grow(s.rows, nr*stride)
		for ; p < q; p++ {
			cols := min(nr, g.n-p*nr)
			s.taps = b.taps(s.taps[:0], p*nr, cols)
			move.gather(&s.rows[0], &b.Data[0], &s.taps[0], &s.pieces[0], 4*stride, cols, len(s.pieces))
			kern.packPanel(dst[:kc*nr], s.rows, stride, true, kc, cols, nr)
			dst = dst[kc*nr:]
		}
		return
	}
	s.taps = b.taps(s.taps[:0], k0, kc)
	for ; p < q; p++ {
		cols := min(nr, g.n-p*nr)
		s.pieces = b.pieces(s.pieces[:0], p*nr, cols, move.lanes)
		if kc > 1 {
			move.gather(&dst[0], &b.Data[0], &s.taps[0], &s.pieces[0], 4*nr, kc-1, len(s.pieces))
		}
		// The excess of the last row would lie in the next panel, which another task may have written.
		b.copyRow(dst[(kc-1)*nr:][:cols], s.taps[kc-1], p*nr)
		dst = dst[kc*nr:]
	}
}

// gatherStride is the distance of rows of k elements that will be transposed: a multiple of 4 KB would put
// the rows into one set of the cache.
func gatherStride(k int) int { return roundUp(k, 16) + 16 }

// copyRow copies the positions from column j0 on of one tap.
func (b *Gather) copyRow(dst []float32, tap, j0 int) {
	for j := 0; j < len(dst); {
		p := b.From + j0 + j
		run := min(b.Width-p%b.Width, len(dst)-j)
		j += copy(dst[j:j+run], b.Data[tap+b.position(p):])
	}
}
