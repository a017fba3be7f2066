package autograd

// Max returns the largest elements of x along a dimension, and their indices in it, as torch.max does. Negative
// dimensions count from the end. With keep the dimension stays as one of size 1, otherwise it goes. The indices are
// those of the result's elements, in row-major order. Of equal elements the first is taken, and NaN is larger than
// every number. The gradient flows to the elements that were taken. A dimension without elements panics with a
// [ShapeError].
func Max(x Operand, dim int, keep bool) (y *Tensor, indices []int) {
	return extreme("max", x, dim, keep, firstMax)
}

// Min returns the smallest elements of x along a dimension, and their indices, as [Max] does. NaN is smaller than every
// number here.
func Min(x Operand, dim int, keep bool) (y *Tensor, indices []int) {
	return extreme("min", x, dim, keep, firstMin)
}

// Argmax returns the indices of [Max]: one for each line of x along the dimension, in row-major order of the other
// dimensions.
func Argmax(x Operand, dim int) []int { return argExtreme("argmax", x, dim, firstMax) }

// Argmin returns the indices of [Min]: one for each line of x along the dimension, in row-major order of the other
// dimensions.
func Argmin(x Operand, dim int) []int { return argExtreme("argmin", x, dim, firstMin) }

// firstFunc stores the index of the first extreme element of each of len(dst) neighboring lines. Element j of line c is
// x[j·stride+c].
type firstFunc func(dst []int, x []float32, n, stride int)

func extreme(name string, x Operand, dim int, keep bool, first firstFunc) (*Tensor, []int) {
	f := begin(name, x)
	xs := x.Shape()
	d := axis(name, dim, xs)
	l := linesOf(xs, d)
	indices := f.extremes(xs, f.values(x), l, first)
	shape := cloneShape(xs[:d])
	if keep {
		shape = append(shape, 1)
	}
	shape = append(shape, xs[d+1:]...)
	at := int32s(f.save(len(indices)))
	for i, j := range indices {
		at[i] = int32(j)
	}
	return f.chosen(x, shape, l, 1, at), indices
}

func argExtreme(name string, x Operand, dim int, first firstFunc) []int {
	f := begin(name, x)
	xs := x.Shape()
	indices := f.extremes(xs, f.values(x), linesOf(xs, axis(name, dim, xs)), first)
	f.doneAll(nil, nil)
	return indices
}

func (f *frame) extremes(xs []int, xv []float32, l lines, first firstFunc) []int {
	indices := make([]int, l.outer*l.inner)
	if l.n == 0 && len(indices) > 0 {
		shapePanic(f.name, "expected at least one element along the dimension", xs)
	}
	f.eachLines(l, 2, func(at, line, w int) { first(indices[line:line+w], xv[at:], l.n, l.inner) })
	return indices
}

// chosen returns, in the given shape, k elements of each line of x: those with the indices in at, [outer, k, inner].
func (f *frame) chosen(x Operand, shape []int, l lines, k int, at []int32) *Tensor {
	xv, y := f.values(x), f.out(shape...)
	f.eachChosen(l, k, at, func(i, p int) { y.data[i] = xv[p] })
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) {
			b.each(len(dx), 1, func(lo, hi int) { clear(dx[lo:hi]) })
			b.eachChosen(l, k, at, func(i, p int) { dx[p] = b.dy[i] })
		})
	})
}

// eachChosen calls f for the elements that are chosen from each line, k of them: with an element's number in the array
// of the choices, and its position in the array of the lines. at has the indices of the choices, [outer, k, inner].
func (t *Tape) eachChosen(l lines, k int, at []int32, f func(i, p int)) {
	t.each(len(at), 4, func(lo, hi int) {
		o, c := lo/(k*l.inner), lo%l.inner
		for i := lo; i < hi; i++ {
			f(i, (o*l.n+int(at[i]))*l.inner+c)
			if c++; c == l.inner {
				c = 0
				o = (i + 1) / (k * l.inner)
			}
		}
	})
}

func firstMax(dst []int, x []float32, n, stride int) {
	var best [lineStrip]float32
	w := copy(best[:], x[:len(dst)])
	clear(dst)
	for j := 1; j < n; j++ {
		for c, v := range x[j*stride:][:w] {
			if b := best[c]; v > b || v != v && b == b {
				best[c], dst[c] = v, j
			}
		}
	}
}

func firstMin(dst []int, x []float32, n, stride int) {
	var best [lineStrip]float32
	w := copy(best[:], x[:len(dst)])
	clear(dst)
	for j := 1; j < n; j++ {
		for c, v := range x[j*stride:][:w] {
			if b := best[c]; v < b || v != v && b == b {
				best[c], dst[c] = v, j
			}
		}
	}
}
