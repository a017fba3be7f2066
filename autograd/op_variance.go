package autograd

import "github.com/fovea-ml/fovea/simd"

// Var returns the variance of x over the given dimensions, as [Sum] takes them: Σ (x - mean)² / (n -
// correction). It is biased with correction 0, and Bessel's unbiased estimate with 1. It is NaN where
// that divides by nothing. Sums and differences are float64, as PyTorch's are, and the result is rounded once.
func Var(x Operand, correction int, keep bool, dims ...int) *Tensor {
	f, y, l, n := beginReduce("var", x, keep, dims)
	xv := f.values(x)
	free := max(0, n-correction)
	mean := f.save(len(y.data))
	f.variances(y.data, mean, xv, l, n, free)
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) { // 2·(x - mean)·dy / (n - correction)
			s, w := b.scratch(len(b.dy)), b.scratch(len(dx))
			for i, v := range b.dy {
				s[i] = 2 * v / float32(free)
			}
			b.combine(simd.Sub, w, xv, 1, mean, 0, l)
			b.combine(simd.Mul, dx, w, 1, s, 0, l)
			b.recycle(w)
			b.recycle(s)
		})
	})
}

// variances stores the means and variances of x, operand 1 of l, over the n elements that each element of operand 0 is
// repeated for. A result is the work of one thread, in the order of memory. Along a row, elements go to four sums in
// turn.
func (t *Tape) variances(variance, mean, x []float32, l *layout, n, free int) {
	var kept, gone layout // without the last dimension
	last := l.n - 1
	for d := range last {
		to := &kept
		if l.stride[0][d] == 0 {
			to = &gone
		}
		to.size[to.n] = l.size[d]
		for k := range 2 {
			to.stride[k][to.n] = l.stride[k][d]
		}
		to.n++
	}
	// Each element of a row may belong to a result of its own, or all to one.
	size, columns := l.size[last], 1
	if l.stride[0][last] != 0 {
		columns = size
	}
	strip := min(columns, sumColumns)
	strips := ceilDiv(columns, max(1, strip))
	length := size / max(1, columns) // of a row of one result
	t.each(kept.count(kept.n)*strips, n*strip, func(lo, hi int) {
		var sums, means [sumColumns]float64
		for i := lo; i < hi; i++ {
			at := kept.cursor(i/strips, kept.n)
			j := i % strips * strip
			w := min(strip, columns-j)
			eachRow := func(f func(row []float32)) {
				c := gone.cursor(0, gone.n)
				for range gone.count(gone.n) {
					f(x[at.off[1]+c.off[1]+j:][:w*length])
					c.next()
				}
			}
			clear(sums[:w])
			eachRow(func(row []float32) {
				if w == 1 {
					sums[0] += sum64(row)
					return
				}
				addEach(sums[:w], row)
			})
			for q := range w {
				means[q], sums[q] = sums[q]/float64(n), 0
			}
			eachRow(func(row []float32) {
				if w == 1 {
					sums[0] += squares64(row, means[0])
					return
				}
				addSquares(sums[:w], row, means[:w])
			})
			for q := range w {
				mean[at.off[0]+j+q] = float32(means[q])
				variance[at.off[0]+j+q] = float32(sums[q] / float64(free))
			}
		}
	})
}

// sum64 returns the sum of x.
func sum64(x []float32) float64 {
	var a, b, c, d float64
	for ; len(x) >= 4; x = x[4:] {
		a += float64(x[0])
		b += float64(x[1])
		c += float64(x[2])
		d += float64(x[3])
	}
	for _, v := range x {
		a += float64(v)
	}
	return (a + b) + (c + d)
}

// squares64 returns the sum of (x - mean)². The conversions keep products from being fused with additions, which only
// some machines do.
func squares64(x []float32, mean float64) float64 {
	var a, b, c, d float64
	for ; len(x) >= 4; x = x[4:] {
		p, q, r, s := float64(x[0])-mean, float64(x[1])-mean, float64(x[2])-mean, float64(x[3])-mean
		a += float64(p * p)
		b += float64(q * q)
		c += float64(r * r)
		d += float64(s * s)
	}
	for _, v := range x {
		p := float64(v) - mean
		a += float64(p * p)
	}
	return (a + b) + (c + d)
}

// addEach adds x to sums, element by element. It takes four at a time, so that conversions do not wait for each other.
func addEach(sums []float64, x []float32) {
	for ; len(x) >= 4 && len(sums) >= 4; x, sums = x[4:], sums[4:] {
		a, b, c, d := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		sums[0] += a
		sums[1] += b
		sums[2] += c
		sums[3] += d
	}
	for i, v := range x {
		sums[i] += float64(v)
	}
}

// addSquares adds (x - means)² to sums, as addEach does.
func addSquares(sums []float64, x []float32, means []float64) {
	for ; len(x) >= 4 && len(sums) >= 4 && len(means) >= 4; x, sums, means = x[4:], sums[4:], means[4:] {
		a, b, c, d := float64(x[0])-means[0], float64(x[1])-means[1], float64(x[2])-means[2], float64(x[3])-means[3]
		sums[0] += float64(a * a)
		sums[1] += float64(b * b)
		sums[2] += float64(c * c)
		sums[3] += float64(d * d)
	}
	for i, v := range x {
		d := float64(v) - means[i]
		sums[i] += float64(d * d)
	}
}
