package nn

import "github.com/fovea-ml/fovea/autograd"

// Linear is y = x·Weightᵀ + Bias, plus the part of an adapter if there is one.
type Linear struct {
	Weight *autograd.Parameter // [out, in]
	Bias   *autograd.Parameter // [out], or nil

	// Adapter holds low-rank additions to rows of Weight, in ascending order and without overlap, or is nil. Package
	// nn/lora attaches, merges, saves and loads them.
	Adapter []*LowRank

	merged *merged
}

// NewLinear returns a layer of zeros from in values to out.
func NewLinear(in, out int, bias bool) *Linear {
	l := &Linear{Weight: autograd.NewParameter(out, in)}
	if bias {
		l.Bias = autograd.NewParameter(out)
	}
	return l
}

// Forward maps [..., in] to [..., out].
func (l *Linear) Forward(x *autograd.Tensor) *autograd.Tensor {
	if len(l.Adapter) > 0 {
		return autograd.LinearAdd(x, l.Weight, l.Bias, l.addition(x, nil))
	}
	return autograd.Linear(x, l.Weight, l.Bias)
}

// ForwardAct maps x, [..., in], to act(x·Weightᵀ + Bias), [..., out]; without an adapter in one pass.
func (l *Linear) ForwardAct(x *autograd.Tensor, act autograd.Activation) *autograd.Tensor {
	if len(l.Adapter) > 0 {
		return autograd.Activate(l.Forward(x), act)
	}
	return autograd.LinearAct(x, l.Weight, l.Bias, act)
}

// ForwardAdd maps x, [..., in], to residual + x·Weightᵀ + Bias, in one pass; residual is [..., out].
func (l *Linear) ForwardAdd(x, residual *autograd.Tensor) *autograd.Tensor {
	if len(l.Adapter) > 0 {
		residual = l.addition(x, residual)
	}
	return autograd.LinearAdd(x, l.Weight, l.Bias, residual)
}

// ForwardAddScaled maps x, [..., in], to residual + scale·(x·Weightᵀ + Bias): the end of a residual branch with layer scale.
// scale is [out]; with nil this is ForwardAdd.
func (l *Linear) ForwardAddScaled(x, residual *autograd.Tensor, scale *autograd.Parameter) *autograd.Tensor {
	switch {
	case scale == nil:
		return l.ForwardAdd(x, residual)
	case len(l.Adapter) > 0:
		return autograd.AddScaled(residual, l.Forward(x), scale)
	}
	return autograd.LinearAddScaled(x, l.Weight, l.Bias, residual, scale)
}

// Embedding is a table of rows looked up by index.
type Embedding struct {
	Weight *autograd.Parameter // [rows, width]
}

// NewEmbedding returns a table of zeros, [rows, width].
func NewEmbedding(rows, width int) *Embedding {
	return &Embedding{Weight: autograd.NewParameter(rows, width)}
}

// Forward returns the rows of ids, [shape..., width], where shape is that of the ids. It panics with an
// autograd.ShapeError that names the first id outside 0 to rows-1.
func (e *Embedding) Forward(t *autograd.Tape, ids []int, shape ...int) *autograd.Tensor {
	return t.Embedding(e.Weight, ids, shape...)
}
