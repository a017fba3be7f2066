package autograd

import (
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// RoiPool returns the largest value in each bin of each box: from x [n, c, h, w] to [len(rois), c, OutH, OutW]. It is
// torchvision.ops.roi_pool (Girshick, "Fast R-CNN", section 2.1; csrc/ops/cpu/roi_pool_kernel.cpp).
//
// Edges are rounded to whole pixels, both inside. A bin covers rows ⌊i·height/OutH⌋ to ⌈(i+1)·height/OutH⌉ of its box,
// so neighboring bins may share pixels. A bin outside x gives 0 and has no gradient, and so do all bins of a box that has
// a coordinate which is not finite or beyond 2²⁴ pixels of x. NaN counts as largest, unlike in torchvision, which skips it.
// The gradient goes to the first of equal values, in row-major order. An image number outside 0 … n-1 panics with a
// [ShapeError].
func RoiPool(x Operand, rois []Roi, o RoiOptions) *Tensor {
	const name = "roi pool"
	xs := o.check(name, x, rois)
	f := begin(name, x)
	xv, c, h, w := f.values(x), xs[1], xs[2], xs[3]
	ys, cs := make([]span, 0, len(rois)*o.OutH), make([]span, 0, len(rois)*o.OutW)
	for _, r := range rois {
		ys = o.spans(ys, h, o.OutH, r.Y0, r.Y1)
		cs = o.spans(cs, w, o.OutW, r.X0, r.X1)
	}
	cost := 8 + (spanTotal(ys)*w/4+o.OutH*spanTotal(cs))/max(1, len(rois))
	y := f.out(len(rois), c, o.OutH, o.OutW)
	size := o.OutH * o.OutW
	f.eachRange(len(rois)*c, cost, w, func(tall []float32, lo, hi int) {
		for i := lo; i < hi; i++ {
			k := i / c
			src, dst := xv[(rois[k].Image*c+i%c)*h*w:][:h*w], y.data[i*size:][:size]
			cols := cs[k*o.OutW:][:o.OutW]
			left, right := cols[0].lo, cols[len(cols)-1].hi
			for p, v := range ys[k*o.OutH:][:o.OutH] {
				dst := dst[p*o.OutW:][:o.OutW]
				if v.lo >= v.hi || left >= right {
					clear(dst)
					continue
				}
				row := src[v.lo*w:][:w]
				for q := v.lo + 1; q < v.hi; q++ {
					simd.Max(tall[left:right], src[q*w+left:], row[left:right])
					row = tall
				}
				for j, u := range cols {
					dst[j] = 0
					if u.lo < u.hi {
						dst[j] = largest(row[u.lo:u.hi])
					}
				}
			}
		}
	})
	images := byImage(rois, xs[0])
	return f.done(y, func(b *back) {
		if !b.wants(x) {
			return
		}
		dx := b.sum(x)
		// A task owns planes of x and adds boxes in their order.
		b.each(xs[0]*c, 1+2*cost*len(rois)/max(1, xs[0]), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				src, dst := xv[i*h*w:][:h*w], dx[i*h*w:][:h*w]
				for _, k := range images[i/c] {
					at := (k*c + i%c) * size
					for p, v := range ys[k*o.OutH:][:o.OutH] {
						for j, u := range cs[k*o.OutW:][:o.OutW] {
							if v.lo < v.hi && u.lo < u.hi {
								q := at + p*o.OutW + j
								dst[winner(src, w, v, u, y.data[q])] += b.dy[q]
							}
						}
					}
				}
			}
		})
	})
}

// largest is the largest of a few numbers, NaN if there is one. The built-in max is several times slower.
func largest(v []float32) float32 {
	best := v[0]
	for _, x := range v[1:] {
		if x > best || x != x {
			best = x
		}
	}
	return best
}

// spans appends the bins of a box from edge a to edge b, on an axis of n pixels.
func (o RoiOptions) spans(to []span, n, bins int, a, b float32) []span {
	start, end := math.Round(float64(o.scale(a))), math.Round(float64(o.scale(b)))
	if !(start >= -maxRoi && start <= maxRoi && end >= -maxRoi && end <= maxRoi) { // or NaN
		for range bins {
			to = append(to, span{})
		}
		return to
	}
	from := int(start)
	bin := float32(max(int(end)-from+1, 1)) / float32(bins)
	for i := range bins {
		lo := from + int(math.Floor(float64(float32(i)*bin)))
		hi := from + int(math.Ceil(float64(float32(i+1)*bin)))
		to = append(to, span{lo: min(max(lo, 0), n), hi: min(max(hi, 0), n)})
	}
	return to
}
