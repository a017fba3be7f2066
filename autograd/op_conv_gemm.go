package autograd

import "github.com/fovea-ml/fovea/simd"

// A sliding is a convolution as products of weights [co, ci·taps] with the pixels under a window, a matrix
// [ci·taps, positions] that is never stored: the product gathers its panels from planes. The forward pass is one,
// and the gradient of the input is one for each phase of the stride.
//
// K runs over (channel, tap) in blocks of whole channels, as many as have 256 taps, at least one.
type sliding struct {
	y, x      convAxis
	n, groups int
	ci, co    int // channels of a group
	// Of a group of an image: the channels before and after. Results are written to those after.
	source func(image, group int) []float32
	result func(image, group int) []float32
	weight func(group int) []float32
	end    convEnd
	// The weights of each group, packed; nil when they are not, or not yet.
	filters []*simd.Packed
	// Unless nil, products are of words: ci counts words of channels, and source and weight are nil.
	pixels *convPixels
	beta   float32

	// Output (r, c) of a channel is element at + r·rowStep + c·step of planeSize.
	at, rowStep, step, planeSize int
}

// Scratch is bounded. A task has the planes of a chunk of channels, a whole number of K blocks, for a strip of
// positions: at most planesMost elements, 512 KiB, unless the smallest chunk and strip need more. Planes that all threads
// share have at most sharedMost, 4 MiB, and so do results that are spread afterwards. A strip is a multiple of stripUnit positions, which the widths of panels
// divide at each level: 32, 16, 12 and 4. It has stripMost or more where the planes fit, since neighboring strips copy
// the same rows. Images of few positions share panels, as many as make a strip.
const (
	planesMost = 128 << 10
	sharedMost = 1 << 20
	stripUnit  = 96
	stripMost  = 5 * stripUnit
)

// A slidingPlan divides a sliding into tasks. No bit depends on it.
type slidingPlan struct {
	planes
	images int  // of a task
	strip  int  // positions of a task, of one image; the most, when strips are rows
	strips int  // of an image
	chunk  int  // channels whose planes exist at a time
	shared bool // threads share a task, and tasks follow one another
	image  int  // elements of an image's planes
	scales int  // elements before the scales of the positions, which integers have
	size   int  // elements of the planes of a task
	sums   int  // elements of the results of a task that are not written in place
}

// plan chooses the tasks. When there are fewer images and groups than threads can divide, each is divided by the
// product itself, if its planes fit; else strips become shorter.
func (s *sliding) plan(threads int) (p slidingPlan) {
	positions := s.y.out * s.x.out
	if s.filters != nil {
		return s.planFilters(threads)
	}
	p = slidingPlan{images: 1, strip: positions, strips: 1, chunk: s.ci}
	if positions <= stripMost/2 {
		p.images = min(s.n, stripMost/positions)
	}
	defer func() { p.strips = ceilDiv(positions, p.strip) }()
	taps := len(s.y.taps) * len(s.x.taps)
	block := convBlock(taps) / taps // channels
	fits := func(most int) bool { return p.lay(s) <= most && p.sums <= sharedMost }
	unit := stripUnit
	// A convolution of fewer filters reads its planes in place. Then strips are whole rows, and they are short enough that
	// the planes stay in a near cache: threads do not share them.
	few := s.co < simd.FewRows && s.pixels == nil
	if few && s.x.out > stripUnit/2 {
		unit = s.x.out
	}
	if p.shared = threads > 1 && !few && s.groups*ceilDiv(s.n, p.images) < 2*threads && fits(sharedMost); p.shared {
		return p
	}
	most := roundUp(stripMost, unit)
	idle := func() bool {
		return threads > 1 && s.groups*ceilDiv(s.n, p.images)*ceilDiv(positions, p.strip) < 4*threads
	}
	for p.images > 1 && idle() {
		p.images = (p.images + 1) / 2
	}
	for p.strip > unit && idle() {
		p.strip = roundUp(p.strip/2, unit)
	}
	for !fits(planesMost) {
		switch {
		case p.strip > most:
			p.strip = max(most, roundUp(p.strip/2, unit))
		case p.chunk > block && !s.pixels.whole():
			p.chunk = roundUp(p.chunk/2, block)
		case p.images > 1:
			p.images = (p.images + 1) / 2
		case p.strip > unit:
			p.strip = roundUp(p.strip/2, unit)
		default:
			return p
		}
	}
	return p
}

// lay lays out the planes of a task, and returns their number of elements.
func (p *slidingPlan) lay(s *sliding) int {
	p.planes = newPlanes(s.y, s.x, stripRows(p.strip, s.x.out, s.y.out))
	p.image = p.chunk * p.planes.size
	p.size = roundUp(p.images*p.image+simd.GatherSlack, 16)
	p.scales = p.size
	if s.pixels.whole() {
		p.size += roundUp(p.images*p.strip, 16)
	}
	p.sums = 0
	if p.images > 1 || !s.dense() { // results have no place of their own
		p.sums = s.co * p.images * p.strip
	}
	return p.size
}

// dense reports whether the results of a channel are neighbors.
func (s *sliding) dense() bool { return s.step == 1 && s.rowStep == s.x.out }

// stripRows is the most rows of a width that n positions touch.
func stripRows(n, width, rows int) int { return min(rows, (n+width-2)/width+1) }

// run computes the products.
func (s *sliding) run(t *Tape) {
	positions := s.y.out * s.x.out
	if positions == 0 || s.co == 0 || s.n == 0 {
		return
	}
	var packed []float32
	if s.pixels == nil {
		packed = s.packFilters(t)
	}
	p := s.plan(t.workers.Limit())
	tasks := ceilDiv(s.n, p.images) * s.groups * p.strips
	slots := 1
	if !p.shared {
		slots = t.slots(tasks, s.co*s.ci*len(p.window)*p.strip)
	}
	scratch := t.scratch(slots * (p.size + p.sums))
	t.eachSlot(slots, tasks, func(slot, i int) {
		var next simd.Ahead
		if i+slots < tasks { // this thread probably goes on with it
			next = s.ahead(&p, i+slots)
		}
		cold := i < slots || p.images > 1 || !s.near() // else the task before has fetched the pixels
		s.task(t, &p, scratch[slot*(p.size+p.sums):][:p.size+p.sums], i, cold, next)
	})
	t.recycle(scratch)
	if packed != nil {
		s.filters = nil
		t.recycle(packed)
	}
}

// place returns the group and the first image of task i, its first position and its number of positions.
func (s *sliding) place(p *slidingPlan, i int) (group, image, a, strip int) {
	a, strip = s.strip(p, i%p.strips)
	return i / p.strips % s.groups, i / p.strips / s.groups * p.images, a, strip
}

// ahead returns the pixels that task i copies; none if it has several images.
func (s *sliding) ahead(p *slidingPlan, i int) simd.Ahead {
	group, image, a, strip := s.place(p, i)
	row, last := a/s.x.out, (a+strip-1)/s.x.out
	from, to := p.span(row, last+1-row)
	if p.images > 1 || from >= to || s.pixels != nil {
		return simd.Ahead{}
	}
	return simd.Ahead{Data: s.source(image, group)[from:], Stride: s.y.size * s.x.size, Rows: s.ci, Cols: to - from}
}

// task computes the results of task i. Meanwhile it fetches next. When cold is set, its own pixels may be far.
func (s *sliding) task(t *Tape, p *slidingPlan, scratch []float32, i int, cold bool, next simd.Ahead) {
	group, image, a, strip := s.place(p, i)
	window := len(p.window)
	images := min(p.images, s.n-image)
	row := a / s.x.out
	rows := (a+strip-1)/s.x.out + 1 - row
	g := p.gather(scratch[:p.size], a, row)
	g.Next = next
	if images > 1 {
		g.Height, g.Image = rows, p.image
	}
	var inner *simd.Workers
	if p.shared {
		inner = t.workers
	}
	// Where the product goes: in place, or to scratch.
	dst, stride, n, beta := s.result(image, group)[a:], s.planeSize, images*strip, s.beta
	if p.sums > 0 {
		dst, stride, beta = scratch[p.size:], n, 0
	}
	// Dense results are added to what was there before the first block, whether they have a place of their own or not.
	first := p.sums > 0 && s.beta != 0 && s.dense()
	if first {
		beta = s.beta
		t.eachIf(p.shared, images*s.co, strip, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				j, c := i/s.co, i%s.co
				copy(dst[c*n+j*strip:][:strip], s.result(image+j, group)[c*s.planeSize+a:])
			}
		})
	}
	for c0 := 0; c0 < s.ci; c0 += p.chunk {
		channels := min(p.chunk, s.ci-c0)
		t.eachIf(p.shared, images*channels, p.planes.size, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				j, c := i/channels, i%channels
				if s.pixels != nil {
					s.pixels.fill(&p.planes, scratch[j*p.image+c*p.planes.size:][:p.planes.size], image+j, group, c0+c, row, rows)
					continue
				}
				src := s.source(image+j, group)[(c0+c)*s.y.size*s.x.size:]
				if cold {
					p.fetch(src[s.y.size*s.x.size:], row, rows)
				}
				p.fill(scratch[j*p.image+c*p.planes.size:][:p.planes.size], src, row, rows)
			}
		})
		var ep *simd.Epilogue
		if p.sums == 0 && c0+channels == s.ci {
			ep = s.end.epilogue(group*s.co, s.co, s.number(image, group, 0, a), s.planeSize)
		}
		if s.pixels != nil {
			scales := s.pixels.spread(scratch[p.scales:p.size], image, images, a, strip)
			simd.GemmPixels(inner, n, s.pixels.filters[group], c0*window, channels*window, &g, scales, convBlock(window), beta, dst, stride, ep)
			beta = 1
			continue
		}
		if s.filters != nil {
			simd.GemmGatherPacked(inner, n, s.filters[group], &g, convBlock(window), beta, dst, stride, ep)
			continue
		}
		w := simd.Matrix{Data: s.weight(group)[c0*window:], Stride: s.ci * window}
		simd.GemmGather(inner, s.co, n, channels*window, w, &g, convBlock(window), beta, dst, stride, ep)
		beta = 1
	}
	if p.sums == 0 {
		return
	}
	t.eachIf(p.shared, images*s.co, 2*strip, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			j, c := i/s.co, i%s.co
			sums := dst[c*n+j*strip:][:strip]
			s.end.row(sums, group*s.co+c, s.number(image+j, group, c, a))
			s.spread(s.result(image+j, group)[c*s.planeSize:][:s.planeSize], sums, a, s.beta != 0 && !first)
		}
	})
}

// number is the number of position a of a channel of a group among all elements of the result.
func (s *sliding) number(image, group, channel, a int) int {
	return ((image*s.groups+group)*s.co+channel)*s.planeSize + a
}

// convBlock is the length of a block of K: whole channels of the given number of taps, up to 256 numbers.
func convBlock(taps int) int { return max(1, 256/taps) * taps }

// spread writes the results from position a on to one channel, or adds them.
func (s *sliding) spread(dst, sums []float32, a int, add bool) {
	for len(sums) > 0 {
		r, c := a/s.x.out, a%s.x.out
		n := min(len(sums), s.x.out-c)
		if s.dense() {
			n = len(sums)
		}
		to := dst[s.at+r*s.rowStep+c*s.step:]
		if s.step > 1 {
			simd.Spread(to, sums[:n], s.step, add)
		} else if add {
			simd.Add(to[:n], to[:n], sums[:n])
		} else {
			copy(to, sums[:n])
		}
		a, sums = a+n, sums[n:]
	}
}

// eachIf is each, serial unless parallel is set.
func (t *Tape) eachIf(parallel bool, n, cost int, f func(lo, hi int)) {
	if parallel {
		t.each(n, cost, f)
	} else {
		f(0, n)
	}
}

// axes returns the window of the forward pass.
func (g *convShape) axes() (y, x convAxis) {
	y, x = convAxis{size: g.h, out: g.oh, stride: g.sy}, convAxis{size: g.w, out: g.ow, stride: g.sx}
	for k := range g.kh {
		y.taps = append(y.taps, k*g.dy-g.py)
	}
	for k := range g.kw {
		x.taps = append(x.taps, k*g.dx-g.px)
	}
	return y, x
}

// A convWeight is the weight of a convolution in one of its forms, the others being nil.
type convWeight struct {
	values   []float32
	filters  []*simd.Packed       // of each group
	winograd []float32            // transformed
	pixels   []*simd.PixelFilters // of each group, for another arithmetic than Strict
}

// forward computes y = end(conv(x, w)) + beta·y, beta being 0 or 1; with 1 there are no steps at the end.
func (g *convShape) forward(t *Tape, y []float32, beta float32, x []float32, w convWeight, end convEnd) {
	if len(y) == 0 {
		return
	}
	switch {
	case g.depthwise():
		g.depthwiseForward(t, y, beta, x, w.values, end)
	case g.pointwise():
		g.pointwiseForward(t, y, beta, x, w.values, w.filters, end)
	case g.winograd():
		g.winogradForward(t, y, beta, x, w, end)
	default:
		s := g.sliding()
		s.end, s.beta, s.filters = end, beta, w.filters
		s.source = func(i, k int) []float32 { return g.before(x, i, k) }
		s.result = func(i, k int) []float32 { return g.after(y, i, k) }
		s.weight = func(k int) []float32 { return g.weight(w.values, k) }
		s.run(t)
	}
}

// sliding returns the geometry of the forward pass.
func (g *convShape) sliding() sliding {
	s := sliding{n: g.n, groups: g.groups, ci: g.ci, co: g.co, rowStep: g.ow, step: 1, planeSize: g.positions()}
	s.y, s.x = g.axes()
	return s
}

// pointwiseForward multiplies the images as they lie in memory.
func (g *convShape) pointwiseForward(t *Tape, y []float32, beta float32, x, w []float32, filters []*simd.Packed, end convEnd) {
	size := g.positions()
	g.eachProblem(t, func(inner *simd.Workers, i, k int) {
		ep := end.epilogue(k*g.co, g.co, (i*g.groups+k)*g.co*size, size)
		weight, dst := simd.Matrix{Stride: g.ci}, g.after(y, i, k)
		if filters == nil {
			weight.Data = g.weight(w, k)
		}
		switch {
		case g.list != nil:
			rows := func(c int) []float32 { return g.list.plane(i*g.ci+c, size) }
			simd.GemmRows(inner, g.co, size, g.ci, weight, rows, beta, dst, size, ep)
		case filters != nil:
			simd.GemmFilters(inner, size, filters[k], simd.Matrix{Data: g.before(x, i, k), Stride: size}, beta, dst, size, ep)
		default:
			simd.Gemm(inner, g.co, size, g.ci, weight, simd.Matrix{Data: g.before(x, i, k), Stride: size}, beta, dst, size, ep)
		}
	})
}

// eachProblem runs f for each group of each image: many at once, or one after the other with workers to use inside.
func (g *convShape) eachProblem(t *Tape, f func(inner *simd.Workers, i, k int)) {
	problems := g.n * g.groups
	if problems < 2*t.workers.Limit() {
		for task := range problems {
			f(t.workers, task/g.groups, task%g.groups)
		}
		return
	}
	t.workers.For(problems, func(task int) { f(nil, task/g.groups, task%g.groups) })
}

// ceilDiv returns how many blocks of size cover n.
func ceilDiv(n, size int) int { return (n + size - 1) / size }

func roundUp(n, size int) int { return ceilDiv(n, size) * size }
