package autograd

import "github.com/fovea-ml/fovea/simd"

// In BF16 and Int8 a convolution is a sliding over planes of words: a word holds two or four neighboring channels of one pixel
// (see simd.Math.PackPixels). K runs over (word, tap), in blocks of whole words. The rest is as in Strict.

// A convolution follows the tape's arithmetic where faster products save more time than packing the pixels takes. The rule knows
// the shape of a group alone. Times of one core of a Zen 4, divided by those of Strict:
//
//   - pixelsLeast channels in and out. With fewer, words are half empty.
//   - Filters of one pixel have the fewest products for a pixel: tapLeast channels in, and tapWeights weights. For channels in
//     and out, BF16 takes 1.0 to 1.1 (16, 16), .9 (24, 24), .9 (16, 64), .8 (32, 32) and .6 (96, 96); Int8 1.3 to 1.7, 1.2, 1.1,
//     1.0 and .5.
//   - Larger filters with a stride pack each remainder of the pixels by itself, in short rows: strideLeast results of a row of
//     all filters. For channels and results of a row, BF16 takes 1.2 (32, 7), 1.04 (64, 7), .9 (64, 8) and .9 (128, 7); Int8 1.0,
//     .8, .6 and .6.
const (
	pixelsLeast = 16
	tapLeast    = 24
	tapWeights  = 1024
	strideLeast = 512
)

// paysInWords reports whether a convolution is faster with words of pixels than in Strict.
func (g *convShape) paysInWords() bool {
	switch {
	case g.depthwise() || min(g.ci, g.co) < pixelsLeast:
		return false
	case g.kh*g.kw == 1:
		return g.ci >= tapLeast && g.ci*g.co >= tapWeights
	default:
		return max(g.sy, g.sx) == 1 || g.co*g.ow >= strideLeast
	}
}

// arithmetic returns the arithmetic of the forward step on a tape with math m.
func (g *convShape) arithmetic(m simd.Math) simd.Math {
	if m.PixelChannels() == 0 || !g.paysInWords() {
		return simd.Strict
	}
	if m == simd.Int8 && g.taps() > simd.MaxInt8Filter {
		return simd.Strict
	}
	return m
}

// convPixels are the operands of a sliding in BF16 or Int8. nil stands for Strict.
type convPixels struct {
	math     simd.Math
	numbers  int                   // channels of a word
	channels int                   // of a group
	zero     float32               // the word of the padding
	filters  []*simd.PackedFilters // of each group
	// plane returns a channel of a group of an image.
	plane func(image, group, channel int) []float32
	// The scales of pixels and their inverses, in Int8: one for each position of an image, or one for the image, whose
	// inverse is repeated for a row.
	scales, inverses []float32
	each             int // scales of an image
	row              int // inverses of an image, or of a row of its positions
}

// whole reports whether a sum is one product of all channels: integers are scaled at the end.
func (x *convPixels) whole() bool { return x != nil && x.math == simd.Int8 }

// fill packs the channels of a word, in the part of the image that the given number of output rows from row on depend on.
func (x *convPixels) fill(p *planes, dst []float32, image, group, word, row, rows int) {
	var src, at [4][]float32 // a word has at most 4 channels
	from := word * x.numbers
	n := min(x.numbers, x.channels-from)
	for q := range n {
		src[q] = x.plane(image, group, from+q)
	}
	var inverses []float32
	stride := 0
	switch {
	case x.whole() && x.each == 1:
		inverses = x.inverses[image*x.row:][:x.row]
	case x.whole():
		inverses, stride = x.inverses[image*x.each+row*x.row:], x.row
	}
	p.fillWith(dst, x.zero, row, rows, func(dst []float32, from, srcStride, rows, cols int) {
		for q := range n {
			at[q] = src[q][from:]
		}
		x.math.PackPixels(dst, p.width, at[:n], srcStride, rows, cols, p.x.stride, inverses, stride)
	})
}

// spread returns the scales of the positions of some images from a on, for GemmPixels. It writes them to dst. BF16 has none.
func (x *convPixels) spread(dst []float32, image, images, a, strip int) []float32 {
	if !x.whole() {
		return nil
	}
	for j := range images {
		to := dst[j*strip:][:strip]
		if x.each == 1 {
			simd.Fill(to, x.scales[image+j])
		} else {
			copy(to, x.scales[(image+j)*x.each+a:])
		}
	}
	return dst[:images*strip]
}

// pixelsForward computes y = end(conv(x, w)) in BF16 or Int8.
func (g *convShape) pixelsForward(t *Tape, y, x []float32, w convWeight, m simd.Math, end convEnd) {
	if len(y) == 0 {
		return
	}
	size := g.h * g.w
	p := &convPixels{math: m, numbers: m.PixelChannels(), channels: g.ci, zero: m.PixelZero(), filters: w.pixels}
	p.plane = func(i, k, c int) []float32 {
		at := (i*g.groups+k)*g.ci + c
		if g.list != nil {
			return g.list.plane(at, size)
		}
		return x[at*size:][:size]
	}
	if p.filters == nil {
		taps := g.kh * g.kw
		n := m.PackedFiltersLen(g.co, g.ci, taps)
		memory := t.scratch(g.groups * n)
		defer t.recycle(memory)
		p.filters = make([]*simd.PackedFilters, g.groups)
		for k := range p.filters {
			p.filters[k] = m.PackFilters(t.workers, g.co, g.ci, taps, g.weight(w.values, k), memory[k*n:][:n])
		}
	}
	if g.oneTap() && (g.groups == 1 || !p.whole()) {
		g.rowsForward(t, y, p, end)
		return
	}
	if p.whole() {
		p.each, p.row = 1, g.ow+(g.kw-1)*g.dx // at least the width of a plane of words
		if g.oneTap() {
			p.each, p.row = g.positions(), g.ow
		}
		n := g.n * max(p.each, p.row)
		scales := t.scratch(2 * n)
		defer t.recycle(scales)
		p.scales, p.inverses = scales[:n], scales[n:]
		if g.oneTap() {
			g.positionScales(t, p)
		} else {
			g.imageScales(t, p)
		}
	}
	s := g.sliding()
	s.ci = ceilDiv(g.ci, p.numbers)
	s.end, s.pixels = end, p
	s.result = func(i, k int) []float32 { return g.after(y, i, k) }
	s.run(t)
}

// rowsForward is pixelsForward where outputs depend on one pixel: products with the planes as they lie, or with the pixels that
// a stride leaves of them.
func (g *convShape) rowsForward(t *Tape, y []float32, p *convPixels, end convEnd) {
	size := g.positions()
	plane := p.plane
	if !g.pointwise() {
		left := t.scratch(g.n * g.groups * g.ci * size)
		defer t.recycle(left)
		t.each(len(left)/size, size, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				src := p.plane(i/g.ci/g.groups, i/g.ci%g.groups, i%g.ci)
				simd.CopyRows(left[i*size:], g.ow, src, g.sy*g.w, g.oh, g.ow, g.sx)
			}
		})
		plane = func(i, k, c int) []float32 { return left[((i*g.groups+k)*g.ci+c)*size:][:size] }
	}
	g.eachProblem(t, func(inner *simd.Workers, i, k int) {
		ep := end.epilogue(k*g.co, g.co, (i*g.groups+k)*g.co*size, size)
		rows := func(c int) []float32 { return plane(i, k, c) }
		simd.GemmPixelRows(inner, size, p.filters[k], rows, convBlock(1), g.after(y, i, k), size, ep)
	})
}

// oneTap reports whether each output depends on one pixel of the image.
func (g *convShape) oneTap() bool { return g.kh == 1 && g.kw == 1 && g.py == 0 && g.px == 0 }

// imageScales computes the scales of the images. All groups of an image share one.
func (g *convShape) imageScales(t *Tape, p *convPixels) {
	channels := g.groups * g.ci
	largest := t.scratch(g.n * channels)
	t.each(len(largest), max(1, g.h*g.w/8), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			largest[i] = simd.MaxAbs(p.plane(i/channels, i%channels/g.ci, i%g.ci))
		}
	})
	for i := range g.n {
		row := p.inverses[i*p.row:][:p.row]
		simd.PixelScales(p.scales[i:], row, []float32{simd.MaxAbs(largest[i*channels:][:channels])})
		simd.Fill(row, row[0])
	}
	t.recycle(largest)
}

// positionScales computes the scale of each pixel that an output depends on. All groups share it.
func (g *convShape) positionScales(t *Tape, p *convPixels) {
	channels := g.groups * g.ci
	size := g.n * p.each
	memory := t.scratch(2 * size)
	largest, pixels := memory[:size], memory[size:]
	t.each(g.n*g.oh, max(1, g.ow*channels/8), func(lo, hi int) {
		for lo < hi {
			image, row := lo/g.oh, lo%g.oh
			rows := min(hi-lo, g.oh-row)
			at, n := lo*g.ow, rows*g.ow
			clear(largest[at:][:n])
			for c := range channels {
				src := p.plane(image, c/g.ci, c%g.ci)[row*g.sy*g.w:]
				if g.sy > 1 || g.sx > 1 {
					simd.CopyRows(pixels[at:], g.ow, src, g.sy*g.w, rows, g.ow, g.sx)
					src = pixels[at:]
				}
				simd.MaxAbsRows(largest[at:][:n], src)
			}
			simd.PixelScales(p.scales[at:], p.inverses[at:], largest[at:][:n])
			lo += rows
		}
	})
	t.recycle(memory)
}
