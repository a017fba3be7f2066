package main

import (
	"path/filepath"

	"gonum.org/v1/plot/plotter"

	"github.com/fovea-ml/fovea/examples/internal/chart"
)

// drawCurves writes curves.png: the loss and the results on test images, side by side.
func (r *run) drawCurves(o *outcome) error {
	losses := make(plotter.XYs, len(o.Loss))
	for i, v := range o.Loss {
		losses[i] = plotter.XY{X: float64((i + 1) * r.stepsPerEpoch), Y: v}
	}
	scores := make(plotter.XYs, len(r.history.Tests))
	for i, t := range r.history.Tests {
		scores[i] = plotter.XY{X: float64(t.Step), Y: 100 * t.Score}
	}
	loss := chart.New("Training", "step", "contrastive loss")
	chart.Line(loss, "", chart.Blue, losses, false)
	level := func(share float64) plotter.XYs {
		return plotter.XYs{{X: 0, Y: 100 * share}, {X: float64(len(o.Loss) * r.stepsPerEpoch), Y: 100 * share}}
	}
	title, y, name := "Test images, prompts not seen", "accuracy, %", "zero-shot"
	if o.Recalls != nil {
		title, y, name = "Test images, found by captions", "recall@1, %", "trained"
	}
	test := chart.New(title, "step", y)
	chart.Line(test, name, chart.Blue, scores, true)
	if a := o.Accuracies; a != nil {
		chart.Line(test, "linear probe", chart.Green, level(a.Linear), false)
		chart.Line(test, "on pixels", chart.Gray, level(a.Pixels), false)
		chart.Line(test, "guessing", chart.Orange, level(a.Chance), false)
	} else {
		chart.Line(test, "guessing", chart.Orange, level(o.Recalls.Chance[0]), false)
	}
	test.Legend.Top = false
	return chart.Save(filepath.Join(r.settings.Out, curvesName), loss, test)
}
