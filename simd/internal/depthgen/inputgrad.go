package main

import "fmt"

// inputGrad writes the kernel of the gradient with respect to the source at stride 2. At stride 1 that gradient is a
// convolution. The kernel's result has the rows and columns of the convolution's source; its own source is the
// gradient of the convolution's result.
//
// A row of the result takes the even rows of the filter or the odd ones, in turn. Of two neighboring columns one takes
// the even columns of the filter, the first one when the padding is even. The two are sums apart until they are stored.
// Rows and columns of the source come in ascending order.
func inputGrad(g *kernel, name string, odd int) {
	k := g.k
	reach := (k - 1) / 2
	p := &plan{task: input, x: 2, temps: 2, masks: reach + 1}
	span := func(lanes int) int { return lanes + reach }
	g.Func(name, "(a *depthwiseArgs)", 0, 8, fmt.Sprintf("Gradient of the source, %d×%d filters, stride 2.", k, k))
	g.enter()
	g.eachPlane(p, func() {
		g.eachBlock(2, span, func(f form) {
			if f.masked {
				var offsets []int
				for i := range reach + 1 {
					offsets = append(offsets, i)
				}
				g.sourceColumn(tmp)
				g.masks(offsets)
			}
			g.sourceBlock()
			g.targetBlock()
			even, other, end := g.label("even"), g.label("odd"), g.label("end")
			g.get(count, argRows)
			g.get(tmp, argFlag)
			g.branchConst(tmp, ne, 0, other)
			for i, label := range []string{even, other} {
				g.Label(label)
				g.zero(0)
				g.zero(1)
				for ky := 2*(reach-i) + i; ky >= 0; ky -= 2 {
					g.pick(span(f.lanes))
					for j := range reach + 1 {
						g.load(p.x, j, j)
						// The columns of the filter that the first and the second column of a pair take.
						first, second := 2*(reach-j), 2*(reach-j)+1
						if odd == 1 {
							first, second = 2*(reach-j)-1, 2*(reach-j)
						}
						if first >= 0 {
							g.fmaTap(0, p.x, ky*k+first)
						}
						if second < k {
							g.fmaTap(1, p.x, ky*k+second)
						}
					}
				}
				for range reach {
					g.sub(row, step)
				}
				g.addConst(index, -reach)
				g.storePair(0, 1)
				g.add(out, outStep)
				g.addConst(count, -1)
				if i == 0 {
					g.branchConst(count, eq, 0, end)
				}
			}
			g.branchConst(count, ne, 0, even)
			g.Label(end)
		})
	})
	g.ret()
}
