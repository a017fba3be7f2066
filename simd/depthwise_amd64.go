package simd

func depthwiseKernelsOf(l Level) *depthwiseKernels {
	switch l {
	case AVX2:
		return &depthwiseAVX2
	case AVX512:
		return &depthwiseAVX512
	}
	return nil
}

var depthwiseAVX2 = depthwiseKernels{
	forward: [3][2]func(*depthwiseArgs){
		{depthwise3x1AVX2, depthwise3x2AVX2},
		{depthwise5x1AVX2, depthwise5x2AVX2},
		{depthwise7x1AVX2, depthwise7x2AVX2},
	},
}

var depthwiseAVX512 = depthwiseKernels{
	forward: [3][2]func(*depthwiseArgs){
		{depthwise3x1AVX512, depthwise3x2AVX512},
		{depthwise5x1AVX512, depthwise5x2AVX512},
		{depthwise7x1AVX512, depthwise7x2AVX512},
	},
}

//go:noescape
func depthwise3x1AVX2(a *depthwiseArgs)

//go:noescape
func depthwise3x2AVX2(a *depthwiseArgs)

//go:noescape
func depthwise5x1AVX2(a *depthwiseArgs)

//go:noescape
func depthwise5x2AVX2(a *depthwiseArgs)

//go:noescape
func depthwise7x1AVX2(a *depthwiseArgs)

//go:noescape
func depthwise7x2AVX2(a *depthwiseArgs)

//go:noescape
func depthwise3x1AVX512(a *depthwiseArgs)

//go:noescape
func depthwise3x2AVX512(a *depthwiseArgs)

//go:noescape
func depthwise5x1AVX512(a *depthwiseArgs)

//go:noescape
func depthwise5x2AVX512(a *depthwiseArgs)

//go:noescape
func depthwise7x1AVX512(a *depthwiseArgs)

//go:noescape
func depthwise7x2AVX512(a *depthwiseArgs)
