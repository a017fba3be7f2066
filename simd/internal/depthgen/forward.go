package main

import "fmt"

// forward writes the kernel of the convolution.
//
// A row of the source is loaded once for each column of the filter and added to all rows of the result that see it:
// k² multiply-adds for k loads. sums[d] belongs to the result's row that began d rows ago. Rows come from top to
// bottom, and so do the taps of a sum. At stride 2 a step takes two rows of the source, an even and an odd row of
// the filter. Its loads are split into even and odd columns.
//
// The first and the last steps of a block have fewer rows of the result to add to; they are written out.
func forward(g *kernel, name string) {
	k, s := g.k, g.s
	delay := (k - 1) / s
	p := &plan{x: delay + 1, temps: 2*s - 1, masks: k + s - 1}
	g.Func(name, "(a *depthwiseArgs)", 0, 8, fmt.Sprintf("Convolution with %d×%d filters, stride %d.", k, k, s))
	g.enter()
	g.eachPlane(p, func() {
		g.eachBlock(1, g.span, func(f form) {
			if f.masked {
				g.sourceColumn(tmp)
				g.masks(g.offsets(f.lanes))
			}
			g.sourceBlock()
			g.targetBlock()
			for d := range delay + 1 {
				g.zero(d)
			}
			g.get(count, argRows)
			g.eachStep(delay, func(first, last int) {
				g.forwardStep(p, f, first, last)
			})
		})
	})
	g.ret()
}

// enter loads what all blocks share.
func (g *kernel) enter() {
	g.get(args, 0)
	g.get(outStep, argColumns)
	g.scale(outStep, 2)
	g.get(step, argWidth)
	g.scale(step, 2)
	g.get(height, argHeight)
	g.zeroTable(zeros)
}

// forwardStep adds two rows of the source, or one at stride 1, to sums[first] to sums[last].
func (g *kernel) forwardStep(p *plan, f form, first, last int) {
	k, s := g.k, g.s
	delay := (k - 1) / s
	for q := range s {
		if q+s*first >= k {
			g.add(row, step)
			g.addConst(index, 1)
			continue
		}
		g.pick(g.span(f.lanes))
		g.eachTap(p.x, f.lanes, func(x, kx int) {
			for d := first; d <= last && q+s*d < k; d++ {
				g.fmaTap(d, x, (q+s*d)*k+kx)
			}
		})
		if q == 0 && last == delay {
			if s == 2 {
				g.sort(delay)
			}
			g.addBias(delay)
			g.store(delay)
			g.add(out, outStep)
		}
	}
	for d := delay; d > 0; d-- {
		g.copy(d, d-1)
	}
	g.zero(0)
}

// eachPlane writes the loop over the planes of a call.
func (g *kernel) eachPlane(p *plan, body func()) {
	plane := g.label("plane")
	g.Label(plane)
	g.begin(g.k, g.s, p)
	body()
	g.addTo(argDstAt, argDstPlane)
	g.addTo(argSrcAt, argSrcPlane)
	g.addTo(argWeightAt, argWeightPlane)
	g.addTo(argBiasAt, argBiasPlane)
	g.get(tmp, argPlanes)
	g.addConst(tmp, -1)
	g.set(argPlanes, tmp)
	g.branchConst(tmp, gt, 0, plane)
}

// eachBlock writes the loop over blocks of per columns a lane. The best form that fits takes a block. span is the
// number of elements of a row of the source that it loads from.
func (g *kernel) eachBlock(per int, span func(lanes int) int, body func(f form)) {
	block, next := g.label("block"), g.label("next")
	g.constant(column, 0)
	g.get(left, argColumns)
	g.Label(block)
	forms := g.forms()
	for i, f := range forms {
		other := g.label("form")
		if i+1 < len(forms) {
			if f.masked {
				g.branchConst(left, le, per*forms[i+1].lanes, other)
			} else {
				g.branchConst(left, lt, per*f.lanes, other)
				g.sourceColumn(tmp)
				g.branchConst(tmp, lt, 0, other)
				g.addConst(tmp, span(f.lanes))
				g.get(row, argWidth)
				g.branch(tmp, gt, row, other)
			}
		}
		g.use(f)
		body(f)
		g.addConst(column, per*f.lanes)
		g.addConst(left, -per*f.lanes)
		if i+1 < len(forms) {
			g.jump(next)
		}
		g.Label(other)
	}
	g.Label(next)
	g.branchConst(left, gt, 0, block)
}

// offsets are the first elements of the loads of eachTap.
func (g *kernel) offsets(lanes int) (o []int) {
	for kx := 0; kx < g.k; kx += g.s {
		o = append(o, kx)
		if g.s == 2 {
			o = append(o, kx+lanes)
		}
	}
	return o
}

// span is the number of elements that these loads span.
func (g *kernel) span(lanes int) int { return g.s*lanes + g.k - 1 }

// eachTap loads the columns of the source that each column of the filter sees. At stride 2 they are sorted as by
// unsort.
func (g *kernel) eachTap(x, lanes int, f func(x, kx int)) {
	for kx := 0; kx < g.k; kx += g.s {
		g.load(x, kx, kx)
		if g.s == 1 {
			f(x, kx)
			continue
		}
		g.load(x+1, kx+lanes, kx+1)
		g.evens(x+2, x, x+1)
		f(x+2, kx)
		if kx+1 < g.k {
			g.odds(x, x, x+1)
			f(x, kx+1)
		}
	}
}

// sourceColumn sets r to the column of the source where the block begins. It may be outside.
func (g *kernel) sourceColumn(r reg) {
	g.move(r, column)
	g.scale(r, g.shift)
	g.get(row, argLeft)
	g.sub(r, row)
}

// sourceBlock sets row and index to the first row of the source and the block's first column. They may be outside.
func (g *kernel) sourceBlock() {
	g.sourceColumn(tmp)
	g.get(row, argTop)
	g.constant(index, 0)
	g.sub(index, row)
	g.get(count, argWidth)
	g.mul(row, count)
	g.sub(tmp, row)
	g.scale(tmp, 2)
	g.pointer(row, argSrc, argSrcAt)
	g.add(row, tmp)
}

// targetBlock sets out to the block's first column of the first row of the result.
func (g *kernel) targetBlock() {
	g.pointer(out, argDst, argDstAt)
	g.move(tmp, column)
	g.scale(tmp, 2)
	g.add(out, tmp)
}

// eachStep writes count + delay steps, count ≥ delay: delay steps that lack the older sums, a loop, and delay steps
// that lack the newer sums.
func (g *kernel) eachStep(delay int, step func(first, last int)) {
	loop, end := g.label("step"), g.label("end")
	for t := range delay {
		step(0, t)
	}
	g.addConst(count, -delay)
	g.branchConst(count, eq, 0, end)
	g.Label(loop)
	step(0, delay)
	g.addConst(count, -1)
	g.branchConst(count, ne, 0, loop)
	g.Label(end)
	for t := range delay {
		step(t+1, delay)
	}
}
