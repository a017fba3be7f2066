package autograd

import "github.com/fovea-ml/fovea/simd"

// PRelu returns x where it is positive and slope·x elsewhere (He et al., arXiv 1502.01852). The slopes w
// are [1], or one for each channel of x [n, c, …].
func PRelu(x, w Operand) *Tensor {
	const name = "prelu"
	f := begin(name, x, w)
	xs, ws := x.Shape(), w.Shape()
	g, ok := channelsOf(xs, ws)
	if !ok {
		shapePanic(name, "expected slopes [1], or [c] for x [n, c, ...]", xs, ws)
	}
	xv, wv := f.values(x), f.values(w)
	y := f.out(xs...)
	// Rows are runs of one slope; where channels vary fastest, a row of all slopes.
	f.each(g.rows, g.inner+8, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			simd.LeakyRelu(y.data[i*g.inner:][:g.inner], xv[i*g.inner:], wv[i%g.c])
		}
	})
	return f.done(y, func(b *back) {
		if b.wants(w) {
			g.slopeGrad(b, b.sum(w), xv)
		}
		b.add(x, func(dx []float32) {
			b.each(g.rows, g.inner+8, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					at := i * g.inner
					simd.LeakyReluGrad(dx[at:][:g.inner], xv[at:], b.dy[at:], wv[i%g.c])
				}
			})
		})
	})
}

// channelRows sees a Tensor as rows of inner elements that belong to channels 0, 1, …, c-1, 0, 1, …
type channelRows struct{ rows, c, inner int }

// channelsOf divides x by its channels, whose number is in ws; [1] means one channel for all.
func channelsOf(xs, ws []int) (g channelRows, ok bool) {
	if len(ws) != 1 || ws[0] < 1 {
		return g, false
	}
	g.c = ws[0]
	if g.c == 1 { // one run, or one an image, so that there is something to divide
		g.rows, g.inner = 1, 1
		for i, d := range xs {
			if i == 0 && len(xs) > 1 {
				g.rows = d
			} else {
				g.inner *= d
			}
		}
		return g, true
	}
	if len(xs) < 2 || xs[1] != g.c {
		return g, false
	}
	g.rows, g.inner = xs[0]*g.c, 1
	for _, d := range xs[2:] {
		g.inner *= d
	}
	return g, true
}

// slopeGrad adds Σ dy·min(x, 0) to dw. The sums of a row's chunks are added in float64.
func (g channelRows) slopeGrad(b *back, dw, x []float32) {
	sums := b.scratch(g.rows)
	chunk := min(g.inner, 2048)
	slots := b.slots(g.rows, 2*g.inner+8)
	scratch := b.scratch(slots * chunk)
	b.eachSlot(slots, g.rows, func(slot, i int) {
		low := scratch[slot*chunk:][:chunk]
		total := 0.0
		for j := 0; j < g.inner; j += chunk {
			n := min(chunk, g.inner-j)
			simd.Clamp(low[:n], x[i*g.inner+j:], negInf, 0)
			total += float64(simd.Dot(low[:n], b.dy[i*g.inner+j:]))
		}
		sums[i] = float32(total)
	})
	b.recycle(scratch)
	simd.ColumnSumsAdd(dw, sums, g.rows/max(1, g.c), g.c, g.c)
	b.recycle(sums)
}
