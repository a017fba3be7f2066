package autograd

import (
	"slices"

	"github.com/fovea-ml/fovea/simd"
)

// inputGrad computes dx = convᵀ(dy, w) + beta·dx: for each phase of the stride, the pixels whose coordinates have
// those remainders, a convolution of dy with the taps that reach them. Its sums run over (filter, ky, kx), in
// blocks of max(1, 256/taps) filters, where taps counts those of the phase. Without a stride, blocks are added to
// beta·dx one by one; with one, and in depthwise convolutions, their sum is. Large ones are convolutions by Winograd's
// algorithm, as in the forward pass. In BF16 some are convolutions of words: see turnsPixels.
func (g *convShape) inputGrad(t *Tape, m simd.Math, dx []float32, beta float32, dy, w []float32) {
	switch {
	case len(dx) == 0:
		return
	case g.co == 0 || g.positions() == 0:
		if beta == 0 {
			clear(dx)
		}
		return
	case g.depthwise():
		g.depthwiseInputGrad(t, dx, beta, dy, w)
		return
	case m != simd.Strict && g.turnsPixels(m):
		g.pixelsInputGrad(t, m, dx, beta, dy, w)
		return
	case g.pointwise():
		g.eachProblem(t, func(inner *simd.Workers, i, k int) {
			simd.Gemm(inner, g.ci, g.positions(), g.co, simd.Matrix{Data: g.weight(w, k), Stride: g.ci, Trans: true},
				simd.Matrix{Data: g.after(dy, i, k), Stride: g.positions()}, beta, g.before(dx, i, k), g.positions(), nil)
		})
		return
	}
	if turned := g.turned(); turned.winograd() {
		weight := g.halfTurn(t, w)
		turned.winogradForward(t, dx, beta, dy, convWeight{values: weight}, convEnd{})
		t.recycle(weight)
		return
	}
	if beta == 0 && (g.sy > g.kh || g.sx > g.kw || g.dy > 1 && g.sy > 1 || g.dx > 1 && g.sx > 1) {
		// Some phases may have no taps.
		t.each(len(dx), 1, func(lo, hi int) { clear(dx[lo:hi]) })
	}
	turned := t.scratch(len(w))
	for ry := range min(g.sy, g.h) {
		for rx := range min(g.sx, g.w) {
			y, kys := phaseAxis(ry, g.h, g.oh, g.kh, g.sy, g.py, g.dy)
			x, kxs := phaseAxis(rx, g.w, g.ow, g.kw, g.sx, g.px, g.dx)
			size := g.ci * g.co * len(kys) * len(kxs)
			s := sliding{y: y, x: x, n: g.n, groups: g.groups, ci: g.co, co: g.ci, beta: beta,
				at: ry*g.w + rx, rowStep: g.sy * g.w, step: g.sx, planeSize: g.h * g.w,
				source: func(i, k int) []float32 { return g.after(dy, i, k) },
				result: func(i, k int) []float32 { return g.before(dx, i, k) },
				weight: func(k int) []float32 { return turned[k*size:][:size] },
			}
			if len(kys) == 0 || len(kxs) == 0 {
				continue
			}
			for k := range g.groups {
				g.turn(t, s.weight(k), g.weight(w, k), kys, kxs)
			}
			s.run(t)
		}
	}
	t.recycle(turned)
}

// turnsPixels reports whether the gradient of the pixels is a convolution in the arithmetic m. For images of few pixels, turning
// and packing the filters takes longer than that saves.
func (g *convShape) turnsPixels(m simd.Math) bool {
	c := g.turned()
	return g.positions() > blockPositions/2 && max(g.sy, g.sx) == 1 && min(c.py, c.px) >= 0 && c.arithmetic(m) == m
}

// pixelsInputGrad is inputGrad in the arithmetic m: the convolution of dy with the filters turned by half a turn.
func (g *convShape) pixelsInputGrad(t *Tape, m simd.Math, dx []float32, beta float32, dy, w []float32) {
	weight, dst := g.halfTurn(t, w), dx
	defer t.recycle(weight)
	if beta != 0 {
		dst = t.scratch(len(dx))
		defer t.recycle(dst)
	}
	g.turned().pixelsForward(t, dst, dy, convWeight{values: weight}, m, convEnd{})
	if beta != 0 {
		t.each(len(dx), 1, func(lo, hi int) { simd.Add(dx[lo:hi], dx[lo:hi], dst[lo:hi]) })
	}
}

// halfTurn returns the weights that belong to turned, in scratch: filters turned by half a turn, in and out exchanged.
func (g *convShape) halfTurn(t *Tape, w []float32) []float32 {
	kys, kxs := make([]int, g.kh), make([]int, g.kw)
	for i := range kys {
		kys[i] = g.kh - 1 - i
	}
	for i := range kxs {
		kxs[i] = g.kw - 1 - i
	}
	turned := t.scratch(len(w))
	for k := range g.groups {
		g.turn(t, g.weight(turned, k), g.weight(w, k), kys, kxs)
	}
	return turned
}

// phaseAxis is the axis along which pixels r, r+stride, … see outputs, and the taps through which they do.
func phaseAxis(r, size, out, kernel, stride, padding, dilation int) (a convAxis, taps []int) {
	a = convAxis{size: out, out: ceilDiv(size-r, stride), stride: 1}
	for k := range kernel {
		if d := r + padding - k*dilation; d%stride == 0 {
			a.taps, taps = append(a.taps, d/stride), append(taps, k)
		}
	}
	return a, taps
}

// turn lays out the weight [co, ci, kh, kw] of a group as [ci, co, taps] for some of its taps, in the given
// order.
func (g *convShape) turn(t *Tape, dst, w []float32, kys, kxs []int) {
	window, taps := g.kh*g.kw, len(kys)*len(kxs)
	all := taps == window && slices.IsSorted(kys) && slices.IsSorted(kxs)
	t.each(g.ci, 2*g.co*taps, func(lo, hi int) {
		const tile = 16 // channels, so that lines of w are read while they are in cache
		for c0 := lo; c0 < hi; c0 += tile {
			for f := range g.co {
				for c := c0; c < min(c0+tile, hi); c++ {
					to, from := dst[(c*g.co+f)*taps:][:taps], w[(f*g.ci+c)*window:][:window]
					if all {
						copy(to, from)
						continue
					}
					i := 0
					for _, ky := range kys {
						for _, kx := range kxs {
							to[i] = from[ky*g.kw+kx]
							i++
						}
					}
				}
			}
		}
	})
}

// weightGrad computes dw = Σ dy·colᵀ + beta·dw. K runs over the positions of the images in order, in blocks of 256
// of one image, or of as many whole images as have 256 positions. The product gathers col from planes, transposed. That of
// a 1×1 convolution with more than 128 positions is in the arithmetic m.
func (g *convShape) weightGrad(t *Tape, m simd.Math, dw []float32, beta float32, x, dy []float32) {
	positions := g.positions()
	switch {
	case g.n == 0 || positions == 0 || len(dw) == 0:
		if beta == 0 {
			clear(dw)
		}
	case g.depthwise():
		g.depthwiseWeightGrad(t, dw, beta, x, dy)
	case g.pointwise() && positions > blockPositions/2:
		for k := range g.groups {
			from := beta
			for i := range g.n {
				m.Gemm(t.workers, g.co, g.ci, positions, simd.Matrix{Data: g.after(dy, i, k), Stride: positions},
					simd.Matrix{Data: g.before(x, i, k), Stride: positions, Trans: true},
					from, g.weight(dw, k), g.ci, nil)
				from = 1
			}
		}
	default:
		p := g.weightPlan(t.workers.Limit())
		slots := 1
		if !p.shared {
			slots = t.slots(g.groups, g.co*g.taps()*g.n*positions)
		}
		scratch := t.scratch(slots * (p.size + p.seeds))
		t.eachSlot(slots, g.groups, func(slot, k int) {
			g.groupWeightGrad(t, &p, scratch[slot*(p.size+p.seeds):][:p.size+p.seeds], dw, beta, x, dy, k)
		})
		t.recycle(scratch)
	}
}

// blockPositions is the length of a K block of a weight's gradient.
const blockPositions = 256

// A weightPlan divides the work on a weight's gradient into products.
type weightPlan struct {
	planes
	shared bool // threads share each product; else each has groups of its own
	part   int  // positions of a product, of one image
	images int  // of a product, when a K block has several
	image  int  // elements of an image's planes
	size   int  // elements of the planes of a product
	seeds  int  // elements of its part of dy, when that must be gathered
}

// weightPlan chooses parts whose planes fit, as in a sliding.
func (g *convShape) weightPlan(threads int) weightPlan {
	positions := g.positions()
	p := weightPlan{shared: g.groups < 2*threads, part: positions, images: 1}
	most := planesMost
	if p.shared {
		most = sharedMost
	}
	y, x := g.axes()
	p.planes = newPlanes(y, x, g.oh)
	if positions <= blockPositions/2 {
		p.images = min(g.n, blockPositions/positions)
	}
	for p.part > blockPositions && g.ci*p.planes.size > most {
		p.part = roundUp(p.part/2, blockPositions)
		p.planes = newPlanes(y, x, stripRows(p.part, g.ow, g.oh))
	}
	p.image = g.ci * p.planes.size
	p.size = roundUp(p.images*p.image+simd.GatherSlack, 16)
	if p.images > 1 {
		p.seeds = g.co * p.images * positions
	}
	return p
}

// groupWeightGrad is weightGrad for group k.
func (g *convShape) groupWeightGrad(t *Tape, p *weightPlan, scratch, dw []float32, beta float32, x, dy []float32, k int) {
	positions := g.positions()
	var inner *simd.Workers
	if p.shared {
		inner = t.workers
	}
	for i := 0; i < g.n; i += p.images {
		images := min(p.images, g.n-i)
		for a := 0; a < positions; a += p.part {
			part, row := min(p.part, positions-a), a/g.ow
			t.eachIf(p.shared, images*g.ci, p.planes.size, func(lo, hi int) {
				for j := lo; j < hi; j++ {
					p.fill(scratch[j*p.planes.size:][:p.planes.size], g.before(x, i+j/g.ci, k)[j%g.ci*g.h*g.w:], row, (a+part-1)/g.ow+1-row)
				}
			})
			col := p.gather(scratch[:p.size], a, row)
			col.Trans = true
			seed := simd.Matrix{Data: g.after(dy, i, k)[a:], Stride: positions}
			if images > 1 {
				col.Height, col.Image = g.oh, p.image
				seed = simd.Matrix{Data: scratch[p.size:], Stride: images * positions}
				for f := range g.co {
					for j := range images {
						copy(seed.Data[(f*images+j)*positions:][:positions], g.after(dy, i+j, k)[f*positions:])
					}
				}
			}
			simd.GemmGather(inner, g.co, g.taps(), images*part, seed, &col, blockPositions, beta, g.weight(dw, k), g.taps(), nil)
			beta = 1
		}
	}
}
