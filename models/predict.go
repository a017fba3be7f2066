package models

import (
	"cmp"
	"slices"

	"github.com/fovea-ml/fovea/simd"
)

// Prediction is a classifier's answer for one input.
type Prediction struct {
	Logits []float32 // one a class
	Top    []Class   // all classes, the most probable first; of equals, the lower index
}

// Class is one class of a Prediction.
type Class struct {
	Index       int
	Label       string  // "" when the configuration names none
	Probability float32 // from 0 to 1: the softmax of the logits
}

// Predict ranks the classes by their logits, which the Prediction keeps. Classes beyond the labels have no name.
func Predict(logits []float32, labels []string) Prediction {
	p := Prediction{Logits: logits, Top: make([]Class, len(logits))}
	probabilities := make([]float32, len(logits))
	simd.Softmax(probabilities, logits, 1)
	for i, q := range probabilities {
		p.Top[i] = Class{Index: i, Probability: q}
		if i < len(labels) {
			p.Top[i].Label = labels[i]
		}
	}
	slices.SortStableFunc(p.Top, func(a, b Class) int { return cmp.Compare(b.Probability, a.Probability) })
	return p
}
