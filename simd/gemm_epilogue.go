package simd

import "math"

// finish applies the epilogue to a block of finished sums, row by row, while it is in cache.
func (g *gemmRun) finish(o *gemmOperands, i0, i1, j0, j1 int) {
	ep := &g.ep
	for i := i0; i < i1; i++ {
		c := o.c[i*o.ldc+j0:][:j1-j0]
		x := c
		if ep.Bias != nil {
			addInto(c, ep.Bias[j0:j1])
		}
		if ep.RowBias != nil {
			b := ep.RowBias[i]
			for j := range c {
				c[j] += b
			}
		}
		if ep.Pre != nil {
			x = ep.Pre[i*ep.PreStride+j0:][:j1-j0]
			copy(x, c)
		}
		activate(ep.Act, c, x)
		if ep.Residual != nil {
			addInto(c, ep.Residual[i*ep.ResidualStride+j0:][:j1-j0])
		}
	}
}

func addInto(c, b []float32) {
	b = b[:len(c)]
	for j := range c {
		c[j] += b[j]
	}
}

// activate writes act(x) to dst.
func activate(act Activation, dst, x []float32) {
	if act == ActNone {
		return
	}
	for i, v := range x {
		v := float64(v)
		switch act {
		case ActReLU:
			v = max(v, 0)
		case ActGELU:
			v = v * 0.5 * (1 + math.Erf(v*math.Sqrt2/2))
		case ActGELUTanh:
			v = v * 0.5 * (1 + math.Tanh(0.7978845608028654*(v+0.044715*v*v*v)))
		case ActQuickGELU:
			v = v / (1 + math.Exp(-1.702*v))
		case ActSiLU:
			v = v / (1 + math.Exp(-v))
		case ActSigmoid:
			v = 1 / (1 + math.Exp(-v))
		case ActTanh:
			v = math.Tanh(v)
		}
		dst[i] = float32(v)
	}
}

// scaleBlock multiplies a block of C by beta, or clears it without reading when beta is 0.
func scaleBlock(c []float32, ldc int, beta float32, i0, i1, j0, j1 int) {
	for i := i0; i < i1; i++ {
		row := c[i*ldc+j0:][:j1-j0]
		switch beta {
		case 0:
			clear(row)
		case 1:
			return
		default:
			for j := range row {
				row[j] *= beta
			}
		}
	}
}
