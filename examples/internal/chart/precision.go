package chart

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/fovea-ml/fovea/metrics"
)

// NamedCurve is a precision-recall curve of a class, or of a model.
type NamedCurve struct {
	Name string
	metrics.Curve
}

// mostCurves is the number of curves up to which each has a color and a name.
const mostCurves = 3

// PrecisionRecall returns a panel of precision against recall. The first three curves have colors and are named in the legend;
// put first what matters, such as the mean over the classes. The others are gray.
func PrecisionRecall(title string, curves ...NamedCurve) *plot.Plot {
	p := New(title, "recall", "precision")
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs = false, true, -p.Legend.XOffs // most curves fall to the right
	named := curves[:min(len(curves), mostCurves)]
	for _, c := range curves[len(named):] {
		Line(p, "", Gray, points(c), false)
	}
	for i, c := range named { // on top
		Line(p, c.Name, []color.Color{Blue, Orange, Green}[i], points(c), false)
	}
	return p
}

func points(c NamedCurve) plotter.XYs {
	xys := make(plotter.XYs, len(c.Recall))
	for i := range xys {
		xys[i].X, xys[i].Y = c.Recall[i], c.Precision[i]
	}
	return xys
}
