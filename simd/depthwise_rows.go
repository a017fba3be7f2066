package simd

import (
	"math"

	"github.com/fovea-ml/fovea/simd/internal/portable"
)

// The functions here convolve with filters of any size, stride and dilation, row by row: a tap adds a multiple of a
// row of the source to a row of the result. They need a few rows of scratch, no plane.

// depthwiseLines holds rows of a plane with their padding, each divided by the remainder of the column modulo the
// stride. So the columns that a tap sees lie side by side.
type depthwiseLines struct {
	*DepthwiseShape
	width  int   // of a row of one remainder
	phases int   // remainders that taps see, fewer than the stride when it exceeds the filter
	rows   []int // by place in the ring: the row that is there
	ring   []float32
	extra  []float32 // the caller's
}

var depthwiseRings = freeList[depthwiseLines]{
	most: 64,
	make: func() *depthwiseLines { return new(depthwiseLines) },
	wipe: func(l *depthwiseLines) { l.DepthwiseShape = nil },
}

// lines returns an empty ring of all rows that a row of the result sees.
func (s *DepthwiseShape) lines() *depthwiseLines {
	l := depthwiseRings.get()
	l.DepthwiseShape = s
	l.width = s.Columns + (s.KernelX-1)*s.DilationX/s.StrideX
	l.phases = min(s.StrideX, (s.KernelX-1)*s.DilationX+1)
	l.rows = resized(l.rows, (s.KernelY-1)*s.DilationY+1)
	l.ring = resized(l.ring, len(l.rows)*l.phases*l.width)
	return l
}

// resized returns a slice of n elements with undefined values, s if it is long enough.
func resized[T any](s []T, n int) []T {
	if n > cap(s) {
		return make([]T, n)
	}
	return s[:n]
}

// noRow is no row of any plane.
const noRow = math.MinInt / 2

// forget empties the ring before another plane.
func (l *depthwiseLines) forget() {
	for i := range l.rows {
		l.rows[i] = noRow
	}
}

// under returns the columns of row y of plane x that a tap in column kx sees, one for each column of the result.
func (l *depthwiseLines) under(x []float32, y, kx int) []float32 {
	place := y % len(l.rows)
	if place < 0 {
		place += len(l.rows)
	}
	line := l.ring[place*l.phases*l.width:][:l.phases*l.width]
	if l.rows[place] != y {
		l.rows[place] = y
		clear(line)
		if y >= 0 && y < l.Height {
			l.fill(line, x[y*l.Width:][:l.Width])
		}
	}
	at := kx * l.DilationX
	return line[at%l.StrideX*l.width+at/l.StrideX:][:l.Columns]
}

func (l *depthwiseLines) fill(line, row []float32) {
	for r := range l.phases {
		part := line[r*l.width:][:l.width]
		// Element i is the pixel in column from + i·stride.
		from, first := r-l.PadX, 0
		if from < 0 {
			first = min(len(part), (-from+l.StrideX-1)/l.StrideX)
		}
		if l.StrideX == 1 {
			if at := from + first; first < len(part) && at < len(row) {
				copy(part[first:], row[at:])
			}
			continue
		}
		for i, at := first, from+first*l.StrideX; i < len(part) && at < len(row); i, at = i+1, at+l.StrideX {
			part[i] = row[at]
		}
	}
}

// forwardRows is DepthwiseConv for any filter.
func (s *DepthwiseShape) forwardRows(dst, src, weight, bias []float32, planes int, act Activation) {
	l := s.lines()
	defer depthwiseRings.put(l)
	for p := range planes {
		x := src[p*s.pixels():][:s.pixels()]
		l.forget()
		for y := range s.Rows {
			for f := p * s.Filters; f < (p+1)*s.Filters; f++ {
				sums := dst[f*s.outputs()+y*s.Columns:][:s.Columns]
				clear(sums)
				for j, w := range weight[f*s.taps():][:s.taps()] {
					ky, kx := j/s.KernelX, j%s.KernelX
					Axpy(sums, w, l.under(x, y*s.StrideY-s.PadY+ky*s.DilationY, kx))
				}
				if bias != nil {
					AddScalar(sums, sums, bias[f])
				}
				if act != ActNone {
					act.Apply(sums, sums)
				}
			}
		}
	}
}

// weightGradRows is DepthwiseConvWeightGrad for any filter.
func (s *DepthwiseShape) weightGradRows(dweight, src, ddst []float32, planes int, add bool) {
	l := s.lines()
	defer depthwiseRings.put(l)
	l.extra = resized(l.extra, s.taps()*s.Columns)
	for f := range planes * s.Filters {
		x, dy := src[f/s.Filters*s.pixels():][:s.pixels()], ddst[f*s.outputs():][:s.outputs()]
		l.forget()
		clear(l.extra)
		for y := range s.Rows {
			for j := range s.taps() {
				ky, kx := j/s.KernelX, j%s.KernelX
				MulAdd(l.extra[j*s.Columns:][:s.Columns], l.under(x, y*s.StrideY-s.PadY+ky*s.DilationY, kx), dy[y*s.Columns:])
			}
		}
		for j := range s.taps() {
			var lanes [16]float32
			for x, v := range l.extra[j*s.Columns:][:s.Columns] {
				lanes[x%16] += v
			}
			sum := portable.Fold(&lanes)
			if add {
				sum += dweight[f*s.taps()+j]
			}
			dweight[f*s.taps()+j] = sum
		}
	}
}

// inputGradRows is inputGradVector for any filter. Columns with the same remainder modulo the stride see neighboring
// columns of ddst.
func (s *DepthwiseShape) inputGradRows(dst, ddst, weight []float32, planes, f int) {
	l := depthwiseRings.get()
	defer depthwiseRings.put(l)
	// A line is a row of ddst from column first on, with zeros outside.
	first := floorDiv(s.PadX-(s.KernelX-1)*s.DilationX, s.StrideX)
	width := floorDiv(s.Width-1+s.PadX, s.StrideX) + 1 - first
	l.ring = resized(l.ring, width)
	line := l.ring
	l.extra = resized(l.extra, (s.Width+s.StrideX-1)/s.StrideX)
	for p := range planes {
		at := p*s.Filters + f
		w, dy := weight[at*s.taps():][:s.taps()], ddst[at*s.outputs():][:s.outputs()]
		for y := range s.Height {
			row := dst[p*s.pixels()+y*s.Width:][:s.Width]
			for r := range min(s.StrideX, s.Width) {
				sums := l.extra[:(s.Width-r+s.StrideX-1)/s.StrideX]
				clear(sums)
				for ky := s.KernelY - 1; ky >= 0; ky-- {
					v := y + s.PadY - ky*s.DilationY
					if v%s.StrideY != 0 {
						continue
					}
					clear(line)
					if v /= s.StrideY; v >= 0 && v < s.Rows {
						from := dy[v*s.Columns:][:s.Columns]
						if first < 0 {
							copy(line[min(width, -first):], from)
						} else {
							copy(line, from[min(first, s.Columns):])
						}
					}
					for kx := s.KernelX - 1; kx >= 0; kx-- {
						if v := r + s.PadX - kx*s.DilationX; v%s.StrideX == 0 {
							Axpy(sums, w[ky*s.KernelX+kx], line[v/s.StrideX-first:])
						}
					}
				}
				for i, v := range sums {
					row[r+i*s.StrideX] = v
				}
			}
		}
	}
}

// floorDiv is ⌊a/b⌋ for a positive b.
func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
