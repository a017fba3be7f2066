package autograd

import "github.com/fovea-ml/fovea/simd"

// A convEnd lists the steps after the sums of a convolution: act(sum + bias + residual). The zero value has none.
type convEnd struct {
	bias     []float32 // of each channel, or nil
	residual []float32 // of the result's shape, or nil
	pre      []float32 // receives what goes into act, or nil
	act      Activation
}

func (e *convEnd) none() bool { return e.bias == nil && e.residual == nil && e.act == ActNone }

// preActivation returns what goes into the activation of a result, for its gradient. Where that is not the result itself,
// the steps write it to memory that is saved.
func (f *frame) preActivation(y *Tensor, e *convEnd) []float32 {
	if !f.grad || e.act == ActNone || e.act == ActRelu {
		return y.data // the derivative of ReLU depends on the sign of its result alone
	}
	e.pre = f.save(len(y.data))
	return e.pre
}

// beforeActivation returns the gradient before an activation, in scratch memory.
func (k *back) beforeActivation(act Activation, pre []float32) []float32 {
	dy := k.scratch(len(k.dy))
	k.each(len(dy), act.Cost(), func(lo, hi int) { act.Grad(dy[lo:hi], pre[lo:hi], k.dy[lo:hi]) })
	return dy
}

// epilogue returns the steps for a product whose m rows are channels from c on, with stride elements from one to the
// next, and whose first element is number at of the result; nil for no steps.
func (e *convEnd) epilogue(c, m, at, stride int) *simd.Epilogue {
	if e.none() {
		return nil
	}
	ep := &simd.Epilogue{Act: e.act, ResidualFirst: true, PreStride: stride, ResidualStride: stride}
	if e.bias != nil {
		ep.RowBias = e.bias[c:][:m]
	}
	if e.residual != nil {
		ep.Residual = e.residual[at:]
	}
	if e.pre != nil {
		ep.Pre = e.pre[at:]
	}
	return ep
}

// row applies the steps to a part of channel c, whose first element is number at of the result.
func (e *convEnd) row(y []float32, c, at int) {
	if e.bias != nil {
		simd.AddScalar(y, y, e.bias[c])
	}
	if e.residual != nil {
		simd.Add(y, y, e.residual[at:][:len(y)])
	}
	if e.pre != nil {
		copy(e.pre[at:], y)
	}
	if e.act != ActNone {
		e.act.Apply(y, y)
	}
}
