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
	// Residual, of x's shape, is added to the normalized values, before the activation; nil adds nothing.
	Residual Operand
	// Act is applied to the result. Residual and Act take no further pass over memory, forward or backward.
	Act Activation
}

// BatchNorm normalizes each channel of x [n, c] or [n, c, …] over everything else (Ioffe and Szegedy,
// arXiv 1502.03167):
//
//	y = act((x - mean) / √(variance + eps) · gamma + beta + residual)
//
// gamma and beta are [c]; either may be nil. A residual and an activation come from the options, and give the bits of
// [Add] and [Activate] after a plain BatchNorm. On a training tape, mean and variance are those of the batch, the
// variance divided by the number of values. An update of the running statistics is queued ([Tape.Commit]):
// running = (1 - momentum)·running + momentum·batch, where the variance is divided by one less, as in PyTorch.
// Otherwise mean and variance are the running statistics, [c]. With nil Buffers the batch's are always used.
// Training panics with a [ShapeError] when a channel has a single value.
func BatchNorm(x, gamma, beta Operand, mean, variance *Buffer, o BatchNormOptions) *Tensor {
	const name = "batch norm"
	f := begin(name, x, gamma, beta, o.Residual)
	checkActivation(name, o.Act)
	xs := x.Shape()
	if len(xs) < 2 {
		shapePanic(name, "expected x [n, c, ...]", xs)
	}
	if (mean == nil) != (variance == nil) {
		usePanic(name, "expected both running statistics, or neither")
	}
	k := batchNorm{n: xs[0], c: xs[1], inner: elements(name, xs[2:]), x: f.values(x), eps: o.Eps, act: o.Act}
	if k.eps == 0 {
		k.eps = 1e-5
	}
	k.batch = mean == nil || f.Training() && !o.Frozen
	checkChannels(name, k.c, xs, gamma, beta)
	if given(o.Residual) && !equalShape(o.Residual.Shape(), xs) {
		shapePanic(name, "expected a residual of x's shape", xs, o.Residual.Shape())
	}
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
	k.gamma, k.beta, k.residual = f.values(gamma), f.values(beta), f.values(o.Residual)
	k.variance = f.scratch(k.c)
	if !k.batch {
		copy(k.mean, mean.values)
		for c, v := range variance.values {
			k.rstd[c] = k.inverse(v)
		}
	}
	switch {
	case len(k.x) == 0:
		clear(stats)
	case k.inner == 1:
		k.forwardRows(f.Tape, y.data)
	default:
		k.forward(f.Tape, y.data)
	}
	if k.batch && f.Training() && mean != nil && len(k.x) > 0 {
		k.queue(f.Tape, mean, variance, o.Momentum)
	}
	f.recycle(k.variance)
	switch o.Act {
	case ActRelu, ActRelu6, ActLeakyRelu:
		if k.residual != nil {
			k.y = y.data
		}
	}
	return f.done(y, func(b *back) { k.backward(b, x, gamma, beta, o.Residual) })
}

// checkChannels panics unless every given operand is [c].
func checkChannels(name string, c int, xs []int, operands ...Operand) {
	for _, p := range operands {
		if given(p) && !equalShape(p.Shape(), []int{c}) {
			shapePanic(name, "expected gamma and beta [c]", xs, p.Shape())
		}
	}
}

// batchNorm is one BatchNorm. A task is a channel, or some with small planes. Their planes of inner elements are visited in
// the order of the images, so that later passes find them in the caches. Without planes, in [n, c], a row holds one
// element of every channel instead (op_batchnorm_rows.go).
type batchNorm struct {
	n, c, inner int
	batch       bool // statistics of the batch
	eps         float32
	act         Activation

	x, gamma, beta, residual []float32
	mean, rstd               []float32
	y                        []float32 // the result, where it tells the slope of act and its argument is further away
	variance                 []float32 // of the batch, while forward runs
}

const (
	normChunk = 2048 // elements that are processed at once, in the first-level cache
	normGroup = 16   // the most channels of a task
)

// group is the number of channels of a task.
func (k *batchNorm) group() int { return max(1, min(normGroup, k.c, normChunk/k.inner)) }

// tasks runs f for groups of channels of x [n, c, …], with scratch for some pieces.
func (k *batchNorm) tasks(t *Tape, pieces int, f func(lo, hi int, buf []float32)) {
	group := k.group()
	n, size := ceilDiv(k.c, group), pieces*min(normChunk, group*k.inner)
	slots := t.slots(n, 2*k.n*group*k.inner)
	scratch := t.scratch(slots * size)
	t.eachSlot(slots, n, func(slot, i int) {
		f(i*group, min(k.c, (i+1)*group), scratch[slot*size:][:size])
	})
	t.recycle(scratch)
}

// pieces calls f for each piece of channels lo to hi of the images from first to last: all of the channels in an image,
// or a chunk of a single one. q is the number of elements of a channel in the piece, which begins at at.
func (k *batchNorm) pieces(first, last, lo, hi int, f func(at, q int)) {
	for i := first; i < last; i++ {
		at := (i*k.c + lo) * k.inner
		if hi-lo > 1 {
			f(at, k.inner)
			continue
		}
		for j := 0; j < k.inner; j += normChunk {
			f(at+j, min(normChunk, k.inner-j))
		}
	}
}

func (k *batchNorm) forward(t *Tape, y []float32) {
	normalize := func(first, last, lo, hi int) {
		k.pieces(first, last, lo, hi, func(at, q int) {
			out := y[at:][:(hi-lo)*q]
			k.value(out, lo, at, q)
			if k.act != ActNone {
				k.act.Apply(out, out)
			}
		})
	}
	if k.batch {
		k.tasks(t, 0, func(lo, hi int, _ []float32) {
			k.statistics(lo, hi)
			normalize(0, k.n, lo, hi)
		})
		return
	}
	group := k.group()
	groups := ceilDiv(k.c, group)
	t.each(k.n*groups, group*k.inner, func(first, last int) {
		for i := first; i < last; i++ {
			lo := i % groups * group
			normalize(i/groups, i/groups+1, lo, min(k.c, lo+group))
		}
	})
}

// statistics computes the channels' means and variances in two passes, as simd.LayerNorm does. The sums of planes, or
// of their chunks, are added in order, in float64.
func (k *batchNorm) statistics(lo, hi int) {
	var sums, squares [normGroup]float64
	k.pieces(0, k.n, lo, hi, func(at, q int) {
		for c := range hi - lo {
			sums[c] += float64(simd.Sum(k.x[at+c*q:][:q]))
		}
	})
	for c := range hi - lo {
		k.mean[lo+c] = float32(sums[c] / float64(k.n*k.inner))
		sums[c] = 0
	}
	k.pieces(0, k.n, lo, hi, func(at, q int) {
		for c := range hi - lo {
			s, d := simd.BatchNormMoments(k.x[at+c*q:][:q], k.mean[lo+c])
			sums[c] += float64(s)
			squares[c] += float64(d)
		}
	})
	for c := range hi - lo {
		k.finish(lo+c, sums[c], squares[c])
	}
}

// finish turns the sums of a channel's differences from its mean, and of their squares, into mean and variance.
func (k *batchNorm) finish(c int, sum, squares float64) {
	count := float64(k.n * k.inner)
	rest := sum / count
	k.mean[c] = float32(float64(k.mean[c]) + rest)
	k.variance[c] = float32(max(0, squares/count-float64(rest*rest)))
	k.rstd[c] = k.inverse(k.variance[c])
}

func (k *batchNorm) inverse(variance float32) float32 {
	return 1 / float32(math.Sqrt(float64(variance+k.eps)))
}

// queue registers the update of the running statistics, from copies: the tape's memory may be gone when
// it runs.
func (k *batchNorm) queue(t *Tape, mean, variance *Buffer, momentum float32) {
	if momentum == 0 {
		momentum = 0.1
	}
	count := float32(k.n * k.inner)
	m := append([]float32(nil), k.mean...)
	v := append([]float32(nil), k.variance...)
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

// scale returns the factor of a channel's centered values.
func (k *batchNorm) scale(c int) float32 {
	if k.gamma == nil {
		return k.rstd[c]
	}
	return k.rstd[c] * k.gamma[c]
}

// value stores the values before the activation of a piece that begins at at, with q elements for each channel from lo.
func (k *batchNorm) value(dst []float32, lo, at, q int) {
	for c, j := lo, 0; j < len(dst); c, j = c+1, j+q {
		shift := float32(0)
		if k.beta != nil {
			shift = k.beta[c]
		}
		simd.BatchNorm(dst[j:j+q], k.x[at+j:], k.mean[c], k.scale(c), shift)
	}
	if k.residual != nil {
		simd.Add(dst, dst, k.residual[at:])
	}
}

// backward computes, with g the gradient before the activation, x̂ = (x - mean)·rstd and m values a channel,
//
//	dgamma = Σ g·x̂    dbeta = Σ g    dx = gamma·rstd·(g - dbeta/m - x̂·dgamma/m)
//
// where running statistics leave only the first term of dx. g is also the gradient of the residual.
func (k *batchNorm) backward(b *back, x, gamma, beta, residual Operand) {
	sums := b.scratch(2 * k.c)
	defer b.recycle(sums)
	g := normGrads{batchNorm: k, dy: b.dy, dbeta: sums[:k.c], dgamma: sums[k.c:]}
	g.needSums = k.batch || b.wants(gamma) || b.wants(beta)
	if given(residual) && b.wants(residual) {
		if k.act == ActNone {
			b.pass(residual)
		} else {
			g.dres, g.dresBeta = b.into(residual)
		}
	}
	if b.wants(x) {
		g.dx, g.dxBeta = b.into(x)
	}
	clear(sums)
	switch {
	case len(k.x) == 0:
	case k.inner == 1:
		g.rows(b)
	default:
		g.tasks(b.Tape, 2, g.channels)
	}
	if b.wants(gamma) {
		dst := b.sum(gamma)
		simd.Add(dst, dst, g.dgamma)
	}
	if b.wants(beta) {
		dst := b.sum(beta)
		simd.Add(dst, dst, g.dbeta)
	}
}

// normGrads are the gradients of a batchNorm; dx and dres are nil where they are not wanted. With a beta of 1 they are
// added to.
type normGrads struct {
	*batchNorm
	dy               []float32
	dbeta, dgamma    []float32
	dx, dres         []float32
	dxBeta, dresBeta float32
	needSums         bool
}

// before returns the gradient before the activation of a piece as value's, in buf where it is not dy.
func (g *normGrads) before(buf []float32, lo, at, q int) []float32 {
	dy := g.dy[at:][:len(buf)]
	switch {
	case g.act == ActNone:
		return dy
	case g.y != nil:
		g.act.Grad(buf, g.y[at:], dy)
	default:
		g.value(buf, lo, at, q)
		g.act.Grad(buf, buf, dy)
	}
	return buf
}

// channels computes the gradients of channels in two passes, the sums in the order of statistics. buf has room for two
// pieces.
func (g *normGrads) channels(lo, hi int, buf []float32) {
	first, second := buf[:len(buf)/2], buf[len(buf)/2:]
	fresh := g.dres != nil && g.dresBeta == 0
	if g.needSums || g.dres != nil {
		var sums, dots [normGroup]float64
		g.pieces(0, g.n, lo, hi, func(at, q int) {
			n := (hi - lo) * q
			into := first[:n]
			if fresh {
				into = g.dres[at:][:n]
			}
			d := g.before(into, lo, at, q)
			if g.dres != nil && !fresh {
				simd.Add(g.dres[at:][:n], g.dres[at:], d)
			}
			for c := range hi - lo {
				s, h := simd.BatchNormGradSums(d[c*q:][:q], g.x[at+c*q:], g.mean[lo+c])
				sums[c] += float64(s)
				dots[c] += float64(h)
			}
		})
		for c := range hi - lo {
			g.dbeta[lo+c], g.dgamma[lo+c] = float32(sums[c]), float32(dots[c]*float64(g.rstd[lo+c]))
		}
	}
	if g.dx == nil {
		return
	}
	count := float32(g.n * g.inner)
	g.pieces(0, g.n, lo, hi, func(at, q int) {
		n := (hi - lo) * q
		var d []float32
		if fresh {
			d = g.dres[at:][:n]
		} else {
			d = g.before(first[:n], lo, at, q)
		}
		out := g.dx[at:][:n]
		if g.dxBeta != 0 {
			out = second[:n]
		}
		for c, j := lo, 0; j < n; c, j = c+1, j+q {
			if g.batch {
				slope, shift := -g.rstd[c]*g.dgamma[c]/count, -g.dbeta[c]/count
				simd.BatchNormGrad(out[j:j+q], d[j:], g.x[at+j:], g.mean[c], slope, shift, g.scale(c))
			} else {
				simd.Scale(out[j:j+q], d[j:], g.scale(c))
			}
		}
		if g.dxBeta != 0 {
			simd.Add(g.dx[at:][:n], g.dx[at:], out)
		}
	})
}
