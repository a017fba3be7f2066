package main

import (
	"fmt"
	"strings"

	"gonum.org/v1/plot/plotter"

	"github.com/fovea-ml/fovea/examples/internal/chart"
)

// draw writes the curves and the confusion matrix.
func (r *run) draw(o *outcome) error {
	var losses, scores plotter.XYs
	for i := range o.training.Losses {
		losses = append(losses, plotter.XY{X: float64(i + 1), Y: o.training.Losses[i]})
		scores = append(scores, plotter.XY{X: float64(i + 1), Y: 100 * o.training.Scores[i]})
	}
	level := func(share float64) plotter.XYs {
		return plotter.XYs{{X: 1, Y: 100 * share}, {X: float64(max(2, len(losses))), Y: 100 * share}}
	}
	loss, right := chart.New("Training", "epoch", "loss"), chart.New("Texts that are right", "epoch", "accuracy, %")
	chart.Line(loss, "", chart.Blue, losses, true)
	chart.Line(right, "validation", chart.Blue, scores, true)
	chart.Line(right, "test, best epoch", chart.Green, level(o.test.counts.Accuracy()), false)
	chart.Line(right, "test, bags of words", chart.Gray, level(o.words), false)
	chart.Line(right, "test, largest class", chart.Orange, level(o.majority), false)
	right.Legend.Top = false
	right.Y.Min, right.Y.Max = 0, 100
	if err := chart.Save(r.path(curvesName), loss, right); err != nil {
		return err
	}
	return chart.SaveConfusion(r.path(confusionName), "Test texts", o.test.counts)
}

// conclude prints the result.
func (r *run) conclude(o *outcome) {
	c := o.test.counts
	row := func(what string, share float64, note string) {
		r.console.Line("  %-44s %5.1f %%%s", what, 100*share, note)
	}
	note := ""
	if o.training.Stopped {
		note = ", where validation stopped getting better"
	}
	r.console.Line("best epoch: %d of %d%s", o.training.Best+1, len(o.training.Losses), note)
	r.console.Line("accuracy on %d test texts:", c.Total())
	row("this model", c.Accuracy(), fmt.Sprintf("   (95 %% confidence interval: %.1f to %.1f %%)", 100*o.test.low, 100*o.test.high))
	row("logistic regression on bags of words", o.words, "")
	row("always the largest class", o.majority, "")
	row("this model, mean over labels", c.BalancedAccuracy(), "")
	const shown = 5
	if n := len(o.test.mistakes); n > 0 {
		r.console.Line("the most certain mistakes of %d:", n)
		var table strings.Builder
		r.writeMistakes(&table, o.test.mistakes[:min(n, shown)], 80)
		r.console.Line("%s", strings.TrimSuffix(table.String(), "\n"))
	}
	if r.settings.Model == "" && c.Accuracy() < o.words {
		r.console.Line("A model from scratch knows no words before. With a pretrained one, such as -model sentence-transformers/all-MiniLM-L6-v2, the same texts give more.")
	}
	r.console.Line("written to %s: %s, %s, %s, %s", r.settings.Out, modelName, confusionName, curvesName, mistakesName)
}

// millions formats a number of parameters.
func millions(n int) string { return fmt.Sprintf("%.2f", float64(n)/1e6) }
