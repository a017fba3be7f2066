package main

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot/plotter"

	"github.com/fovea-ml/fovea/examples/internal/chart"
	"github.com/fovea-ml/fovea/examples/internal/console"
)

// draw writes the curves and the confusion matrix.
func (r *run) draw(o *outcome) error {
	x, loss := "epoch", chart.New("Training", "epoch", "loss")
	var losses, scores plotter.XYs
	for i := range o.training.Losses {
		losses = append(losses, plotter.XY{X: float64(i + 1), Y: o.training.Losses[i]})
		scores = append(scores, plotter.XY{X: float64(i + 1), Y: 100 * o.training.Scores[i]})
	}
	if o.trials != nil {
		x = "strength of the penalty, log10"
		loss = chart.New("Validation", x, "loss")
	}
	for _, t := range o.trials {
		losses = append(losses, plotter.XY{X: -math.Log10(t.C), Y: t.Loss})
		scores = append(scores, plotter.XY{X: -math.Log10(t.C), Y: 100 * t.Accuracy})
	}
	right := chart.New("Accuracy", x, "images that are right, %")
	level := func(share float64) plotter.XYs {
		first, last := scores[0].X, scores[len(scores)-1].X
		if first == last {
			last++
		}
		return plotter.XYs{{X: first, Y: 100 * share}, {X: last, Y: 100 * share}}
	}
	chart.Line(loss, "", chart.Blue, losses, true)
	chart.Line(right, "validation"+r.settings.meaning(), chart.Blue, scores, true)
	chart.Line(right, "test", chart.Green, level(o.test.counts.Accuracy()), false)
	chart.Line(right, "test, pixels", chart.Gray, level(o.pixels), false)
	chart.Line(right, "test, largest class", chart.Orange, level(o.majority), false)
	right.Legend.Top, right.Y.Min, right.Y.Max = false, 0, 100
	if err := chart.Save(r.path(curvesName), loss, right); err != nil {
		return err
	}
	return chart.SaveConfusion(r.path(confusionName), "Test images", o.test.counts)
}

// costs says how long a run took and how much memory the process had, beside what was expected.
func (r *run) costs(o *outcome) string {
	expected, memory := "", ""
	for i := range r.estimates {
		if e := &r.estimates[i]; e.Method == r.chosen.Method {
			expected = fmt.Sprintf("; expected were %s and %s beside the images", roughly(e.after(len(o.training.Losses))), console.Size(e.bytes))
		}
	}
	if o.peak > 0 {
		memory = fmt.Sprintf(", and the process %s of memory", console.Size(o.peak))
	}
	return fmt.Sprintf("%s took %s%s%s", titles[r.chosen.Method], roughly(o.took), memory, expected)
}

// conclude prints the result.
func (r *run) conclude(o *outcome) {
	c := o.test.counts
	row := func(what string, share float64, note string) {
		r.console.Line("  %-44s %5.1f %%%s", what, 100*share, note)
	}
	if o.trials == nil {
		note := ""
		if o.training.Stopped {
			note = ", where validation stopped getting better"
		}
		r.console.Line("best epoch: %d of %d%s", o.best+1, len(o.training.Losses), note)
	}
	r.console.Line("accuracy on %d test images:", c.Total())
	row("this model", c.Accuracy(), fmt.Sprintf("   (95 %% sure: %.1f to %.1f %%)", 100*o.test.low, 100*o.test.high))
	row("logistic regression on pixels", o.pixels, "")
	row("always the largest class", o.majority, "")
	row("this model, mean over classes", c.BalancedAccuracy(), "")
	const shown = 5
	if n := len(o.test.mistakes); n > 0 {
		r.console.Line("the most certain mistakes of %d:", n)
		for _, m := range o.test.mistakes[:min(n, shown)] {
			r.console.Line("  %s", r.line(m))
		}
	}
	if r.settings.Model == "" && c.Accuracy() < o.pixels {
		r.console.Line("A model from scratch has seen no images before. With a pretrained one, such as -model google/vit-base-patch16-224-in21k, the same images give more.")
	}
	files := []string{modelName, confusionName, curvesName, mistakesName}
	if len(o.test.mistakes) > 0 {
		files = append(files, sheetName)
	}
	r.console.Line("%s", r.costs(o))
	r.console.Line("written to %s: %s", r.settings.Out, strings.Join(files, ", "))
}
