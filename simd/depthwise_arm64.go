package simd

func depthwiseKernelsOf(l Level) *depthwiseKernels {
	switch l {
	case NEON:
		return &depthwiseNEON
	}
	return nil
}

var depthwiseNEON = depthwiseKernels{
	forward: [3][2]func(*depthwiseArgs){
		{depthwise3x1NEON, depthwise3x2NEON},
		{depthwise5x1NEON, depthwise5x2NEON},
		{depthwise7x1NEON, depthwise7x2NEON},
	},
	input: [3][2]func(*depthwiseArgs){
		{depthwiseInput3EvenNEON, depthwiseInput3OddNEON},
		{depthwiseInput5EvenNEON, depthwiseInput5OddNEON},
		{depthwiseInput7EvenNEON, depthwiseInput7OddNEON},
	},
	weight: [3][2]depthwisePasses{
		{{one: depthwiseWeight1x3x1NEON, rows: 3, many: depthwiseWeight3x3x1NEON}, {one: depthwiseWeight1x3x2NEON}},
		{{one: depthwiseWeight1x5x1NEON, rows: 2, many: depthwiseWeight2x5x1NEON}, {one: depthwiseWeight1x5x2NEON}},
		{{one: depthwiseWeight1x7x1NEON, rows: 2, many: depthwiseWeight2x7x1NEON}, {one: depthwiseWeight1x7x2NEON}},
	},
}

//go:noescape
func depthwise3x1NEON(a *depthwiseArgs)

//go:noescape
func depthwise3x2NEON(a *depthwiseArgs)

//go:noescape
func depthwise5x1NEON(a *depthwiseArgs)

//go:noescape
func depthwise5x2NEON(a *depthwiseArgs)

//go:noescape
func depthwise7x1NEON(a *depthwiseArgs)

//go:noescape
func depthwise7x2NEON(a *depthwiseArgs)

//go:noescape
func depthwiseInput3EvenNEON(a *depthwiseArgs)

//go:noescape
func depthwiseInput3OddNEON(a *depthwiseArgs)

//go:noescape
func depthwiseInput5EvenNEON(a *depthwiseArgs)

//go:noescape
func depthwiseInput5OddNEON(a *depthwiseArgs)

//go:noescape
func depthwiseInput7EvenNEON(a *depthwiseArgs)

//go:noescape
func depthwiseInput7OddNEON(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x3x1NEON(a *depthwiseArgs)

//go:noescape
func depthwiseWeight3x3x1NEON(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x3x2NEON(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x5x1NEON(a *depthwiseArgs)

//go:noescape
func depthwiseWeight2x5x1NEON(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x5x2NEON(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x7x1NEON(a *depthwiseArgs)

//go:noescape
func depthwiseWeight2x7x1NEON(a *depthwiseArgs)

//go:noescape
func depthwiseWeight1x7x2NEON(a *depthwiseArgs)
