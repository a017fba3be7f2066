package autograd

import "github.com/fovea-ml/fovea/simd"

const (
	// winogradLeast is the number of channels in and out from which Winograd's algorithm pays: it transforms pixels and
	// results beside the products.
	winogradLeast = 32
	// winogradTiles is the number of tiles of an image from which it pays. Fewer leave the products bound by reading
	// weights, which are 16/9 times as large.
	winogradTiles = 40
)

// winograd reports whether a convolution uses Winograd's algorithm, forward. The choice depends on shapes alone, and not on the
// number of images: results do not depend on the batch.
func (g *convShape) winograd() bool {
	if g.kh != 3 || g.kw != 3 || g.groups != 1 || max(g.sy, g.sx, g.dy, g.dx) > 1 || min(g.py, g.px) < 0 || min(g.ci, g.co) < winogradLeast {
		return false
	}
	tiles := ceilDiv(g.oh, 2) * ceilDiv(g.ow, 2)
	return tiles >= winogradTiles && 3*tiles <= g.positions() // at most a quarter of the results is thrown away
}

func (g *convShape) winogradShape() *simd.WinogradShape {
	return &simd.WinogradShape{
		In: g.ci, Out: g.co, Height: g.h, Width: g.w, Rows: g.oh, Columns: g.ow, PadY: g.py, PadX: g.px,
	}
}

func (g *convShape) winogradForward(t *Tape, y []float32, beta float32, x []float32, w convWeight, end convEnd) {
	s := g.winogradShape()
	if w.winograd == nil {
		w.winograd = t.scratch(s.Weights())
		defer t.recycle(w.winograd)
		t.each(g.co, g.ci*9, func(lo, hi int) { simd.WinogradWeights(w.winograd, w.values[lo*g.taps():], lo, hi, s) })
	}
	simd.WinogradConv(t.workers, y, x, w.winograd, g.n, beta != 0, end.epilogue(0, g.co, 0, g.positions()), s)
}

// turned is the convolution that takes gradients of the results to those of the pixels. Its weight is turned by half a turn,
// and in and out change places. It is meant for strides of 1.
func (g *convShape) turned() *convShape {
	c := *g
	c.ci, c.co, c.h, c.w, c.oh, c.ow = g.co, g.ci, g.oh, g.ow, g.h, g.w
	c.py, c.px, c.list = g.dy*(g.kh-1)-g.py, g.dx*(g.kw-1)-g.px, nil
	return &c
}
