package bert

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// attendEach is self-attention within packed sequences, whose scores depend on the places of tokens. It attends within
// each sequence by itself. change sets the options for a sequence of n tokens, given its queries, keys and values, [1,
// n, 3·width].
func attendEach(a *nn.MultiHeadAttention, x, residual *autograd.Tensor, starts []int, change func(o *autograd.AttentionOptions, qkv *autograd.Tensor, n int)) *autograd.Tensor {
	checkStarts(starts, x.Dim(0))
	qkv := a.QKV.Forward(x)
	width := qkv.Dim(1) / 3
	var parts []autograd.Operand
	for i := 1; i < len(starts); i++ {
		n := starts[i] - starts[i-1]
		if n <= 0 {
			continue
		}
		part := autograd.Reshape(autograd.Slice(qkv, 0, starts[i-1], starts[i]), 1, n, 3*width)
		o := autograd.AttentionOptions{Heads: a.Heads, HeadDim: width / a.Heads, Dropout: a.Dropout}
		change(&o, part, n)
		y := autograd.Attention(autograd.Columns{Of: part}, autograd.Columns{Of: part, From: width}, autograd.Columns{Of: part, From: 2 * width}, o)
		parts = append(parts, autograd.Reshape(y, n, width))
	}
	var y *autograd.Tensor
	switch len(parts) {
	case 0:
		y = autograd.Slice(qkv, 1, 0, width)
	case 1:
		y = parts[0].(*autograd.Tensor)
	default:
		y = autograd.Concat(0, parts...)
	}
	if residual != nil {
		return a.Proj.ForwardAdd(y, residual)
	}
	return a.Proj.Forward(y)
}

// checkStarts panics when starts do not divide tokens, as autograd.PackedAttention does.
func checkStarts(starts []int, tokens int) {
	ok := len(starts) > 0 && starts[0] == 0 && starts[len(starts)-1] == tokens
	for i := 1; i < len(starts); i++ {
		ok = ok && starts[i] >= starts[i-1]
	}
	if !ok {
		panic(&autograd.ShapeError{Op: "packed attention", Shapes: [][]int{{tokens}, starts},
			Reason: "expected starts that begin with 0, never fall, and end with the number of tokens"})
	}
}
