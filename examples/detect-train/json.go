package main

import "github.com/fovea-ml/fovea/examples/internal/console"

// result is the value that -json prints.
type result struct {
	Model      string                      `json:"model"`
	Classes    []string                    `json:"classes"`
	Train      int                         `json:"train"`
	Validation int                         `json:"validation"`
	Test       int                         `json:"test"`
	Skipped    int                         `json:"skipped"`
	Loss       []console.Number            `json:"loss"`
	Parts      map[string][]console.Number `json:"parts"`
	AP         []console.Number            `json:"validation_ap"`
	AP50       []console.Number            `json:"validation_ap50"`
	Best       int                         `json:"best"` // epoch, from 1
	TestAP     console.Number              `json:"ap"`
	TestAP50   console.Number              `json:"ap50"`
	TestAP75   console.Number              `json:"ap75"`
	ClassAP50  []*console.Number           `json:"class_ap50"` // null for a class without objects
	BaseAP     console.Number              `json:"baseline_ap"`
	BaseAP50   console.Number              `json:"baseline_ap50"`
	Threshold  console.Number              `json:"threshold"`
	Confusion  [][]int                     `json:"confusion"` // a row for each label, a column for each prediction; the last are the background
	Math       *console.Arithmetic         `json:"math,omitempty"`
	Out        console.Name                `json:"out"`
}

// result converts an outcome for -json.
func (r *run) result(o *outcome) result {
	c := r.corpus
	out := result{
		Model: r.model.Config.ModelType, Classes: c.train.Classes(), Train: c.train.Len(), Validation: c.validation.Len(), Test: c.test.Len(), Skipped: c.skipped,
		Loss: console.Numbers(o.training.Losses), Parts: map[string][]console.Number{}, AP: []console.Number{}, AP50: []console.Number{}, Best: o.training.Best + 1,
		TestAP: console.Number(o.test.AP), TestAP50: console.Number(o.test.AP50), TestAP75: console.Number(o.test.AP75),
		ClassAP50: make([]*console.Number, len(c.train.Classes())),
		BaseAP:    console.Number(o.baseline.AP), BaseAP50: console.Number(o.baseline.AP50),
		Threshold: console.Number(o.threshold), Confusion: o.confusion.Rows(), Math: console.ArithmeticOf(r.settings.Math), Out: console.Name(r.settings.Out),
	}
	for _, epoch := range r.history.AP {
		out.AP, out.AP50 = append(out.AP, console.Number(epoch[0])), append(out.AP50, console.Number(epoch[1]))
	}
	for i, name := range r.history.Names {
		for _, epoch := range r.history.Parts {
			out.Parts[name] = append(out.Parts[name], console.Number(epoch[i]))
		}
	}
	for i := range o.test.Classes {
		if c := &o.test.Classes[i]; c.Objects > 0 {
			out.ClassAP50[c.Class] = new(console.Number(c.AP50))
		}
	}
	return out
}
