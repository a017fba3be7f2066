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
	// The scales of pixels and what they are multiplied by, for Int8 alone: each image has a number of each, one for every
	// position; or one, which a row of inverses repeats.
	scales, inverses []float32
	each             int // scales of an image
	row              int // inverses of an image, or of a row of its positions
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
		x.math.PixelRows(dst, p.width, at[:n], srcStride, rows, cols, p.x.stride, inverses, stride)
	})
}

// spread writes the scales of positions from a on of some images; BF16 has none.
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

// oneTap reports whether an output sees one pixel of the image.
func (g *convShape) oneTap() bool { return g.kh == 1 && g.kw == 1 && g.py == 0 && g.px == 0 }

// imageScales finds the scale of each image, one over all groups.
func (g *convShape) imageScales(t *Tape, p *convPixels) {
	channels := g.groups * g.ci
	largest := t.scratch(g.n * channels)
	t.each(len(largest), max(1, g.h*g.w/8), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			largest[i] = simd.Largest(p.plane(i/channels, i%channels/g.ci, i%g.ci))
		}
	})
	for i := range g.n {
		row := p.inverses[i*p.row:][:p.row]
		simd.PixelScales(p.scales[i:], row, []float32{simd.Largest(largest[i*channels:][:channels])})
		simd.Fill(row, row[0])
	}
	t.recycle(largest)
}

// positionScales finds the scale of each pixel that an output sees, one over all groups.
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
				simd.LargestRows(largest[at:][:n], src)
			}
			simd.PixelScales(p.scales[at:], p.inverses[at:], largest[at:][:n])
			lo += rows
		}
	})
	t.recycle(memory)
}
