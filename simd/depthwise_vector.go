package simd

import (
	"math"
	"unsafe"
)

// depthwiseKernels are the routines of an instruction set for filters of 3×3, 5×5 and 7×7, at strides 1 and 2.
type depthwiseKernels struct {
	forward [3][2]func(a *depthwiseArgs)
	input   [3][2]func(a *depthwiseArgs) // gradient at stride 2, for even and for odd padding of the columns
	weight  [3][2]depthwisePasses        // gradient
}

// depthwisePasses are the routines for the gradient of one row of a filter, and for several rows at once.
type depthwisePasses struct {
	one  func(a *depthwiseArgs)
	rows int
	many func(a *depthwiseArgs)
}

// depthwiseArgs is one call of a kernel. The assembly knows the offsets of the fields. It changes the offsets of the
// plane at hand and the number of planes to go; it does not change a pointer. For the gradient of the weights, weight
// is the gradient of the result.
type depthwiseArgs struct {
	dst, src, weight, bias unsafe.Pointer // 0, 8, 16, 24
	scratch                unsafe.Pointer // 32
	dstAt, srcAt           int            // 40, 48: bytes
	weightAt, biasAt       int            // 56, 64
	dstPlane, srcPlane     int            // 72, 80: bytes between planes
	biasPlane              int            // 88
	planes, rows, columns  int            // 96, 104, 112: of the result
	height, width          int            // 120, 128: of the source
	top, left              int            // 136, 144: rows and columns of padding before the source
	srcSize                int            // 152: bytes of src that may be read
	flag                   int            // 160
	weightPlane            int            // 168

	memory [60*8 + 49*16]float32 // scratch
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
	if s.KernelY != s.KernelX || s.StrideY != s.StrideX || s.DilationY != 1 || s.DilationX != 1 || s.pixels() == 0 {
		return 0, 0, false
	}
	size, stride = (s.KernelY-3)/2, s.StrideY-1
	return size, stride, s.KernelY%2 == 1 && size >= 0 && size < 3 && stride < 2
}

// run calls a kernel for planes of the result from plane f on. A plane that is too large for a call is divided into
// pieces of rows; step is the number of rows of padding that a row of the result is away from the next.
func (a *depthwiseArgs) run(kernel func(*depthwiseArgs), dst []float32, planes, taps, step int) {
	top, rows := a.top, a.rows
	// Every piece has more rows than a filter.
	pieces := max(1, min(rows/8, rows*a.columns*taps/depthwiseCall))
	for i := range pieces {
		from := i * rows / pieces
		a.rows = (i+1)*rows/pieces - from
		a.top = top - from*step
		a.dst = unsafe.Pointer(&dst[from*a.columns])
		a.start(planes)
		kernel(a)
	}
	a.top, a.rows = top, rows
}

// start makes a call begin with the first plane.
func (a *depthwiseArgs) start(planes int) {
	a.dstAt, a.srcAt, a.weightAt, a.biasAt, a.planes = 0, 0, 0, 0, planes
}

// forwardVector is DepthwiseConv by a kernel. It reports whether there is one.
func (s *DepthwiseShape) forwardVector(dst, src, weight, bias []float32, planes int, act Activation) bool {
	size, stride, ok := s.square()
	kernels := depthwiseKernelsOf(level)
	// A kernel takes planes with at least as many rows as there are sums under way.
	if !ok || kernels == nil || s.Rows < (s.KernelY-1)/s.StrideY {
		return false
	}
	a := depthwiseCalls.get()
	defer depthwiseCalls.put(a)
	a.rows, a.columns, a.height, a.width = s.Rows, s.Columns, s.Height, s.Width
	a.top, a.left = s.PadY, s.PadX
	a.dstPlane, a.weightPlane = 4*s.outputs(), 4*s.taps()
	// A call takes some planes with a filter each, or one plane with some of its filters.
	group := planes
	if s.Filters == 1 {
		a.srcPlane = 4 * s.pixels()
	} else {
		group, a.srcPlane = s.Filters, 0
	}
	for f := 0; f < planes*s.Filters; {
		n := max(1, min(group-f%group, depthwiseCall/(s.outputs()*s.taps())))
		a.src = unsafe.Pointer(&src[f/s.Filters*s.pixels()])
		a.srcSize = 4*s.pixels() + (n-1)*a.srcPlane
		a.weight = unsafe.Pointer(&weight[f*s.taps()])
		a.bias, a.biasPlane = unsafe.Pointer(&noBias), 0
		if bias != nil {
			a.bias, a.biasPlane = unsafe.Pointer(&bias[f]), 4
		}
		y := dst[f*s.outputs():][:n*s.outputs()]
		a.run(kernels.forward[size][stride], y, n, s.taps(), s.StrideY)
		if act != ActNone {
			act.Apply(y, y)
		}
		f += n
	}
	return true
}

// inputGradVector is the part of DepthwiseConvInputGrad that filter f of each plane contributes. It stores it in dst.
func (s *DepthwiseShape) inputGradVector(dst, ddst, weight []float32, planes, f int) bool {
	size, stride, ok := s.square()
	kernels := depthwiseKernelsOf(level)
	if !ok || kernels == nil || s.outputs() == 0 || s.Height < s.KernelY-1 {
		return false
	}
	a := depthwiseCalls.get()
	defer depthwiseCalls.put(a)
	a.rows, a.columns, a.height, a.width = s.Height, s.Width, s.Rows, s.Columns
	a.dstPlane, a.srcPlane = 4*s.pixels(), 4*s.Filters*s.outputs()
	a.bias, a.biasPlane = unsafe.Pointer(&noBias), 0
	var flipped *depthwiseLines
	if stride == 0 {
		// The gradient is a convolution with the filters turned around.
		flipped = depthwiseRings.get()
		defer depthwiseRings.put(flipped)
		a.top, a.left = s.KernelY-1-s.PadY, s.KernelX-1-s.PadX
	}
	for p := 0; p < planes; {
		n := max(1, min(planes-p, depthwiseCall/(s.pixels()*s.taps())))
		at := p*s.Filters + f
		a.src = unsafe.Pointer(&ddst[at*s.outputs()])
		a.srcSize = 4*s.outputs() + (n-1)*a.srcPlane
		w, gap := weight[at*s.taps():], s.Filters*s.taps()
		y := dst[p*s.pixels():]
		if stride == 0 {
			flipped.ring = resized(flipped.ring, n*s.taps())
			for i := range n {
				turned := flipped.ring[i*s.taps():][:s.taps()]
				for j, v := range w[i*gap:][:s.taps()] {
					turned[s.taps()-1-j] = v
				}
			}
			a.weight, a.weightPlane = unsafe.Pointer(&flipped.ring[0]), 4*s.taps()
			a.run(kernels.forward[size][0], y, n, s.taps(), 1)
		} else {
			a.weight, a.weightPlane = unsafe.Pointer(&w[0]), 4*gap
			s.runInput(a, kernels.input[size][s.PadX&1], y, n)
		}
		p += n
	}
	return true
}

// runInput is run for the gradient at stride 2. The result's first row has an even row of the filter when it lies at an
// even distance from the padding's.
func (s *DepthwiseShape) runInput(a *depthwiseArgs, kernel func(*depthwiseArgs), dst []float32, planes int) {
	reach := (s.KernelY - 1) / 2
	a.left = reach - s.PadX>>1 - s.PadX&1
	pieces := max(1, min(s.Height/8, s.pixels()*s.taps()/4/depthwiseCall))
	for i := range pieces {
		from := i * s.Height / pieces
		a.rows = (i+1)*s.Height/pieces - from
		first := s.PadY + from
		a.flag = first & 1
		a.top = reach - first>>1 - a.flag
		a.dst = unsafe.Pointer(&dst[from*a.columns])
		a.start(planes)
		kernel(a)
	}
}

// depthwiseCache bounds the elements of the planes that the passes of a gradient read, so that they stay in cache.
const depthwiseCache = 4 << 10

// weightGradVector is DepthwiseConvWeightGrad by kernels.
func (s *DepthwiseShape) weightGradVector(dweight, src, ddst []float32, planes int, add bool) bool {
	size, stride, ok := s.square()
	kernels := depthwiseKernelsOf(level)
	// A plane is not divided, so a very large one goes row by row.
	if !ok || kernels == nil || s.outputs() > depthwiseCall/4 {
		return false
	}
	passes := kernels.weight[size][stride]
	a := depthwiseCalls.get()
	defer depthwiseCalls.put(a)
	a.rows, a.columns, a.height, a.width, a.left = s.Rows, s.Columns, s.Height, s.Width, s.PadX
	a.dstPlane, a.weightPlane = 4*s.taps(), 4*s.outputs()
	a.flag = 0
	if add {
		a.flag = 1
	}
	group := planes
	if s.Filters == 1 {
		a.srcPlane = 4 * s.pixels()
	} else {
		group, a.srcPlane = s.Filters, 0
	}
	for f := 0; f < planes*s.Filters; {
		n := min(group-f%group, depthwiseCall/(s.outputs()*s.taps()))
		if passes.rows < s.KernelY {
			n = min(n, depthwiseCache/(s.outputs()+s.pixels()))
		}
		n = max(n, 1)
		a.src = unsafe.Pointer(&src[f/s.Filters*s.pixels()])
		a.srcSize = 4*s.pixels() + (n-1)*a.srcPlane
		a.weight = unsafe.Pointer(&ddst[f*s.outputs()])
		for ky := 0; ky < s.KernelY; {
			kernel, rows := passes.one, 1
			if passes.many != nil && ky+passes.rows <= s.KernelY && s.Rows >= passes.rows {
				kernel, rows = passes.many, passes.rows
			}
			a.top = s.PadY - ky
			a.dst = unsafe.Pointer(&dweight[f*s.taps()+ky*s.KernelX])
			a.start(n)
			kernel(a)
			ky += rows
		}
		f += n
	}
	return true
}
