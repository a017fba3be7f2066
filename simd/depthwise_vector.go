package simd

import (
	"math"
	"unsafe"
)

// depthwiseKernels are the routines of an instruction set for filters of 3×3, 5×5 and 7×7 at strides 1 and 2.
type depthwiseKernels struct {
	forward [3][2]func(a *depthwiseArgs)
}

// depthwiseArgs is one call of a kernel. The assembly knows the offsets of the fields. It changes the offsets of the
// plane at hand and the number of planes to go; it does not change a pointer.
type depthwiseArgs struct {
	dst, src, weight, bias unsafe.Pointer // 0, 8, 16, 24
	scratch                unsafe.Pointer // 32
	dstAt, srcAt           int            // 40, 48: bytes
	weightAt, biasAt       int            // 56, 64
	dstPlane, srcPlane     int            // 72, 80: bytes between planes
	biasPlane              int            // 88
	planes, rows, columns  int            // 96, 104, 112
	height, width          int            // 120, 128
	top, left              int            // 136, 144: rows and columns of padding
	srcSize                int            // 152: bytes of src that may be read

	memory [60 * 8]float32 // scratch
}

// depthwiseCalls keeps arguments from call to call: a call through a variable would allocate them.
var depthwiseCalls = freeList[depthwiseArgs]{
	most: 64,
	make: func() *depthwiseArgs {
		a := new(depthwiseArgs)
		a.scratch = unsafe.Pointer(&a.memory)
		return a
	},
	wipe: func(a *depthwiseArgs) { a.dst, a.src, a.weight, a.bias = nil, nil, nil, nil },
}

// depthwiseCall bounds the products of one call of assembly, which cannot be preempted, to well under 50 µs.
const depthwiseCall = 1 << 20

// noBias is a bias that changes no bit.
var noBias = float32(math.Copysign(0, -1))

// square returns the indices of the kernels for s in depthwiseKernels, and whether there are any.
func (s *DepthwiseShape) square() (size, stride int, ok bool) {
	if s.KernelY != s.KernelX || s.StrideY != s.StrideX || s.DilationY != 1 || s.DilationX != 1 {
		return 0, 0, false
	}
	size, stride = (s.KernelY-3)/2, s.StrideY-1
	return size, stride, s.KernelY%2 == 1 && size >= 0 && size < 3 && stride < 2
}

// forwardVector is DepthwiseConv by a kernel. It reports whether there is one.
func (s *DepthwiseShape) forwardVector(dst, src, weight, bias []float32, planes int, act Activation) bool {
	size, stride, ok := s.square()
	kernels := depthwiseKernelsOf(level)
	// A kernel takes planes with at least as many rows as there are sums under way.
	if !ok || kernels == nil || s.pixels() == 0 || s.Rows < (s.KernelY-1)/s.StrideY {
		return false
	}
	kernel := kernels.forward[size][stride]
	a := depthwiseCalls.get()
	defer depthwiseCalls.put(a)
	a.columns, a.height, a.width, a.left = s.Columns, s.Height, s.Width, s.PadX
	a.dstPlane = 4 * s.outputs()
	// A call takes some planes with a filter each, or one plane with some of its filters.
	group := planes
	if s.Filters == 1 {
		a.srcPlane = 4 * s.pixels()
	} else {
		group, a.srcPlane = s.Filters, 0
	}
	cost := s.outputs() * s.taps()
	for f := 0; f < planes*s.Filters; {
		n := max(1, min(group-f%group, depthwiseCall/cost))
		x := src[f/s.Filters*s.pixels():]
		a.src = unsafe.Pointer(&x[0])
		a.srcSize = 4*s.pixels() + (n-1)*a.srcPlane
		a.weight = unsafe.Pointer(&weight[f*s.taps()])
		a.bias, a.biasPlane = unsafe.Pointer(&noBias), 0
		if bias != nil {
			a.bias, a.biasPlane = unsafe.Pointer(&bias[f]), 4
		}
		// A plane that is too large for a call is divided into pieces with about as many rows.
		pieces := min((cost-1)/depthwiseCall+1, max(1, s.Rows/s.KernelY))
		for i := range pieces {
			from := i * s.Rows / pieces
			a.rows = (i+1)*s.Rows/pieces - from
			a.top = s.PadY - from*s.StrideY
			a.dst = unsafe.Pointer(&dst[f*s.outputs()+from*s.Columns])
			a.dstAt, a.srcAt, a.weightAt, a.biasAt, a.planes = 0, 0, 0, 0, n
			kernel(a)
		}
		if act != ActNone {
			y := dst[f*s.outputs():][:n*s.outputs()]
			act.Apply(y, y)
		}
		f += n
	}
	return true
}
