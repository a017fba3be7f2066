package simd

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// GemmGatherPacked is [GemmGather] with a weight packed as filters: a's columns are the rows of C. It has the
// same bits. Its tiles have filters in their lanes and read pixels in place, so that nothing is copied to panels, and
// rows of images need not fill registers. n is the number of positions. It panics like GemmGather, when b is
// transposed, and when a was packed without [PackOptions].Filters.
func GemmGatherPacked(w *Workers, n int, a *Packed, b *Gather, block int, beta float32, c []float32, ldc int, ep *Epilogue) {
	const op = "GemmGatherPacked"
	m, k := a.n, a.k
	checkSizes(op, m, n, k)
	b.check(n, k)
	checkStored(op, "C", len(c), ldc, m, n)
	checkEpilogue(op, ep, m, n)
	if block < 1 {
		panic(fmt.Sprintf("simd: %s: expected a block of at least 1, found %d", op, block))
	}
	if b.Trans {
		panic(fmt.Sprintf("simd: %s: expected a B that is not transposed", op))
	}
	checkFilters(op, a)
	if m == 0 || n == 0 {
		return
	}
	s := slideRuns.get()
	s.gather = *b
	s.run(w, n, a, block, beta, c, ldc, ep)
}

// GemmFilters is [Gemm] with a weight packed as filters: a's columns are the rows of C, and b is a k×n matrix in
// memory order, not transposed. It has the bits of Gemm. Like [GemmGatherPacked] it reads b in place. [FiltersPay] says
// when it is the faster one.
func GemmFilters(w *Workers, n int, a *Packed, b Matrix, beta float32, c []float32, ldc int, ep *Epilogue) {
	const op = "GemmFilters"
	m, k := a.n, a.k
	checkSizes(op, m, n, k)
	checkView(op, "B", b, k, n)
	checkStored(op, "C", len(c), ldc, m, n)
	checkEpilogue(op, ep, m, n)
	if b.Trans {
		panic(fmt.Sprintf("simd: %s: expected a B that is not transposed", op))
	}
	checkFilters(op, a)
	if m == 0 || n == 0 {
		return
	}
	s := slideRuns.get()
	s.gather = Gather{Data: b.Data, Window: oneTap, Plane: b.Stride, Width: n, Pitch: n}
	s.run(w, n, a, kBlock, beta, c, ldc, ep)
}

// FiltersPay reports whether [GemmFilters] is faster than [Gemm] at the level in use, for sums of k products. Measured on
// one core of a Zen 4 with 512 filters and 300 columns, AVX-512 takes .80 of the time for a k of 2,048. From 64 to 256 it
// takes 1.0 to 1.2 times as long. AVX2 takes 1.06 to 1.2 times as long for every k.
func FiltersPay(k int) bool {
	deep := gemmKernels[level].deep
	return deep > 0 && k >= deep
}

// oneTap is the window of a convolution with filters of one pixel.
var oneTap = []int{0}

func checkFilters(op string, a *Packed) {
	if a.word != nil || a.kc < a.k {
		panic(fmt.Sprintf("simd: %s: expected an A packed with PackOptions.Filters", op))
	}
}

// run divides the work, does it and recycles s. Its gather is set.
func (s *slideRun) run(w *Workers, n int, a *Packed, block int, beta float32, c []float32, ldc int, ep *Epilogue) {
	defer slideRuns.put(s)
	s.filters, s.n, s.block, s.beta = a, n, block, beta
	s.out = gemmOperands{c: c, ldc: ldc}
	if s.hasEp = ep != nil; s.hasEp {
		s.ep = *ep
	}
	s.plan(w.Limit())
	if tasks := len(s.strips) * a.panels(); tasks == 1 {
		s.task(0)
	} else {
		w.For(tasks, s.task)
	}
}

// A slideRun is one call of GemmGatherPacked or GemmFilters. A task computes a panel of filters at a strip of positions.
type slideRun struct {
	filters  *Packed
	gather   Gather
	n, block int
	beta     float32
	out      gemmOperands
	ep       Epilogue
	hasEp    bool
	fetched  int64 // rows of gather.Next that were asked for

	taps   []int       // of all k
	ends   []float32   // copies of the last rows of B, see padEnd
	spots  []tileSpot  // of the tiles of all strips
	runs   []slideTile // tiles of one height
	strips []slideStrip
	byRows [rowsMost + 1][]tileSpot // of the strip that is added, by height
	task   func(int)                // s.do, bound once
}

// A slideStrip is a strip of positions with its runs of tiles.
type slideStrip struct {
	j0, j1   int
	from, to int // runs
	tiles    int
}

// A slideTile is a run of tiles of one height.
type slideTile struct {
	rows     int
	from, to int // spots
}

var slideRuns = freeList[slideRun]{
	most: 64,
	make: func() *slideRun {
		s := new(slideRun)
		s.task = s.do
		return s
	},
	wipe: func(s *slideRun) {
		*s = slideRun{taps: s.taps[:0], ends: s.ends, spots: s.spots[:0], runs: s.runs[:0], strips: s.strips[:0], byRows: s.byRows, task: s.task}
	},
}

// rowsMost is at least the height of each tile.
const rowsMost = 16

// NearWeights is the number of weights, 256 KiB, up to which [GemmGatherPacked] takes them to stay in the second-level
// cache. Then its tiles fetch what the caller reads next, and not the next weights.
const NearWeights = 64 << 10

// slideMost is about the number of positions of a strip. Their sums stay in the second-level cache, beside the pixels;
// the weights are read once for each strip.
const slideMost = 1024

// plan lists taps and tiles. With fewer panels than threads can share, strips become shorter.
func (s *slideRun) plan(threads int) {
	b := &s.gather
	s.taps = b.taps(s.taps[:0], 0, s.filters.k)
	if s.filters.kern.slidesPast {
		s.padEnd()
	}
	// Rows that follow each other without padding are one row.
	width := b.Width
	if b.Pitch == b.Width {
		width = b.From + s.n
		if b.Height > 0 {
			width = b.Width * b.Height
		}
	}
	panels, mr := s.filters.panels(), s.filters.kern.mr
	count := ceilDiv(s.n, slideMost)
	if work := s.n * s.filters.k * s.filters.n / (150 * taskCost / 2); threads > 1 && panels*count < min(4*threads, work) {
		count = min(ceilDiv(min(4*threads, work), panels), ceilDiv(s.n, 4*mr))
	}
	size := ceilDiv(s.n, count)
	if size > width/2 {
		size = roundUp(size, width)
	}
	// Strips end where rows do.
	skip := b.From % width
	for v := skip / size * size; v < skip+s.n; v += size {
		s.addStrip(max(0, v-skip), min(s.n, v+size-skip), width)
	}
}

// padEnd has tiles read the last taps from copies, if the data ends less than GatherSlack elements after one. That is so
// for matrices; the data of a Gather is longer.
func (s *slideRun) padEnd() {
	data, room := s.gather.Data, s.n+GatherSlack
	first := len(s.taps)
	for first > 0 && s.taps[first-1]+room > len(data) {
		first--
	}
	s.ends = grow(s.ends, (len(s.taps)-first)*room)
	for i, tap := range s.taps[first:] {
		row := s.ends[i*room:][:room]
		copy(row, data[tap:])
		s.taps[first+i] = (int(uintptr(unsafe.Pointer(&row[0]))) - int(uintptr(unsafe.Pointer(&data[0])))) / 4
	}
}

// addStrip adds positions j0 to j1. A tile lies in one row; tiles of one height follow one another.
func (s *slideRun) addStrip(j0, j1, width int) {
	b, kern := &s.gather, s.filters.kern
	x := slideStrip{j0: j0, j1: j1, from: len(s.runs)}
	for j := j0; j < j1; {
		n := min(width-(b.From+j)%width, j1-j)
		at := b.position(b.From + j)
		t := tilesOf(n, kern.mr, kern.rows)
		for i := range t.tiles {
			r := t.start(i)
			spots := &s.byRows[t.height(i)]
			*spots = append(*spots, tileSpot{4 * (at + r), 4 * kern.nr * (j - j0 + r)})
		}
		x.tiles += t.tiles
		j += n
	}
	for h := range s.byRows {
		if n := len(s.byRows[h]); n > 0 {
			s.runs = append(s.runs, slideTile{h, len(s.spots), len(s.spots) + n})
			s.spots = append(s.spots, s.byRows[h]...)
			s.byRows[h] = s.byRows[h][:0]
		}
	}
	x.to = len(s.runs)
	s.strips = append(s.strips, x)
}

// do computes one panel of filters at one strip.
func (s *slideRun) do(i int) {
	panels, kern := s.filters.panels(), s.filters.kern
	x, p := &s.strips[i/panels], i%panels
	nr, k := kern.nr, s.filters.k
	i0, i1, j0, j1 := p*nr, min(p*nr+nr, s.filters.n), x.j0, x.j1
	o := &s.out
	if s.beta != 1 && (s.beta != 0 || k == 0) {
		scaleBlock(o.c, o.ldc, s.beta, i0, i1, j0, j1)
	}
	done := 0 // positions after the end
	if k > 0 {
		scratch := gemmScratches.get()
		scratch.part = grow(scratch.part, tileMost)
		scratch.b = grow(scratch.b, (j1-j0)*nr)
		sums, c := scratch.b, o.c[i0*o.ldc+j0:]
		if s.beta != 0 {
			kern.transpose(sums, nr, c, o.ldc, i1-i0, j1-j0)
		}
		scratch.tile.part, scratch.tile.cols = unsafe.Pointer(&scratch.part[0]), i1-i0
		s.multiply(scratch, sums, x, p)
		if floor, ok := s.ep.floor(); ok && kern.end != nil {
			done = kern.end(c, o.ldc, sums, nr, j1-j0, i1-i0, s.ep.RowBias[i0:], floor)
		}
		if j0+done < j1 {
			kern.transpose(c[done:], o.ldc, sums[done*nr:], nr, j1-j0-done, i1-i0)
		}
		gemmScratches.put(scratch)
	}
	if s.hasEp && j0+done < j1 {
		s.ep.finish(o, i0, i1, j0+done, j1)
	}
}

// multiply adds the products of panel p to sums, block by block. Each position of the strip has a row of sums, as long
// as a panel is wide.
func (s *slideRun) multiply(scratch *gemmScratch, sums []float32, x *slideStrip, p int) {
	kern, k, t := s.filters.kern, s.filters.k, &scratch.tile
	half := s.filters.format != FormatF32
	if half {
		scratch.a = grow(scratch.a, min(s.block, k)*kern.nr)
	}
	t.a, t.c = unsafe.Pointer(&s.gather.Data[0]), unsafe.Pointer(&sums[0])
	t.brs, t.ldc, t.chain = 4*kern.nr, 4*kern.nr, kChain
	// Together the tiles of a block fetch the weights of the next one, line by line.
	t.astep, t.afour = line, min(roundUp(ceilDiv(4*t.brs, x.tiles), line/4), kern.ahead*line)
	near := s.gather.Next.Rows > 0 && kern.ahead > 0 && k*s.filters.n <= NearWeights
	out := max(0, (k-1)/s.block-1) * s.block // the last block may be too short to fetch C
	for k0 := 0; k0 < k; k0 += s.block {
		t.k, t.accum = min(s.block, k-k0), 1
		if k0 == 0 && s.beta == 0 {
			t.accum = 0
		}
		t.taps = &s.taps[k0]
		if t.out = 0; k0 == out {
			t.out, t.ldout = uintptr(unsafe.Pointer(&s.out.c[p*kern.nr*s.out.ldc+x.j0])), 4*s.out.ldc
		}
		if at := (p*k + k0) * kern.nr; half {
			weights := scratch.a[:t.k*kern.nr]
			s.filters.format.widen(weights, s.filters.half[at:])
			t.b = unsafe.Pointer(&weights[0])
		} else {
			t.b = unsafe.Pointer(&s.filters.data[at])
		}
		t.ahead = uintptr(t.b) + uintptr(t.k*t.brs)
		for _, r := range s.runs[x.from:x.to] {
			t.rows = r.rows
			for from := r.from; from < r.to; from += callTiles {
				t.tiles, t.spots = min(callTiles, r.to-from), &s.spots[from]
				if near {
					s.fetchNext(t)
				}
				kern.slide(t)
				t.ahead += uintptr(t.tiles * (t.k / 4 * t.afour))
			}
		}
	}
}

// fetchNext has the tiles of a call fetch the next rows of what the caller reads next, as many as tiles fetch at once.
func (s *slideRun) fetchNext(t *gemmTile) {
	next, rows := &s.gather.Next, s.filters.kern.ahead
	row := int(atomic.AddInt64(&s.fetched, int64(rows))) - rows
	t.afour = 0
	if steps := t.tiles * (t.k / 4); row < next.Rows && steps > 0 {
		t.ahead = uintptr(unsafe.Pointer(&next.Data[row*next.Stride]))
		t.astep, t.afour = 4*next.Stride, ceilDiv(4*next.Cols, steps)
	}
}
