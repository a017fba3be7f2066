package autograd

import (
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// BatchNormOptions configure [BatchNorm].
type BatchNormOptions struct {
	// Momentum is the weight of the new batch in the running statistics; 0 means 0.1.
	Momentum float32
	// Eps is added to the variance; 0 means 1e-5.
	Eps float32
	// Frozen uses the running statistics in training too, and leaves them as they are.
	Frozen bool
}

// BatchNorm normalizes each channel of x [n, c] or [n, c, …] over everything else (Ioffe and Szegedy,
// arXiv 1502.03167):
//
//	y = (x - mean) / √(variance + eps) · gamma + beta
//
// gamma and beta are [c]; either may be nil. On a training tape, mean and variance are those of the batch, the
// variance divided by the number of values. An update of the running statistics is queued ([Tape.Commit]):
// running = (1 - momentum)·running + momentum·batch, where the variance is divided by one less, as in PyTorch.
// Otherwise mean and variance are the running statistics, [c]. With nil Buffers the batch's are always used.
// Training panics with a [ShapeError] when a channel has a single value.
func BatchNorm(x, gamma, beta Operand, mean, variance *Buffer, o BatchNormOptions) *Tensor {
	const name = "batch norm"
	f := begin(name, x, gamma, beta)
	xs := x.Shape()
	if len(xs) < 2 {
		shapePanic(name, "expected x [n, c, ...]", xs)
	}
	if (mean == nil) != (variance == nil) {
		usePanic(name, "expected both running statistics, or neither")
	}
	k := batchNorm{n: xs[0], c: xs[1], inner: elements(name, xs[2:]), x: f.values(x), eps: o.Eps}
	if k.eps == 0 {
		k.eps = 1e-5
	}
	k.batch = mean == nil || f.Training() && !o.Frozen
	checkChannels(name, k.c, xs, gamma, beta)
	for _, b := range []*Buffer{mean, variance} {
		if b != nil && !equalShape(b.Shape(), []int{k.c}) {
			shapePanic(name, "expected running statistics [c]", xs, b.Shape())
		}
	}
	if k.batch && k.n*k.inner == 1 {
		shapePanic(name, "expected more than one value in each channel for the statistics of a batch", xs)
	}

	y := f.out(xs...)
	stats := f.save(2 * k.c)
	k.mean, k.rstd = stats[:k.c], stats[k.c:]
	switch {
	case !k.batch:
		copy(k.mean, mean.values)
		copy(k.rstd, variance.values)
		k.invert()
	case len(k.x) == 0:
		clear(stats)
	default:
		k.statistics(f.Tape)
		if f.Training() && mean != nil {
			k.queue(f.Tape, mean, variance, o.Momentum)
		}
		k.invert()
	}
	k.gamma = f.values(gamma)
	k.forward(f.Tape, y.data, f.values(beta))
	return f.done(y, func(b *back) { k.backward(b, x, gamma, beta) })
}

// checkChannels panics unless every given operand is [c].
func checkChannels(name string, c int, xs []int, operands ...Operand) {
	for _, p := range operands {
		if given(p) && !equalShape(p.Shape(), []int{c}) {
			shapePanic(name, "expected gamma and beta [c]", xs, p.Shape())
		}
	}
}

// batchNorm is one BatchNorm. Planes of inner elements are visited in the order of the images; without
// planes, in [n, c], a row holds one element of every channel instead.
type batchNorm struct {
	n, c, inner int
	batch       bool // statistics of the batch
	eps         float32
	x, gamma    []float32
	mean, rstd  []float32 // rstd holds the variance until invert
}

// normChunk is the piece of a plane that is processed at once, in the first-level cache.
const normChunk = 2048

// channelGroup is how many channels a task covers where a row holds one element of each.
const channelGroup = 64

// columnRows is how many rows of x [n, c] are summed in float32.
const columnRows = 64

// columns runs f over groups of channels for x [n, c], with scratch for columnRows rows and two more.
func (k *batchNorm) columns(t *Tape, f func(lo, hi int, d []float32)) {
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

// planes runs f for every channel of x [n, c, …], with scratch for a chunk.
func (k *batchNorm) planes(t *Tape, f func(c int, d []float32)) {
	size := min(k.inner, normChunk)
	slots := t.slots(k.c, 2*k.n*k.inner)
	scratch := t.scratch(slots * size)
	t.eachSlot(slots, k.c, func(slot, c int) { f(c, scratch[slot*size:][:size]) })
	t.recycle(scratch)
}

// statistics computes each channel's mean and variance in two passes, as simd.LayerNorm does. The sums of chunks, and
// of blocks of rows, are added in order, in float64.
func (k *batchNorm) statistics(t *Tape) {
	count := float64(k.n * k.inner)
	// finish turns the sums of differences from the mean, and of their squares, into mean and variance.
	finish := func(c int, sum, squares float64) {
		rest := sum / count
		k.mean[c] = float32(float64(k.mean[c]) + rest)
		k.rstd[c] = float32(max(0, squares/count-float64(rest*rest)))
	}
	if k.inner == 1 {
		k.columns(t, func(lo, hi int, work []float32) {
			mean, n := k.mean[lo:hi], hi-lo
			clear(mean)
			simd.ColumnSumsAdd(mean, k.x[lo:], k.n, n, k.c)
			simd.Scale(mean, mean, float32(1/count))
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
			for i := range mean {
				finish(lo+i, totals[i], totals[n+i])
			}
		})
		return
	}
	k.planes(t, func(c int, buf []float32) {
		sum := 0.0
		k.chunks(c, func(at, n int) { sum += float64(simd.Sum(k.x[at:][:n])) })
		k.mean[c] = float32(sum / count)
		sum = 0
		squares := 0.0
		k.chunks(c, func(at, n int) {
			simd.AddScalar(buf[:n], k.x[at:], -k.mean[c])
			sum += float64(simd.Sum(buf[:n]))
			squares += float64(simd.SumSquares(buf[:n]))
		})
		finish(c, sum, squares)
	})
}

// center stores the channels from lo to hi of rows rows from r, less their means.
func (k *batchNorm) center(d []float32, lo, hi, r, rows int) {
	n := hi - lo
	for i := range rows {
		simd.Sub(d[i*n:][:n], k.x[(r+i)*k.c+lo:], k.mean[lo:])
	}
}

// chunks calls f for each chunk of channel c in order.
func (k *batchNorm) chunks(c int, f func(at, n int)) {
	for i := range k.n {
		for j := 0; j < k.inner; j += normChunk {
			f((i*k.c+c)*k.inner+j, min(normChunk, k.inner-j))
		}
	}
}

// queue registers the update of the running statistics, from copies: the tape's memory may be gone when
// it runs.
func (k *batchNorm) queue(t *Tape, mean, variance *Buffer, momentum float32) {
	if momentum == 0 {
		momentum = 0.1
	}
	count := float32(k.n * k.inner)
	m := append([]float32(nil), k.mean...)
	v := append([]float32(nil), k.rstd...)
	simd.Scale(v, v, count/(count-1))
	t.Queue(func() {
		for i, b := range []*Buffer{mean, variance} {
			batch := [][]float32{m, v}[i]
			b.Update(func(values []float32) {
				simd.Scale(values, values, 1-momentum)
				simd.Axpy(values, momentum, batch)
			})
		}
	})
}

// invert turns variances into reciprocal deviations.
func (k *batchNorm) invert() {
	for i, v := range k.rstd {
		k.rstd[i] = 1 / float32(math.Sqrt(float64(v+k.eps)))
	}
}

// scale returns the factor of a channel's centered values.
func (k *batchNorm) scale(c int) float32 {
	if k.gamma == nil {
		return k.rstd[c]
	}
	return k.rstd[c] * k.gamma[c]
}

// scales fills dst with the scales of the channels from lo.
func (k *batchNorm) scales(dst []float32, lo int) {
	for i := range dst {
		dst[i] = k.scale(lo + i)
	}
}

func (k *batchNorm) forward(t *Tape, y, beta []float32) {
	if k.inner == 1 {
		scale := t.scratch(k.c)
		defer t.recycle(scale)
		k.scales(scale, 0)
		t.each(k.n, k.c, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				row := y[i*k.c:][:k.c]
				simd.Sub(row, k.x[i*k.c:], k.mean)
				simd.Mul(row, row, scale)
				if beta != nil {
					simd.Add(row, row, beta)
				}
			}
		})
		return
	}
	t.each(k.n*k.c, k.inner, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			c := i % k.c
			for j := 0; j < k.inner; j += normChunk {
				at, n := i*k.inner+j, min(normChunk, k.inner-j)
				out := y[at:][:n]
				simd.AddScalar(out, k.x[at:], -k.mean[c])
				simd.Scale(out, out, k.scale(c))
				if beta != nil {
					simd.AddScalar(out, out, beta[c])
				}
			}
		}
	})
}

// backward computes, with x̂ = (x - mean)·rstd and m values a channel,
//
//	dgamma = Σ dy·x̂    dbeta = Σ dy    dx = gamma·rstd·(dy - dbeta/m - x̂·dgamma/m)
//
// where running statistics leave only the first term of dx.
func (k *batchNorm) backward(b *back, x, gamma, beta Operand) {
	sums := b.scratch(2 * k.c)
	defer b.recycle(sums)
	dbeta, dgamma := sums[:k.c], sums[k.c:]
	if k.batch || b.wants(gamma) || b.wants(beta) {
		k.sums(b, dbeta, dgamma)
	}
	if b.wants(gamma) {
		dst := b.sum(gamma)
		simd.Add(dst, dst, dgamma)
	}
	if b.wants(beta) {
		dst := b.sum(beta)
		simd.Add(dst, dst, dbeta)
	}
	b.add(x, func(dx []float32) { k.inputGrad(b, dx, dbeta, dgamma) })
}

// sums computes the gradients of beta and gamma, in the order of statistics.
func (k *batchNorm) sums(b *back, dbeta, dgamma []float32) {
	if k.inner == 1 {
		k.columns(b.Tape, func(lo, hi int, work []float32) {
			n := hi - lo
			clear(dbeta[lo:hi])
			simd.ColumnSumsAdd(dbeta[lo:hi], b.dy[lo:], k.n, n, k.c)
			sums, d := work[:n], work[2*n:]
			var totals [channelGroup]float64
			for r := 0; r < k.n; r += columnRows {
				rows := min(columnRows, k.n-r)
				k.center(d, lo, hi, r, rows)
				clear(sums)
				simd.ColumnDotsAdd(sums, d, b.dy[r*k.c+lo:], rows, n, n, k.c)
				for i, s := range sums {
					totals[i] += float64(s)
				}
			}
			for i := range n {
				dgamma[lo+i] = float32(totals[i] * float64(k.rstd[lo+i]))
			}
		})
		return
	}
	k.planes(b.Tape, func(c int, buf []float32) {
		sum, dot := 0.0, 0.0
		k.chunks(c, func(at, n int) {
			simd.AddScalar(buf[:n], k.x[at:], -k.mean[c])
			sum += float64(simd.Sum(b.dy[at:][:n]))
			dot += float64(simd.Dot(buf[:n], b.dy[at:]))
		})
		dbeta[c] = float32(sum)
		dgamma[c] = float32(dot * float64(k.rstd[c]))
	})
}

func (k *batchNorm) inputGrad(b *back, dx, dbeta, dgamma []float32) {
	count := float32(k.n * k.inner)
	if k.inner == 1 {
		work := b.scratch(3 * k.c)
		defer b.recycle(work)
		scale, shift, slope := work[:k.c], work[k.c:2*k.c], work[2*k.c:]
		k.scales(scale, 0)
		for c := range shift {
			shift[c] = dbeta[c] / count
			slope[c] = -k.rstd[c] * dgamma[c] / count
		}
		b.each(k.n, 2*k.c, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				row, dy := dx[i*k.c:][:k.c], b.dy[i*k.c:]
				if !k.batch {
					simd.Mul(row, scale, dy)
					continue
				}
				simd.Sub(row, k.x[i*k.c:], k.mean)
				simd.Mul(row, row, slope)
				simd.Sub(row, row, shift)
				simd.Add(row, row, dy)
				simd.Mul(row, row, scale)
			}
		})
		return
	}
	b.each(k.n*k.c, 2*k.inner, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			c := i % k.c
			for j := 0; j < k.inner; j += normChunk {
				at, n := i*k.inner+j, min(normChunk, k.inner-j)
				out, dy := dx[at:][:n], b.dy[at:]
				if k.batch {
					simd.AddScalar(out, k.x[at:], -k.mean[c])
					simd.ScaleAdd(out, out, -k.rstd[c]*dgamma[c]/count, dy)
					simd.AddScalar(out, out, -dbeta[c]/count)
					simd.Scale(out, out, k.scale(c))
				} else {
					simd.Scale(out, dy, k.scale(c))
				}
			}
		}
	})
}
