package autograd

import "github.com/fovea-ml/fovea/simd"

// A depthwise convolution has one input channel a group, so a product with its weight would have as few rows as
// a group has filters. Here a plane is split into phases. In a phase, a tap's contribution to all outputs is one
// Axpy over a run of memory: lanes over positions, taps in ascending order, as Gemm would add them. Rows of a
// phase are wider than rows of the result; the columns in the gap are not used.

// depthwisePlan holds the phases of whole planes. asIs means that a plane is its own phase: it needs no padding
// and no splitting.
type depthwisePlan struct {
	*phases
	asIs bool
}

func (g *convShape) depthwisePlan() *depthwisePlan {
	p := &depthwisePlan{phases: g.phases(g.oh)}
	if g.sy == 1 && g.sx == 1 && p.height == g.h && p.width == g.w && g.py == 0 && g.px == 0 {
		p.asIs, p.size = true, 0
	}
	return p
}

// of returns the phases of a plane, in buf unless the plane is one already.
func (p *depthwisePlan) of(buf, x []float32) []float32 {
	if p.asIs {
		return x
	}
	p.split(buf, x, 0)
	return buf
}

// flat is the length of some rows of the result laid out in rows of a phase's width.
func (p *depthwisePlan) flat(rows int) int { return (rows-1)*p.width + p.ow }

// widen copies a plane of the result's size to rows of a phase's width, zeros in the gap.
func (p *depthwisePlan) widen(dst, y []float32) {
	for r := range p.oh {
		row := dst[r*p.width : min(len(dst), (r+1)*p.width)]
		copy(row, y[r*p.ow:][:p.ow])
		clear(row[p.ow:])
	}
}

// depthwiseShape is the geometry for the kernels of package simd.
func (g *convShape) depthwiseShape() *simd.DepthwiseShape {
	return &simd.DepthwiseShape{
		Height: g.h, Width: g.w, Rows: g.oh, Columns: g.ow, Filters: g.co,
		KernelY: g.kh, KernelX: g.kw, StrideY: g.sy, StrideX: g.sx,
		PadY: g.py, PadX: g.px, DilationY: g.dy, DilationX: g.dx,
	}
}

// eachPlanes divides the planes of all images among tasks. f gets channels lo to hi of image i.
func (g *convShape) eachPlanes(t *Tape, f func(i, lo, hi int)) {
	cost := g.co * g.kh * g.kw * g.positions() / 2
	t.each(g.n*g.groups, cost, func(lo, hi int) {
		for lo < hi {
			i := lo / g.groups
			end := min(hi, (i+1)*g.groups)
			f(i, lo-i*g.groups, end-i*g.groups)
			lo = end
		}
	})
}

func (g *convShape) depthwiseForward(t *Tape, y []float32, beta float32, x, w, bias []float32) {
	shape := g.depthwiseShape()
	sums := y
	if beta != 0 {
		sums = t.scratch(len(y))
		defer t.recycle(sums)
	}
	in, out, window := g.h*g.w, g.co*g.positions(), g.co*g.kh*g.kw
	g.eachPlanes(t, func(i, lo, hi int) {
		var b []float32
		if bias != nil {
			b = bias[lo*g.co:]
		}
		at := (i*g.groups + lo) * out
		simd.DepthwiseConv(sums[at:], x[(i*g.groups+lo)*in:], w[lo*window:], b, hi-lo, shape, simd.ActNone)
		if beta != 0 {
			dst := y[at:][:(hi-lo)*out]
			simd.Add(dst, dst, sums[at:])
		}
	})
}

func (g *convShape) depthwiseWeightGrad(t *Tape, dw []float32, beta float32, x, dy []float32) {
	p := g.depthwisePlan()
	window := g.kh * g.kw
	wide := p.flat(g.oh)
	size := p.size + wide
	slots := t.slots(g.groups, g.n*g.co*window*g.positions()/4)
	scratch := t.scratch(slots * size)
	defer t.recycle(scratch)
	t.eachSlot(slots, g.groups, func(slot, k int) {
		buf := scratch[slot*size:][:size]
		seed := buf[p.size:]
		if beta == 0 {
			clear(g.weight(dw, k))
		}
		for i := range g.n {
			plane := i*g.groups + k
			phases := p.of(buf[:p.size], x[plane*g.h*g.w:][:g.h*g.w])
			for f := range g.co {
				p.widen(seed, dy[(plane*g.co+f)*g.positions():][:g.positions()])
				dst := dw[(k*g.co+f)*window:][:window]
				for j, at := range p.offsets {
					dst[j] += simd.Dot(seed, phases[at:][:wide])
				}
			}
		}
	})
}

func (g *convShape) depthwiseInputGrad(t *Tape, dx []float32, beta float32, dy, w []float32) {
	p := g.depthwisePlan()
	window := g.kh * g.kw
	wide := p.flat(g.oh)
	planes := g.n * g.groups
	size := p.size + wide
	slots := t.slots(planes, g.co*window*g.positions()/4)
	scratch := t.scratch(slots * size)
	defer t.recycle(scratch)
	t.eachSlot(slots, planes, func(slot, plane int) {
		buf := scratch[slot*size:][:size]
		phases, seed := buf[:p.size], buf[p.size:]
		k := plane % g.groups
		dst := dx[plane*g.h*g.w:][:g.h*g.w]
		if beta == 0 {
			clear(dst)
		}
		if p.asIs {
			phases = dst
		} else {
			clear(phases)
		}
		for f := range g.co {
			p.widen(seed, dy[(plane*g.co+f)*g.positions():][:g.positions()])
			for j, v := range w[(k*g.co+f)*window:][:window] {
				simd.Axpy(phases[p.offsets[j]:][:wide], v, seed)
			}
		}
		if !p.asIs {
			p.merge(dst, phases, 0)
		}
	})
}
