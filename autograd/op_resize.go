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
	cost := len(ys.weights)*iw/4 + h*len(cs.weights)
	slots := f.slots(planes, cost)
	scratch := f.scratch(slots * iw)
	f.eachSlot(slots, planes, func(slot, i int) {
		row := scratch[slot*iw:][:iw]
		src, dst := xv[i*ih*iw:][:ih*iw], y.data[i*h*w:][:h*w]
		for r := range h {
			cs.across(dst[r*w:][:w], ys.down(row, src, r))
		}
	})
	f.recycle(scratch)
	return f.done(y, func(b *back) {
		if !b.wants(x) {
			return
		}
		dx := b.sum(x)
		slots := b.slots(planes, cost)
		scratch := b.scratch(slots * iw)
		b.eachSlot(slots, planes, func(slot, i int) {
			row := scratch[slot*iw:][:iw]
			dst, dy := dx[i*ih*iw:][:ih*iw], b.dy[i*h*w:][:h*w]
			for r := range h {
				clear(row)
				cs.acrossGrad(row, dy[r*w:][:w])
				for k := ys.first[r]; k < ys.first[r+1]; k++ {
					simd.Axpy(dst[ys.index[k]*iw:][:iw], ys.weights[k], row)
				}
			}
		})
		b.recycle(scratch)
	})
}

// taps is one dimension of a resize: output i is Σ weights[k]·input[index[k]] for k from first[i] to
// first[i+1].
type taps struct {
	first   []int
	index   []int
	weights []float32
	copies  bool // one tap of weight 1 an output
}

// down returns row r of the vertical pass, in row unless it is a row of the image.
func (t *taps) down(row, src []float32, r int) []float32 {
	w := len(row)
	a, b := t.first[r], t.first[r+1]
	if b-a == 1 && t.weights[a] == 1 {
		return src[t.index[a]*w:][:w]
	}
	simd.Scale(row, src[t.index[a]*w:], t.weights[a])
	for k := a + 1; k < b; k++ {
		simd.Axpy(row, t.weights[k], src[t.index[k]*w:])
	}
	return row
}

// across computes a row of the horizontal pass. Products are rounded before they are added, so that no
// processor fuses them.
func (t *taps) across(dst, row []float32) {
	if t.copies {
		for i, at := range t.index {
			dst[i] = row[at]
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

// acrossGrad is the transpose of across.
func (t *taps) acrossGrad(row, dy []float32) {
	for i, g := range dy {
		for k := t.first[i]; k < t.first[i+1]; k++ {
			row[t.index[k]] += float32(t.weights[k] * g)
		}
	}
}

// axis computes the taps that take a dimension of size in to size out. Coordinates are float32, as in
// PyTorch, because a rounding decides which pixel is nearest.
func (o ResizeOptions) axis(in, out int, factor float64) *taps {
	t := &taps{first: make([]int, 1, out+1)}
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
				if frac > 0 {
					put(low+1, frac)
				}
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
	t.copies = o.Mode == Nearest
	return t
}

// antialiased puts the taps of output i: the filter, widened by scale when the image shrinks, sampled at
// the pixels it covers and normalised.
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
