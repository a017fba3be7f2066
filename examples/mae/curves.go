package main

import (
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/fovea-ml/fovea/internal/atomicfile"
)

// Colors that are distinct in print and for color-blind readers (Okabe and Ito).
var (
	blue   = color.RGBA{0, 114, 178, 255}
	orange = color.RGBA{213, 94, 0, 255}
	green  = color.RGBA{0, 158, 115, 255}
	gray   = color.RGBA{120, 120, 120, 255}
)

// drawCurves writes curves.png: the losses and accuracies of a run, side by side.
func (r *run) drawCurves(o *outcome) error {
	var panels []*plot.Plot
	if len(o.PretrainLoss) > 0 {
		p := panel("Pre-training, no labels", "epoch", "loss on masked patches")
		addLine(p, "", green, numbered(o.PretrainLoss, 1), false)
		panels = append(panels, p)
	}
	loss := panel("Training on labels", "step", "training loss")
	addLine(loss, "pre-trained", blue, numbered(o.Finetune.Losses, o.Finetune.StepsPerEpoch), false)
	addLine(loss, "from scratch", orange, numbered(o.Scratch.Losses, o.Scratch.StepsPerEpoch), false)
	share := panel("Test images", "step", "accuracy, %")
	addLine(share, "pre-trained", blue, tested(o.Finetune), true)
	addLine(share, "from scratch", orange, tested(o.Scratch), true)
	last := o.Scratch.Tests[len(o.Scratch.Tests)-1].Step
	addLine(share, "on pixels", gray, plotter.XYs{{X: 0, Y: 100 * o.Baseline}, {X: float64(last), Y: 100 * o.Baseline}}, false)
	share.Legend.Top = false
	panels = append(panels, loss, share)

	const width, height = 4.2 * vg.Inch, 3.2 * vg.Inch
	img := vgimg.NewWith(vgimg.UseWH(width*vg.Length(len(panels)), height), vgimg.UseDPI(110))
	tiles := draw.Tiles{Rows: 1, Cols: len(panels), PadX: vg.Points(18), PadTop: vg.Points(10), PadBottom: vg.Points(10), PadLeft: vg.Points(10), PadRight: vg.Points(14)}
	canvases := plot.Align([][]*plot.Plot{panels}, tiles, draw.New(img))
	for i, p := range panels {
		p.Draw(canvases[0][i])
	}
	return atomicfile.Write(r.path("curves.png"), func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: img}.WriteTo(w)
		return err
	})
}

func panel(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = vg.Points(6)
	p.Legend.Top = true
	p.Legend.Padding = vg.Points(2)
	p.Legend.XOffs = -vg.Points(6)
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	return p
}

// addLine adds a curve to a panel, with a dot at each point if dots is set.
func addLine(p *plot.Plot, name string, c color.Color, xys plotter.XYs, dots bool) {
	l, err := plotter.NewLine(xys)
	if err != nil {
		return // no finite points: the panel stays empty
	}
	l.Color, l.Width = c, vg.Points(1.6)
	p.Add(l)
	thumbs := []plot.Thumbnailer{l}
	if dots {
		s, _ := plotter.NewScatter(xys) // NewLine has accepted these points
		s.Color, s.Radius, s.Shape = c, vg.Points(2.5), draw.CircleGlyph{}
		p.Add(s)
		thumbs = append(thumbs, s)
	}
	if name != "" {
		p.Legend.Add(name, thumbs...)
	}
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
