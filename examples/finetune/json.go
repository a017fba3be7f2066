package main

import (
	"github.com/fovea-ml/fovea/examples/internal/console"
)

// result is the value that -json prints.
type result struct {
	Method     string              `json:"method"`
	Classes    []string            `json:"classes"`
	Train      int                 `json:"train"`
	Validation int                 `json:"validation"`
	Test       int                 `json:"test"`
	Skipped    int                 `json:"skipped"`
	Expected   []expected          `json:"expected"`
	Seconds    console.Number      `json:"seconds"` // of training and testing, or since the run was continued
	Peak       int64               `json:"peak"`    // resident memory of the process, 0 where the system does not tell it
	Loss       []console.Number    `json:"loss"`
	Scores     []console.Number    `json:"validation_accuracy"` // mean over classes with -balance
	Best       int                 `json:"best"`                // epoch or trial, from 1
	Accuracy   console.Number      `json:"accuracy"`
	Interval   [2]console.Number   `json:"interval"`
	Balanced   console.Number      `json:"balanced_accuracy"`
	MacroF1    console.Number      `json:"macro_f1"`
	Pixels     console.Number      `json:"pixels_accuracy"`
	Majority   console.Number      `json:"majority_accuracy"`
	Confusion  [][]int             `json:"confusion"` // a row for each label, a column for each prediction
	Math       *console.Arithmetic `json:"math,omitempty"`
	Out        console.Name        `json:"out"`
}

// expected is the estimate of time and memory of a method.
type expected struct {
	Method  string         `json:"method"`
	Epochs  int            `json:"epochs"`
	Seconds console.Number `json:"seconds"`
	Bytes   int64          `json:"bytes"`
}

// result converts an outcome for -json.
func (r *run) result(o *outcome) result {
	c, d := o.test.counts, &r.corpus
	out := result{
		Method: r.chosen.Method, Classes: d.classes, Train: d.train.files.Len(), Validation: d.validation.files.Len(), Test: d.test.files.Len(), Skipped: len(d.skipped),
		Expected: []expected{}, Seconds: console.Number(o.took.Seconds()), Peak: o.peak, Loss: console.Numbers(o.training.Losses), Scores: console.Numbers(o.training.Scores), Best: o.best + 1,
		Accuracy: console.Number(c.Accuracy()), Interval: [2]console.Number{console.Number(o.test.low), console.Number(o.test.high)},
		Balanced: console.Number(c.BalancedAccuracy()), MacroF1: console.Number(c.MacroF1()),
		Pixels: console.Number(o.pixels), Majority: console.Number(o.majority), Confusion: c.Rows(), Math: console.ArithmeticOf(r.settings.Math), Out: console.Name(r.settings.Out),
	}
	for _, t := range o.trials {
		out.Loss, out.Scores = append(out.Loss, console.Number(t.Loss)), append(out.Scores, console.Number(t.Accuracy))
	}
	for _, e := range r.estimates {
		out.Expected = append(out.Expected, expected{e.Method, e.Epochs, console.Number(e.time().Seconds()), e.bytes})
	}
	return out
}
