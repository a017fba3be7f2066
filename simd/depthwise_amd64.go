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
	input: [3][2]func(*depthwiseArgs){
		{depthwiseInput3EvenAVX2, depthwiseInput3OddAVX2},
		{depthwiseInput5EvenAVX2, depthwiseInput5OddAVX2},
		{depthwiseInput7EvenAVX2, depthwiseInput7OddAVX2},
	},
	weight: [3][2]depthwisePasses{
		{{one: depthwiseWeight1x3x1AVX2, rows: 3, many: depthwiseWeight3x3x1AVX2}, {one: depthwiseWeight1x3x2AVX2}},
		{{one: depthwiseWeight1x5x1AVX2, rows: 2, many: depthwiseWeight2x5x1AVX2}, {one: depthwiseWeight1x5x2AVX2}},
		{{one: depthwiseWeight1x7x1AVX2}, {one: depthwiseWeight1x7x2AVX2}},
	},
}

var depthwiseAVX512 = depthwiseKernels{
	forward: [3][2]func(*depthwiseArgs){
		{depthwise3x1AVX512, depthwise3x2AVX512},
		{depthwise5x1AVX512, depthwise5x2AVX512},
		{depthwise7x1AVX512, depthwise7x2AVX512},
	},
	input: [3][2]func(*depthwiseArgs){
		{depthwiseInput3EvenAVX512, depthwiseInput3OddAVX512},
		{depthwiseInput5EvenAVX512, depthwiseInput5OddAVX512},
		{depthwiseInput7EvenAVX512, depthwiseInput7OddAVX512},
	},
	weight: [3][2]depthwisePasses{
		{{one: depthwiseWeight1x3x1AVX512, rows: 3, many: depthwiseWeight3x3x1AVX512}, {one: depthwiseWeight1x3x2AVX512}},
		{{one: depthwiseWeight1x5x1AVX512, rows: 5, many: depthwiseWeight5x5x1AVX512}, {one: depthwiseWeight1x5x2AVX512}},
		{{one: depthwiseWeight1x7x1AVX512, rows: 3, many: depthwiseWeight3x7x1AVX512}, {one: depthwiseWeight1x7x2AVX512}},
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
func depthwiseInput3EvenAVX2(a *depthwiseArgs)

//go:noescape
func depthwiseInput3OddAVX2(a *depthwiseArgs)

//go:noescape
func depthwiseInput5EvenAVX2(a *depthwiseArgs)

//go:noescape
func depthwiseInput5OddAVX2(a *depthwiseArgs)

//go:noescape
func depthwiseInput7EvenAVX2(a *depthwiseArgs)

//go:noescape
func depthwiseInput7OddAVX2(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x3x1AVX2(a *depthwiseArgs)

//go:noescape
func depthwiseWeight3x3x1AVX2(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x3x2AVX2(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x5x1AVX2(a *depthwiseArgs)

//go:noescape
func depthwiseWeight2x5x1AVX2(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x5x2AVX2(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x7x1AVX2(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x7x2AVX2(a *depthwiseArgs)

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

//go:noescape
func depthwiseInput3EvenAVX512(a *depthwiseArgs)

//go:noescape
func depthwiseInput3OddAVX512(a *depthwiseArgs)

//go:noescape
func depthwiseInput5EvenAVX512(a *depthwiseArgs)

//go:noescape
func depthwiseInput5OddAVX512(a *depthwiseArgs)

//go:noescape
func depthwiseInput7EvenAVX512(a *depthwiseArgs)

//go:noescape
func depthwiseInput7OddAVX512(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x3x1AVX512(a *depthwiseArgs)

//go:noescape
func depthwiseWeight3x3x1AVX512(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x3x2AVX512(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x5x1AVX512(a *depthwiseArgs)

//go:noescape
func depthwiseWeight5x5x1AVX512(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x5x2AVX512(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x7x1AVX512(a *depthwiseArgs)

//go:noescape
func depthwiseWeight3x7x1AVX512(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x7x2AVX512(a *depthwiseArgs)
