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

// depthwiseBlock is about the number of sums under way at once. They stay in the first-level cache for all taps.
const depthwiseBlock = 2048

func (g *convShape) depthwiseForward(t *Tape, y []float32, beta float32, x, w, bias []float32) {
	p := g.depthwisePlan()
	window := g.kh * g.kw
	block := max(1, min(g.oh, depthwiseBlock/p.width))
	planes := g.n * g.groups
	size := p.size + block*p.width
	slots := t.slots(planes, g.co*window*g.positions()/4)
	scratch := t.scratch(slots * size)
	defer t.recycle(scratch)
	t.eachSlot(slots, planes, func(slot, plane int) {
		buf := scratch[slot*size:][:size]
		k := plane % g.groups
		phases := p.of(buf[:p.size], x[plane*g.h*g.w:][:g.h*g.w])
		for f := range g.co {
			filter := w[(k*g.co+f)*window:][:window]
			dst := y[(plane*g.co+f)*g.positions():][:g.positions()]
			for r := 0; r < g.oh; r += block {
				n := min(block, g.oh-r)
				sums := buf[p.size:][:p.flat(n)]
				for j, v := range filter {
					src := phases[p.offsets[j]+r*p.width:]
					if j == 0 {
						simd.Scale(sums, src, v)
					} else {
						simd.Axpy(sums, v, src)
					}
				}
				if bias != nil {
					simd.AddScalar(sums, sums, bias[k*g.co+f])
				}
				for i := range n {
					row, src := dst[(r+i)*g.ow:][:g.ow], sums[i*p.width:][:g.ow]
					if beta == 0 {
						copy(row, src)
					} else {
						simd.Add(row, row, src)
					}
				}
			}
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
