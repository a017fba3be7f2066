package main

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/fovea-ml/fovea/examples/internal/chart"
)

// drawCurves writes curves.png: the losses and accuracies of a run, side by side.
func (r *run) drawCurves(o *outcome) error {
	var panels []*plot.Plot
	if len(o.PretrainLoss) > 0 {
		p := chart.New("Pre-training, no labels", "epoch", "loss on masked patches")
		chart.Line(p, "", chart.Green, numbered(o.PretrainLoss, 1), false)
		panels = append(panels, p)
	}
	loss := chart.New("Training on labels", "step", "training loss")
	chart.Line(loss, "pre-trained", chart.Blue, numbered(o.Finetune.Losses, o.Finetune.StepsPerEpoch), false)
	chart.Line(loss, "from scratch", chart.Orange, numbered(o.Scratch.Losses, o.Scratch.StepsPerEpoch), false)
	share := chart.New("Test images", "step", "accuracy, %")
	chart.Line(share, "pre-trained", chart.Blue, tested(o.Finetune), true)
	chart.Line(share, "from scratch", chart.Orange, tested(o.Scratch), true)
	last := o.Scratch.Tests[len(o.Scratch.Tests)-1].Step
	chart.Line(share, "on pixels", chart.Gray, plotter.XYs{{X: 0, Y: 100 * o.Baseline}, {X: float64(last), Y: 100 * o.Baseline}}, false)
	share.Legend.Top = false
	return chart.Save(r.path("curves.png"), append(panels, loss, share)...)
}

// numbered places the value of each epoch at the epoch's last step.
func numbered(values []float64, steps int) plotter.XYs {
	xys := make(plotter.XYs, len(values))
	for i, v := range values {
		xys[i] = plotter.XY{X: float64((i + 1) * steps), Y: v}
	}
	return xys
}

func tested(l *learning) plotter.XYs {
	xys := make(plotter.XYs, len(l.Tests))
	for i, t := range l.Tests {
		xys[i] = plotter.XY{X: float64(t.Step), Y: 100 * t.Accuracy}
	}
	return xys
}
