package simd

//go:generate go run ./internal/depthgen -out .

import "fmt"

// A DepthwiseShape is the geometry of a depthwise convolution. Each plane of the source, Height × Width, has Filters
// filters of its own, KernelY × KernelX; each filter gives a plane of Rows × Columns. Tap (ky, kx) of output (y, x)
// is the pixel
//
//	(y·StrideY - PadY + ky·DilationY, x·StrideX - PadX + kx·DilationX)
//
// Pixels outside the plane are +0. Every field counts; none has a default. The usual number of rows, PyTorch's, is
//
//	Rows = ⌊(Height + 2·PadY - DilationY·(KernelY-1) - 1) / StrideY⌋ + 1
//
// and that of columns likewise. Rows and Columns are not checked against the other sizes: a window may lie outside the
// plane.
type DepthwiseShape struct {
	Height, Width        int // of a plane of the source
	Rows, Columns        int // of a plane of the result
	Filters              int // of each plane of the source; 1 unless a plane gives several
	KernelY, KernelX     int // of a filter
	StrideY, StrideX     int // at least 1
	PadY, PadX           int // zeros above and to the left
	DilationY, DilationX int // distance between taps, at least 1
}

// DepthwiseConv correlates planes of src with filters, and applies an activation:
//
//	dst[f][y][x] = act(Σ weight[f][ky][kx]·src[f/Filters][…] + bias[f])
//
// Each sum is one chain of fused multiply-adds from +0, taps in ascending order of (ky, kx), pixels outside the
// plane included.
//
// src is [planes, Height, Width]. dst is [planes·Filters, Rows, Columns], weight is [planes·Filters, KernelY, KernelX],
// and bias is [planes·Filters] or nil. The function is serial: callers divide the planes with [Workers.For].
//
// It panics when a slice is too short, a size is negative, or a stride or dilation is not positive. dst must not
// overlap the other slices.
func DepthwiseConv(dst, src, weight, bias []float32, planes int, s *DepthwiseShape, act Activation) {
	const name = "DepthwiseConv"
	n := s.check(name, planes)
	atLeast(name, "dst", len(dst), n*s.outputs())
	atLeast(name, "src", len(src), planes*s.pixels())
	atLeast(name, "weight", len(weight), n*s.taps())
	if bias != nil {
		atLeast(name, "bias", len(bias), n)
	}
	if n*s.outputs() == 0 {
		return
	}
	if !s.forwardVector(dst, src, weight, bias, planes, act) {
		s.forwardRows(dst, src, weight, bias, planes, act)
	}
}

// DepthwiseConvInputGrad stores the gradient of [DepthwiseConv] with respect to src, without an activation, in dsrc.
// ddst is the gradient with respect to dst. For each filter, a pixel is one chain of fused multiply-adds from +0 over
// the windows that contain it, in ascending order of their (y, x); windows outside ddst count, with a gradient of +0.
// The chains of a plane's filters are added in order. dsrc must not overlap the other slices. Panics are those of
// DepthwiseConv.
func DepthwiseConvInputGrad(dsrc, ddst, weight []float32, planes int, s *DepthwiseShape) {
	const name = "DepthwiseConvInputGrad"
	n := s.check(name, planes)
	atLeast(name, "dsrc", len(dsrc), planes*s.pixels())
	atLeast(name, "ddst", len(ddst), n*s.outputs())
	atLeast(name, "weight", len(weight), n*s.taps())
	if planes*s.pixels() == 0 {
		return
	}
	if s.Filters == 0 {
		clear(dsrc[:planes*s.pixels()])
		return
	}
	if !s.inputGradVector(dsrc, ddst, weight, planes, 0) {
		s.inputGradRows(dsrc, ddst, weight, planes, 0)
	}
	if s.Filters == 1 {
		return
	}
	// Further filters take a plane at a time.
	l := depthwiseRings.get()
	defer depthwiseRings.put(l)
	l.extra = resized(l.extra, s.pixels())
	for p := range planes {
		plane := dsrc[p*s.pixels():][:s.pixels()]
		w, dy := weight[p*s.Filters*s.taps():], ddst[p*s.Filters*s.outputs():]
		for f := 1; f < s.Filters; f++ {
			if !s.inputGradVector(l.extra, dy, w, 1, f) {
				s.inputGradRows(l.extra, dy, w, 1, f)
			}
			Add(plane, plane, l.extra)
		}
	}
}

// DepthwiseConvWeightGrad computes the gradient of [DepthwiseConv] with respect to weight, from src and from ddst, the
// gradient with respect to dst. It stores the gradient in dweight, or adds it to dweight.
//
// For each tap, a column of ddst is one chain of fused multiply-adds from +0 over its rows, in ascending order; pixels
// outside the plane count as +0. Column x is then added to lane x mod 16, in ascending order from +0; lanes are added as
// in other sums. Panics are those of DepthwiseConv.
func DepthwiseConvWeightGrad(dweight, src, ddst []float32, planes int, add bool, s *DepthwiseShape) {
	const name = "DepthwiseConvWeightGrad"
	n := s.check(name, planes)
	atLeast(name, "dweight", len(dweight), n*s.taps())
	atLeast(name, "src", len(src), planes*s.pixels())
	atLeast(name, "ddst", len(ddst), n*s.outputs())
	switch {
	case n*s.taps() == 0:
	case s.outputs() == 0:
		if !add {
			clear(dweight[:n*s.taps()])
		}
	case !s.weightGradVector(dweight, src, ddst, planes, add):
		s.weightGradRows(dweight, src, ddst, planes, add)
	}
}

// check returns the number of filters of some planes.
func (s *DepthwiseShape) check(name string, planes int) int {
	if min(planes, s.Height, s.Width, s.Rows, s.Columns, s.Filters, s.KernelY, s.KernelX) < 0 ||
		min(s.StrideY, s.StrideX, s.DilationY, s.DilationX) < 1 {
		panic(fmt.Sprintf("simd: %s: expected no negative size, and strides and dilations of at least 1, found %d planes of %v",
			name, planes, s))
	}
	return planes * s.Filters
}

func (s *DepthwiseShape) outputs() int { return s.Rows * s.Columns }
func (s *DepthwiseShape) pixels() int  { return s.Height * s.Width }
func (s *DepthwiseShape) taps() int    { return s.KernelY * s.KernelX }

// String returns the sizes on one line.
func (s DepthwiseShape) String() string {
	return fmt.Sprintf("%dx%d/kernel=%dx%d/stride=%dx%d/pad=%dx%d/dilation=%dx%d/filters=%d", s.Height, s.Width,
		s.KernelY, s.KernelX, s.StrideY, s.StrideX, s.PadY, s.PadX, s.DilationY, s.DilationX, s.Filters)
}
