package autograd

import "github.com/fovea-ml/fovea/simd"

// A convolution is a product of the weight [co, taps] with a matrix [taps, positions], which holds the pixels
// under the window of each position. That matrix is kh·kw times as large as the image. So only a tile of it
// exists at a time, in scratch that stays in a core's second-level cache: at most colDepth taps by colWidth
// positions, 512 KiB. In the forward step a tile has the channels of one K block, so that each call of Gemm adds the
// sum of one block.
const (
	colDepth = 256
	colWidth = 512
)

// blockChannels is the number of channels in a K block, which holds whole windows: about 256 taps, as in Gemm. The
// taps of a larger window are cut as Gemm cuts them.
func (g *convShape) blockChannels() int { return max(1, colDepth/(g.kh*g.kw)) }

// convTiles divides a convolution that is not pointwise.
type convTiles struct {
	*phases
	channels int // of a tile
	split    int // elements of a tile's phases, which come before its columns in scratch
	scratch  int // elements of both
}

// tiles returns tiles of at most the given number of channels and of about the given number of positions, and their
// scratch.
func (g *convShape) tiles(channels, width int) convTiles {
	c := convTiles{phases: g.phases(max(1, min(g.oh, width/g.ow))), channels: min(g.ci, channels)}
	c.split = c.channels * c.size
	c.scratch = c.split + c.channels*g.kh*g.kw*c.rows*g.ow
	return c
}

// columns fills the columns of channels c0 to c1 of an image for the outputs of rows r0 to r1.
func (c *convTiles) columns(buf, x []float32, c0, c1, r0, r1 int) (col []float32) {
	parts, col := buf[:(c1-c0)*c.size], buf[c.split:]
	for k := c0; k < c1; k++ {
		c.phases.split(parts[(k-c0)*c.size:][:c.size], x[k*c.h*c.w:][:c.h*c.w], r0)
	}
	c.gather(col, parts, r1-r0)
	return col
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
	problems, threads := g.n*g.groups, t.workers.Limit()
	width := colWidth
	c := g.tiles(g.blockChannels(), width)
	for width > 128 && c.rows > 1 && problems*ceilDiv(g.oh, c.rows) < 2*threads {
		width /= 2
		c = g.tiles(g.blockChannels(), width)
	}
	blocks := ceilDiv(g.oh, c.rows)
	inner := t.workers
	if problems*blocks >= 2*threads {
		inner = nil
	}
	positions, taps, window := g.positions(), g.taps(), g.kh*g.kw
	slots := t.slots(problems*blocks, g.co*taps*c.rows*g.ow)
	scratch := t.scratch(slots * c.scratch)
	t.eachSlot(slots, problems*blocks, func(slot, task int) {
		i, k := task/blocks/g.groups, task/blocks%g.groups
		r0 := task % blocks * c.rows
		r1 := min(r0+c.rows, g.oh)
		n := (r1 - r0) * g.ow
		src, wk := g.before(x, i, k), g.weight(w, k)
		dst := g.after(y, i, k)[r0*g.ow:]
		from := beta
		for c0 := 0; c0 < g.ci; c0 += c.channels {
			c1 := min(c0+c.channels, g.ci)
			col := c.columns(scratch[slot*c.scratch:][:c.scratch], src, c0, c1, r0, r1)
			var ep *simd.Epilogue
			if c1 == g.ci {
				ep = g.epilogue(bias, k)
			}
			simd.Gemm(inner, g.co, n, (c1-c0)*window, simd.Matrix{Data: wk[c0*window:], Stride: taps},
				simd.Matrix{Data: col, Stride: n}, from, dst, positions, ep)
			from = 1
		}
	})
	t.recycle(scratch)
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

// weightGrad computes dw = Σ dy·colᵀ + beta·dw. A task owns a block of dw and goes through all images and
// positions in order, so that the number of tasks does not change the order of a sum.
func (g *convShape) weightGrad(t *Tape, dw []float32, beta float32, x, dy []float32) {
	switch {
	case g.n == 0 || g.positions() == 0 || len(dw) == 0:
		if beta == 0 {
			clear(dw)
		}
		return
	case g.depthwise():
		g.depthwiseWeightGrad(t, dw, beta, x, dy)
		return
	case g.pointwise():
		for k := range g.groups {
			from := beta
			for i := range g.n {
				simd.Gemm(t.workers, g.co, g.ci, g.positions(), simd.Matrix{Data: g.after(dy, i, k), Stride: g.positions()},
					simd.Matrix{Data: g.before(x, i, k), Stride: g.positions(), Trans: true},
					from, g.weight(dw, k), g.ci, nil)
				from = 1
			}
		}
		return
	}
	// Dividing the channels costs nothing; dividing the filters gathers the same pixels again.
	filters := g.co
	c := g.tiles(g.blockChannels(), colWidth)
	tasks := func() int { return g.groups * ceilDiv(g.ci, c.channels) * ceilDiv(g.co, filters) }
	if want := 2 * t.workers.Limit(); want > 2 {
		for tasks() < want && c.channels*g.kh*g.kw > 64 && c.channels > 1 {
			c = g.tiles(c.channels/2, colWidth) // as many rows
		}
		for tasks() < want && filters > 32 {
			filters = (filters + 1) / 2
		}
	}
	positions, taps, window := g.positions(), g.taps(), g.kh*g.kw
	across, down := ceilDiv(g.ci, c.channels), ceilDiv(g.co, filters)
	slots := t.slots(tasks(), g.n*positions*c.channels*window*filters)
	scratch := t.scratch(slots * c.scratch)
	t.eachSlot(slots, tasks(), func(slot, task int) {
		k := task / down / across
		c0, f0 := task/down%across*c.channels, task%down*filters
		c1, f1 := min(c0+c.channels, g.ci), min(f0+filters, g.co)
		dst := g.weight(dw, k)[f0*taps+c0*window:]
		from := beta
		for i := range g.n {
			src, seed := g.before(x, i, k), g.after(dy, i, k)[f0*positions:]
			for r0 := 0; r0 < g.oh; r0 += c.rows {
				r1 := min(r0+c.rows, g.oh)
				n := (r1 - r0) * g.ow
				col := c.columns(scratch[slot*c.scratch:][:c.scratch], src, c0, c1, r0, r1)
				simd.Gemm(nil, f1-f0, (c1-c0)*window, n, simd.Matrix{Data: seed[r0*g.ow:], Stride: positions},
					simd.Matrix{Data: col, Stride: n, Trans: true}, from, dst, taps, nil)
				from = 1
			}
		}
	})
	t.recycle(scratch)
}

// inputGrad computes dx = convᵀ(dy, w) + beta·dx. A task owns some channels of one image. A pixel receives its
// contributions by blocks of rows of outputs, and within a block tap by tap. The shapes alone decide the size
// of a block.
func (g *convShape) inputGrad(t *Tape, dx []float32, beta float32, dy, w []float32) {
	switch {
	case len(dx) == 0:
		return
	case g.co == 0 || g.positions() == 0:
		if beta == 0 {
			clear(dx)
		}
		return
	case g.depthwise():
		g.depthwiseInputGrad(t, dx, beta, dy, w)
		return
	case g.pointwise():
		g.eachProblem(t, func(inner *simd.Workers, i, k int) {
			simd.Gemm(inner, g.ci, g.positions(), g.co, simd.Matrix{Data: g.weight(w, k), Stride: g.ci, Trans: true},
				simd.Matrix{Data: g.after(dy, i, k), Stride: g.positions()}, beta, g.before(dx, i, k), g.positions(), nil)
		})
		return
	}
	problems := g.n * g.groups
	c := g.tiles(g.blockChannels(), colWidth)
	for c.channels*g.kh*g.kw > 64 && c.channels > 1 && problems*ceilDiv(g.ci, c.channels) < 2*t.workers.Limit() {
		c = g.tiles(c.channels/2, colWidth) // as many rows
	}
	blocks := ceilDiv(g.ci, c.channels)
	positions, taps, window := g.positions(), g.taps(), g.kh*g.kw
	slots := t.slots(problems*blocks, g.co*positions*c.channels*window)
	scratch := t.scratch(slots * c.scratch)
	t.eachSlot(slots, problems*blocks, func(slot, task int) {
		i, k := task/blocks/g.groups, task/blocks%g.groups
		c0 := task % blocks * c.channels
		c1 := min(c0+c.channels, g.ci)
		dst := g.before(dx, i, k)[c0*g.h*g.w : c1*g.h*g.w]
		seed, wk := g.after(dy, i, k), g.weight(w, k)[c0*window:]
		if beta == 0 {
			clear(dst)
		}
		buf := scratch[slot*c.scratch:][:c.scratch]
		sums, col := buf[:(c1-c0)*c.size], buf[c.split:]
		for r0 := 0; r0 < g.oh; r0 += c.rows {
			r1 := min(r0+c.rows, g.oh)
			n := (r1 - r0) * g.ow
			simd.Gemm(nil, (c1-c0)*window, n, g.co, simd.Matrix{Data: wk, Stride: taps, Trans: true},
				simd.Matrix{Data: seed[r0*g.ow:], Stride: positions}, 0, col, n, nil)
			clear(sums)
			c.scatter(sums, col, r1-r0)
			for j := range c1 - c0 {
				c.merge(dst[j*g.h*g.w:][:g.h*g.w], sums[j*c.size:][:c.size], r0)
			}
		}
	})
	t.recycle(scratch)
}

// ceilDiv returns how many blocks of size cover n.
func ceilDiv(n, size int) int { return (n + size - 1) / size }
