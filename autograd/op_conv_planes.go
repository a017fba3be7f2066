package autograd

import "github.com/fovea-ml/fovea/simd"

// An axis is one dimension of a window that slides over a plane: at tap k, output t sees coordinate
// stride·t + taps[k]. Coordinates outside [0, size) are zeros.
type convAxis struct {
	size, out, stride int
	taps              []int
}

// planes are the zero-padded copy of a strip of channels, split by the remainders of coordinates modulo the
// stride. In it, neighboring outputs see neighboring elements at every tap. Tap k of the output in row r and
// column c of the strip is element window[k] + r·width + c of a channel.
type planes struct {
	y, x   convAxis
	rows   int // of outputs
	height int // of one phase
	width  int
	size   int // elements of all phases of a channel
	window []int
	ys, xs []int // the remainders that some tap has
	y0, x0 int   // the least quotient of a tap
}

// newPlanes lays out strips of the given number of rows of outputs.
func newPlanes(y, x convAxis, rows int) planes {
	p := planes{y: y, x: x, rows: rows}
	yAt, yq, ySpan := y.split(&p.ys, &p.y0)
	xAt, xq, xSpan := x.split(&p.xs, &p.x0)
	p.height, p.width = rows+ySpan, x.out+xSpan
	p.size = len(p.ys) * len(p.xs) * p.height * p.width
	for i := range yAt {
		for j := range xAt {
			phase := yAt[i]*len(p.xs) + xAt[j]
			p.window = append(p.window, (phase*p.height+yq[i])*p.width+xq[j])
		}
	}
	return p
}

// split divides the coordinates of taps by the stride: at is the place of each remainder among those used, and
// quotients count from the least.
func (a convAxis) split(used *[]int, least *int) (at, quotients []int, span int) {
	for i, tap := range a.taps {
		q := floorDiv(tap, a.stride)
		r := tap - q*a.stride
		place := 0
		for place < len(*used) && (*used)[place] != r {
			place++
		}
		if place == len(*used) {
			*used = append(*used, r)
		}
		at, quotients = append(at, place), append(quotients, q)
		if i == 0 {
			*least = q
		}
		*least = min(*least, q)
	}
	for i := range quotients {
		quotients[i] -= *least
		span = max(span, quotients[i])
	}
	return at, quotients, span
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// fill copies the part of a plane that outputs in the given number of rows from r0 on see.
func (p *planes) fill(dst, plane []float32, r0, rows int) {
	p.fillWith(dst, 0, r0, rows, func(dst []float32, from, stride, rows, cols int) {
		simd.CopyRows(dst, p.width, plane[from:p.y.size*p.x.size], stride, rows, cols, p.x.stride)
	})
}

// fillWith is fill by a function that copies rows of cols elements. They begin at index from of a plane, stride elements
// apart, and their elements are the horizontal stride apart. zero surrounds them.
func (p *planes) fillWith(dst []float32, zero float32, r0, rows int, copyRows func(dst []float32, from, stride, rows, cols int)) {
	rows += p.height - p.rows
	phase, sy, sx := p.height*p.width, p.y.stride, p.x.stride
	for _, ry := range p.ys {
		top := (r0+p.y0)*sy + ry
		r1, r2 := inside(p.y.size, rows, top, sy)
		for _, rx := range p.xs {
			left := p.x0*sx + rx
			lo, hi := inside(p.x.size, p.width, left, sx)
			if lo == hi {
				simd.Fill(dst[:rows*p.width], zero)
			} else {
				simd.Fill(dst[:r1*p.width], zero)
				simd.Fill(dst[r2*p.width:rows*p.width], zero)
				if r1 < r2 {
					copyRows(dst[r1*p.width+lo:], (top+r1*sy)*p.x.size+left+lo*sx, sy*p.x.size, r2-r1, hi-lo)
				}
				for i := r1; i < r2; i++ { // a few zeros on either side
					row := dst[i*p.width:][:p.width]
					for j := 0; j < lo; j++ {
						row[j] = zero
					}
					for j := hi; j < len(row); j++ {
						row[j] = zero
					}
				}
			}
			dst = dst[phase:]
		}
	}
}

// fetch brings the rows of a plane that fill will copy to the cache; there may be no plane.
func (p *planes) fetch(plane []float32, r0, rows int) {
	if from, to := p.span(r0, rows); to <= len(plane) && from < to {
		simd.Fetch(plane[from:to])
	}
}

// span returns the range of a plane that holds the rows that fill copies.
func (p *planes) span(r0, rows int) (from, to int) {
	size := p.x.size * p.y.stride
	return max(0, (r0+p.y0)*size), min(p.y.size*p.x.size, (r0+p.y0+rows+p.height-p.rows)*size)
}

// gather returns the product's view of channels that fill has copied to data, from position a on, where row is
// the strip's first row.
func (p *planes) gather(data []float32, a, row int) simd.Gather {
	return simd.Gather{Data: data, Window: p.window, Plane: p.size, Width: p.x.out, Pitch: p.width, From: a - row*p.x.out}
}

// inside returns the range of j below n with 0 ≤ j·stride + shift < size.
func inside(size, n, shift, stride int) (lo, hi int) {
	if shift < 0 {
		lo = min(n, (-shift+stride-1)/stride)
	}
	if size > shift {
		hi = min(n, (size-shift-1)/stride+1)
	}
	return lo, max(lo, hi)
}
