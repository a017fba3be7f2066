package autograd

import "github.com/fovea-ml/fovea/simd"

// A convolution is a product of the weight [co, taps] with a matrix [taps, positions] that holds, for each
// position, the pixels under its window. That matrix is kh·kw times the image, so only a tile of it
// exists at a time, in scratch that stays in a core's second-level cache: at most colDepth taps, the depth
// of a block of Gemm, by colWidth positions, 768 KiB. A chain that a tile interrupts goes on from the
// stored sum, so tiles change no bit.
const (
	colDepth = 384
	colWidth = 512
)

// forward computes y = conv(x, w) + bias + beta·y, beta being 0 or 1.
func (g *convShape) forward(t *Tape, y []float32, beta float32, x, w, bias []float32) {
	if len(y) == 0 {
		return
	}
	if g.depthwise() {
		g.depthwiseForward(t, y, beta, x, w, bias)
		return
	}
	positions, taps := g.positions(), g.taps()
	problems := g.n * g.groups
	tile := min(colWidth, positions)
	if g.pointwise() {
		tile = positions
	} else {
		for tile > 128 && problems*parts(positions, tile) < 2*t.workers.Limit() {
			tile = (tile + 1) / 2
		}
	}
	tiles := parts(positions, tile)
	inner := t.workers
	if problems*tiles >= 2*t.workers.Limit() {
		inner = nil
	}
	depth := min(colDepth, taps)
	slots := t.slots(problems*tiles, g.co*taps*tile)
	size := depth * tile
	if g.pointwise() {
		size = 0
	}
	scratch := t.scratch(slots * size)
	defer t.recycle(scratch)
	t.eachSlot(slots, problems*tiles, func(slot, task int) {
		i, k := task/tiles/g.groups, task/tiles%g.groups
		p0 := task % tiles * tile
		p1 := min(p0+tile, positions)
		src, dst, wk := g.before(x, i, k), g.after(y, i, k), g.weight(w, k)
		var ep *simd.Epilogue
		if bias != nil {
			ep = &simd.Epilogue{RowBias: bias[k*g.co:][:g.co]}
		}
		if g.pointwise() {
			simd.Gemm(inner, g.co, positions, taps, simd.Matrix{Data: wk, Stride: taps},
				simd.Matrix{Data: src, Stride: positions}, beta, dst, positions, ep)
			return
		}
		col := scratch[slot*size:][:size]
		for k0, from := 0, beta; k0 < taps; k0, from = k0+depth, 1 {
			k1 := min(k0+depth, taps)
			g.gather(col, src, k0, k1, p0, p1)
			last := ep
			if k1 < taps {
				last = nil
			}
			simd.Gemm(inner, g.co, p1-p0, k1-k0, simd.Matrix{Data: wk[k0:], Stride: taps},
				simd.Matrix{Data: col, Stride: p1 - p0}, from, dst[p0:], positions, last)
		}
	})
}

// weightGrad computes dw = Σ dy·colᵀ + beta·dw. A task owns a block of dw and goes through all images and
// positions in order, so that each element is one chain whatever the number of tasks.
func (g *convShape) weightGrad(t *Tape, dw []float32, beta float32, x, dy []float32) {
	if g.n == 0 || g.positions() == 0 || len(dw) == 0 {
		if beta == 0 {
			clear(dw)
		}
		return
	}
	if g.depthwise() {
		g.depthwiseWeightGrad(t, dw, beta, x, dy)
		return
	}
	positions, taps := g.positions(), g.taps()
	tile := min(colWidth, positions)
	if g.pointwise() {
		tile = positions
	}
	// Dividing the taps costs nothing; dividing the filters gathers the same pixels again.
	depth, filters := min(colDepth, taps), g.co
	count := func() int { return g.groups * parts(taps, depth) * parts(g.co, filters) }
	want := 2 * t.workers.Limit()
	if t.workers.Limit() == 1 {
		want = 1
	}
	for count() < want && depth > 64 {
		depth = (depth + 1) / 2
	}
	for count() < want && filters > 32 {
		filters = (filters + 1) / 2
	}
	across, down := parts(taps, depth), parts(g.co, filters)
	tasks := g.groups * across * down
	slots := t.slots(tasks, g.n*positions*depth*filters)
	size := depth * tile
	if g.pointwise() {
		size = 0
	}
	scratch := t.scratch(slots * size)
	defer t.recycle(scratch)
	t.eachSlot(slots, tasks, func(slot, task int) {
		k := task / down / across
		k0 := task / down % across * depth
		f0 := task % down * filters
		k1, f1 := min(k0+depth, taps), min(f0+filters, g.co)
		dst := g.weight(dw, k)[f0*taps+k0:]
		col := scratch[slot*size:][:size]
		from := beta
		for i := range g.n {
			src, seed := g.before(x, i, k), g.after(dy, i, k)[f0*positions:]
			for p0 := 0; p0 < positions; p0 += tile {
				p1 := min(p0+tile, positions)
				var b simd.Matrix
				if g.pointwise() {
					b = simd.Matrix{Data: src[k0*positions:], Stride: positions, Trans: true}
				} else {
					g.gather(col, src, k0, k1, p0, p1)
					b = simd.Matrix{Data: col, Stride: p1 - p0, Trans: true}
				}
				simd.Gemm(nil, f1-f0, k1-k0, p1-p0, simd.Matrix{Data: seed[p0:], Stride: positions},
					b, from, dst, taps, nil)
				from = 1
			}
		}
	})
}

// inputGrad computes dx = convᵀ(dy, w) + beta·dx. A task owns some channels of one image; a pixel receives
// its contributions by tiles of positions, within them by (ky, kx), within them in the order of positions.
func (g *convShape) inputGrad(t *Tape, dx []float32, beta float32, dy, w []float32) {
	if len(dx) == 0 {
		return
	}
	if g.co == 0 || g.positions() == 0 {
		if beta == 0 {
			clear(dx)
		}
		return
	}
	if g.depthwise() {
		g.depthwiseInputGrad(t, dx, beta, dy, w)
		return
	}
	positions, taps, window := g.positions(), g.taps(), g.kh*g.kw
	problems := g.n * g.groups
	if g.pointwise() {
		inner := t.workers
		if problems >= 2*t.workers.Limit() {
			inner = nil
		}
		t.workers.For(problems, func(task int) {
			i, k := task/g.groups, task%g.groups
			simd.Gemm(inner, g.ci, positions, g.co, simd.Matrix{Data: g.weight(w, k), Stride: taps, Trans: true},
				simd.Matrix{Data: g.after(dy, i, k), Stride: positions}, beta, g.before(dx, i, k), positions, nil)
		})
		return
	}
	tile := min(colWidth, positions) // never by the number of threads: it orders the sums
	channels := min(g.ci, max(1, colDepth/window))
	for channels > 4 && problems*parts(g.ci, channels) < 2*t.workers.Limit() {
		channels = (channels + 1) / 2
	}
	blocks := parts(g.ci, channels)
	size := channels * window * tile
	slots := t.slots(problems*blocks, size*g.co)
	scratch := t.scratch(slots * size)
	defer t.recycle(scratch)
	t.eachSlot(slots, problems*blocks, func(slot, task int) {
		i, k := task/blocks/g.groups, task/blocks%g.groups
		c0 := task % blocks * channels
		c1 := min(c0+channels, g.ci)
		dst := g.before(dx, i, k)[c0*g.h*g.w : c1*g.h*g.w]
		seed := g.after(dy, i, k)
		wk := g.weight(w, k)[c0*window:]
		if beta == 0 {
			clear(dst)
		}
		col := scratch[slot*size:][:size]
		for p0 := 0; p0 < positions; p0 += tile {
			p1 := min(p0+tile, positions)
			simd.Gemm(nil, (c1-c0)*window, p1-p0, g.co, simd.Matrix{Data: wk, Stride: taps, Trans: true},
				simd.Matrix{Data: seed[p0:], Stride: positions}, 0, col, p1-p0, nil)
			g.scatter(dst, col, 0, (c1-c0)*window, p0, p1)
		}
	})
}

// gather lays the pixels under the windows of positions p0 to p1 out as rows, one a tap from k0 to k1.
func (g *convShape) gather(col, x []float32, k0, k1, p0, p1 int) {
	g.eachSpan(k0, k1, p0, p1, func(at, n, a, b, from int) {
		seg := col[at:][:n]
		clear(seg[:a])
		clear(seg[b:])
		if g.sx == 1 {
			copy(seg[a:b], x[from:])
			return
		}
		src, step := x[from:], g.sx
		for j := range seg[a:b] {
			seg[a+j] = src[j*step]
		}
	})
}

// scatter adds what gather would have read: the transpose of gather.
func (g *convShape) scatter(x, col []float32, k0, k1, p0, p1 int) {
	g.eachSpan(k0, k1, p0, p1, func(at, n, a, b, from int) {
		if a == b {
			return
		}
		seg := col[at:][a:b]
		if g.sx == 1 {
			dst := x[from:][:len(seg)]
			simd.Add(dst, dst, seg)
			return
		}
		dst, step := x[from:], g.sx
		for j, v := range seg {
			dst[j*step] += v
		}
	})
}

// eachSpan calls f for every run of positions of one output row under one tap: the run is n elements at
// col[at:], of which those from a to b come from the pixels x[from], x[from+sx], … and the others from
// the padding.
func (g *convShape) eachSpan(k0, k1, p0, p1 int, f func(at, n, a, b, from int)) {
	window := g.kh * g.kw
	at := 0
	for k := k0; k < k1; k++ {
		c, ky, kx := k/window, k%window/g.kw, k%g.kw
		lo, hi := inside(g.w, g.ow, kx*g.dx-g.px, g.sx)
		oy, ox := p0/g.ow, p0%g.ow
		for p := p0; p < p1; oy, ox = oy+1, 0 {
			n := min(g.ow-ox, p1-p)
			iy := oy*g.sy - g.py + ky*g.dy
			a := max(0, min(lo-ox, n))
			b := max(a, min(hi-ox, n))
			from := 0
			switch {
			case iy < 0 || iy >= g.h:
				a, b = n, n
			case a < b:
				from = (c*g.h+iy)*g.w + (ox+a)*g.sx - g.px + kx*g.dx
			}
			f(at, n, a, b, from)
			at += n
			p += n
		}
	}
}

// inside returns the range of outputs j below n with 0 ≤ j·stride + shift < size.
func inside(size, n, shift, stride int) (lo, hi int) {
	if shift < 0 {
		lo = min(n, (-shift+stride-1)/stride)
	}
	if size > shift {
		hi = min(n, (size-shift-1)/stride+1)
	}
	return lo, max(lo, hi)
}

// parts returns how many blocks of size cover n.
func parts(n, size int) int { return (n + size - 1) / size }
