package clip

import (
	"fmt"
	"slices"

	"github.com/chewxy/math32"
	"github.com/fovea-ml/fovea/simd"
)

// Similarity returns the cosine of the angle between each vector of a and each of b: a row for each of a, with a value from
// -1 to 1 for each of b. A vector of zeros has the similarity 0 to all. It panics when the vectors differ in length.
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

// Logits returns the similarity of each image and each text times the factor that the model has learned, from embeddings:
// logits_per_image of transformers' CLIPModel. A softmax over a row gives the probability of each text for an image, if one
// of them describes it. SigLIP adds a bias, and the sigmoid of a logit is the probability that the text describes the image.
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
