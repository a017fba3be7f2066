package autograd

// Cumsum returns the running sums of x along a dimension: y[j] = x[0] + … + x[j]. As in PyTorch, sums run in float64
// from the first element to the last, and each result is rounded to float32.
func Cumsum(x Operand, dim int) *Tensor {
	f := begin("cumsum", x)
	xs, xv := x.Shape(), f.values(x)
	l := linesOf(xs, axis(f.name, dim, xs))
	y := f.out(xs...)
	f.eachLines(l, 2, func(at, _, w int) { runningSums(y.data[at:], xv[at:], w, l, 0, 1) })
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) { // y[j] and all after it have x[j] as a term
			b.eachLines(l, 2, func(at, _, w int) { runningSums(dx[at:], b.dy[at:], w, l, l.n-1, -1) })
		})
	})
}

// runningSums stores the running sums of w neighboring lines, which start at element from and go by step.
func runningSums(dst, x []float32, w int, l lines, from, step int) {
	var sums [lineStrip]float64
	for j := from; 0 <= j && j < l.n; j += step {
		d := dst[j*l.inner:][:w]
		for c, v := range x[j*l.inner:][:w] {
			sums[c] += float64(v)
			d[c] = float32(sums[c])
		}
	}
}
