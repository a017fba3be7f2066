package train

import (
	"iter"
	"math"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// normBlock is the number of squares that are summed in float32 before they join a float64 sum.
const normBlock = 4096

// GradNorm returns the Euclidean norm of all gradients of the parameters together. They are summed in the order of the
// parameters, not in the order of the table, so that a resumed run finds the same bits.
func GradNorm(g *autograd.Gradients, params iter.Seq2[string, *autograd.Parameter], w *simd.Workers) float64 {
	var n norm
	return n.of(g, params, w)
}

// ClipScale returns the factor that clips gradients of the given norm to maxNorm, as PyTorch's
// clip_grad_norm_: min(1, maxNorm/(norm + 1e-6)). A maxNorm of 0 or less means no clipping.
func ClipScale(norm, maxNorm float64) float64 {
	if maxNorm <= 0 {
		return 1
	}
	return min(1, maxNorm/(norm+1e-6))
}

// norm sums squares. It keeps its scratch space from one sum to the next.
type norm struct{ partial []float64 }

func (n *norm) of(g *autograd.Gradients, params iter.Seq2[string, *autograd.Parameter], w *simd.Workers) float64 {
	total := 0.0
	for _, p := range params {
		total += n.squares(g.Of(p), w)
	}
	return math.Sqrt(total)
}

// squares returns Σ x², summed in blocks that do not depend on the workers.
func (n *norm) squares(x []float32, w *simd.Workers) float64 {
	blocks := (len(x) + normBlock - 1) / normBlock
	if cap(n.partial) < blocks {
		n.partial = make([]float64, blocks)
	}
	partial := n.partial[:blocks]
	chunks(w, len(x), func(lo, hi int) {
		for ; lo < hi; lo += normBlock {
			partial[lo/normBlock] = float64(simd.SumSquares(x[lo:min(hi, lo+normBlock)]))
		}
	})
	sum := 0.0
	for _, s := range partial {
		sum += s
	}
	return sum
}
