package autograd

import "github.com/fovea-ml/fovea/simd"

// A depthwise convolution has one input channel a group, so a product with its weight would have as few
// rows as a group has filters. Here a plane is padded and split into the phases of the stride, after which
// every tap is the same plane read from another offset, and its contribution to all outputs is one Axpy
// over a run of memory: lanes over positions, taps in ascending order, as Gemm would add them. Rows of a
// phase are wider than rows of the result; what falls in the gap is not used.

// depthwisePlan says where a plane's phases lie in memory.
type depthwisePlan struct {
	*convShape
	rows, width int   // of one phase
	offsets     []int // of each tap, in the phases
	asIs        bool  // the plane needs neither padding nor splitting
}

func (g *convShape) depthwisePlan() *depthwisePlan {
	p := &depthwisePlan{convShape: g,
		rows:  g.oh + (g.kh-1)*g.dy/g.sy,
		width: g.ow + (g.kw-1)*g.dx/g.sx,
	}
	p.asIs = g.sy == 1 && g.sx == 1 && p.rows == g.h && p.width == g.w && g.py == 0 && g.px == 0
	for ky := range g.kh {
		for kx := range g.kw {
			y, x := ky*g.dy, kx*g.dx
			phase := y%g.sy*g.sx + x%g.sx
			p.offsets = append(p.offsets, (phase*p.rows+y/g.sy)*p.width+x/g.sx)
		}
	}
	return p
}

// size is the number of elements of a plane's phases.
func (p *depthwisePlan) size() int {
	if p.asIs {
		return 0
	}
	return p.sy * p.sx * p.rows * p.width
}

// flat is the length of a result laid out in rows of a phase's width.
func (p *depthwisePlan) flat(rows int) int { return (rows-1)*p.width + p.ow }

// eachRow calls f with the piece of a phase's row that comes from pixels: n elements at phases[at:], from
// x[from], x[from+sx], ….
func (p *depthwisePlan) eachRow(f func(at, n, from int)) {
	for py := range p.sy {
		top, bottom := inside(p.h, p.rows, py-p.py, p.sy)
		for px := range p.sx {
			lo, hi := inside(p.w, p.width, px-p.px, p.sx)
			if lo == hi {
				continue
			}
			at := (py*p.sx + px) * p.rows * p.width
			for r := top; r < bottom; r++ {
				f(at+r*p.width+lo, hi-lo, (r*p.sy+py-p.py)*p.w+lo*p.sx+px-p.px)
			}
		}
	}
}

// split returns the phases of a plane, in buf unless the plane is one already.
func (p *depthwisePlan) split(buf, x []float32) []float32 {
	if p.asIs {
		return x
	}
	clear(buf)
	p.eachRow(func(at, n, from int) {
		if p.sx == 1 {
			copy(buf[at:][:n], x[from:])
			return
		}
		dst, src, step := buf[at:][:n], x[from:], p.sx
		for j := range dst {
			dst[j] = src[j*step]
		}
	})
	return buf
}

// merge adds phases to the plane they came from: the transpose of split.
func (p *depthwisePlan) merge(x, buf []float32) {
	p.eachRow(func(at, n, from int) {
		if p.sx == 1 {
			dst := x[from:][:n]
			simd.Add(dst, dst, buf[at:][:n])
			return
		}
		src, dst, step := buf[at:][:n], x[from:], p.sx
		for j, v := range src {
			dst[j*step] += v
		}
	})
}

// widen copies a plane of the result's size to rows of a phase's width, zeros in the gap.
func (p *depthwisePlan) widen(dst, y []float32) {
	for r := range p.oh {
		row := dst[r*p.width : min(len(dst), (r+1)*p.width)]
		copy(row, y[r*p.ow:][:p.ow])
		clear(row[p.ow:])
	}
}

// depthwiseBlock is about how many sums are under way at once: they stay in the first-level cache for all
// taps.
const depthwiseBlock = 2048

func (g *convShape) depthwiseForward(t *Tape, y []float32, beta float32, x, w, bias []float32) {
	p := g.depthwisePlan()
	window := g.kh * g.kw
	block := max(1, min(g.oh, depthwiseBlock/p.width))
	planes := g.n * g.groups
	size := p.size() + block*p.width
	slots := t.slots(planes, g.co*window*g.positions()/4)
	scratch := t.scratch(slots * size)
	defer t.recycle(scratch)
	t.eachSlot(slots, planes, func(slot, plane int) {
		buf := scratch[slot*size:][:size]
		k := plane % g.groups
		phases := p.split(buf[:p.size()], x[plane*g.h*g.w:][:g.h*g.w])
		for f := range g.co {
			filter := w[(k*g.co+f)*window:][:window]
			dst := y[(plane*g.co+f)*g.positions():][:g.positions()]
			for r := 0; r < g.oh; r += block {
				n := min(block, g.oh-r)
				sums := buf[p.size():][:p.flat(n)]
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
	size := p.size() + wide
	slots := t.slots(g.groups, g.n*g.co*window*g.positions()/4)
	scratch := t.scratch(slots * size)
	defer t.recycle(scratch)
	t.eachSlot(slots, g.groups, func(slot, k int) {
		buf := scratch[slot*size:][:size]
		seed := buf[p.size():]
		if beta == 0 {
			clear(g.weight(dw, k))
		}
		for i := range g.n {
			plane := i*g.groups + k
			phases := p.split(buf[:p.size()], x[plane*g.h*g.w:][:g.h*g.w])
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
	size := p.size() + wide
	slots := t.slots(planes, g.co*window*g.positions()/4)
	scratch := t.scratch(slots * size)
	defer t.recycle(scratch)
	t.eachSlot(slots, planes, func(slot, plane int) {
		buf := scratch[slot*size:][:size]
		phases, seed := buf[:p.size()], buf[p.size():]
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
			p.merge(dst, phases)
		}
	})
}
