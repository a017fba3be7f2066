package autograd

import "github.com/fovea-ml/fovea/simd"

// In BF16 and Int8 a convolution is a sliding whose planes are words: a word holds two or four neighboring channels of one
// pixel. K runs over (group of channels, tap), in blocks of whole words. Everything else is the sliding of Strict.

const (
	// pixelsLeast is the number of channels of a group, in and out, from which a convolution follows the tape's arithmetic.
	// With fewer, words are half empty or the copy of pixels takes longer than the products.
	pixelsLeast = 16
)

// arithmetic returns the arithmetic of the forward pass on a tape of m.
func (g *convShape) arithmetic(m simd.Math) simd.Math {
	if m.PixelChannels() == 0 || g.depthwise() || min(g.ci, g.co) < pixelsLeast {
		return simd.Strict
	}
	if m == simd.Int8 && g.taps() > simd.PixelMost {
		return simd.Strict
	}
	return m
}

// convPixels are the operands of a sliding in another arithmetic than Strict. A nil one stands for Strict.
type convPixels struct {
	math     simd.Math
	numbers  int // channels of a word
	channels int // of a group
	zero     float32
	filters  []*simd.PixelFilters // of each group
	// plane returns a channel of a group of an image.
	plane func(image, group, channel int) []float32
	// The scales of each image, and what its pixels are multiplied by. Int8 alone has them.
	scales, inverses []float32
}

// whole reports whether a sum is one product of all channels: integers are scaled at the end.
func (x *convPixels) whole() bool { return x != nil && x.math == simd.Int8 }

// fill makes words of the part of a word's channels that outputs in the given number of rows from row on see.
func (x *convPixels) fill(p *planes, dst []float32, image, group, word, row, rows int) {
	var src, at [4][]float32
	from := word * x.numbers
	n := min(x.numbers, x.channels-from)
	for q := range n {
		src[q] = x.plane(image, group, from+q)
	}
	var inverse float32
	if x.whole() {
		inverse = x.inverses[image]
	}
	p.fillWith(dst, x.zero, row, rows, func(dst []float32, from, stride, rows, cols int) {
		for q := range n {
			at[q] = src[q][from:]
		}
		x.math.PixelRows(dst, p.width, at[:n], stride, rows, cols, p.x.stride, inverse)
	})
}

// spread writes the scale of each position of some images; BF16 has none.
func (x *convPixels) spread(dst []float32, image, images, strip int) []float32 {
	if !x.whole() {
		return nil
	}
	for j := range images {
		simd.Fill(dst[j*strip:][:strip], x.scales[image+j])
	}
	return dst[:images*strip]
}

// pixelsForward computes y = end(conv(x, w)) in an arithmetic that has words of pixels.
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
		n := m.PixelLen(g.co, g.ci, taps)
		memory := t.scratch(g.groups * n)
		defer t.recycle(memory)
		p.filters = make([]*simd.PixelFilters, g.groups)
		for k := range p.filters {
			p.filters[k] = m.PackPixels(t.workers, g.co, g.ci, taps, g.weight(w.values, k), memory[k*n:][:n])
		}
	}
	if p.whole() {
		scales := t.scratch(2 * g.n)
		defer t.recycle(scales)
		p.scales, p.inverses = scales[:g.n], scales[g.n:]
		g.pixelScales(t, p)
	}
	s := g.sliding()
	s.ci = ceilDiv(g.ci, p.numbers)
	s.end, s.pixels = end, p
	s.result = func(i, k int) []float32 { return g.after(y, i, k) }
	s.run(t)
}

// pixelScales finds the scales of the images, one over all groups.
func (g *convShape) pixelScales(t *Tape, p *convPixels) {
	channels := g.groups * g.ci
	largest := t.scratch(g.n * channels)
	t.each(len(largest), max(1, g.h*g.w/8), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			largest[i] = simd.Largest(p.plane(i/channels, i%channels/g.ci, i%g.ci))
		}
	})
	for i := range g.n {
		p.scales[i], p.inverses[i] = simd.PixelScale(simd.Largest(largest[i*channels:][:channels]))
	}
	t.recycle(largest)
}
