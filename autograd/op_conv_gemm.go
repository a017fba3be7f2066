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
	bias   []float32 // of all groups, or nil
	beta   float32

	// Output (r, c) of a channel is element at + r·rowStep + c·step of planeSize.
	at, rowStep, step, planeSize int
}

// Scratch is bounded. The planes of a task have at most stripMost elements, 768 KiB, unless the shortest strip needs
// more. Planes that all threads share have at most wholeMost, 4 MiB. A strip is a multiple of stripUnit positions, which
// the widths of panels divide at each level: 32, 16, 12 and 4. Images of few positions share panels, stripMany in all.
const (
	stripMost = 192 << 10
	wholeMost = 1 << 20
	stripUnit = 96
	stripMany = 5 * stripUnit
)

// A slidingPlan divides a sliding into tasks. No bit depends on it.
type slidingPlan struct {
	planes
	images int  // of a task
	strip  int  // positions of a task, of one image
	shared bool // threads share a task, and tasks follow one another
	image  int  // elements of an image's planes
	size   int  // elements of the planes of a task
	sums   int  // elements of the results of a task that are not written in place
}

// plan chooses the tasks. When there are fewer images and groups than threads can divide, each is divided by the
// product itself, if its planes fit; else strips become shorter.
func (s *sliding) plan(threads int) slidingPlan {
	positions := s.y.out * s.x.out
	p := slidingPlan{images: 1, strip: positions}
	if positions <= stripMany/4 {
		p.images = min(s.n, stripMany/positions)
	}
	lay := func() {
		p.planes = newPlanes(s.y, s.x, stripRows(p.strip, s.x.out, s.y.out))
		p.image = s.ci * p.planes.size
		p.size = roundUp(p.images*p.image+simd.GatherSlack, 16)
	}
	lay()
	p.shared = threads > 1 && s.groups*ceilDiv(s.n, p.images) < 2*threads && p.size <= wholeMost
	if !p.shared {
		few := func() bool {
			return threads > 1 && s.groups*ceilDiv(s.n, p.images)*ceilDiv(positions, p.strip) < 4*threads
		}
		for p.images > 1 && (p.size > stripMost || few()) {
			p.images = (p.images + 1) / 2
			lay()
		}
		for p.strip > stripUnit && (p.size > stripMost || few()) {
			p.strip = roundUp(p.strip/2, stripUnit)
			lay()
		}
	}
	if p.images > 1 || s.step != 1 || s.rowStep != s.x.out {
		p.sums = s.co * p.images * p.strip
	}
	return p
}

// stripRows is the most rows of a width that n positions touch.
func stripRows(n, width, rows int) int { return min(rows, (n+width-2)/width+1) }

// run computes the products.
func (s *sliding) run(t *Tape) {
	positions := s.y.out * s.x.out
	if positions == 0 || s.co == 0 || s.n == 0 {
		return
	}
	p := s.plan(t.workers.Limit())
	strips := ceilDiv(positions, p.strip)
	tasks := ceilDiv(s.n, p.images) * s.groups * strips
	slots := 1
	if !p.shared {
		slots = t.slots(tasks, s.co*s.ci*len(p.window)*p.strip)
	}
	scratch := t.scratch(slots * (p.size + p.sums))
	t.eachSlot(slots, tasks, func(slot, i int) {
		a := i % strips * p.strip
		group, image := i/strips%s.groups, i/strips/s.groups*p.images
		s.task(t, &p, scratch[slot*(p.size+p.sums):][:p.size+p.sums], group, image, a)
	})
	t.recycle(scratch)
}

// task computes the results of a group of images from position a on.
func (s *sliding) task(t *Tape, p *slidingPlan, scratch []float32, group, image, a int) {
	positions, taps := s.y.out*s.x.out, s.ci*len(p.window)
	images, strip := min(p.images, s.n-image), min(p.strip, positions-a)
	row := a / s.x.out
	t.eachIf(p.shared, images*s.ci, p.planes.size, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			src := s.source(image+i/s.ci, group)
			p.fill(scratch[i*p.planes.size:][:p.planes.size], src[i%s.ci*s.y.size*s.x.size:], row)
		}
	})
	g := p.gather(scratch[:p.size], a, row)
	if images > 1 {
		g.Height, g.Image = s.y.out, p.image
	}
	var ep *simd.Epilogue
	if s.bias != nil {
		ep = &simd.Epilogue{RowBias: s.bias[group*s.co:][:s.co]}
	}
	var inner *simd.Workers
	if p.shared {
		inner = t.workers
	}
	w, n, block := simd.Matrix{Data: s.weight(group), Stride: taps}, images*strip, convBlock(len(p.window))
	if p.sums == 0 {
		simd.GemmGather(inner, s.co, n, taps, w, &g, block, s.beta, s.result(image, group)[a:], s.planeSize, ep)
		return
	}
	sums := scratch[p.size:]
	simd.GemmGather(inner, s.co, n, taps, w, &g, block, 0, sums, n, ep)
	t.eachIf(p.shared, images*s.co, 2*strip, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			c := i % s.co
			s.spread(s.result(image+i/s.co, group)[c*s.planeSize:][:s.planeSize], sums[c*n+i/s.co*strip:][:strip], a)
		}
	})
}

// convBlock is the length of a block of K: whole channels of the given number of taps, up to 256 numbers.
func convBlock(taps int) int { return max(1, 256/taps) * taps }

// spread writes or adds the results from position a on to one channel.
func (s *sliding) spread(dst, sums []float32, a int) {
	for len(sums) > 0 {
		r, c := a/s.x.out, a%s.x.out
		n := min(len(sums), s.x.out-c)
		if s.step == 1 && s.rowStep == s.x.out {
			n = len(sums)
		}
		to := dst[s.at+r*s.rowStep+c*s.step:]
		if s.step > 1 {
			simd.Spread(to, sums[:n], s.step, s.beta != 0)
		} else if s.beta != 0 {
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

// forward computes y = conv(x, w) + bias + beta·y, beta being 0 or 1.
func (g *convShape) forward(t *Tape, y []float32, beta float32, x, w, bias []float32) {
	if len(y) == 0 {
		return
	}
	switch {
	case g.depthwise():
		g.depthwiseForward(t, y, beta, x, w, bias)
		return
	case g.pointwise():
		g.pointwiseForward(t, y, beta, x, w, bias)
		return
	}
	s := sliding{n: g.n, groups: g.groups, ci: g.ci, co: g.co, bias: bias, beta: beta,
		rowStep: g.ow, step: 1, planeSize: g.positions(),
		source: func(i, k int) []float32 { return g.before(x, i, k) },
		result: func(i, k int) []float32 { return g.after(y, i, k) },
		weight: func(k int) []float32 { return g.weight(w, k) },
	}
	s.y, s.x = g.axes()
	s.run(t)
}

// epilogue adds the biases of group k.
func (g *convShape) epilogue(bias []float32, k int) *simd.Epilogue {
	if bias == nil {
		return nil
	}
	return &simd.Epilogue{RowBias: bias[k*g.co:][:g.co]}
}

// pointwiseForward multiplies the images as they lie in memory.
func (g *convShape) pointwiseForward(t *Tape, y []float32, beta float32, x, w, bias []float32) {
	g.eachProblem(t, func(inner *simd.Workers, i, k int) {
		simd.Gemm(inner, g.co, g.positions(), g.ci, simd.Matrix{Data: g.weight(w, k), Stride: g.ci},
			simd.Matrix{Data: g.before(x, i, k), Stride: g.positions()}, beta, g.after(y, i, k), g.positions(),
			g.epilogue(bias, k))
	})
}

// eachProblem runs f for each group of each image, with workers to use inside when there are few.
func (g *convShape) eachProblem(t *Tape, f func(inner *simd.Workers, i, k int)) {
	problems := g.n * g.groups
	inner := t.workers
	if problems >= 2*t.workers.Limit() {
		inner = nil
	}
	t.workers.For(problems, func(task int) { f(inner, task/g.groups, task%g.groups) })
}

// ceilDiv returns how many blocks of size cover n.
func ceilDiv(n, size int) int { return (n + size - 1) / size }

func roundUp(n, size int) int { return ceilDiv(n, size) * size }
