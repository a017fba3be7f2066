package nn

import "github.com/fovea-ml/fovea/autograd"

// Dropout sets elements to zero with probability P and scales the others by 1/(1-P), on a training tape;
// elsewhere it does nothing.
type Dropout struct{ P float32 }

// Forward maps x to the same shape.
func (d Dropout) Forward(x *autograd.Tensor) *autograd.Tensor { return autograd.Dropout(x, d.P) }

// DropPath drops whole samples of a residual branch with probability P and scales the others by 1/(1-P),
// on a training tape (stochastic depth, Huang et al., arXiv 1603.09382).
type DropPath struct{ P float32 }

// Forward maps x, [n, ...], to the same shape.
func (d DropPath) Forward(x *autograd.Tensor) *autograd.Tensor { return autograd.DropPath(x, d.P) }
