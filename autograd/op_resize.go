package autograd

import (
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// ResizeMode names how [Resize2d] computes a pixel.
type ResizeMode uint8

// The modes: the nearest pixel (PyTorch's "nearest"), linear interpolation between two, and cubic
// convolution over four (Keys, 1981) with a = -3/4, or a = -1/2 with Antialias.
const (
	Nearest ResizeMode = iota
	Bilinear
	Bicubic
)

// ResizeOptions configure [Resize2d].
type ResizeOptions struct {
	Mode ResizeMode
	// AlignCorners maps corner pixels onto each other; without it the image's edges are.
	AlignCorners bool
	// Antialias widens the filter when the image shrinks.
	Antialias bool
	// ScaleH and ScaleW, when positive, are the factors to compute coordinates with, in place of the
	// ratios of the sizes: PyTorch's scale_factor.
	ScaleH, ScaleW float64
}

// Resize2d resizes images [n, c, H, W] to [n, c, h, w], equal to PyTorch's interpolate. Position tables
// are resized with it too.
func Resize2d(x Operand, h, w int, o ResizeOptions) *Tensor {
	const name = "resize2d"
	xs := imageShape(name, x)
	switch {
	case h < 1 || w < 1 || xs[2] < 1 || xs[3] < 1:
		shapePanic(name, "expected sizes of at least 1", xs, []int{h, w})
	case o.Mode > Bicubic:
		usePanic(name, "unknown mode")
	case o.Mode == Nearest && (o.AlignCorners || o.Antialias):
		usePanic(name, "AlignCorners and Antialias belong to Bilinear and Bicubic")
	}
	f := begin(name, x)
	xv := f.values(x)
	planes, ih, iw := xs[0]*xs[1], xs[2], xs[3]
	ys := o.axis(ih, h, o.ScaleH)
	cs := o.axis(iw, w, o.ScaleW)
	y := f.out(xs[0], xs[1], h, w)
	resizePlanes(f.Tape, y.data, xv, planes, ys, cs)
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) {
			resizePlanes(b.Tape, dx, b.dy, planes, ys.transpose(ih), cs.transpose(iw))
		})
	})
}

// resizePlanes resizes planes one by one. Rows come first when there are fewer of them than in the result, else
// columns. So the pass over single elements is the shorter one.
func resizePlanes(t *Tape, dst, src []float32, planes int, ys, cs *taps) {
	ih, iw, h, w := ys.in, cs.in, ys.out(), cs.out()
	rowsFirst := ih <= h
	size := iw
	cost := len(ys.weights)*iw/8 + h*len(cs.weights)
	if rowsFirst {
		size = ih * w
		cost = ih*len(cs.weights) + len(ys.weights)*w/8
	}
	slots := t.slots(planes, cost)
	scratch := t.scratch(slots * size)
	t.eachSlot(slots, planes, func(slot, i int) {
		buf := scratch[slot*size:][:size]
		src, dst := src[i*ih*iw:][:ih*iw], dst[i*h*w:][:h*w]
		if rowsFirst {
			for r := range ih {
				cs.across(buf[r*w:][:w], src[r*iw:][:iw])
			}
			for r := range h {
				ys.down(dst[r*w:][:w], buf, r)
			}
			return
		}
		for r := range h {
			ys.down(buf, src, r)
			cs.across(dst[r*w:][:w], buf)
		}
	})
	t.recycle(scratch)
}

// taps is one dimension of a resize: output i is Σ weights[k]·input[index[k]] for k from first[i] to
// first[i+1].
type taps struct {
	in      int // size before
	first   []int
	index   []int
	weights []float32
	each    int // taps of every output when all have as many and they are one or two, else 0
}

// out is the size after.
func (t *taps) out() int { return len(t.first) - 1 }

// count fills in each.
func (t *taps) count() {
	n := t.out()
	t.each = 0
	if k := t.first[1]; k == 1 || k == 2 {
		t.each = k
		for i := range n {
			if t.first[i+1] != (i+1)*k {
				t.each = 0
			}
		}
	}
}

// transpose returns the taps that take gradients back, in ascending order of the outputs.
func (t *taps) transpose(in int) *taps {
	r := &taps{in: t.out(), first: make([]int, in+1), index: make([]int, len(t.index)), weights: make([]float32, len(t.index))}
	for _, at := range t.index {
		r.first[at+1]++
	}
	for i := range in {
		r.first[i+1] += r.first[i]
	}
	next := append([]int(nil), r.first...)
	for i := range t.out() {
		for k := t.first[i]; k < t.first[i+1]; k++ {
			at := t.index[k]
			r.index[next[at]], r.weights[next[at]] = i, t.weights[k]
			next[at]++
		}
	}
	r.count()
	return r
}

// down computes row r of the vertical pass.
func (t *taps) down(dst, src []float32, r int) {
	w := len(dst)
	a, b := t.first[r], t.first[r+1]
	switch {
	case a == b:
		clear(dst)
		return
	case t.weights[a] == 1:
		copy(dst, src[t.index[a]*w:])
	default:
		simd.Scale(dst, src[t.index[a]*w:], t.weights[a])
	}
	for k := a + 1; k < b; k++ {
		if t.weights[k] != 0 { // outputs that fall on a pixel
			simd.Axpy(dst, t.weights[k], src[t.index[k]*w:])
		}
	}
}

// across computes a row of the horizontal pass. Products are rounded before they are added, so that no
// processor fuses them.
func (t *taps) across(dst, row []float32) {
	switch t.each {
	case 1:
		weights := t.weights[:len(dst)]
		for i, at := range t.index[:len(dst)] {
			dst[i] = weights[i] * row[at]
		}
		return
	case 2:
		index, weights := t.index, t.weights
		for i := range dst {
			if len(index) < 2 || len(weights) < 2 {
				break
			}
			dst[i] = float32(weights[0]*row[index[0]]) + float32(weights[1]*row[index[1]])
			index, weights = index[2:], weights[2:]
		}
		return
	}
	for i := range dst {
		a, b := t.first[i], t.first[i+1]
		index, weights := t.index[a:b], t.weights[a:b]
		sum := float32(0)
		for k, at := range index {
			sum += float32(weights[k] * row[at])
		}
		dst[i] = sum
	}
}

// axis computes the taps that take a dimension from size in to size out. Coordinates are float32, as in PyTorch,
// because rounding decides which pixel is nearest.
func (o ResizeOptions) axis(in, out int, factor float64) *taps {
	t := &taps{in: in, first: make([]int, 1, out+1)}
	put := func(index int, weight float32) {
		t.index = append(t.index, max(0, min(index, in-1)))
		t.weights = append(t.weights, weight)
	}
	scale := float32(in) / float32(out)
	switch {
	case o.AlignCorners && out > 1:
		scale = float32(in-1) / float32(out-1)
	case o.AlignCorners:
		scale = 0
	case factor > 0:
		scale = float32(1 / factor)
	}
	for i := range out {
		switch {
		case o.Mode == Nearest:
			put(int(float32(scale*float32(i))), 1)
		case o.Antialias:
			o.antialiased(i, in, scale, put)
		default:
			at := float32(scale * float32(i))
			if !o.AlignCorners {
				at = float32(scale*(float32(i)+0.5)) - 0.5
			}
			if o.Mode == Bilinear {
				at = max(at, 0)
				low := min(int(at), in-1)
				frac := min(max(at-float32(low), 0), 1)
				put(low, 1-frac)
				put(low+1, frac)
				break
			}
			low := min(int(math.Floor(float64(at))), in-1)
			frac := float64(min(max(at-float32(low), 0), 1))
			for k := -1; k <= 2; k++ {
				put(low+k, float32(cubic(float64(k)-frac, -0.75)))
			}
		}
		t.first = append(t.first, len(t.index))
	}
	t.count()
	return t
}

// antialiased puts the taps of output i: the filter, widened by scale when the image shrinks, sampled at
// the pixels it covers and normalized.
func (o ResizeOptions) antialiased(i, in int, scale float32, put func(int, float32)) {
	support := float32(1)
	if o.Mode == Bicubic {
		support = 2
	}
	stretch := max(scale, 1)
	support = float32(support * stretch)
	center := float32(scale * (float32(i) + 0.5))
	lo := max(int(center-support+0.5), 0)
	hi := min(int(center+support+0.5), in)
	weights := make([]float64, max(0, hi-lo))
	total := 0.0
	for k := range weights {
		d := (float64(lo+k) - float64(center) + 0.5) / float64(stretch)
		if o.Mode == Bicubic {
			weights[k] = cubic(d, -0.5)
		} else {
			weights[k] = max(0, 1-math.Abs(d))
		}
		total += weights[k]
	}
	for k, v := range weights {
		put(lo+k, float32(v/total))
	}
}

// cubic is Keys' interpolation kernel at distance d, with the slope a at 1. Products are rounded before
// they are added, as in across.
func cubic(d, a float64) float64 {
	d = math.Abs(d)
	switch {
	case d <= 1:
		p := float64((a+2)*d) - (a + 3)
		return float64(float64(p*d)*d) + 1
	case d < 2:
		p := float64(a*d) - float64(5*a)
		p = float64(p*d) + float64(8*a)
		return float64(p*d) - float64(4*a)
	}
	return 0
}
