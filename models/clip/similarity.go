package clip

import (
	"fmt"
	"slices"

	"github.com/chewxy/math32"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/simd"
)

// Similarity returns the cosine of the angle between each vector of a and each of b: a row for each of a, with a value
// from -1 to 1 for each of b. A vector of zeros has the similarity 0 to all. It panics when the vectors differ in
// length.
func Similarity(a, b [][]float32) [][]float32 {
	left, right := unit(a), unit(b)
	out := make([][]float32, len(a))
	for i, x := range left {
		out[i] = make([]float32, len(b))
		for k, y := range right {
			if len(x) != len(y) {
				panic(fmt.Sprintf("clip: similarity: expected vectors of one length, found %d and %d", len(x), len(y)))
			}
			out[i][k] = simd.Dot(x, y)
		}
	}
	return out
}

// Logits returns the similarity of each image and each text times the factor that the model has learned, from
// embeddings: logits_per_image of transformers' CLIPModel. SigLIP adds a learned number. [Model.Probabilities] makes
// probabilities of them.
func (m *Model) Logits(images, texts [][]float32) [][]float32 {
	logits := Similarity(images, texts)
	factor := m.factor()
	for _, row := range logits {
		simd.Scale(row, row, factor)
		if m.LogitBias != nil {
			simd.AddScalar(row, row, m.LogitBias.Values()[0])
		}
	}
	return logits
}

// Probabilities returns the probability of each text for an image, from [Model.Logits]. They are the softmax of a row:
// one of the texts describes the image. Those of SigLIP are the sigmoids of the logits: any number of texts may
// describe it.
func (m *Model) Probabilities(logits [][]float32) [][]float32 {
	out := make([][]float32, len(logits))
	for i, row := range logits {
		out[i] = probabilities(row, m.problem())
	}
	return out
}

func probabilities(logits []float32, problem models.Problem) []float32 {
	out := make([]float32, len(logits))
	if problem == models.MultiLabel {
		simd.Sigmoid(out, logits)
	} else {
		simd.Softmax(out, logits, 1)
	}
	return out
}

// problem says whether one text or several may describe an image.
func (m *Model) problem() models.Problem {
	if m.LogitBias != nil {
		return models.MultiLabel
	}
	return models.SingleLabel
}

// factor returns the factor of similarities.
func (m *Model) factor() float32 { return math32.Exp(m.LogitScale.Values()[0]) }

// unit returns copies of vectors, of length 1. Vectors of zeros stay so.
func unit(vectors [][]float32) [][]float32 {
	out := make([][]float32, len(vectors))
	for i, v := range vectors {
		out[i] = slices.Clone(v)
		if length := math32.Sqrt(simd.SumSquares(v)); length > 0 {
			simd.Scale(out[i], v, 1/length)
		}
	}
	return out
}
