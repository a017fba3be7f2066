package autograd

import (
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// PadMode names what [Pad] puts around a Tensor.
type PadMode uint8

// The modes, for a row abcd that is padded by two on either side.
const (
	PadConstant  PadMode = iota // vv|abcd|vv
	PadReflect                  // cb|abcd|cb
	PadReplicate                // aa|abcd|dd
	PadCircular                 // cd|abcd|ab
)

// PadOptions configure [Pad]. The zero value pads with zeros.
type PadOptions struct {
	Mode  PadMode
	Value float32 // of PadConstant
}

// Pad returns x with elements added before and after the last len(pads) dimensions, one pair for each, in the order of the
// dimensions. (PyTorch's F.pad, which this equals, lists the last dimension first.) A negative number takes elements away.
// PadCircular then repeats the elements that remain; the other modes continue x.
//
// PadReflect adds less than the size of the dimension, PadCircular at most that, and PadReplicate needs a dimension that is
// not empty. Otherwise Pad panics with a [ShapeError].
func Pad(x Operand, pads [][2]int, o PadOptions) *Tensor {
	const name = "pad"
	f := begin(name, x)
	xs, xv := x.Shape(), f.values(x)
	skip := len(xs) - len(pads)
	if skip < 0 {
		shapePanic(name, "expected at most one pair for each dimension", xs, []int{len(pads)})
	}
	if o.Mode > PadCircular {
		usePanic(name, "unknown mode")
	}
	shape := cloneShape(xs)
	var dims []padDim
	for i, n := range xs {
		d := padDim{in: n, out: n}
		if i >= skip {
			d.before = pads[i-skip][0]
			after := pads[i-skip][1]
			d.check(name, xs, after, o.Mode)
			d.out += d.before + after
		}
		shape[i] = d.out
		if last := len(dims) - 1; last >= 0 && d.whole() && dims[last].whole() { // as one dimension
			dims[last] = padDim{in: dims[last].in * n, out: dims[last].out * n}
			continue
		}
		dims = append(dims, d)
	}
	if len(dims) == 0 {
		dims = []padDim{{in: 1, out: 1}}
	}
	y := f.out(shape...)
	for i := range dims {
		dims[i].fill(o.Mode)
	}
	p := &padding{rows: dims[:len(dims)-1], last: dims[len(dims)-1], o: o}
	p.forward(f.Tape, y.data, xv)
	return f.done(y, func(b *back) {
		if b.wants(x) {
			p.backward(b.Tape, b.sum(x), b.dy)
		}
	})
}

// padDim is one dimension.
type padDim struct {
	in, out, before int
	from            []int32 // by element of the result: the element of x, -1 for the constant
	first, to       []int32 // the other way: element i of x is in the places to[first[i]:first[i+1]], in ascending order
}

// whole reports whether the dimension stays as it is.
func (d *padDim) whole() bool { return d.before == 0 && d.in == d.out }

func (d *padDim) check(name string, xs []int, after int, mode PadMode) {
	most := max(d.before, after)
	switch {
	case min(d.before, after) < -d.in || d.in+d.before+after < 0:
		shapePanic(name, "expected to take away at most the size of a dimension", xs, []int{d.before, after})
	case most > math.MaxInt32-d.in:
		shapePanic(name, "too many elements", xs, []int{d.before, after})
	case mode == PadReflect && most > 0 && most >= d.in:
		shapePanic(name, "expected a reflection of less than the size of the dimension", xs, []int{d.before, after})
	case mode == PadReplicate && most > 0 && d.in == 0:
		shapePanic(name, "expected an element to replicate", xs, []int{d.before, after})
	case mode == PadCircular && most > d.in+min(d.before, after, 0):
		shapePanic(name, "expected at most as many elements as the dimension has or keeps", xs, []int{d.before, after})
	}
}

// fill computes where elements come from and go to.
func (d *padDim) fill(mode PadMode) {
	if d.whole() {
		return
	}
	d.from, d.first = make([]int32, d.out), make([]int32, d.in+1)
	for i := range d.from {
		j := i - d.before
		if j < 0 || j >= d.in {
			switch mode {
			case PadConstant:
				j = -1
			case PadReflect:
				if j = max(j, -j); j >= d.in {
					j = 2*(d.in-1) - j
				}
			case PadReplicate:
				j = min(max(j, 0), d.in-1)
			case PadCircular:
				left := max(0, -d.before) // of x's elements, the first that stays
				right := min(d.in, d.out-d.before)
				j = left + (j-left+right-left)%(right-left)
			}
		}
		d.from[i] = int32(j)
		if j >= 0 {
			d.first[j+1]++
		}
	}
	for i := range d.in {
		d.first[i+1] += d.first[i]
	}
	d.to = make([]int32, d.first[d.in])
	next := append([]int32(nil), d.first...)
	for i, j := range d.from {
		if j >= 0 {
			d.to[next[j]] = int32(i)
			next[j]++
		}
	}
}

// middle returns the places lo to hi of the result that hold elements of x as they lie there.
func (d *padDim) middle() (lo, hi int) {
	lo = min(max(0, d.before), d.out)
	return lo, max(lo, min(d.out, d.before+d.in))
}

// padding is a Pad under way: rows are the dimensions before the last.
type padding struct {
	rows []padDim
	last padDim
	o    PadOptions
}

func (p *padding) forward(t *Tape, y, x []float32) {
	w, ow := p.last.in, p.last.out
	lo, hi := p.last.middle()
	t.each(len(y)/max(1, ow), ow+8, func(from, to int) {
		for i := from; i < to; i++ {
			dst, r := y[i*ow:][:ow], p.source(i)
			if r < 0 {
				simd.Fill(dst, p.o.Value)
				continue
			}
			src := x[r*w:][:w]
			copyShort(dst[lo:hi], src[lo-p.last.before:][:hi-lo])
			for k := 0; k < ow; k++ {
				if k == lo {
					if k = hi; k == ow {
						break
					}
				}
				if j := p.last.from[k]; j >= 0 {
					dst[k] = src[j]
				} else {
					dst[k] = p.o.Value
				}
			}
		}
	})
}

// source returns the row of x that row i of the result holds, -1 for the constant.
func (p *padding) source(i int) int {
	r, stride := 0, 1
	for k := len(p.rows) - 1; k >= 0; k-- {
		d := &p.rows[k]
		j := i % d.out
		if d.from != nil {
			if j = int(d.from[j]); j < 0 {
				return -1
			}
		}
		r += j * stride
		i, stride = i/d.out, stride*d.in
	}
	return r
}

// backward adds to dx. A task owns rows of x and adds the rows that hold them in one order.
func (p *padding) backward(t *Tape, dx, dy []float32) {
	w, ow := p.last.in, p.last.out
	lo, hi := p.last.middle()
	if len(dx) == 0 || len(dy) == 0 {
		return
	}
	t.each(len(dx)/w, ow+8, func(from, to int) {
		for r := from; r < to; r++ {
			dst := dx[r*w:][:w]
			p.places(len(p.rows)-1, r, 0, 1, func(i int) {
				src := dy[i*ow:][:ow]
				same := dst[lo-p.last.before:][:hi-lo]
				simd.Add(same, same, src[lo:hi])
				for k := 0; k < ow; k++ {
					if k == lo {
						if k = hi; k == ow {
							break
						}
					}
					if j := p.last.from[k]; j >= 0 {
						dst[j] += src[k]
					}
				}
			})
		}
	})
}

// places calls f for each row of the result that holds row r of x. The shapes alone decide the order. It goes through the
// dimensions from k down to 0. r is the row's index among dimensions up to k. The later dimensions contribute i to the
// row of the result, and one step along k is stride rows.
func (p *padding) places(k, r, i, stride int, f func(i int)) {
	if k < 0 {
		f(i)
		return
	}
	d := &p.rows[k]
	j := r % d.in
	if d.from == nil {
		p.places(k-1, r/d.in, i+j*stride, stride*d.out, f)
		return
	}
	for _, at := range d.to[d.first[j]:d.first[j+1]] {
		p.places(k-1, r/d.in, i+int(at)*stride, stride*d.out, f)
	}
}
