package contrast

import (
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
)

// Encode returns the embeddings, [n, width], that encode gives for n samples. It calls encode with ranges of at most
// size samples, from first to last; encode returns the embeddings of samples from to to-1, [to-from, width].
//
// Of each range only the embeddings are kept. Backward calls encode again, from the last range to the first, so encode
// must be a function of the range alone, as that of [autograd.Tape.Recompute]. It queues state updates, such as running
// statistics, in the first call only. The tape's context ends the pass before any range. Where encode reads samples and
// cannot, it may panic with an [autograd.CanceledError].
//
// A size of 0 stands for one range that is kept as it is: no caching. Encode panics when n is not above 0 or size is
// negative.
func Encode(t *autograd.Tape, n, size int, encode func(from, to int) *autograd.Tensor) *autograd.Tensor {
	if n <= 0 || size < 0 {
		panic(fmt.Sprintf("contrast: expected at least one sample and a size of at least 0, found %d samples in ranges of %d", n, size))
	}
	if size == 0 {
		return rowsOf(encode(0, n), 0, n)
	}
	var parts []autograd.Operand
	for from := 0; from < n; from += size {
		to := min(n, from+size)
		parts = append(parts, t.Recompute(func(*autograd.Tensor) *autograd.Tensor { return rowsOf(encode(from, to), from, to) }, nil))
	}
	return autograd.Concat(0, parts...)
}

// rowsOf refuses embeddings that are not those of samples from to to-1.
func rowsOf(x *autograd.Tensor, from, to int) *autograd.Tensor {
	if s := x.Shape(); len(s) != 2 || s[0] != to-from {
		panic(&autograd.ShapeError{Op: "encode", Shapes: [][]int{s}, Reason: fmt.Sprintf("expected embeddings of samples %d to %d, [%d, width]", from, to-1, to-from)})
	}
	return x
}
