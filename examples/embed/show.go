package main

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models/bert"
)

// jsonVectors are the tokens and vectors of texts.
type jsonVectors struct {
	Tokens     [][]int             `json:"tokens"`
	Embeddings [][]console.Number  `json:"embeddings"`
	Math       *console.Arithmetic `json:"math,omitempty"`
}

// show prints the vectors as JSON, or the similarities of the texts.
func show(ctx context.Context, e *bert.Embedder, s settings, vectors [][]float32, stdout io.Writer) error {
	if s.JSON {
		encodings, err := e.Tokens(ctx, s.Texts...)
		if err != nil {
			return err
		}
		j := jsonVectors{Math: console.ArithmeticOf(s.mode)}
		for i, v := range vectors {
			j.Tokens = append(j.Tokens, encodings[i].IDs)
			j.Embeddings = append(j.Embeddings, console.Numbers(v))
		}
		return console.PrintJSON(stdout, j)
	}
	fmt.Fprintf(stdout, "%d values a text\n\n", e.Width())
	for i, v := range vectors {
		for j := range vectors[:i+1] {
			fmt.Fprintf(stdout, "%6.3f ", cosine(v, vectors[j]))
		}
		fmt.Fprintf(stdout, " %s\n", console.Printable(s.Texts[i]))
	}
	return nil
}

// cosine returns the cosine of the angle between two vectors.
func cosine(a, b []float32) float64 {
	return dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b))
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}
