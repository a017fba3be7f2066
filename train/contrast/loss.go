package contrast

import "github.com/fovea-ml/fovea/autograd"

// Softmax returns the symmetric InfoNCE of n pairs: x and y are embeddings, [n, width], whose rows i belong together
// (CLIP, arXiv 2103.00020, figure 3; ClipLoss in open_clip/loss.py). It is the mean of two cross-entropies: of finding
// y's row by x's, and x's by y's. logScale, of one element, is the logarithm of the factor of cosine similarities.
//
// It panics with an autograd.ShapeError unless x and y have one shape with at least one row and logScale has one
// element.
func Softmax(x, y *autograd.Tensor, logScale *autograd.Parameter) *autograd.Tensor {
	pairs("softmax contrast", x, y)
	return autograd.Custom(symmetric, similarities(x, y, logScale))
}

// Sigmoid returns the loss of SigLIP for n pairs: x and y are embeddings, [n, width], whose rows i belong together
// (arXiv
// 2303.15343, algorithm 1; SigLipLoss in open_clip/loss.py). With logits s = exp(logScale)·cos(x_i, y_j) + bias it is
//
//	-1/n · Σ_ij log σ(z_ij·s_ij), z = 1 on the diagonal and -1 elsewhere
//
// logScale and bias have one element. SigLIP starts with ln 10 and -10. It panics with an autograd.ShapeError unless
// they do, and x and y have one shape with at least one row.
func Sigmoid(x, y *autograd.Tensor, logScale, bias *autograd.Parameter) *autograd.Tensor {
	n := pairs("sigmoid contrast", x, y)
	logits := autograd.Add(similarities(x, y, logScale), one("bias of the similarities", x, bias))
	targets := make([]float32, n*n)
	for i := range n {
		targets[i*n+i] = 1
	}
	sum := autograd.BCEWithLogits(logits, x.Tape().Input(targets, n, n), autograd.BCEOptions{Reduction: autograd.LossSum})
	return autograd.Scale(sum, 1/float32(n))
}

// RankingScale is the usual factor of similarities for [Ranking].
const RankingScale = 20

// Ranking returns the cross-entropy of finding the positive of each anchor among all positives and negatives
// (MultipleNegativesRankingLoss of sentence-transformers). Anchors and positives are embeddings, [n, width], whose rows
// i belong together. Each of negatives is [rows, width]; usually its row i is a hard negative of anchor i, but every
// anchor has all rows as negatives. scale is the factor of cosine similarities, usually [RankingScale].
//
// It panics with an autograd.ShapeError when the shapes do not fit or there are no anchors.
func Ranking(scale float32, anchors, positives *autograd.Tensor, negatives ...*autograd.Tensor) *autograd.Tensor {
	n := pairs("ranking", anchors, positives)
	candidates := positives
	if len(negatives) > 0 {
		all := []autograd.Operand{positives}
		for _, x := range negatives {
			all = append(all, x)
		}
		candidates = autograd.Concat(0, all...)
	}
	logits := autograd.MatMulT(autograd.Scale(Normalize(anchors), scale), Normalize(candidates), false, true)
	return autograd.CrossEntropy(logits, diagonal(n), autograd.CrossEntropyOptions{})
}

// similarities returns the cosine similarities of all rows times exp(logScale), [n, n].
func similarities(x, y *autograd.Tensor, logScale *autograd.Parameter) *autograd.Tensor {
	scale := autograd.Exp(one("scale of the similarities", x, logScale))
	return autograd.MatMulT(autograd.Mul(Normalize(x), scale), Normalize(y), false, true)
}

// one returns a parameter of one element as a scalar. With more, it would scale the components of embeddings.
func one(op string, x *autograd.Tensor, p *autograd.Parameter) *autograd.Tensor {
	if len(p.Values()) != 1 {
		panic(&autograd.ShapeError{Op: op, Shapes: [][]int{p.Shape()}, Reason: "expected one element"})
	}
	return autograd.Reshape(x.Tape().Use(p))
}

// Normalize divides each row of embeddings, [n, width], by its length, as the losses do. A row of zeros stays so
// (torch.nn.functional.normalize).
func Normalize(x *autograd.Tensor) *autograd.Tensor { return autograd.L2Normalize(x, 1e-12) }

// pairs returns the number of rows of x and y.
func pairs(op string, x, y *autograd.Tensor) int {
	a, b := x.Shape(), y.Shape()
	if len(a) != 2 || len(b) != 2 || a[0] != b[0] || a[1] != b[1] || a[0] == 0 {
		panic(&autograd.ShapeError{Op: op, Shapes: [][]int{a, b}, Reason: "expected embeddings [n, width] of one shape, at least one row"})
	}
	return a[0]
}

// diagonal returns 0 to n-1: row i belongs to column i.
func diagonal(n int) []int {
	classes := make([]int, n)
	for i := range classes {
		classes[i] = i
	}
	return classes
}
