package autograd

import "github.com/fovea-ml/fovea/simd"

// Transpose returns x with dimensions a and b exchanged; negative ones count from the end.
func Transpose(x Operand, a, b int) *Tensor {
	xs := x.Shape()
	dims := make([]int, len(xs))
	for i := range dims {
		dims[i] = i
	}
	a, b = axis("transpose", a, xs), axis("transpose", b, xs)
	dims[a], dims[b] = b, a
	return permute(begin("transpose", x), x, xs, dims)
}

// Permute returns x with its dimensions in another order: dimension i of the result is dimension dims[i]
// of x. Every dimension is given once; negative ones count from the end.
func Permute(x Operand, dims ...int) *Tensor {
	xs := x.Shape()
	if len(dims) != len(xs) {
		shapePanic("permute", "expected every dimension once", xs, dims)
	}
	order, seen := make([]int, len(dims)), make([]bool, len(dims))
	for i, d := range dims {
		d = axis("permute", d, xs)
		if seen[d] {
			shapePanic("permute", "expected every dimension once", xs, dims)
		}
		order[i], seen[d] = d, true
	}
	return permute(begin("permute", x), x, xs, order)
}

// ChannelShuffle regroups channels, as PyTorch's channel_shuffle: x, [n, groups·c, …], is seen as
// [n, groups, c, …], the two dimensions are exchanged, and the result has x's shape. Channel i·c + j of x becomes channel
// j·groups + i (ShuffleNet, arXiv 1707.01083, section 3.1).
func ChannelShuffle(x Operand, groups int) *Tensor {
	const name = "channel shuffle"
	xs := x.Shape()
	if len(xs) < 2 || groups < 1 || xs[1]%groups != 0 {
		shapePanic(name, "expected x [n, channels, …] and groups that divide the channels", xs, []int{groups})
	}
	f := beginPlanes(name, x)
	if f.planar(xs, x) {
		l, each := f.newPlanes(), xs[1]/groups
		l.of(x.(*Tensor))
		for i := range xs[0] {
			for j := range each {
				l.take(i, j, xs[1], each)
			}
		}
		return f.done(f.fromPlanes(l, xs...), nil)
	}
	grouped := append([]int{xs[0], groups, xs[1] / groups}, xs[2:]...)
	dims := []int{0, 2, 1}
	for i := range xs[2:] {
		dims = append(dims, 3+i)
	}
	f.joinPlanes()
	return permute(f, x, grouped, dims, xs...)
}

// permute sees x as an array of shape xs and gives its dimensions another order. The result has a given shape, or else
// the sizes in that order.
func permute(f *frame, x Operand, xs, dims []int, result ...int) *Tensor {
	xv := f.values(x)
	shape, strides := make([]int, len(dims)), make([]int, len(dims))
	from := stridesOf(xs, len(xs))
	for i, d := range dims {
		shape[i], strides[i] = xs[d], from[d]
	}
	l := newLayout(f.name, shape, strides, stridesOf(shape, len(shape)))
	if len(result) > 0 {
		shape = result
	}
	if l.n == 1 { // nothing moves
		if t, ok := x.(*Tensor); ok {
			return f.done(f.share(t, shape), func(b *back) { b.pass(x) })
		}
	}
	y := f.out(shape...)
	f.move(y.data, xv, l, 1, 0)
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) { b.move(dx, b.dy, l, 0, 1) })
	})
}

// move copies every element from its place in operand from of the layout to its place in operand to. One of the
// two lies in row-major order; neither is repeated.
func (t *Tape) move(dst, src []float32, l *layout, to, from int) {
	if len(dst) == 0 {
		return
	}
	last := l.n - 1
	n := l.size[last]
	if l.stride[to][last] == 1 && l.stride[from][last] == 1 {
		// The last dimension stays the last.
		t.each(l.count(last), n+4, func(lo, hi int) {
			c := l.cursor(lo, last)
			for i := lo; i < hi; i++ {
				copyShort(dst[c.off[to]:c.off[to]+n], src[c.off[from]:c.off[from]+n])
				c.next()
			}
		})
		return
	}
	// In one dimension neighbors of dst are side by side, in another neighbors of src. These two are transposed
	// as a matrix, in a loop over the other dimensions.
	down, along := -1, -1 // of src's matrix: down its columns dst is contiguous, along its rows src is
	m := &layout{}
	for d := range l.n {
		switch {
		case l.stride[to][d] == 1:
			down = d
		case l.stride[from][d] == 1:
			along = d
		default:
			m.size[m.n] = l.size[d]
			for k := range m.stride {
				m.stride[k][m.n] = l.stride[k][d]
			}
			m.n++
		}
	}
	high, wide := l.size[down], l.size[along]
	blocks := (high + transposeRows - 1) / transposeRows
	t.each(m.count(m.n)*blocks, transposeRows*wide, func(lo, hi int) {
		c := m.cursor(lo/blocks, m.n)
		for i := lo; i < hi; i++ {
			r0 := i % blocks * transposeRows
			r1 := min(high, r0+transposeRows)
			transpose(dst[c.off[to]+r0:], l.stride[to][along], src[c.off[from]+r0*l.stride[from][down]:], l.stride[from][down], r1-r0, wide)
			if i%blocks == blocks-1 {
				c.next()
			}
		}
	})
}

// A transpose reads eight rows at once and so writes eight neighbors, half a cache line. The other half follows
// after transposeColumns such writes. These are few enough for the line to be still in the first-level cache,
// even where the stride of dst maps them to a few of its sets.
const (
	transposeRows    = 64 // of src, in one task
	transposeColumns = 32
)

// transpose stores the high×wide matrix src, its rows srcStride apart, in dst as a wide×high one.
func transpose(dst []float32, dstStride int, src []float32, srcStride, high, wide int) {
	if wide < 8 { // the channels of pixels: too short to be worth eight slices
		for j := range wide {
			from := j
			row := dst[j*dstStride:][:high]
			for i := range row {
				row[i] = src[from]
				from += srcStride
			}
		}
		return
	}
	for j0 := 0; j0 < wide; j0 += transposeColumns {
		n := min(wide-j0, transposeColumns)
		i := 0
		for ; i+8 <= high; i += 8 {
			at := i*srcStride + j0
			r0 := src[at : at+n]
			r1 := src[at+srcStride:][:len(r0)]
			r2 := src[at+2*srcStride:][:len(r0)]
			r3 := src[at+3*srcStride:][:len(r0)]
			r4 := src[at+4*srcStride:][:len(r0)]
			r5 := src[at+5*srcStride:][:len(r0)]
			r6 := src[at+6*srcStride:][:len(r0)]
			r7 := src[at+7*srcStride:][:len(r0)]
			o := j0*dstStride + i
			for j := range r0 {
				d := dst[o : o+8 : o+8]
				d[0], d[1], d[2], d[3] = r0[j], r1[j], r2[j], r3[j]
				d[4], d[5], d[6], d[7] = r4[j], r5[j], r6[j], r7[j]
				o += dstStride
			}
		}
		for ; i < high; i++ {
			o := j0*dstStride + i
			for _, v := range src[i*srcStride+j0:][:n] {
				dst[o] = v
				o += dstStride
			}
		}
	}
}

// copyShort is copy without its fixed cost for a few elements, such as the channels of a pixel.
func copyShort(dst, src []float32) {
	if len(dst) > 8 {
		copy(dst, src)
		return
	}
	for i, v := range src[:len(dst)] {
		dst[i] = v
	}
}

// Concat joins Tensors and Parameters along a dimension. Their shapes differ at most in that dimension.
func Concat(dim int, xs ...Operand) *Tensor {
	if len(xs) == 0 {
		shapePanic("concat", "expected at least one operand")
	}
	f := beginPlanes("concat", xs...)
	shape := cloneShape(xs[0].Shape())
	d := axis("concat", dim, shape)
	shape[d] = 0
	for _, x := range xs {
		s := x.Shape()
		ok := len(s) == len(shape)
		for i := range shape {
			ok = ok && (i == d || s[i] == shape[i])
		}
		if !ok {
			shapePanic("concat", "expected shapes that differ only in the joined dimension", xs[0].Shape(), s)
		}
		shape[d] += s[d]
	}
	if d == 1 && f.planar(shape, xs...) {
		l := f.newPlanes()
		for i := range shape[0] {
			for _, x := range xs {
				l.of(x.(*Tensor))
				l.take(i, 0, x.Shape()[1], 1)
			}
		}
		return f.done(f.fromPlanes(l, shape...), nil)
	}
	f.joinPlanes()
	xs = append([]Operand(nil), xs...)
	y := f.out(shape...)
	outer, width := around(shape, d)
	at := 0
	for _, x := range xs {
		v := f.values(x)
		if len(v) > 0 {
			n := len(v) / outer
			f.copyRows(y.data[at:], width, v, n, outer, n)
			at += n
		}
	}
	return f.done(y, func(b *back) {
		at := 0
		for _, x := range xs {
			n := elements("concat", x.Shape()) / max(1, outer)
			from := at
			b.add(x, func(dx []float32) {
				if len(dx) > 0 {
					b.copyRows(dx, n, b.dy[from:], width, outer, n)
				}
			})
			at += n
		}
	})
}

// Slice returns the part of x whose index in dimension dim is from … to-1; a negative dim counts from the
// end.
func Slice(x Operand, dim, from, to int) *Tensor {
	f := beginPlanes("slice", x)
	xs := x.Shape()
	d := axis("slice", dim, xs)
	if from < 0 || to < from || to > xs[d] {
		shapePanic("slice", "expected 0 ≤ from ≤ to ≤ size", xs, []int{dim, from, to})
	}
	shape := cloneShape(xs)
	shape[d] = to - from
	if d == 1 && f.planar(shape, x) {
		return f.done(f.slice(x.(*Tensor), from, to, shape), nil)
	}
	f.joinPlanes()
	xv := f.values(x)
	y := f.out(shape...)
	outer, width := around(xs, d)
	inner := width / max(1, xs[d])
	at, n := from*inner, (to-from)*inner
	if len(y.data) > 0 {
		f.copyRows(y.data, n, xv[at:], width, outer, n)
	}
	return f.done(y, func(b *back) {
		if !b.wants(x) {
			return
		}
		dx, beta := b.into(x)
		if len(dx) == 0 {
			return
		}
		b.each(outer, width, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				row, dy := dx[i*width:(i+1)*width], b.dy[i*n:(i+1)*n]
				if beta != 0 {
					simd.Add(row[at:at+n], row[at:at+n], dy)
					continue
				}
				clear(row[:at])
				copy(row[at:at+n], dy)
				clear(row[at+n:])
			}
		})
	})
}

// slice returns channels from to to-1 of images, in x's memory.
func (f *frame) slice(x *Tensor, from, to int, shape []int) *Tensor {
	if x.planes == nil && shape[0] == 1 { // a run of memory
		size := shape[2] * shape[3]
		y := f.share(x, shape)
		y.data = y.data[from*size : to*size : to*size]
		return y
	}
	l := f.newPlanes()
	l.of(x)
	for i := range shape[0] {
		l.take(i, from, to, 1)
	}
	return f.fromPlanes(l, shape...)
}

// around returns the number of rows that a shape has before dimension d, and the elements of such a row.
func around(shape []int, d int) (outer, width int) {
	outer, width = 1, 1
	for i, n := range shape {
		if i < d {
			outer *= n
		} else {
			width *= n
		}
	}
	return outer, width
}

// copyRows copies rows of n elements between strides.
func (t *Tape) copyRows(dst []float32, dstStride int, src []float32, srcStride, rows, n int) {
	if rows == 1 {
		t.each(n, 1, func(lo, hi int) { copy(dst[lo:hi], src[lo:hi]) })
		return
	}
	t.each(rows, n, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			copyShort(dst[i*dstStride:i*dstStride+n], src[i*srcStride:i*srcStride+n])
		}
	})
}

// BroadcastTo returns x repeated to a shape by NumPy's rule: aligned at the last dimensions, where sizes
// are equal or x's is 1.
func BroadcastTo(x Operand, shape ...int) *Tensor {
	f := begin("broadcast to", x)
	xs, xv := x.Shape(), f.values(x)
	if len(xs) > len(shape) || !equalShape(broadcast(f.name, xs, shape), shape) {
		shapePanic(f.name, "the first shape does not broadcast to the second", xs, shape)
	}
	y := f.out(shape...)
	l := newLayout(f.name, shape, stridesOf(xs, len(shape)), stridesOf(shape, len(shape)))
	f.repeat(y.data, xv, l, 0)
	return f.done(y, func(b *back) { b.passTo(x, 0, l) })
}
