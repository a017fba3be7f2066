package autograd

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/fovea-ml/fovea/simd"
)

// DeformConv2d is a convolution that reads each tap of its window at a point of its own: with offsets (version 1; Dai et
// al., "Deformable Convolutional Networks", equation 2) and, when mask is not nil, with a factor for each tap (version 2;
// Zhu et al., "Deformable ConvNets v2", equation 1). It is torchvision.ops.deform_conv2d
// (csrc/ops/cpu/deform_conv2d_kernel.cpp).
//
// x is [n, in, h, w], w is [out, in/groups, kh, kw], b is [out] or nil, and the result is [n, out, oh, ow], sized as in
// [Conv2d]. The channels of x are divided into g offset groups, as many as the shape of offset says:
//
//   - offset is [n, g·kh·kw·2, oh, ow]: for each tap how much lower and how much further right it reads, in pixels.
//   - mask is [n, g·kh·kw, oh, ow] or nil.
//
// Values between pixels are bilinear, and pixels outside x are 0. An offset that is NaN gives NaN. An output is a sum over
// (channel, ky, kx) as in [simd.Gemm], then the bias and o.Act.
func DeformConv2d(x, offset, mask, w, b Operand, o Conv2dOptions) *Tensor {
	const name = "deform conv2d"
	f := begin(name, x, offset, mask, w, b)
	xs, ws, os := x.Shape(), w.Shape(), offset.Shape()
	groups := max(1, o.Groups)
	if len(xs) != 4 || len(ws) != 4 || xs[1] != ws[1]*groups || ws[0]%groups != 0 {
		shapePanic(name, fmt.Sprintf("expected x [n, in, h, w] and w [out, in/groups, kh, kw], where groups divide in and out; groups is %d", groups), xs, ws)
	}
	checkBias(name, b, ws[0])
	checkActivation(name, o.Act)
	g := newConvShape(name, ws, o.Stride, o.Padding, o.Dilation, o.Groups)
	g.n, g.h, g.w = xs[0], xs[2], xs[3]
	g.oh = windows(name, g.h+2*g.py-g.dy*(g.kh-1)-1, g.sy, xs, ws)
	g.ow = windows(name, g.w+2*g.px-g.dx*(g.kw-1)-1, g.sx, xs, ws)
	window := g.kh * g.kw
	if len(os) != 4 || os[1] == 0 || os[1]%(2*window) != 0 || xs[1]%(os[1]/(2*window)) != 0 || !equalShape(os, []int{xs[0], os[1], g.oh, g.ow}) {
		shapePanic(name, fmt.Sprintf("expected offset [n, g·kh·kw·2, oh, ow], where g divides in, for a result of %d×%d", g.oh, g.ow), xs, ws, os)
	}
	if given(mask) && !equalShape(mask.Shape(), []int{xs[0], os[1] / 2, g.oh, g.ow}) {
		shapePanic(name, "expected mask [n, g·kh·kw, oh, ow]", os, mask.Shape())
	}
	if g.h > 0 && g.w > math.MaxInt32/g.h {
		shapePanic(name, "too many pixels", xs)
	}
	d := &deform{convShape: g, in: xs[1], window: window, offsets: os[1] / (2 * window)}
	d.x, d.offset, d.mask = f.values(x), f.values(offset), f.values(mask)
	wv, end := f.values(w), convEnd{bias: f.values(b), act: o.Act}
	f.flops = g.flops()
	arithmetic := f.products(w, nil)

	y := f.out(g.n, ws[0], g.oh, g.ow)
	pre := f.preActivation(y, &end)
	col, points := d.lend(f.Tape)
	d.eachTile(f.Tape, points, func(i, p0, n int, at []deformPoint) {
		d.columns(f.Tape, col, at, i, p0, n)
		for k := range g.groups {
			arithmetic.Gemm(f.workers, g.co, n, g.taps(), simd.Matrix{Data: g.weight(wv, k), Stride: g.taps()},
				simd.Matrix{Data: col[k*g.taps()*n:], Stride: n}, 0, g.after(y.data, i, k)[p0:], g.positions(),
				end.epilogue(k*g.co, g.co, (i*ws[0]+k*g.co)*g.positions()+p0, g.positions()))
		}
	})
	f.recycle(col)
	f.recycle(points)
	return f.done(y, func(k *back) {
		dy := k.dy
		if o.Act != ActNone {
			dy = k.beforeActivation(o.Act, pre)
			defer k.recycle(dy)
		}
		if k.wants(b) {
			k.channelSums(k.sum(b), dy, g.n, g.positions())
		}
		d.backward(k, arithmetic, wv, dy, x, offset, mask, w)
	})
}

// deform is one deformable convolution. Its matrix of columns is [in·window, positions], a tile of
// positions at a time.
type deform struct {
	*convShape
	in, window      int // channels of x, taps of a filter
	offsets         int // offset groups
	x, offset, mask []float32
}

// deformPoint is where a tap reads: four pixels and their weights.
type deformPoint struct {
	at     [4]int32 // upper left, upper right, lower left, lower right; -1 outside
	weight [4]float32
	y, x   float32 // the shares of the lower and the right pixels
}

const pointSize = int(unsafe.Sizeof(deformPoint{}) / 4) // in elements of scratch

// deformTile bounds the elements of the columns of a tile.
const deformTile = 1 << 20

// width returns the positions of a tile. The shape alone decides, because a gradient of the weight goes on from tile to
// tile.
func (d *deform) width() int {
	return min(d.positions(), max(256, min(2048, deformTile/(d.in*d.window))&^255))
}

// lend returns scratch memory for the columns and the points of a tile.
func (d *deform) lend(t *Tape) (col, points []float32) {
	return t.scratch(d.in * d.window * d.width()), t.scratch(d.offsets * d.window * d.width() * pointSize)
}

// eachTile calls f for n positions from p0 of image i, and the points at which their taps read: [offsets, window, n].
func (d *deform) eachTile(t *Tape, scratch []float32, f func(i, p0, n int, points []deformPoint)) {
	points := unsafe.Slice((*deformPoint)(unsafe.Pointer(unsafe.SliceData(scratch))), len(scratch)/pointSize)
	for i := range d.n {
		for p0 := 0; p0 < d.positions(); p0 += d.width() {
			n := min(d.width(), d.positions()-p0)
			t.each(d.offsets*d.window, 20*n, func(lo, hi int) {
				for j := lo; j < hi; j++ {
					d.locate(points[j*n:][:n], i, j, p0)
				}
			})
			f(i, p0, n, points)
		}
	}
}

// locate computes the points of tap j, which counts through the offset groups, at positions from p0 of image i.
func (d *deform) locate(points []deformPoint, i, j, p0 int) {
	size := d.positions()
	down := d.offset[(i*d.offsets*d.window+j)*2*size+p0:][:len(points)]
	right := d.offset[((i*d.offsets*d.window+j)*2+1)*size+p0:][:len(points)]
	ky, kx := j%d.window/d.kw, j%d.window%d.kw
	h, w := float32(d.h), float32(d.w)
	for p := range points {
		oy, ox := (p0+p)/d.ow, (p0+p)%d.ow
		y := float32(oy*d.sy-d.py+ky*d.dy) + down[p]
		x := float32(ox*d.sx-d.px+kx*d.dx) + right[p]
		q := &points[p]
		// At -1 the value is 0, and its derivative is that to the right, as in torchvision: offsets that start as zeros
		// get there.
		if !(y >= -1 && y < h && x >= -1 && x < w) {
			*q = deformPoint{at: [4]int32{-1, -1, -1, -1}}
			if y != y || x != x {
				nan := float32(math.NaN())
				q.weight, q.y, q.x = [4]float32{nan, nan, nan, nan}, nan, nan
			}
			continue
		}
		top, left := math.Floor(float64(y)), math.Floor(float64(x))
		q.y, q.x = y-float32(top), x-float32(left)
		q.weight = [4]float32{(1 - q.y) * (1 - q.x), (1 - q.y) * q.x, q.y * (1 - q.x), q.y * q.x}
		row, col := int(top), int(left)
		for k := range q.at {
			r, c := row+k/2, col+k%2
			q.at[k] = -1
			if r >= 0 && r < d.h && c >= 0 && c < d.w {
				q.at[k] = int32(r*d.w + c)
			}
		}
	}
}

// pixels returns the four pixels of a point, 0 outside.
func (q *deformPoint) pixels(src []float32) (a, b, c, d float32) {
	if i := q.at[0]; i >= 0 {
		a = src[i]
	}
	if i := q.at[1]; i >= 0 {
		b = src[i]
	}
	if i := q.at[2]; i >= 0 {
		c = src[i]
	}
	if i := q.at[3]; i >= 0 {
		d = src[i]
	}
	return a, b, c, d
}

// value returns the value at a point. Products are rounded before they are added, so that no processor fuses them.
func (q *deformPoint) value(src []float32) float32 {
	a, b, c, d := q.pixels(src)
	return float32(q.weight[0]*a) + float32(q.weight[1]*b) + float32(q.weight[2]*c) + float32(q.weight[3]*d)
}

// row returns the points and the factors, nil without a mask, that row r of the columns reads with: tap r%window of
// channel r/window.
func (d *deform) row(points []deformPoint, r, i, p0, n int) ([]deformPoint, []float32) {
	j := r/d.window/(d.in/d.offsets)*d.window + r%d.window
	var mask []float32
	if d.mask != nil {
		mask = d.mask[(i*d.offsets*d.window+j)*d.positions()+p0:][:n]
	}
	return points[j*n:][:n], mask
}

// columns fills the columns of n positions.
func (d *deform) columns(t *Tape, col []float32, points []deformPoint, i, p0, n int) {
	size := d.h * d.w
	t.each(d.in*d.window, 6*n, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			src, dst := d.x[(i*d.in+r/d.window)*size:][:size], col[r*n:][:n]
			at, mask := d.row(points, r, i, p0, n)
			for p := range dst {
				dst[p] = at[p].value(src)
			}
			if mask != nil {
				simd.Mul(dst, dst, mask)
			}
		}
	})
}

// backward adds to the gradients of all operands but the bias. dy is that of the sums.
func (d *deform) backward(b *back, m simd.Math, wv, dy []float32, x, offset, mask, w Operand) {
	var dx, doffset, dmask, dw []float32
	if b.wants(x) {
		dx = b.sum(x)
	}
	if b.wants(offset) {
		doffset = b.sum(offset)
	}
	if b.wants(mask) {
		dmask = b.sum(mask)
	}
	if b.wants(w) {
		dw = b.sum(w)
	}
	if dx == nil && doffset == nil && dmask == nil && dw == nil {
		return
	}
	g, size := d.convShape, d.positions()
	col, scratch := d.lend(b.Tape)
	d.eachTile(b.Tape, scratch, func(i, p0, n int, points []deformPoint) {
		if dw != nil {
			d.columns(b.Tape, col, points, i, p0, n)
			for k := range g.groups {
				m.Gemm(b.workers, g.co, g.taps(), n, simd.Matrix{Data: g.after(dy, i, k)[p0:], Stride: size},
					simd.Matrix{Data: col[k*g.taps()*n:], Stride: n, Trans: true}, 1, g.weight(dw, k), g.taps(), nil)
			}
		}
		if dx == nil && doffset == nil && dmask == nil {
			return
		}
		for k := range g.groups { // the gradient of the columns
			m.Gemm(b.workers, g.taps(), n, g.co, simd.Matrix{Data: g.weight(wv, k), Stride: g.taps(), Trans: true},
				simd.Matrix{Data: g.after(dy, i, k)[p0:], Stride: size}, 0, col[k*g.taps()*n:], n, nil)
		}
		if dx != nil {
			d.addImage(b.Tape, dx, col, points, i, p0, n)
		}
		if doffset != nil || dmask != nil {
			d.addPoints(b.Tape, doffset, dmask, col, points, i, p0, n)
		}
	})
	b.recycle(col)
	b.recycle(scratch)
}

// addImage adds to the gradient of x. A task owns channels and adds tap by tap, position by position.
func (d *deform) addImage(t *Tape, dx, col []float32, points []deformPoint, i, p0, n int) {
	size := d.h * d.w
	t.each(d.in, 8*d.window*n, func(lo, hi int) {
		for r := lo * d.window; r < hi*d.window; r++ {
			dst, dy := dx[(i*d.in+r/d.window)*size:][:size], col[r*n:][:n]
			at, mask := d.row(points, r, i, p0, n)
			for p, g := range dy {
				if mask != nil {
					g *= mask[p]
				}
				q := &at[p]
				for k, to := range q.at {
					if to >= 0 {
						dst[to] += float32(q.weight[k] * g)
					}
				}
			}
		}
	})
}

// addPoints adds to the gradients of offset and mask, either of which may be nil. A task owns taps and adds channel by
// channel.
func (d *deform) addPoints(t *Tape, doffset, dmask, col []float32, points []deformPoint, i, p0, n int) {
	size, channels := d.h*d.w, d.in/d.offsets
	t.each(d.offsets*d.window, 10*channels*n, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			to := (i*d.offsets*d.window+j)*d.positions() + p0
			for c := j / d.window * channels; c < (j/d.window+1)*channels; c++ {
				r := c*d.window + j%d.window
				src, dy := d.x[(i*d.in+c)*size:][:size], col[r*n:][:n]
				at, mask := d.row(points, r, i, p0, n)
				if dmask != nil {
					for p, g := range dy {
						dmask[to+p] += float32(g * at[p].value(src))
					}
				}
				if doffset == nil {
					continue
				}
				down, right := doffset[to+(to-p0):][:n], doffset[to+(to-p0)+d.positions():][:n]
				for p, g := range dy {
					if mask != nil {
						g *= mask[p]
					}
					q := &at[p]
					ul, ur, ll, lr := q.pixels(src)
					down[p] += float32(g * (float32(q.x*(lr-ur)) + float32((1-q.x)*(ll-ul))))
					right[p] += float32(g * (float32(q.y*(lr-ll)) + float32((1-q.y)*(ur-ul))))
				}
			}
		}
	})
}
