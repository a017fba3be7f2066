package autograd

import "math"

// GridPadding names what [GridSample] reads outside the image.
type GridPadding uint8

// The paddings: zeros, the nearest pixel of the edge, and the image reflected at its edges.
const (
	GridZeros GridPadding = iota
	GridBorder
	GridReflection
)

// GridSampleOptions configure [GridSample].
type GridSampleOptions struct {
	// Mode is how a value between pixels is computed. Nearest, the zero value, has no gradient with respect to the grid.
	Mode    ResizeMode
	Padding GridPadding
	// AlignCorners puts -1 and 1 on the centers of the outermost pixels; without it they are the edges of the image.
	AlignCorners bool
}

// gridBlock is the number of points whose taps are computed at once, for all channels.
const gridBlock = 64

// channelBlock is the number of channels of an image that one task of a gradient adds to.
const channelBlock = 16

// GridSample reads images at given points: from x [n, c, h, w] and grid [n, oh, ow, 2] to [n, c, oh, ow]. A point is (x, y),
// from -1 at the left and upper end of the image to 1 at the other. It is PyTorch's grid_sample on CPUs
// (Jaderberg et al., "Spatial Transformer Networks", section 3.3; aten/src/ATen/native/cpu/GridSamplerKernel.cpp). Bicubic
// interpolation has a = -3/4.
//
// Coordinates that are not finite give NaN with Bicubic, and with Bilinear and GridZeros. NaN otherwise counts as the first
// row or column, except that Nearest gives 0 with GridZeros. Coordinates that a padding moved to the edge have no gradient.
func GridSample(x, grid Operand, o GridSampleOptions) *Tensor {
	const name = "grid sample"
	f := begin(name, x, grid)
	xs, gs := imageShape(name, x), grid.Shape()
	if len(gs) != 4 || gs[0] != xs[0] || gs[3] != 2 || xs[2] < 1 || xs[3] < 1 || xs[2] > math.MaxInt32/xs[3] {
		shapePanic(name, "expected x [n, c, h, w], not empty, and grid [n, oh, ow, 2]", xs, gs)
	}
	if o.Mode > Bicubic || o.Padding > GridReflection {
		usePanic(name, "unknown mode or padding")
	}
	s := gridSampler{GridSampleOptions: o, taps: []int{1, 2, 4}[o.Mode], c: xs[1], size: xs[2] * xs[3], points: gs[1] * gs[2]}
	s.axes = [2]gridAxis{o.axis(xs[3], 1), o.axis(xs[2], xs[3])}
	s.x, s.grid = f.values(x), f.values(grid)
	y := f.out(xs[0], xs[1], gs[1], gs[2])
	blocks := ceilDiv(s.points, gridBlock)
	cost := gridBlock * (20 + 2*s.taps*s.taps*s.c)
	f.each(xs[0]*blocks, cost, func(lo, hi int) {
		var block [gridBlock]gridPoint
		for i := lo; i < hi; i++ {
			image, at := i/blocks, i%blocks*gridBlock
			points, inside := s.locate(block[:], image, at)
			for c := range s.c {
				plane := image*s.c + c
				s.forward(y.data[plane*s.points+at:][:len(points)], s.x[plane*s.size:][:s.size], points, inside)
			}
		}
	})
	return f.done(y, func(b *back) {
		if b.wants(x) {
			dx := b.sum(x)
			groups := ceilDiv(s.c, channelBlock)
			// A task owns planes of x and adds points in their order.
			b.each(xs[0]*groups, s.points*(20+3*s.taps*s.taps*min(s.c, channelBlock)), func(lo, hi int) {
				var block [gridBlock]gridPoint
				for i := lo; i < hi; i++ {
					image, c0 := i/groups, i%groups*channelBlock
					for at := 0; at < s.points; at += gridBlock {
						points, _ := s.locate(block[:], image, at)
						for c := c0; c < min(c0+channelBlock, s.c); c++ {
							plane := image*s.c + c
							s.addImage(dx[plane*s.size:][:s.size], b.dy[plane*s.points+at:][:len(points)], points)
						}
					}
				}
			})
		}
		b.add(grid, func(dg []float32) {
			b.each(xs[0]*blocks, cost, func(lo, hi int) {
				var block [gridBlock]gridPoint
				for i := lo; i < hi; i++ {
					image, at := i/blocks, i%blocks*gridBlock
					points, _ := s.locate(block[:], image, at)
					dst := dg[2*(image*s.points+at):][:2*len(points)]
					clear(dst)
					for c := range s.c {
						plane := image*s.c + c
						s.addGrid(dst, b.dy[plane*s.points+at:][:len(points)], s.x[plane*s.size:][:s.size], points)
					}
				}
			})
		})
	})
}

// gridSampler is one call of GridSample.
type gridSampler struct {
	GridSampleOptions
	taps            int // of a point along each dimension
	c, size, points int // channels, pixels of a plane, points of an image
	axes            [2]gridAxis
	x, grid         []float32
}

// gridPoint is a point of the grid: the taps along x and along y.
type gridPoint [2]struct {
	at     [4]int32   // the offset of a column or a row; -1 outside
	weight [4]float32 // of the pixel there
	slope  [4]float32 // the weight's derivative by the grid's coordinate
}

// locate computes the taps of the points from number at, and whether all lie inside the image.
func (s *gridSampler) locate(block []gridPoint, image, at int) (points []gridPoint, inside bool) {
	points = block[:min(len(block), s.points-at)]
	grid := s.grid[2*(image*s.points+at):][:2*len(points)]
	inside = true
	for i := range points {
		for d := range s.axes {
			p := &points[i][d]
			s.axes[d].locate(s.GridSampleOptions, grid[2*i+d], p.at[:s.taps], p.weight[:s.taps], p.slope[:s.taps])
			for _, at := range p.at[:s.taps] {
				inside = inside && at >= 0
			}
		}
	}
	return points, inside
}

// forward computes the values at points of a plane. Products are rounded before they are added, so that no processor
// fuses them; so it is in the gradients.
func (s *gridSampler) forward(dst, src []float32, points []gridPoint, inside bool) {
	switch {
	case s.taps == 1:
		for i := range points {
			dst[i] = points[i].pixel(src, 0, 0)
		}
	case s.taps == 2 && inside:
		for i := range points {
			x, y := &points[i][0], &points[i][1]
			r0, r1, c0, c1 := y.at[0], y.at[1], x.at[0], x.at[1]
			upper := float32(x.weight[0]*src[r0+c0]) + float32(x.weight[1]*src[r0+c1])
			lower := float32(x.weight[0]*src[r1+c0]) + float32(x.weight[1]*src[r1+c1])
			dst[i] = float32(y.weight[0]*upper) + float32(y.weight[1]*lower)
		}
	default:
		for i := range points {
			p := &points[i]
			sum := float32(0)
			for r := range s.taps {
				row := float32(0)
				for c := range s.taps {
					row += float32(p[0].weight[c] * p.pixel(src, r, c))
				}
				sum += float32(p[1].weight[r] * row)
			}
			dst[i] = sum
		}
	}
}

// pixel returns a tap's pixel, 0 outside.
func (p *gridPoint) pixel(src []float32, r, c int) float32 {
	if row, col := p[1].at[r], p[0].at[c]; row|col >= 0 {
		return src[row+col]
	}
	return 0
}

// addImage adds to the gradient of a plane.
func (s *gridSampler) addImage(dx, dy []float32, points []gridPoint) {
	for i, g := range dy {
		x, y := &points[i][0], &points[i][1]
		for r := range s.taps {
			row, part := y.at[r], float32(g*y.weight[r])
			for c := range s.taps {
				if col := x.at[c]; row|col >= 0 {
					dx[row+col] += float32(part * x.weight[c])
				}
			}
		}
	}
}

// addGrid adds a plane's part of the gradient of points.
func (s *gridSampler) addGrid(dg, dy, src []float32, points []gridPoint) {
	for i, g := range dy {
		p := &points[i]
		x, y := &p[0], &p[1]
		var gx, gy float32
		switch s.taps {
		case 1:
			return
		case 2: // the difference first, for neighbors that are nearly equal
			nw, ne, sw, se := p.pixel(src, 0, 0), p.pixel(src, 0, 1), p.pixel(src, 1, 0), p.pixel(src, 1, 1)
			gx = float32(float32(float32((ne-nw)*y.weight[0])+float32((se-sw)*y.weight[1])) * x.slope[1])
			gy = float32(float32(float32((sw-nw)*x.weight[0])+float32((se-ne)*x.weight[1])) * y.slope[1])
		default:
			for r := range s.taps {
				var value, slope float32
				for c := range s.taps {
					v := p.pixel(src, r, c)
					value += float32(x.weight[c] * v)
					slope += float32(x.slope[c] * v)
				}
				gx += float32(y.weight[r] * slope)
				gy += float32(y.slope[r] * value)
			}
		}
		dg[2*i] += float32(gx * g)
		dg[2*i+1] += float32(gy * g)
	}
}

// gridAxis takes coordinates of a grid to pixels of one dimension.
type gridAxis struct {
	n, stride  int32   // pixels, and the distance of neighbors in a plane
	scale      float32 // pixels for each unit of the grid
	shift      float32 // pixels from coordinate -1 to the center of the first pixel
	low, span  float32 // reflection is at low and low + span
	reflecting bool
}

func (o GridSampleOptions) axis(n, stride int) gridAxis {
	a := gridAxis{n: int32(n), stride: int32(stride), reflecting: o.Padding == GridReflection}
	if o.AlignCorners {
		a.scale, a.span = float32(n-1)/2, float32(n-1)
	} else {
		a.scale, a.shift, a.low, a.span = float32(n)/2, 0.5, -0.5, float32(n)
	}
	return a
}

// locate computes the taps at coordinate v of a grid.
func (a *gridAxis) locate(o GridSampleOptions, v float32, at []int32, weight, slope []float32) {
	pos := float32((v+1)*a.scale) - a.shift
	factor := a.scale
	if o.Padding != GridZeros && o.Mode != Bicubic {
		var sign float32
		pos, sign = a.pad(pos)
		factor *= sign
	}
	switch o.Mode {
	case Nearest:
		at[0], weight[0], slope[0] = a.offset(float32(math.RoundToEven(float64(pos)))), 1, 0
	case Bilinear:
		low := float32(math.Floor(float64(pos)))
		frac := pos - low
		at[0], weight[0], slope[0] = a.offset(low), 1-frac, -factor
		at[1], weight[1], slope[1] = a.offset(low+1), frac, factor
		if o.Padding != GridZeros && at[1] < 0 { // the last pixel, whose neighbor has no weight
			at[1] = at[0]
		}
	case Bicubic:
		low := float32(math.Floor(float64(pos)))
		frac := float64(pos - low)
		for k := range at {
			tap, d := low+float32(k-1), float64(k-1)-frac
			if o.Padding != GridZeros {
				tap, _ = a.pad(tap)
			}
			at[k], weight[k], slope[k] = a.offset(tap), float32(cubic(d, -0.75)), -factor*float32(cubicSlope(d, -0.75))
			if d != d {
				weight[k], slope[k] = float32(d), float32(d)
			}
		}
	}
}

// offset returns where the pixels with a whole coordinate begin, -1 outside the image and for NaN.
func (a *gridAxis) offset(pos float32) int32 {
	if pos >= 0 && pos < float32(a.n) {
		return min(int32(pos), a.n-1) * a.stride
	}
	return -1
}

// pad moves a coordinate into the image. It returns the factor of its gradient too: 1, -1 where an odd number of
// reflections leads to it, and 0 where it was moved to the edge.
func (a *gridAxis) pad(pos float32) (float32, float32) {
	factor := float32(1)
	if a.reflecting {
		if a.span == 0 {
			return 0, 0
		}
		twice := 2 * a.span
		d := pos - a.low
		if d < 0 {
			d, factor = -d, -1
		}
		extra := d - float32(float32(math.Trunc(float64(d/twice)))*twice)
		if flipped := twice - extra; extra > flipped {
			extra, factor = flipped, -factor
		}
		pos = extra + a.low
	}
	switch last := float32(a.n - 1); {
	case !(pos > 0): // or NaN
		return 0, 0
	case pos >= last:
		return last, 0
	}
	return pos, factor
}

// cubicSlope is the derivative of cubic.
func cubicSlope(d, a float64) float64 {
	sign := 1.0
	if d < 0 {
		d, sign = -d, -1
	}
	switch {
	case d <= 1:
		return sign * float64((float64(3*(a+2)*d)-2*(a+3))*d)
	case d < 2:
		return sign * (float64((float64(3*a*d)-float64(10*a))*d) + float64(8*a))
	}
	return 0
}
