package simd

//go:generate go run ./internal/depthgen -out .

import "fmt"

// A DepthwiseShape is the geometry of a depthwise convolution. Each plane of the source, Height × Width, has Filters
// filters of its own, KernelY × KernelX; each filter gives a plane of Rows × Columns. Tap (ky, kx) of output (y, x)
// is the pixel
//
//	(y·StrideY - PadY + ky·DilationY, x·StrideX - PadX + kx·DilationX)
//
// Pixels outside the plane are +0. Every field counts; none has a default. Rows and Columns are not checked against
// the other sizes: a window may lie outside the plane.
type DepthwiseShape struct {
	Height, Width        int
	Rows, Columns        int
	Filters              int
	KernelY, KernelX     int
	StrideY, StrideX     int
	PadY, PadX           int
	DilationY, DilationX int
}

// DepthwiseConv correlates planes of src with filters, and applies an activation:
//
//	dst[f][y][x] = act(Σ weight[f][ky][kx]·src[f/Filters][…] + bias[f])
//
// Each sum is one chain of fused multiply-adds from +0, taps in ascending order of (ky, kx), pixels outside the
// plane included. bias may be nil. dst has planes·Filters planes, weight as many filters and bias as many elements.
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

// check returns the number of filters of some planes.
func (s *DepthwiseShape) check(name string, planes int) int {
	if min(planes, s.Height, s.Width, s.Rows, s.Columns, s.Filters, s.KernelY, s.KernelX) < 0 ||
		min(s.StrideY, s.StrideX, s.DilationY, s.DilationX) < 1 {
		panic(fmt.Sprintf("simd: %s: %d planes of %+v", name, planes, *s))
	}
	return planes * s.Filters
}

func (s *DepthwiseShape) outputs() int { return s.Rows * s.Columns }
func (s *DepthwiseShape) pixels() int  { return s.Height * s.Width }
func (s *DepthwiseShape) taps() int    { return s.KernelY * s.KernelX }
