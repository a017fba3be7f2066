package simd

//go:generate go run ./internal/winogen -out .

import (
	"fmt"
	"math"
)

// A WinogradShape is the geometry of a convolution of 3×3 filters with a stride of 1, computed by Winograd's algorithm
// F(2×2, 3×3). The usual number of rows of a result is Height + 2·PadY - 2, and that of columns likewise; they are not
// checked against the other sizes. Every field counts; none has a default.
type WinogradShape struct {
	In, Out       int // channels
	Height, Width int // of a plane of the source
	Rows, Columns int // of a plane of the result
	PadY, PadX    int // zeros above and to the left
}

// The sums over channels have shorter chains and blocks than other products, whose 96 and 384 would have up to 1.6 times
// PyTorch's error: sums and differences of pixels are larger than pixels, and so are the errors of a chain.
const (
	winogradChain = 16
	winogradBlock = 128
)

// winogradPlanes is the number of elements of a transformed tile.
const winogradPlanes = 16

// WinogradConv correlates images with filters. It takes 4 multiplications for a result where the definition has 9
// (Lavin and Gray, 2015, "Fast Algorithms for Convolutional Neural Networks", section 4.1). Results come in tiles of 2×2,
// from the first row and column on; the last tiles may be cut. A tile sees a d of 4×4 pixels:
//
//	(a, b, c, d) → (a-c, b+c, c-b, b-d)        of each column of d, and then of each row of that: v
//	m = Σ u·v                                  over channels, for each of the 16 elements; u is of [WinogradWeights]
//	(a, b, c, d) → ((a+b)+c, (b-c)-d)          of each column of m, and then of each row of that: the results
//
// Each sum is rounded to float32. A sum over channels has the order of [Gemm], with chains of 16 and blocks of 128. So results
// have the same bits on every instruction set and number of threads, and in any batch. They are not those of the
// definition: the rms error against float64 is .71 to 1.00 times that of PyTorch's contiguous convolution. A pixel that is
// not finite makes all results of its tiles NaN.
//
// src is [images, In, Height, Width], weights has s.Weights() elements, and dst is [images, Out, Rows, Columns]. The
// result is added to dst if add is set. ep lists the steps that follow, or is nil. Its Residual and Pre have the layout of
// dst; its strides do not count. WinogradConv panics when a slice is too short, a size is negative, or ep has a Bias, a Scale or a
// Residual without ResidualFirst. dst must not overlap the other slices.
func WinogradConv(w *Workers, dst, src, weights []float32, images int, add bool, ep *Epilogue, s *WinogradShape) {
	const name = "WinogradConv"
	s.check(name, images)
	atLeast(name, "dst", len(dst), images*s.Out*s.Rows*s.Columns)
	atLeast(name, "src", len(src), images*s.In*s.Height*s.Width)
	atLeast(name, "weights", len(weights), s.Weights())
	if ep != nil {
		if ep.Bias != nil || ep.Scale != nil || ep.Residual != nil && !ep.ResidualFirst {
			panic(fmt.Sprintf("simd: %s: expected an epilogue with a RowBias, and with a residual before the activation", name))
		}
		if ep.RowBias != nil {
			atLeast(name, "RowBias", len(ep.RowBias), s.Out)
		}
		for _, x := range []struct {
			name string
			data []float32
		}{{"Residual", ep.Residual}, {"Pre", ep.Pre}} {
			if x.data != nil {
				atLeast(name, x.name, len(x.data), images*s.Out*s.Rows*s.Columns)
			}
		}
	}
	if images*s.Out*s.Rows*s.Columns == 0 {
		return
	}
	g := winogradRuns.get()
	g.WinogradShape, g.add, g.dst, g.src, g.weights = *s, add, dst, src, weights
	if ep != nil {
		g.ep = *ep
	}
	g.run(w, images)
	winogradRuns.put(g)
}

// Weights returns the number of elements of transformed filters.
func (s *WinogradShape) Weights() int { return winogradPlanes * s.In * s.Out }

func (s *WinogradShape) check(name string, images int) {
	if images < 0 || min(s.In, s.Out, s.Height, s.Width, s.Rows, s.Columns, s.PadY, s.PadX) < 0 {
		panic(fmt.Sprintf("simd: %s: negative size: %d images, %+v", name, images, *s))
	}
}

// WinogradWeights transforms filters f to g of the weight [out, in, 3, 3] for [WinogradConv]. weight has these filters
// alone. dst is [16, out, in], of which filters f to g are written:
//
//	(a, b, c) → (a, ((a+c)+b)/2, ((a+c)-b)/2, c)   of each column of a filter, and then of each row of that
//
// It is computed in float64 and rounded to float32. WinogradWeights panics when a slice is too short or f and g are not
// in order.
func WinogradWeights(dst, weight []float32, f, g int, s *WinogradShape) {
	const name = "WinogradWeights"
	s.check(name, 0)
	if f < 0 || f > g || g > s.Out {
		panic(fmt.Sprintf("simd: %s: expected filters from 0 to %d in order, found %d to %d", name, s.Out, f, g))
	}
	atLeast(name, "dst", len(dst), s.Weights())
	atLeast(name, "weight", len(weight), (g-f)*s.In*9)
	plane := s.Out * s.In
	for i := range (g - f) * s.In {
		w := (*[9]float32)(weight[9*i:])
		var down [4][3]float64
		for x := range 3 {
			down[0][x], down[1][x], down[2][x], down[3][x] = winogradFilter(float64(w[x]), float64(w[3+x]), float64(w[6+x]))
		}
		to := dst[f*s.In+i:]
		for y, r := range down {
			a, b, c, d := winogradFilter(r[0], r[1], r[2])
			at := 4 * y * plane
			to[at], to[at+plane], to[at+2*plane], to[at+3*plane] = float32(a), float32(b), float32(c), float32(d)
		}
	}
}

func winogradFilter(a, b, c float64) (p, q, r, s float64) {
	ends := a + c
	return a, (ends + b) / 2, (ends - b) / 2, c
}

// A winogradRun is one call of WinogradConv. The tiles of all images are cut into strips. A strip is transformed, channel
// by channel, multiplied, and transformed back, filter by filter. Threads have strips of their own, or share one where
// there are few.
type winogradRun struct {
	WinogradShape
	add               bool
	dst, src, weights []float32
	ep                Epilogue

	kern         *winogradKernel
	down, across int // tiles of an image
	tiles        int // of all images
	strip        int // tiles of a strip
	tasks        int // strips
	stride       int // elements from one row of transformed tiles to the next
	parts        int // of the filters, in the products of a shared strip

	shared                                *winogradScratch
	task, pixelTask, productTask, sumTask func(i int) // bound once
}

var winogradRuns = freeList[winogradRun]{
	most: 64,
	make: func() *winogradRun {
		g := new(winogradRun)
		g.bind()
		return g
	},
	wipe: func(g *winogradRun) {
		*g = winogradRun{task: g.task, pixelTask: g.pixelTask, productTask: g.productTask, sumTask: g.sumTask}
	},
}

// A winogradScratch holds a strip.
type winogradScratch struct {
	pixels, sums []float32 // [16, channels, stride], and a line between the planes
	rows         []winogradRow
}

// A winogradRow is a row of tiles, or a part of one, in a strip.
type winogradRow struct {
	image, row int
	from, to   int // tiles of the row
	at         int // the first one's place in the strip
}

var winogradScratches = freeList[winogradScratch]{
	most: 64,
	make: func() *winogradScratch { return new(winogradScratch) },
	wipe: func(*winogradScratch) {},
}

// winogradLines hold some padded rows of one channel, and rows of results.
var winogradLines = freeList[[]float32]{
	most: 64,
	make: func() *[]float32 { return new([]float32) },
	wipe: func(*[]float32) {},
}

const (
	// winogradStrip is the number of tiles of a strip: a whole number of tiles of products on each level. Longer strips read
	// the weights less often.
	winogradStrip = 160
	// winogradUnit is a number that strips are multiples of.
	winogradUnit = 32
	// winogradMost bounds the elements of a strip before and after the products, 4 MiB, unless a unit has more.
	winogradMost = 1 << 20
)

// plan chooses the strips. They change no bits.
func (g *winogradRun) plan(threads, images int) {
	g.kern = winogradKernels[level]
	g.down, g.across = ceilDiv(g.Rows, 2), ceilDiv(g.Columns, 2)
	g.tiles = images * g.down * g.across
	unit := winogradMost / (winogradPlanes * (g.In + g.Out)) / winogradUnit
	g.strip = min(winogradStrip, winogradUnit*max(1, unit))
	g.tasks = ceilDiv(g.tiles, g.strip)
	g.parts = ceilDiv(2*threads, winogradPlanes)
	g.stride = roundUp(min(g.strip, g.tiles)+g.kern.lanes-1, lineFloats)
}

func (g *winogradRun) run(w *Workers, images int) {
	threads := w.Limit()
	g.plan(threads, images)
	if threads == 1 || g.tasks >= 4*threads || g.tasks > 1 && g.tasks%threads == 0 {
		w.For(g.tasks, g.task)
		return
	}
	g.shared = winogradScratches.get()
	defer winogradScratches.put(g.shared)
	for i := range g.tasks {
		g.open(g.shared, i)
		w.For(ceilDiv(g.In, winogradChannels), g.pixelTask)
		w.For(winogradPlanes*g.parts, g.productTask)
		w.For(ceilDiv(g.Out, winogradChannels), g.sumTask)
	}
}

// winogradChannels is the number of channels of a task of a shared strip.
const winogradChannels = 16

func (g *winogradRun) bind() {
	g.task = func(i int) {
		s := winogradScratches.get()
		defer winogradScratches.put(s)
		g.open(s, i)
		g.transform(s, 0, g.In)
		for p := range winogradPlanes {
			g.multiply(s, p, 0, g.Out)
		}
		g.finish(s, 0, g.Out)
	}
	g.pixelTask = func(i int) {
		c := i * winogradChannels
		g.transform(g.shared, c, min(c+winogradChannels, g.In))
	}
	g.productTask = func(i int) {
		part, size := i/winogradPlanes, ceilDiv(g.Out, g.parts)
		g.multiply(g.shared, i%winogradPlanes, min(part*size, g.Out), min((part+1)*size, g.Out))
	}
	g.sumTask = func(i int) {
		f := i * winogradChannels
		g.finish(g.shared, f, min(f+winogradChannels, g.Out))
	}
}

// planeSize is the number of elements from a plane of a strip to the next. A line between them keeps the planes of a tile
// out of one set of the cache.
func (g *winogradRun) planeSize(channels int) int { return channels*g.stride + lineFloats }

// open lists the rows of strip i and makes room for it.
func (g *winogradRun) open(s *winogradScratch, i int) {
	s.rows = s.rows[:0]
	a := i * g.strip
	b := min(a+g.strip, g.tiles)
	for at := a; at < b; {
		r, t := at/g.across, at%g.across
		n := min(g.across-t, b-at)
		s.rows = append(s.rows, winogradRow{image: r / g.down, row: r % g.down, from: t, to: t + n, at: at - a})
		at += n
	}
	s.pixels = grow(s.pixels, winogradPlanes*g.planeSize(g.In))
	s.sums = grow(s.sums, winogradPlanes*g.planeSize(g.Out))
}

// count is the number of tiles of a strip.
func (s *winogradScratch) count() int {
	last := s.rows[len(s.rows)-1]
	return last.at + last.to - last.from
}

// transform writes channels c0 to c1 of the tiles of a strip.
func (g *winogradRun) transform(s *winogradScratch, c0, c1 int) {
	line := winogradLines.get()
	defer winogradLines.put(line)
	plane := g.planeSize(g.In)
	for i := 0; i < len(s.rows); {
		// Rows that follow one another in an image share rows of pixels.
		first, j := s.rows[i], i+1
		from, to := first.from, first.to
		for ; j < len(s.rows) && s.rows[j].image == first.image; j++ {
			from, to = 0, g.across
		}
		tall, wide := 2*(j-i)+2, 2*(to-from)+2
		*line = grow(*line, tall*wide+2*g.kern.lanes)
		for c := c0; c < c1; c++ {
			src := g.src[(first.image*g.In+c)*g.Height*g.Width:][:g.Height*g.Width]
			g.pad(*line, src, 2*first.row-g.PadY, 2*from-g.PadX, tall, wide)
			dst := s.pixels[c*g.stride:]
			for k, r := range s.rows[i:j] {
				at := 2*k*wide + 2*(r.from-from)
				g.kern.pixels(&dst[r.at], &(*line)[at], 4*plane, 4*wide, r.to-r.from)
			}
		}
		i = j
	}
}

// pad copies rows of a plane, which begin at row top and column left. What lies outside the plane is zero.
func (g *winogradRun) pad(dst, src []float32, top, left, rows, cols int) {
	lo := min(cols, max(0, -left))
	hi := max(lo, min(cols, g.Width-left))
	for i := range rows {
		row := dst[i*cols:][:cols]
		if y := top + i; y < 0 || y >= g.Height || lo == hi {
			clear(row)
		} else {
			for j := 0; j < lo; j++ {
				row[j] = 0
			}
			copy(row[lo:hi], src[y*g.Width+left+lo:])
			for j := hi; j < cols; j++ {
				row[j] = 0
			}
		}
	}
}

// multiply computes filters f0 to f1 of plane p of a strip.
func (g *winogradRun) multiply(s *winogradScratch, p, f0, f1 int) {
	if f0 >= f1 {
		return
	}
	r := gemmRuns.get()
	r.kern = gemmKernels[level]
	r.m, r.n, r.k, r.block, r.chain = f1-f0, s.count(), g.In, winogradBlock, winogradChain
	r.one = gemmOperands{
		a:   Matrix{Data: g.weights[(p*g.Out+f0)*g.In:], Stride: g.In},
		b:   Matrix{Data: s.pixels[p*g.planeSize(g.In):], Stride: g.stride},
		c:   s.sums[p*g.planeSize(g.Out)+f0*g.stride:],
		ldc: g.stride,
	}
	r.run(nil, 1)
}

// finish writes the results of filters f0 to f1.
func (g *winogradRun) finish(s *winogradScratch, f0, f1 int) {
	line := winogradLines.get()
	defer winogradLines.put(line)
	pitch := 2 * (g.across + g.kern.lanes)
	*line = grow(*line, 2*pitch)
	floor, folds := g.floor()
	for f := f0; f < f1; f++ {
		bias := float32(math.Copysign(0, -1)) // changes no sum
		if g.ep.RowBias != nil && !g.add {
			bias = g.ep.RowBias[f]
		}
		for _, r := range s.rows {
			src := s.sums[f*g.stride+r.at:]
			at := (r.image*g.Out+f)*g.Rows*g.Columns + 2*r.row*g.Columns + 2*r.from
			n, cols := r.to-r.from, min(2*r.to, g.Columns)-2*r.from
			done := 0 // tiles that go straight to their place
			if folds && 2*r.row+1 < g.Rows {
				if done = cols / 2 / g.kern.lanes * g.kern.lanes; done > 0 {
					g.kern.sums(&g.dst[at], &src[0], 4*g.Columns, 4*g.planeSize(g.Out), done, bias, floor)
				}
			}
			if done == n {
				continue
			}
			g.kern.sums(&(*line)[0], &src[done], 4*pitch, 4*g.planeSize(g.Out), n-done, bias, floor)
			for y := range min(2, g.Rows-2*r.row) {
				row, at := (*line)[y*pitch:][:cols-2*done], at+y*g.Columns+2*done
				if folds {
					copy(g.dst[at:], row)
				} else {
					g.end(row, f, at)
				}
			}
		}
	}
}

// floor returns the f for which the steps are x = max(x + RowBias[i], f), if there is one, or else -Inf.
func (g *winogradRun) floor() (f float32, ok bool) {
	ep := &g.ep
	ok = !g.add && ep.Pre == nil && ep.Residual == nil && (ep.Act == ActNone || ep.Act == ActRelu)
	if !ok || ep.Act == ActNone {
		f = float32(math.Inf(-1))
	}
	return f, ok
}

// end writes a part of a row of results, from element number at of dst on. The bias was added to them unless they are added
// to dst.
func (g *winogradRun) end(row []float32, f, at int) {
	ep, dst := &g.ep, g.dst[at:][:len(row)]
	if g.add {
		Add(dst, dst, row)
		row = dst
		if ep.RowBias != nil {
			AddScalar(dst, dst, ep.RowBias[f])
		}
	}
	relu := ep.Act == ActRelu && ep.Pre == nil && ep.Residual != nil
	switch {
	case ep.Residual != nil:
		addRow(dst, row, ep.Residual[at:][:len(row)], relu)
	case !g.add:
		copy(dst, row)
	}
	if ep.Pre != nil {
		copy(ep.Pre[at:], dst)
	}
	if ep.Act != ActNone && !relu {
		ep.Act.Apply(dst, dst)
	}
}
