package autograd

import "github.com/fovea-ml/fovea/simd"

// The functions here are batch norm of x [n, c]. A task is a group of channels, or a range of rows.

const (
	channelGroup = 64 // channels of a task
	columnRows   = 64 // rows that are summed in float32
)

// columns runs f over groups of channels, with scratch for columnRows rows and two more.
func (k *batchNorm) columns(t *Tape, f func(lo, hi int, work []float32)) {
	groups := ceilDiv(k.c, channelGroup)
	slots := t.slots(groups, 2*channelGroup*k.n)
	size := (columnRows + 2) * channelGroup
	scratch := t.scratch(slots * size)
	t.eachSlot(slots, groups, func(slot, i int) {
		lo, hi := i*channelGroup, min(k.c, (i+1)*channelGroup)
		f(lo, hi, scratch[slot*size:][:(columnRows+2)*(hi-lo)])
	})
	t.recycle(scratch)
}

// center stores the channels from lo to hi of rows rows from r, less their means.
func (k *batchNorm) center(d []float32, lo, hi, r, rows int) {
	n := hi - lo
	for i := range rows {
		simd.Sub(d[i*n:][:n], k.x[(r+i)*k.c+lo:], k.mean[lo:])
	}
}

func (k *batchNorm) forwardRows(t *Tape, y []float32) {
	if k.batch {
		k.statisticsOfRows(t)
	}
	scale := t.scratch(k.c)
	defer t.recycle(scale)
	k.scales(scale)
	t.each(k.n, k.c, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := y[i*k.c:][:k.c]
			k.valueOfRow(row, scale, i)
			if k.act != ActNone {
				k.act.Apply(row, row)
			}
		}
	})
}

// statisticsOfRows is statistics. The sums of blocks of rows are added in order, in float64.
func (k *batchNorm) statisticsOfRows(t *Tape) {
	k.columns(t, func(lo, hi int, work []float32) {
		mean, n := k.mean[lo:hi], hi-lo
		clear(mean)
		simd.ColumnSumsAdd(mean, k.x[lo:], k.n, n, k.c)
		simd.Scale(mean, mean, float32(1/float64(k.n)))
		sums, d := work[:2*n], work[2*n:]
		var totals [2 * channelGroup]float64
		for r := 0; r < k.n; r += columnRows {
			rows := min(columnRows, k.n-r)
			k.center(d, lo, hi, r, rows)
			clear(sums)
			simd.ColumnSumsAdd(sums[:n], d, rows, n, n)
			simd.ColumnDotsAdd(sums[n:], d, d, rows, n, n, n)
			for i, s := range sums {
				totals[i] += float64(s)
			}
		}
		for i := range n {
			k.finish(lo+i, totals[i], totals[n+i])
		}
	})
}

// scales fills dst with the scales of all channels.
func (k *batchNorm) scales(dst []float32) {
	for c := range dst {
		dst[c] = k.scale(c)
	}
}

// valueOfRow stores row i before the activation.
func (k *batchNorm) valueOfRow(dst, scale []float32, i int) {
	simd.Sub(dst, k.x[i*k.c:], k.mean)
	simd.Mul(dst, dst, scale)
	if k.beta != nil {
		simd.Add(dst, dst, k.beta)
	}
	if k.residual != nil {
		simd.Add(dst, dst, k.residual[i*k.c:])
	}
}

// rows computes the gradients.
func (g *normGrads) rows(b *back) {
	work := b.scratch(4 * g.c)
	defer b.recycle(work)
	scale := work[:g.c]
	g.scales(scale)
	if g.act != ActNone {
		before := b.scratch(len(g.x))
		defer b.recycle(before)
		b.each(g.n, g.act.Cost()*g.c, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				row := before[i*g.c:][:g.c]
				g.valueOfRow(row, scale, i)
				g.act.Grad(row, row, g.dy[i*g.c:])
			}
		})
		if g.dres != nil {
			addTo(g.dres, g.dresBeta, before)
		}
		g.dy = before
	}
	if g.needSums {
		g.sumsOfRows(b.Tape)
	}
	if g.dx == nil {
		return
	}
	shift, slope, line := work[g.c:2*g.c], work[2*g.c:3*g.c], work[3*g.c:]
	count := float32(g.n)
	for c := range shift {
		shift[c] = g.dbeta[c] / count
		slope[c] = -g.rstd[c] * g.dgamma[c] / count
	}
	row := func(dst []float32, i int) {
		dy := g.dy[i*g.c:]
		if !g.batch {
			simd.Mul(dst, scale, dy)
			return
		}
		simd.Sub(dst, g.x[i*g.c:], g.mean)
		simd.Mul(dst, dst, slope)
		simd.Sub(dst, dst, shift)
		simd.Add(dst, dst, dy)
		simd.Mul(dst, dst, scale)
	}
	if g.dxBeta != 0 {
		for i := range g.n {
			row(line, i)
			simd.Add(g.dx[i*g.c:][:g.c], g.dx[i*g.c:], line)
		}
		return
	}
	b.each(g.n, 2*g.c, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row(g.dx[i*g.c:][:g.c], i)
		}
	})
}

// addTo adds src to dst, or stores it where beta is 0.
func addTo(dst []float32, beta float32, src []float32) {
	if beta == 0 {
		copy(dst, src)
		return
	}
	simd.Add(dst, dst, src)
}

// sumsOfRows computes the gradients of beta and gamma, in the order of statisticsOfRows.
func (g *normGrads) sumsOfRows(t *Tape) {
	g.columns(t, func(lo, hi int, work []float32) {
		n := hi - lo
		simd.ColumnSumsAdd(g.dbeta[lo:hi], g.dy[lo:], g.n, n, g.c)
		sums, d := work[:n], work[2*n:]
		var totals [channelGroup]float64
		for r := 0; r < g.n; r += columnRows {
			rows := min(columnRows, g.n-r)
			g.center(d, lo, hi, r, rows)
			clear(sums)
			simd.ColumnDotsAdd(sums, d, g.dy[r*g.c+lo:], rows, n, n, g.c)
			for i, s := range sums {
				totals[i] += float64(s)
			}
		}
		for i := range n {
			g.dgamma[lo+i] = float32(totals[i] * float64(g.rstd[lo+i]))
		}
	})
}
