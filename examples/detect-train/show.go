package main

import (
	"image/color"

	"gonum.org/v1/plot/plotter"

	"github.com/fovea-ml/fovea/examples/internal/chart"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/draw"
)

// drawFound writes a sheet of validation images: on the left with the annotated boxes, on the right with those that
// were found.
func (r *run) drawFound(found []metrics.Detection, threshold float64) error {
	const shown, side = 8, 320
	d := r.corpus.validation
	var pairs [][2]*vision.Image
	for k := range min(shown, d.Len()) {
		i := k * d.Len() / min(shown, d.Len())
		m, err := d.Open(i)
		if err != nil {
			return err
		}
		scale := side / float64(max(m.Width, m.Height))
		m, err = vision.Resize(m.RGB(), max(1, int(float64(m.Height)*scale)), max(1, int(float64(m.Width)*scale)), vision.Bilinear)
		if err != nil {
			return err
		}
		box := func(x0, y0, x1, y1 float64) draw.Box {
			return draw.Box{X0: float32(x0 * scale), Y0: float32(y0 * scale), X1: float32(x1 * scale), Y1: float32(y1 * scale)}
		}
		var truth, seen []draw.Annotation
		for _, o := range d.Objects(i) {
			truth = append(truth, draw.Annotation{Box: box(o.Box.X0, o.Box.Y0, o.Box.X1, o.Box.Y1), Label: d.Classes()[o.Label], Class: o.Label})
		}
		for _, f := range found {
			if f.Image == i && f.Score >= threshold {
				seen = append(seen, draw.Annotation{Box: box(f.Box.X, f.Box.Y, f.Box.X+f.Box.W, f.Box.Y+f.Box.H), Label: d.Classes()[f.Class], Class: f.Class, Score: float32(f.Score)})
			}
		}
		var pair [2]*vision.Image
		for side, list := range [][]draw.Annotation{truth, seen} {
			if pair[side], err = draw.Annotate(m, list); err != nil {
				return err
			}
		}
		pairs = append(pairs, pair)
	}
	sheet, err := draw.BeforeAfter(pairs, "annotated", "found")
	if err != nil {
		return err
	}
	return vision.SavePNG(r.path(sheetName), sheet)
}

// draw writes the curves of training, the curves of precision, and the confusion matrix.
func (r *run) draw(o *outcome) error {
	if err := r.drawCurves(o); err != nil {
		return err
	}
	names := r.corpus.test.Classes()
	var curves []chart.NamedCurve
	for i := range o.test.Classes {
		if c := &o.test.Classes[i]; c.Objects > 0 {
			curves = append(curves, chart.NamedCurve{Name: names[c.Class], Curve: c.Curve(0)})
		}
	}
	if err := chart.Save(r.path(precisionName), chart.PrecisionRecall("Test images, IoU 0.5", curves...)); err != nil {
		return err
	}
	return chart.SaveConfusion(r.path(confusionName), "Test images, IoU 0.5", o.confusion)
}

func (r *run) drawCurves(o *outcome) error {
	loss := chart.New("Training", "epoch", "loss")
	at := func(values []float64) (xys plotter.XYs) {
		for i, v := range values {
			xys = append(xys, plotter.XY{X: float64(i + 1), Y: v})
		}
		return xys
	}
	colors := []color.Color{chart.Blue, chart.Orange, chart.Green}
	for i, name := range r.history.Names {
		var values []float64
		for _, epoch := range r.history.Parts {
			values = append(values, epoch[i])
		}
		c := color.Color(chart.Gray)
		if i < len(colors) {
			c = colors[i]
		}
		chart.Line(loss, name, c, at(values), false)
	}
	chart.Line(loss, "sum", color.Black, at(o.training.Losses), false)
	ap := chart.New("Average precision", "epoch", "AP, %")
	var first, second []float64
	for _, epoch := range r.history.AP {
		first, second = append(first, 100*epoch[0]), append(second, 100*epoch[1])
	}
	level := func(v float64) plotter.XYs {
		return plotter.XYs{{X: 1, Y: 100 * v}, {X: max(2, float64(len(r.history.AP))), Y: 100 * v}}
	}
	chart.Line(ap, "validation, AP50", chart.Orange, at(second), true)
	chart.Line(ap, "validation, AP", chart.Blue, at(first), true)
	chart.Line(ap, "test, AP50", chart.Green, level(o.test.AP50), false)
	chart.Line(ap, "test, AP50, frequent places", chart.Gray, level(o.baseline.AP50), false)
	ap.Y.Min, ap.Y.Max = 0, 100
	return chart.Save(r.path(curvesName), loss, ap)
}
