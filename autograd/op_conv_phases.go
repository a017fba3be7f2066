package autograd

import "github.com/fovea-ml/fovea/simd"

// phases is a padded block of a plane, split by the remainders of its coordinates modulo the stride. In it
// every tap of a window sees a run of neighboring pixels for a run of neighboring outputs. Tap k of the
// output in row r and column c of the block is element offsets[k] + r·width + c.
type phases struct {
	*convShape
	rows    int // of outputs in a block
	height  int // of one phase
	width   int
	size    int // elements of all phases of a plane
	offsets []int
	ys, xs  []int // the remainders that some tap has
}

// phases lays out blocks of the given number of output rows.
func (g *convShape) phases(rows int) *phases {
	p := &phases{convShape: g, rows: rows,
		height: rows + (g.kh-1)*g.dy/g.sy,
		width:  g.ow + (g.kw-1)*g.dx/g.sx,
	}
	var at [2][]int // of each row and column of the window: the place of its remainder among those used
	for i, d := range [2][3]int{{g.kh, g.dy, g.sy}, {g.kw, g.dx, g.sx}} {
		used := &p.ys
		if i == 1 {
			used = &p.xs
		}
		place := map[int]int{}
		for k := range d[0] {
			r := k * d[1] % d[2]
			if _, ok := place[r]; !ok {
				place[r] = len(*used)
				*used = append(*used, r)
			}
			at[i] = append(at[i], place[r])
		}
	}
	for ky, y := range at[0] {
		for kx, x := range at[1] {
			phase := y*len(p.xs) + x
			p.offsets = append(p.offsets, (phase*p.height+ky*g.dy/g.sy)*p.width+kx*g.dx/g.sx)
		}
	}
	p.size = len(p.ys) * len(p.xs) * p.height * p.width
	return p
}

// eachRow calls f for every row of every phase of the block of outputs that starts at row r0. A row has
// width elements at at. Those from a to b are the pixels from, from+sx, …; the others are padding.
func (p *phases) eachRow(r0 int, f func(at, a, b, from int)) {
	at := 0
	for _, y := range p.ys {
		for _, x := range p.xs {
			lo, hi := inside(p.w, p.width, x-p.px, p.sx)
			for r := range p.height {
				iy := (r0+r)*p.sy + y - p.py
				if iy < 0 || iy >= p.h {
					f(at, 0, 0, 0)
				} else {
					f(at, lo, hi, iy*p.w+lo*p.sx+x-p.px)
				}
				at += p.width
			}
		}
	}
}

// split fills dst with the phases of the block of plane x that starts at output row r0.
func (p *phases) split(dst, x []float32, r0 int) {
	p.eachRow(r0, func(at, a, b, from int) {
		row := dst[at:][:p.width]
		clear(row[:a])
		clear(row[b:])
		switch {
		case a == b:
		case p.sx == 1:
			copy(row[a:b], x[from:])
		default:
			src, step := x[from:], p.sx
			for j := range row[a:b] {
				row[a+j] = src[j*step]
			}
		}
	})
}

// merge adds phases to the block they came from: the transpose of split.
func (p *phases) merge(x, src []float32, r0 int) {
	p.eachRow(r0, func(at, a, b, from int) {
		row := src[at+a : at+b]
		switch {
		case a == b:
		case p.sx == 1:
			dst := x[from:][:len(row)]
			simd.Add(dst, dst, row)
		default:
			dst, step := x[from:], p.sx
			for j, v := range row {
				dst[j*step] += v
			}
		}
	})
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

// gather lays out the columns of a product: a row for every tap of the planes in src, one after the other,
// of the pixels under rows rows of outputs.
func (p *phases) gather(col, src []float32, rows int) {
	w, ow, at := p.width, p.ow, 0
	for ; len(src) >= p.size; src = src[p.size:] {
		for _, o := range p.offsets {
			if w == ow {
				at += copy(col[at:][:rows*ow], src[o:])
				continue
			}
			for r := range rows {
				at += copy(col[at:][:ow], src[o+r*w:])
			}
		}
	}
}

// scatter is the transpose of gather: it adds the columns to the pixels that gather reads.
func (p *phases) scatter(dst, col []float32, rows int) {
	w, ow, at := p.width, p.ow, 0
	for ; len(dst) >= p.size; dst = dst[p.size:] {
		for _, o := range p.offsets {
			for r := range rows {
				row := dst[o+r*w:][:ow]
				simd.Add(row, row, col[at:])
				at += ow
			}
		}
	}
}
