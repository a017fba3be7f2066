package autograd

import (
	"fmt"
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// Roi is a region of interest: a box in an image of a batch. The box may come from outside: it may exceed the image, be
// inverted, huge or not finite.
type Roi struct {
	Image          int     // the number of the image
	X0, Y0, X1, Y1 float32 // left, upper, right and lower edge, in pixels before SpatialScale
}

// RoiOptions configure [RoiAlign] and [RoiPool].
type RoiOptions struct {
	// OutH and OutW are the numbers of bins that each box is divided into, at least 1.
	OutH, OutW int
	// SpatialScale takes coordinates of boxes to pixels of x: 1/16 for features of stride 16. 0 means 1.
	SpatialScale float64
	// SamplingRatio is the number of samples in a bin along each dimension. 0 or less means as many as the bin has
	// pixels, rounded up. RoiPool ignores it.
	SamplingRatio int
	// Aligned moves boxes by half a pixel, so that coordinate 0 is the edge of a pixel and not its center. Without it,
	// boxes are at least one pixel wide and high. RoiPool ignores it.
	Aligned bool
}

// maxRoi bounds the coordinates of boxes, in pixels of x: float32 numbers beyond it are further than a pixel apart.
const maxRoi = 1 << 24

// RoiAlign returns the mean of bilinear samples in each bin of each box: from x [n, c, h, w] to
// [len(rois), c, OutH, OutW]. It is torchvision.ops.roi_align (He et al., "Mask R-CNN", section 3;
// csrc/ops/cpu/roi_align_kernel.cpp).
//
// A sample further than one pixel outside x counts as 0. So do all samples of a box that has a coordinate which is not
// finite or beyond 2²⁴ pixels of x. A box that is inverted gives zeros with Aligned and no SamplingRatio. An image number
// outside 0 … n-1 panics with a [ShapeError].
func RoiAlign(x Operand, rois []Roi, o RoiOptions) *Tensor {
	const name = "roi align"
	xs := o.check(name, x, rois)
	f := begin(name, x)
	xv, c, h, w := f.values(x), xs[1], xs[2], xs[3]
	ys, cs := newRoiTaps(len(rois), o.OutH), newRoiTaps(len(rois), o.OutW)
	for _, r := range rois {
		ys.add(o, h, r.Y0, r.Y1)
		cs.add(o, w, r.X0, r.X1)
	}
	y := f.out(len(rois), c, o.OutH, o.OutW)
	images := byImage(rois, xs[0])
	size := o.OutH * o.OutW
	side := &roiChannels{n: xs[0], c: c, h: h, w: w, ys: ys, cs: cs}
	if side.pays(len(rois), size) {
		return side.align(f, x, y, rois, images)
	}
	// The weights of a sample are a product, so a bin is a sum over rows of sums over columns.
	cost := 8 + (len(ys.index)*w/8+o.OutH*len(cs.index))/max(1, len(rois))
	f.eachRange(len(rois)*c, cost, w, func(buf []float32, lo, hi int) {
		for i := lo; i < hi; i++ {
			k := i / c
			src, dst := xv[(rois[k].Image*c+i%c)*h*w:][:h*w], y.data[i*size:][:size]
			row := buf[:cs.hi[k]-cs.lo[k]]
			for p := range o.OutH {
				ys.down(row, src[cs.lo[k]:], w, k*o.OutH+p)
				cs.across(dst[p*o.OutW:][:o.OutW], row, k)
			}
		}
	})
	return f.done(y, func(b *back) {
		if !b.wants(x) {
			return
		}
		dx := b.sum(x)
		// A task owns planes of x and adds boxes in their order.
		b.eachRange(xs[0]*c, 1+cost*len(rois)/max(1, xs[0]), w, func(buf []float32, lo, hi int) {
			for i := lo; i < hi; i++ {
				dst := dx[i*h*w:][:h*w]
				for _, k := range images[i/c] {
					dy := b.dy[(k*c+i%c)*size:][:size]
					row := buf[:cs.hi[k]-cs.lo[k]]
					for p := range o.OutH {
						cs.acrossBack(row, dy[p*o.OutW:][:o.OutW], k)
						ys.downBack(dst[cs.lo[k]:], row, w, k*o.OutH+p)
					}
				}
			}
		})
	})
}

// check returns the shape of x.
func (o RoiOptions) check(name string, x Operand, rois []Roi) []int {
	xs := imageShape(name, x)
	if o.OutH < 1 || o.OutW < 1 {
		shapePanic(name, "expected OutH and OutW of at least 1", xs, []int{o.OutH, o.OutW})
	}
	elements(name, []int{len(rois), max(1, xs[1]), o.OutH, o.OutW}) // before the tables of bins
	for k, r := range rois {
		if r.Image < 0 || r.Image >= xs[0] {
			shapePanic(name, fmt.Sprintf("box %d is in image %d, expected 0 to %d", k, r.Image, xs[0]-1), xs, []int{len(rois)})
		}
	}
	return xs
}

// scale returns a coordinate in pixels of x.
func (o RoiOptions) scale(v float32) float32 {
	if o.SpatialScale == 0 {
		return v
	}
	return float32(v * float32(o.SpatialScale))
}

// byImage lists the boxes of each image in their order.
func byImage(rois []Roi, n int) [][]int {
	images := make([][]int, n)
	for k, r := range rois {
		images[r.Image] = append(images[r.Image], k)
	}
	return images
}

// roiTaps is one dimension of the bins of all boxes: bin i of box k is Σ weights[j]·pixel[index[j]] for j from
// first[k·bins+i] to the next.
type roiTaps struct {
	bins    int
	first   []int
	index   []int32
	weights []float32
	lo, hi  []int // by box: the pixels that its taps span
}

func newRoiTaps(rois, bins int) *roiTaps {
	return &roiTaps{bins: bins, first: make([]int, 1, rois*bins+1), lo: make([]int, 0, rois), hi: make([]int, 0, rois)}
}

// add computes the taps of the next box, from edge a to edge b, on an axis of n pixels. Coordinates are float32 and
// products are rounded, as in torchvision, because rounding decides which pixels a sample lies between.
func (t *roiTaps) add(o RoiOptions, n int, a, b float32) {
	offset := float32(0)
	if o.Aligned {
		offset = 0.5
	}
	start, end := o.scale(a)-offset, o.scale(b)-offset
	size := end - start
	if !o.Aligned {
		size = max(size, 1)
	}
	bin := size / float32(t.bins)
	samples := o.SamplingRatio
	inside := n > 0 && start >= -maxRoi && start <= maxRoi && end >= -maxRoi && end <= maxRoi // not NaN
	switch {
	case !inside:
		samples = 0
	case samples <= 0:
		samples = max(0, int(math.Ceil(float64(bin))))
	}
	begin := len(t.index)
	for i := range t.bins {
		at := start + float32(float32(i)*bin)
		lo, hi := 0, samples
		if o.SamplingRatio <= 0 && samples > 0 {
			// Only samples near the axis, of which a pixel has at most two.
			step, most := float64(bin)/float64(samples), float64(samples)
			lo = int(max(0, min(most, math.Floor((-1-float64(at))/step)-2)))
			hi = int(max(0, min(most, math.Ceil((float64(n)-float64(at))/step)+2)))
		}
		for s := lo; s < hi; s++ {
			t.sample(n, at+float32((float32(s)+0.5)*bin)/float32(samples))
		}
		for j := t.first[len(t.first)-1]; j < len(t.index); j++ {
			t.weights[j] /= float32(samples)
		}
		t.first = append(t.first, len(t.index))
	}
	low, high := 0, 0
	for j, at := range t.index[begin:] {
		if j == 0 {
			low, high = int(at), int(at)+1
		}
		low, high = min(low, int(at)), max(high, int(at)+1)
	}
	t.lo, t.hi = append(t.lo, low), append(t.hi, high)
}

// sample adds a bilinear sample at a coordinate to the last bin.
func (t *roiTaps) sample(n int, at float32) {
	if !(at >= -1 && at <= float32(n)) {
		return
	}
	at = max(at, 0)
	low := int(at)
	if low >= n-1 {
		t.put(n-1, 1)
		return
	}
	frac := at - float32(low)
	t.put(low, 1-frac)
	if frac > 0 {
		t.put(low+1, frac)
	}
}

// put adds a weight to a pixel of the last bin. Samples lie in order, so a pixel that was there is among the last.
func (t *roiTaps) put(pixel int, weight float32) {
	for j := len(t.index) - 1; j >= max(t.first[len(t.first)-1], len(t.index)-3); j-- {
		if t.index[j] == int32(pixel) {
			t.weights[j] += weight
			return
		}
	}
	t.index, t.weights = append(t.index, int32(pixel)), append(t.weights, weight)
}

// down stores the sum over rows of bin i in dst: of as many columns of src, whose rows are stride apart.
func (t *roiTaps) down(dst, src []float32, stride, i int) {
	a, b := t.first[i], t.first[i+1]
	if a == b || len(dst) == 0 {
		clear(dst)
		return
	}
	simd.Scale(dst, src[int(t.index[a])*stride:], t.weights[a])
	for j := a + 1; j < b; j++ {
		simd.Axpy(dst, t.weights[j], src[int(t.index[j])*stride:])
	}
}

// downBack adds row, times the weights of bin i, to the rows of dst.
func (t *roiTaps) downBack(dst, row []float32, stride, i int) {
	if len(row) == 0 {
		return
	}
	for j := t.first[i]; j < t.first[i+1]; j++ {
		simd.Axpy(dst[int(t.index[j])*stride:][:len(row)], t.weights[j], row)
	}
}

// across stores the sums over columns of the bins of box k. Row begins at the first pixel of the box's span. Products
// are rounded before they are added, so that no processor fuses them.
func (t *roiTaps) across(dst, row []float32, k int) {
	first, from := t.first[k*t.bins:], int32(t.lo[k])
	for i := range dst {
		a, b := first[i], first[i+1]
		index, weights := t.index[a:b], t.weights[a:b]
		sum := float32(0)
		for j, at := range index {
			sum += float32(weights[j] * row[at-from])
		}
		dst[i] = sum
	}
}

// acrossBack stores the gradient of the row whose sums have the gradients dy.
func (t *roiTaps) acrossBack(row, dy []float32, k int) {
	clear(row)
	first, from := t.first[k*t.bins:], int32(t.lo[k])
	for i, g := range dy {
		a, b := first[i], first[i+1]
		index, weights := t.index[a:b], t.weights[a:b]
		for j, at := range index {
			row[at-from] += float32(weights[j] * g)
		}
	}
}
