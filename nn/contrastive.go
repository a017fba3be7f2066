package nn

import "github.com/fovea-ml/fovea/autograd"

// ContrastiveLoss returns the symmetric InfoNCE of logits, [n, n], whose row i and column i belong together: the mean of the
// cross-entropies of rows and columns (CLIP, arXiv 2103.00020, figure 3; ClipLoss in open_clip/loss.py). It panics with an
// autograd.ShapeError for logits that are not square.
func ContrastiveLoss(logits *autograd.Tensor) *autograd.Tensor {
	own := make([]int, pairs("contrastive loss", logits))
	for i := range own {
		own[i] = i
	}
	rows := autograd.CrossEntropy(logits, own, autograd.CrossEntropyOptions{})
	columns := autograd.CrossEntropy(autograd.Transpose(logits, 0, 1), own, autograd.CrossEntropyOptions{})
	return autograd.Scale(autograd.Add(rows, columns), 0.5)
}

// SigmoidLoss returns the loss of SigLIP for logits, [n, n], whose row i and column i belong together (arXiv 2303.15343,
// algorithm 1; SigLipLoss in open_clip/loss.py): each pair of a row and a column is a decision of its own.
//
//	-1/n · Σᵢⱼ log σ(zᵢⱼ·logitsᵢⱼ), z = 1 on the diagonal and -1 elsewhere
//
// It panics with an autograd.ShapeError for logits that are not square.
func SigmoidLoss(logits *autograd.Tensor) *autograd.Tensor {
	n := pairs("sigmoid loss", logits)
	targets := make([]float32, n*n)
	for i := range n {
		targets[i*n+i] = 1
	}
	sum := autograd.BCEWithLogits(logits, logits.Tape().Input(targets, n, n), autograd.BCEOptions{Reduction: autograd.LossSum})
	return autograd.Scale(sum, 1/float32(n))
}

// pairs returns n for logits [n, n].
func pairs(op string, logits *autograd.Tensor) int {
	if s := logits.Shape(); len(s) != 2 || s[0] != s[1] || s[0] == 0 {
		panic(&autograd.ShapeError{Op: op, Shapes: [][]int{s}, Reason: "expected as many rows as columns, at least one"})
	}
	return logits.Dim(0)
}
