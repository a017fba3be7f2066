package main

import "fmt"

// weightGrad writes the kernel of the gradient with respect to some rows of the filter. Its weights are the gradient
// of the convolution's result.
//
// A row of the source is loaded once and multiplied by as many rows of the gradient as the pass has rows of the
// filter. sums[d·k + kx] belongs to row d of them. A block of columns adds its sums to sixteen lanes in memory; at the
// end of a plane the lanes of each tap are added up.
func weightGrad(g *kernel, name string, rows int) {
	k, s := g.k, g.s
	taps := rows * k
	p := &plan{task: weight, x: taps + rows, temps: 2*s - 1, masks: k + s - 1}
	seed := taps // the first register of the rows of the gradient
	text := fmt.Sprintf("Gradient of %d rows of %d×%d filters, stride %d.", rows, k, k, s)
	if rows == 1 {
		text = fmt.Sprintf("Gradient of a row of %d×%d filters, stride %d.", k, k, s)
	}
	g.Func(name, "(a *depthwiseArgs)", 0, 8, text)
	g.enter()
	g.scale(step, s-1)
	g.eachPlane(p, func() {
		g.clearLanes(taps)
		g.eachBlock(1, g.span, func(f form) {
			if f.masked {
				g.sourceColumn(tmp)
				g.masks(g.offsets(f.lanes))
				g.lanesLeft()
			}
			g.sourceBlock()
			g.pointer(out, argWeight, argWeightAt)
			g.move(tmp, column)
			g.scale(tmp, 2)
			g.add(out, tmp)
			for i := range taps {
				g.zero(i)
			}
			g.get(count, argRows)
			g.eachStep(rows-1, func(first, last int) {
				if first == 0 {
					g.loadOut(seed)
					g.unsort(seed)
					g.add(out, outStep)
				}
				g.pick(g.span(f.lanes))
				g.addConst(index, s-1)
				g.eachTap(p.x, f.lanes, func(x, kx int) {
					for d := first; d <= last; d++ {
						g.fma(d*k+kx, x, seed+d)
					}
				})
				for d := rows - 1; d > 0; d-- {
					g.copy(seed+d, seed+d-1)
				}
			})
			g.move(tmp, column)
			g.and(tmp, 15)
			g.scale(tmp, 2)
			for i := range taps {
				if s == 2 {
					g.sort(i)
				}
				g.addLanes(i, i)
			}
		})
		g.pointer(out, argDst, argDstAt)
		g.foldLanes(taps)
	})
	g.ret()
}
