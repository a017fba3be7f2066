package study

import (
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/fovea-ml/fovea/internal/atomicfile"
)

var colors = [2]color.Color{color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}}

// Curves are the runs of one part of a study: of Fovea and of PyTorch, in the order of the seeds.
type Curves struct {
	Title      string
	Loss, Test string // names of the training loss, and of the test measure in percent
	Every      int    // epochs between two measures; 0 means 1
	Runs       [2][]Outcome
}

// Draw writes an image with a row of two panels for each part: the training loss, and the test measure after each epoch.
// Dashed lines are those of averaged weights.
func Draw(name string, parts ...Curves) error {
	var panels [][]*plot.Plot
	for _, c := range parts {
		row, err := c.panels()
		if err != nil {
			return err
		}
		panels = append(panels, row)
	}
	const width, height = 4.2 * vg.Inch, 3.2 * vg.Inch
	img := vgimg.NewWith(vgimg.UseWH(2*width, vg.Length(len(parts))*height), vgimg.UseDPI(110))
	tiles := draw.Tiles{
		Rows: len(parts), Cols: 2, PadX: vg.Points(18), PadY: vg.Points(18),
		PadTop: vg.Points(10), PadBottom: vg.Points(10), PadLeft: vg.Points(10), PadRight: vg.Points(14),
	}
	for i, row := range plot.Align(panels, tiles, draw.New(img)) {
		for j, c := range row {
			panels[i][j].Draw(c)
		}
	}
	return atomicfile.Write(name, func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: img}.WriteTo(w)
		return err
	})
}

func (c Curves) panels() ([]*plot.Plot, error) {
	loss, test := panel(c.Title+": training loss, mean of 25 steps", "step", c.Loss), panel(c.Title+": test", "epoch", c.Test)
	test.Legend.Top = false
	for side, list := range c.Runs {
		for i, o := range list {
			var losses plotter.XYs
			const window = 25
			for from := 0; from < len(o.Losses); from += window {
				part := o.Losses[from:min(from+window, len(o.Losses))]
				mean, _ := spread(part)
				losses = append(losses, plotter.XY{X: float64(from) + float64(len(part))/2, Y: mean})
			}
			legend := ""
			if i == 0 {
				legend = fmt.Sprintf("%s, %d seeds", sides[side], len(list))
			}
			for _, l := range []struct {
				p      *plot.Plot
				points plotter.XYs
				dashed bool
				legend string
			}{
				{loss, losses, false, legend},
				{test, c.epochs(o.Accuracies), false, legend},
				{test, c.epochs(o.Averaged), true, ""},
			} {
				if err := add(l.p, l.points, colors[side], l.dashed, l.legend); err != nil {
					return nil, err
				}
			}
		}
	}
	return []*plot.Plot{loss, test}, nil
}

// epochs returns the points of measures after each epoch, or several.
func (c Curves) epochs(accuracies []float64) (points plotter.XYs) {
	for i, a := range accuracies {
		points = append(points, plotter.XY{X: float64((i + 1) * max(1, c.Every)), Y: 100 * a})
	}
	return points
}

// add draws a line with its points, unless there are none.
func add(p *plot.Plot, points plotter.XYs, c color.Color, dashed bool, legend string) error {
	if len(points) == 0 {
		return nil
	}
	line, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	line.Color, line.Width = c, vg.Points(1.2)
	if dashed {
		line.Dashes = []vg.Length{vg.Points(4), vg.Points(2)}
	}
	dots.Color, dots.Radius, dots.Shape = c, vg.Points(2), draw.CircleGlyph{}
	p.Add(line, dots)
	if legend != "" {
		p.Legend.Add(legend, line)
	}
	return nil
}

func panel(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = vg.Points(6)
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	return p
}
