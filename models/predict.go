package models

import (
	"cmp"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/simd"
)

// Problem is the problem_type of a config.json: how the classes of a classifier relate.
type Problem string

// The problems. The zero value means SingleLabel for several classes, and MultiLabel for one.
const (
	SingleLabel Problem = "single_label_classification" // an input belongs to one class
	MultiLabel  Problem = "multi_label_classification"  // an input belongs to any number of classes
	Regression  Problem = "regression"                  // the logits are the values that were asked for
)

// UnmarshalJSON reads a text or null, which is the zero value.
func (p *Problem) UnmarshalJSON(data []byte) error {
	*p = ""
	if strictjson.Null(data) {
		return nil
	}
	return strictjson.Decode(data, (*string)(p))
}

// Of returns the problem of a classifier with n classes: Regression where p is that, MultiLabel for one class, and
// SingleLabel for the zero value and several.
func (p Problem) Of(n int) Problem {
	switch {
	case n == 1 && p != Regression:
		return MultiLabel
	case p != "":
		return p
	}
	return SingleLabel
}

// Prediction is a classifier's answer for one input.
type Prediction struct {
	Logits  []float32 // one a class
	Top     []Class   // all classes, the most probable first; of equals, the lower index
	Problem Problem   // never the zero value
}

// Class is one class of a Prediction.
type Class struct {
	Index int
	Label string // LABEL_0 and so on when the configuration names none
	// Probability is from 0 to 1. For SingleLabel it is the softmax of the logits, so those of all classes add up to 1.
	// For MultiLabel each is the sigmoid of its own logit. For Regression it is the logit itself, a value and no
	// probability.
	Probability float32
}

// Predict ranks the classes by their logits, which the Prediction keeps. Classes beyond the labels have no name. The
// scores are those of transformers' image-classification pipeline (ImageClassificationPipeline.postprocess). An unknown
// problem counts as SingleLabel.
func Predict(logits []float32, labels []string, problem Problem) Prediction {
	p := Prediction{Logits: logits, Problem: problem.Of(len(logits))}
	probabilities := make([]float32, len(logits))
	switch p.Problem {
	case Regression:
		copy(probabilities, logits)
	case MultiLabel:
		simd.Sigmoid(probabilities, logits)
	default:
		simd.Softmax(probabilities, logits, 1)
	}
	p.Top = Rank(probabilities, labels)
	return p
}

// Rank returns all classes, the most probable first; of equals, the lower index. Classes beyond the labels have no name.
func Rank(probabilities []float32, labels []string) []Class {
	top := make([]Class, len(probabilities))
	for i, q := range probabilities {
		top[i] = Class{Index: i, Probability: q}
		if i < len(labels) {
			top[i].Label = labels[i]
		}
	}
	slices.SortStableFunc(top, func(a, b Class) int { return cmp.Compare(b.Probability, a.Probability) })
	return top
}
