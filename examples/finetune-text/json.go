package main

import (
	"github.com/fovea-ml/fovea/examples/internal/console"
)

// result is the value that -json prints.
type result struct {
	Classes    []string            `json:"classes"`
	Train      int                 `json:"train"`
	Validation int                 `json:"validation"`
	Test       int                 `json:"test"`
	Loss       []console.Number    `json:"loss"`
	Scores     []console.Number    `json:"validation_accuracy"` // mean over classes with -balance
	Best       int                 `json:"best_epoch"`          // from 1
	Accuracy   console.Number      `json:"accuracy"`
	Interval   [2]console.Number   `json:"interval"`
	Balanced   console.Number      `json:"balanced_accuracy"`
	MacroF1    console.Number      `json:"macro_f1"`
	Words      console.Number      `json:"words_accuracy"`
	Majority   console.Number      `json:"majority_accuracy"`
	Confusion  [][]int             `json:"confusion"` // a row for each label, a column for each prediction
	Math       *console.Arithmetic `json:"math,omitempty"`
	Out        console.Name        `json:"out"`
}

// result converts an outcome for -json.
func (r *run) result(o *outcome) result {
	c, t := o.test.counts, &r.corpus
	return result{
		Classes: t.classes, Train: len(t.train.list), Validation: len(t.validation.list), Test: len(t.test.list),
		Loss: console.Numbers(o.training.Losses), Scores: console.Numbers(o.training.Scores), Best: o.training.Best + 1,
		Accuracy: console.Number(c.Accuracy()), Interval: [2]console.Number{console.Number(o.test.low), console.Number(o.test.high)},
		Balanced: console.Number(c.BalancedAccuracy()), MacroF1: console.Number(c.MacroF1()),
		Words: console.Number(o.words), Majority: console.Number(o.majority), Confusion: c.Rows(), Math: console.ArithmeticOf(r.settings.Math), Out: console.Name(r.settings.Out),
	}
}
