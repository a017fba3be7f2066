package simd

import "math"

// finish applies the epilogue to a block of finished sums, row by row, while the block is in cache. ReLU joins the last
// addition before it in one pass.
func (ep *Epilogue) finish(o *gemmOperands, i0, i1, j0, j1 int) {
	first := ep.Residual != nil && ep.ResidualFirst
	relu := ep.Act == ActRelu && ep.Pre == nil && (ep.Bias != nil || ep.RowBias != nil || first)
	for i := i0; i < i1; i++ {
		c := o.c[i*o.ldc+j0:][:j1-j0]
		if ep.Bias != nil {
			addRow(c, c, ep.Bias[j0:j1], relu && ep.RowBias == nil && !first)
		}
		if ep.RowBias != nil && relu && !first {
			AddScalarRelu(c, c, ep.RowBias[i])
		} else if ep.RowBias != nil {
			AddScalar(c, c, ep.RowBias[i])
		}
		if first {
			addRow(c, c, ep.Residual[i*ep.ResidualStride+j0:][:j1-j0], relu)
		}
		if ep.Pre != nil {
			copy(ep.Pre[i*ep.PreStride+j0:][:j1-j0], c)
		}
		if ep.Act != ActNone && !relu {
			ep.Act.Apply(c, c)
		}
		if ep.Scale != nil {
			Mul(c, c, ep.Scale[j0:j1])
		}
		if ep.Residual != nil && !first {
			Add(c, c, ep.Residual[i*ep.ResidualStride+j0:][:j1-j0])
		}
	}
}

// afterTiles returns the steps that follow where tiles have added the bias, and have scaled columns and added the residual if
// these come next.
func (ep *Epilogue) afterTiles() Epilogue {
	rest := *ep
	rest.Bias = nil
	plain := ep.RowBias == nil && ep.Act == ActNone && ep.Pre == nil
	if plain && !ep.ResidualFirst {
		rest.Scale = nil
	}
	if plain || ep.RowBias == nil && ep.ResidualFirst {
		rest.Residual = nil
	}
	return rest
}

// from returns the steps of the rows from i on.
func (ep *Epilogue) from(i int) Epilogue {
	rest := *ep
	if ep.RowBias != nil {
		rest.RowBias = ep.RowBias[i:]
	}
	if ep.Pre != nil {
		rest.Pre = ep.Pre[i*ep.PreStride:]
	}
	if ep.Residual != nil {
		rest.Residual = ep.Residual[i*ep.ResidualStride:]
	}
	return rest
}

// empty reports whether there are no steps.
func (ep *Epilogue) empty() bool {
	return ep.Bias == nil && ep.RowBias == nil && ep.Pre == nil && ep.Act == ActNone && ep.Scale == nil && ep.Residual == nil
}

// floor returns the f for which the steps are x = max(x + RowBias[i], f), if there is one: 0 for ReLU, -Inf for no
// activation.
func (ep *Epilogue) floor() (f float32, ok bool) {
	ok = ep.RowBias != nil && ep.Bias == nil && ep.Scale == nil && ep.Pre == nil && ep.Residual == nil && (ep.Act == ActNone || ep.Act == ActRelu)
	if ep.Act == ActNone {
		f = float32(math.Inf(-1))
	}
	return f, ok
}

// addRow sets c to x + y and then, if relu is set, applies ReLU.
func addRow(c, x, y []float32, relu bool) {
	if relu {
		AddRelu(c, x, y)
	} else {
		Add(c, x, y)
	}
}

// scaleBlock multiplies a block of C by beta. When beta is 0 it clears the block without reading it.
func scaleBlock(c []float32, ldc int, beta float32, i0, i1, j0, j1 int) {
	for i := i0; i < i1; i++ {
		row := c[i*ldc+j0:][:j1-j0]
		switch beta {
		case 0:
			clear(row)
		case 1:
			return
		default:
			Scale(row, row, beta)
		}
	}
}
