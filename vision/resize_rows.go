package vision

import (
	"image"
	"sync"

	"github.com/fovea-ml/fovea/simd"
)

// scratch holds intermediate rows between resizes.
var scratch = sync.Pool{New: func() any { return new([]uint8) }}

// mostTaps bounds the coefficients in memory. So an image that is millions of pixels long and one high takes no more
// memory for coefficients than for itself.
const mostTaps = 1 << 22

// resample filters rows and columns, rounding to 8 bits in between, and writes the given part of the result to dst.
func (r Resizer) resample(dst, v view, x, y axis, part image.Rectangle) {
	_, _, wx := x.reach()
	_, _, wy := y.reach()
	switch {
	case part.Dx() > 1 && part.Dx() > mostTaps/wx:
		half := part.Dx() / 2
		left, right := part, part
		left.Max.X = part.Min.X + half
		right.Min.X = left.Max.X
		r.resample(dst, v, x, y, left)
		dst.pix = dst.from(half, 0)
		r.resample(dst, v, x, y, right)
		return
	case part.Dy() > 1 && part.Dy() > mostTaps/wy:
		half := part.Dy() / 2
		upper, lower := part, part
		upper.Max.Y = part.Min.Y + half
		lower.Min.Y = upper.Max.Y
		r.resample(dst, v, x, y, upper)
		dst.pix = dst.from(0, half)
		r.resample(dst, v, x, y, lower)
		return
	}
	dst.height, dst.width = part.Dy(), part.Dx()
	horizontal := x.outSize != v.width || x.in0 != 0 || x.in1 != float32(x.outSize)
	vertical := y.outSize != v.height || y.in0 != 0 || y.in1 != float32(y.outSize)
	// The source pixels that contribute, and the taps on them.
	x0, x1, y0, y1 := part.Min.X, part.Max.X, part.Min.Y, part.Max.Y
	var tx, ty *simd.ResizeTaps
	if horizontal {
		t := x.taps(x0, x1)
		x0, x1 = t.span()
		tx = t.within(x0, x1)
	}
	if vertical {
		t := y.taps(y0, y1)
		y0, y1 = t.span()
		ty = t.within(y0, y1)
	}
	v.pix, v.height, v.width = v.from(x0, y0), y1-y0, x1-x0
	switch {
	case !vertical:
		r.rows(dst, v, tx)
	case !horizontal:
		r.columns(dst, v, ty)
	default:
		last := !r.RowsFirst && !r.Tensor && columnsFirst(y.inSize, x.inSize, y.outSize, x.outSize)
		mid := view{height: v.height, width: dst.width, channels: v.channels}
		if last {
			mid.height, mid.width = dst.height, v.width
		}
		mid.stride = mid.width * mid.channels
		buf := scratch.Get().(*[]uint8)
		defer scratch.Put(buf)
		if n := mid.stride * mid.height; cap(*buf) < n {
			*buf = make([]uint8, n)
		}
		mid.pix = (*buf)[:mid.stride*mid.height]
		if last {
			r.columns(mid, v, ty)
			r.rows(dst, mid, tx)
		} else {
			r.rows(mid, v, tx)
			r.columns(dst, mid, ty)
		}
	}
}

// rows filters along the rows: row y of dst from row y of src.
func (r Resizer) rows(dst, src view, t *simd.ResizeTaps) {
	r.bands(dst.height, t.Products()*src.channels, func(y0, y1 int) {
		simd.ResizeRows(dst.from(0, y0), dst.stride, src.from(0, y0), src.stride, y1-y0, src.channels, t)
	})
}

// columns filters along the columns.
func (r Resizer) columns(dst, src view, t *simd.ResizeTaps) {
	n := src.width * src.channels
	r.bands(dst.height, t.Products()/dst.height*n, func(y0, y1 int) {
		simd.ResizeColumns(dst.from(0, y0), dst.stride, src.pix, src.stride, n, t, y0, y1)
	})
}

// bands calls f on consecutive ranges that cover [0, n), on the workers when there is enough work. An index costs about
// cost products.
func (r Resizer) bands(n, cost int, f func(i0, i1 int)) {
	const least = 1 << 18
	k := min(n, 4*r.Workers.Limit(), n*cost/least+1)
	if k <= 1 || r.Workers.Limit() == 1 {
		f(0, n)
		return
	}
	r.Workers.For(k, func(i int) { f(i*n/k, (i+1)*n/k) })
}

// premultiply writes src with its colors multiplied by alpha, both RGBA.
func premultiply(dst, src []uint8) {
	for i := 0; i+4 <= len(src); i += 4 {
		a := uint32(src[i+3])
		for c := range 3 {
			dst[i+c] = uint8(mulDiv255(uint32(src[i+c]), a))
		}
		dst[i+3] = src[i+3]
	}
}

// unpremultiply divides colors by alpha in place; where alpha is 0 they stay.
func unpremultiply(p []uint8) {
	for i := 0; i+4 <= len(p); i += 4 {
		if a := uint32(p[i+3]); a != 0 && a != 255 {
			for c := range 3 {
				p[i+c] = uint8(min(255*uint32(p[i+c])/a, 255))
			}
		}
	}
}
