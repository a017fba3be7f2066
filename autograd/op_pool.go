package autograd

import "github.com/fovea-ml/fovea/simd"

// PoolOptions configure [MaxPool2d] and [AvgPool2d]. Pairs are (vertical, horizontal).
type PoolOptions struct {
	Kernel  [2]int // size of the window
	Stride  [2]int // its step; 0 means the window's size
	Padding [2]int // added on either side, at most half of the window
	// Ceil rounds the result's size up instead of down, so that the last window may hang over the far side. A
	// window that would begin beyond the image and its near padding is left out.
	Ceil bool
	// ExcludePadding divides an average by the number of pixels in the window; without it, as in PyTorch,
	// padding counts too. MaxPool2d ignores it.
	ExcludePadding bool
}

// span is the part of one dimension that one output sees: pixels lo to hi, counted as count.
type span struct{ lo, hi, count int }

// spans returns the windows over one dimension of size n.
func (o PoolOptions) spans(name string, dim, n int, xs []int) []span {
	k, s, p := o.Kernel[dim], o.Stride[dim], o.Padding[dim]
	if s == 0 {
		s = k
	}
	if k < 1 || s < 1 || p < 0 || p > k/2 {
		shapePanic(name, "expected a Kernel and Stride of at least 1 and a Padding of at most half the kernel; these are x, Kernel, Stride and Padding",
			xs, o.Kernel[:], o.Stride[:], o.Padding[:])
	}
	room := n + 2*p - k
	if o.Ceil {
		room += s - 1
	}
	if room < 0 || n == 0 {
		shapePanic(name, "the window is larger than the padded image", xs, o.Kernel[:])
	}
	m := room/s + 1
	if o.Ceil && (m-1)*s >= n+p {
		m--
	}
	w := make([]span, m)
	for i := range w {
		lo := i*s - p
		hi := min(lo+k, n+p)
		w[i] = span{lo: max(lo, 0), hi: min(hi, n), count: hi - lo}
		if o.ExcludePadding {
			w[i].count = w[i].hi - w[i].lo
		}
	}
	return w
}

// taps returns the rule of the columns.
func (o PoolOptions) taps() tapRule {
	r := tapRule{taps: o.Kernel[1], step: o.Stride[1], pad: o.Padding[1]}
	if r.step == 0 {
		r.step = r.taps
	}
	return r
}

// adaptiveSpans divides a dimension of size n into m windows, ⌊i·n/m⌋ to ⌈(i+1)·n/m⌉.
func adaptiveSpans(name string, n, m int, xs []int) []span {
	if m < 0 || n == 0 {
		shapePanic(name, "expected an image that is not empty and a size of at least 0", xs, []int{m})
	}
	w := make([]span, m)
	for i := range w {
		lo, hi := i*n/m, ((i+1)*n+m-1)/m
		w[i] = span{lo: lo, hi: hi, count: hi - lo}
	}
	return w
}

// MaxPool2d returns the largest value in each window: [n, c, h, w] to [n, c, oh, ow], with
//
//	oh = ⌊(h + 2·padding - kernel) / stride⌋ + 1
//
// NaN counts as largest. The gradient goes to the first of equal values, in row-major order.
func MaxPool2d(x Operand, o PoolOptions) *Tensor {
	const name = "max pool2d"
	xs := imageShape(name, x)
	return maxPool(name, x, o.spans(name, 0, xs[2], xs), o.spans(name, 1, xs[3], xs), o.taps())
}

// AvgPool2d returns the mean of each window: [n, c, h, w] to [n, c, oh, ow], sized as in [MaxPool2d].
func AvgPool2d(x Operand, o PoolOptions) *Tensor {
	const name = "avg pool2d"
	xs := imageShape(name, x)
	return avgPool(name, x, o.spans(name, 0, xs[2], xs), o.spans(name, 1, xs[3], xs), o.taps())
}

// AdaptiveAvgPool2d returns means over windows that divide the image into h by w, whatever its size:
// output i of h covers rows ⌊i·H/h⌋ to ⌈(i+1)·H/h⌉. [n, c, H, W] to [n, c, h, w].
func AdaptiveAvgPool2d(x Operand, h, w int) *Tensor {
	const name = "adaptive avg pool2d"
	xs := imageShape(name, x)
	return avgPool(name, x, adaptiveSpans(name, xs[2], h, xs), adaptiveSpans(name, xs[3], w, xs), tapRule{})
}

// AdaptiveMaxPool2d returns the largest values over the windows of [AdaptiveAvgPool2d].
func AdaptiveMaxPool2d(x Operand, h, w int) *Tensor {
	const name = "adaptive max pool2d"
	xs := imageShape(name, x)
	return maxPool(name, x, adaptiveSpans(name, xs[2], h, xs), adaptiveSpans(name, xs[3], w, xs), tapRule{})
}

// imageShape returns the shape of images [n, c, h, w].
func imageShape(name string, x Operand) []int {
	xs := x.Shape()
	if len(xs) != 4 {
		shapePanic(name, "expected x [n, c, h, w]", xs)
	}
	return xs
}

// pooling is a pooling operation under way: images [planes, h, w] become [planes, len(ys), len(xs)].
type pooling struct {
	x            []float32
	planes, h, w int
	cost         int // of a plane
}

// pool opens an operation whose result is computed from a window of each plane at a time. Join adds a row of the
// image to those of the window above it; windows computes a row of the result from the joined row.
func pool(name string, x Operand, ys, xs []span, join rowFunc, windows func(dst, row []float32, v span)) (*frame, *Tensor, pooling) {
	f := begin(name, x)
	s := x.Shape()
	p := pooling{x: f.values(x), planes: s[0] * s[1], h: s[2], w: s[3]}
	p.cost = spanTotal(ys)*p.w/4 + len(ys)*spanTotal(xs)
	y := f.out(s[0], s[1], len(ys), len(xs))
	slots := f.slots(p.planes, p.cost)
	scratch := f.scratch(slots * p.w)
	f.eachSlot(slots, p.planes, func(slot, i int) {
		tall := scratch[slot*p.w:][:p.w]
		src := p.x[i*p.h*p.w:][:p.h*p.w]
		for r, v := range ys {
			row := src[v.lo*p.w:][:p.w]
			for q := v.lo + 1; q < v.hi; q++ {
				join(tall, src[q*p.w:][:p.w], row)
				row = tall
			}
			windows(y.data[(i*len(ys)+r)*len(xs):][:len(xs)], row, v)
		}
	})
	f.recycle(scratch)
	return f, y, p
}

func spanTotal(s []span) int {
	n := 0
	for _, v := range s {
		n += v.hi - v.lo
	}
	return n
}

// avgPool sums the rows of a window first, then its columns, each in ascending order.
func avgPool(name string, x Operand, ys, xs []span, rule tapRule) *Tensor {
	f, y, p := avgPooled(name, x, ys, xs, rule)
	h, w, oh, ow := p.h, p.w, len(ys), len(xs)
	return f.done(y, func(b *back) {
		if !b.wants(x) {
			return
		}
		dx := b.sum(x)
		slots := b.slots(p.planes, p.cost)
		scratch := b.scratch(slots * w)
		b.eachSlot(slots, p.planes, func(slot, i int) {
			wide := scratch[slot*w:][:w]
			dst := dx[i*h*w:][:h*w]
			for r, v := range ys {
				dy := b.dy[(i*oh+r)*ow:][:ow]
				clear(wide)
				for c, u := range xs {
					g := dy[c] / windowSize(v, u)
					for q := range wide[u.lo:u.hi] {
						wide[u.lo+q] += g
					}
				}
				for q := v.lo; q < v.hi; q++ {
					row := dst[q*w:][:w]
					simd.Add(row, row, wide)
				}
			}
		})
		b.recycle(scratch)
	})
}

// avgPooled is the forward step of avgPool.
func avgPooled(name string, x Operand, ys, xs []span, rule tapRule) (*frame, *Tensor, pooling) {
	if rule.step < 1 || rule.step > 4 || len(xs) == 0 {
		return pool(name, x, ys, xs, simd.Add, func(dst, row []float32, v span) {
			for c, u := range xs {
				sum := float32(0)
				for _, p := range row[u.lo:u.hi] {
					sum += p
				}
				dst[c] = sum / windowSize(v, u)
			}
		})
	}
	f := begin(name, x)
	s := x.Shape()
	y := f.out(s[0], s[1], len(ys), len(xs))
	m := tapPooling{tapRule: rule, join: simd.Add, end: func(y []float32) { divideWindows(y, ys, xs) },
		x: f.values(x), planes: s[0] * s[1], w: s[3], size: s[2] * s[3], ys: ys, xs: xs}
	m.values(f.Tape, y.data)
	return f, y, pooling{x: m.x, planes: m.planes, h: s[2], w: s[3], cost: m.cost()}
}

// divideWindows divides the sums of a plane by the sizes of their windows. A sum counts from +0, so it is never -0.
func divideWindows(y []float32, ys, xs []span) {
	simd.AddScalar(y, y, 0)
	size, equal := ys[0].count*xs[0].count, true
	for _, v := range ys {
		equal = equal && v.count == ys[0].count
	}
	for _, u := range xs {
		equal = equal && u.count == xs[0].count
	}
	if equal && size&(size-1) == 0 {
		simd.Scale(y, y, 1/float32(size)) // exact where the quotient is
		return
	}
	for r, v := range ys {
		for c, u := range xs {
			y[r*len(xs)+c] /= windowSize(v, u)
		}
	}
}

// windowSize is the divisor of an average.
func windowSize(v, u span) float32 { return float32(v.count * u.count) }
