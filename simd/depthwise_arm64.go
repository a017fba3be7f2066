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
