package autograd

import (
	"fmt"
	"math"
)

// DeformableOptions configure [DeformableAttention].
type DeformableOptions struct {
	Heads  int      // divides the width of the values; 0 means 1
	Levels [][2]int // height and width of each level of the values, one behind the other
	Points int      // that a head reads in each level; 0 means 1
	// Discrete reads one value in place of the bilinear one (the method "discrete" of RT-DETRv2, arXiv 2407.17140, section
	// 3.2): that at the rounded column x·width and row y·height, halves up, or the border beyond it. The locations then have
	// no gradient. Columns are counted from 0, so this is not the nearest value, whose column is x·width rounded down.
	Discrete bool
}

// DeformableAttention is attention that reads few values (Zhu et al., "Deformable DETR", arXiv 2010.04159, equation 3;
// MultiScaleDeformableAttention in transformers' modeling_rt_detr.py). Each head of a query reads Points values in each level
// at given locations, and sums them with given weights.
//
//   - values is [n, S, C]: the maps of all levels, each row by row, S places in all. A head reads C/Heads columns.
//   - locations is [n, q, heads, levels·points, 2]: x and y, from 0 at the left and upper edge of a level to 1 at the other.
//   - weights is [n, q, heads, levels·points], mostly a softmax.
//
// The result is [n, q, C]. Values between places are bilinear, and 0 outside, as [GridSample] reads them without
// AlignCorners. A location that is not finite gives NaN, with Discrete the first place.
func DeformableAttention(values, locations, weights Operand, o DeformableOptions) *Tensor {
	const name = "deformable attention"
	f := begin(name, values, locations, weights)
	o.Heads, o.Points = max(1, o.Heads), max(1, o.Points)
	vs, ls, ws := values.Shape(), locations.Shape(), weights.Shape()
	d := &deformable{DeformableOptions: o, all: len(o.Levels) * o.Points}
	for _, l := range o.Levels {
		if l[0] < 1 || l[1] < 1 || l[1] > math.MaxInt32/l[0] {
			shapePanic(name, fmt.Sprintf("expected levels with a height and a width, found %v", o.Levels), vs)
		}
		d.first = append(d.first, d.places)
		d.places += l[0] * l[1]
	}
	if len(vs) != 3 || vs[1] != d.places || vs[2]%o.Heads != 0 {
		shapePanic(name, fmt.Sprintf("expected values [n, %d, C] for the levels %v, and a C that %d heads divide", d.places, o.Levels, o.Heads), vs)
	}
	if len(ws) != 4 || ws[0] != vs[0] || ws[2] != o.Heads || ws[3] != d.all || !equalShape(ls, append(ws[:4:4], 2)) {
		shapePanic(name, fmt.Sprintf("expected locations [n, q, %d, %d, 2] and weights [n, q, %d, %d]", o.Heads, d.all, o.Heads, d.all), vs, ls, ws)
	}
	d.n, d.queries, d.width = vs[0], ws[1], vs[2]
	d.dim = d.width / o.Heads
	d.values, d.locations, d.weights = f.values(values), f.values(locations), f.values(weights)
	f.flops = 8 * d.n * d.queries * d.all * d.width
	y := f.out(d.n, d.queries, d.width)
	cost := d.all * (20 + 8*d.dim)
	f.each(d.n*d.queries*o.Heads, cost, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			d.forward(y.data[i*d.dim:][:d.dim], i)
		}
	})
	return f.done(y, func(b *back) {
		g := deformableGradients{dy: b.dy}
		if b.wants(values) {
			g.values = b.sum(values)
		}
		if b.wants(weights) {
			g.weights = b.sum(weights)
		}
		if b.wants(locations) {
			g.locations = b.sum(locations) // zeros with Discrete
		}
		// A task owns a head's columns of an image, and adds queries in their order.
		b.each(d.n*o.Heads, 3*d.queries*cost, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				for q := range d.queries {
					d.backward(&g, (i/o.Heads*d.queries+q)*o.Heads+i%o.Heads)
				}
			}
		})
	})
}

// deformable is one call of DeformableAttention. A row is a head of a query of an image.
type deformable struct {
	DeformableOptions
	n, queries, width, dim     int
	all                        int   // points of a head in all levels
	first                      []int // the place at which each level begins
	places                     int
	values, locations, weights []float32
}

// deformableGradients are those of a call; what is not wanted is nil.
type deformableGradients struct {
	dy, values, weights, locations []float32
}

// deformableTap is where a point reads: four values, or one with Discrete.
type deformableTap struct {
	at     [4]int  // where the head's columns begin: upper left, upper right, lower left, lower right; -1 outside
	x, y   float32 // the shares of the right and the lower values
	inside bool    // all four are
	broken bool    // the location is not finite
}

// tap computes where point p of a row reads.
func (d *deformable) tap(row, p int) deformableTap {
	level := p / d.Points
	h, w := d.Levels[level][0], d.Levels[level][1]
	start := (row/d.Heads/d.queries*d.places+d.first[level])*d.width + row%d.Heads*d.dim
	at := 2 * (row*d.all + p)
	x, y := float32(d.locations[at]*float32(w)), float32(d.locations[at+1]*float32(h))
	if d.Discrete {
		return deformableTap{at: [4]int{start + (rounded(y, h)*w+rounded(x, w))*d.width, -1, -1, -1}}
	}
	t := deformableTap{at: [4]int{-1, -1, -1, -1}}
	x, y = x-0.5, y-0.5
	if !(x > -1 && x < float32(w) && y > -1 && y < float32(h)) {
		t.broken = !(math.Abs(float64(x)) <= math.MaxFloat32 && math.Abs(float64(y)) <= math.MaxFloat32)
		return t
	}
	left, top := math.Floor(float64(x)), math.Floor(float64(y))
	t.x, t.y = x-float32(left), y-float32(top)
	column, line := int(left), int(top)
	t.inside = column >= 0 && column+1 < w && line >= 0 && line+1 < h
	for k := range t.at {
		if r, c := line+k/2, column+k%2; r >= 0 && r < h && c >= 0 && c < w {
			t.at[k] = start + (r*w+c)*d.width
		}
	}
	return t
}

// rounded returns the place along a side of n for a rounded coordinate.
func rounded(v float32, n int) int {
	v += 0.5
	switch {
	case !(v > 0): // or NaN
		return 0
	case v >= float32(n):
		return n - 1
	}
	return int(v)
}

// share returns the weight of each of the four values.
func (t *deformableTap) share() [4]float32 {
	l, u := 1-t.x, 1-t.y
	return [4]float32{float32(l * u), float32(t.x * u), float32(l * t.y), float32(t.x * t.y)}
}

// forward computes what a head reads. Products are rounded before they are added, so that no processor fuses them; so it is
// in the gradients.
func (d *deformable) forward(dst []float32, row int) {
	clear(dst)
	for p := range d.all {
		t, weight := d.tap(row, p), d.weights[row*d.all+p]
		switch {
		case d.Discrete:
			for i, v := range d.values[t.at[0]:][:len(dst)] {
				dst[i] += float32(weight * v)
			}
		case t.broken:
			for i := range dst {
				dst[i] = float32(math.NaN())
			}
		case t.inside:
			s := t.share()
			for k := range s {
				s[k] *= weight
			}
			a, b := d.values[t.at[0]:][:len(dst)], d.values[t.at[1]:][:len(dst)]
			c, e := d.values[t.at[2]:][:len(dst)], d.values[t.at[3]:][:len(dst)]
			for i := range dst {
				upper := float32(s[0]*a[i]) + float32(s[1]*b[i])
				lower := float32(s[2]*c[i]) + float32(s[3]*e[i])
				dst[i] += upper + lower
			}
		default:
			s := t.share()
			for k, at := range t.at {
				if at < 0 {
					continue
				}
				part := float32(weight * s[k])
				for i, v := range d.values[at:][:len(dst)] {
					dst[i] += float32(part * v)
				}
			}
		}
	}
}

// backward adds a row's part of the gradients.
func (d *deformable) backward(g *deformableGradients, row int) {
	dy := g.dy[row*d.dim:][:d.dim]
	for p := range d.all {
		t, weight := d.tap(row, p), d.weights[row*d.all+p]
		s := [4]float32{1}
		if !d.Discrete {
			s = t.share()
		}
		var of [4][]float32
		for k, at := range t.at {
			if at < 0 {
				continue
			}
			of[k] = d.values[at:][:len(dy)]
			if g.values == nil {
				continue
			}
			part := float32(weight * s[k])
			dv := g.values[at:][:len(dy)]
			for i, v := range dy {
				dv[i] += float32(part * v)
			}
		}
		if g.weights == nil && g.locations == nil {
			continue
		}
		var value, dx, dyy float32
		for i, v := range dy {
			var at [4]float32
			for k := range at {
				if of[k] != nil {
					at[k] = of[k][i]
				}
			}
			upper := float32(s[0]*at[0]) + float32(s[1]*at[1])
			lower := float32(s[2]*at[2]) + float32(s[3]*at[3])
			value += float32(v * (upper + lower))
			// The difference first, for neighbors that are nearly equal.
			right := float32((at[1]-at[0])*(1-t.y)) + float32((at[3]-at[2])*t.y)
			down := float32((at[2]-at[0])*(1-t.x)) + float32((at[3]-at[1])*t.x)
			dx += float32(v * right)
			dyy += float32(v * down)
		}
		if g.weights != nil {
			g.weights[row*d.all+p] += value
		}
		if g.locations != nil && !d.Discrete {
			level := d.Levels[p/d.Points]
			to := g.locations[2*(row*d.all+p):][:2]
			to[0] += float32(float32(weight*dx) * float32(level[1]))
			to[1] += float32(float32(weight*dyy) * float32(level[0]))
		}
	}
}
