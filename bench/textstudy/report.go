package main

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/fovea-ml/fovea/internal/atomicfile"
)

// The two sides, in the order of their runs.
var (
	sides  = [2]string{"Fovea", "PyTorch"}
	colors = [2]color.Color{color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}}
)

// report prints the test accuracies, and the difference of their means beside its standard error.
func (s *study) report(runs [2][]outcome) {
	fmt.Printf("| | test accuracy by seed, %% | mean | standard error |\n|---|---|---|---|\n")
	var means, errors [2]float64
	for side, list := range runs {
		var last []float64
		text := ""
		for _, o := range list {
			a := 100 * o.Accuracies[len(o.Accuracies)-1]
			last = append(last, a)
			text += fmt.Sprintf(" %.1f", a)
		}
		means[side], errors[side] = spread(last)
		fmt.Printf("| %s |%s | %.2f | %.2f |\n", sides[side], text, means[side], errors[side])
	}
	fmt.Printf("\nThe means differ by %.2f points, with a standard error of %.2f.\n", means[0]-means[1], math.Hypot(errors[0], errors[1]))
}

// spread returns the mean of values and its standard error.
func spread(v []float64) (mean, se float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	if len(v) < 2 {
		return mean, math.NaN()
	}
	for _, x := range v {
		se += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(se / float64(len(v)-1) / float64(len(v)))
}

// draw writes the curves of all runs: the training loss, and the test accuracy after each epoch.
func (s *study) draw(name string, runs [2][]outcome) error {
	loss, test := panel("Training loss, mean of 25 steps", "step", "cross-entropy"), panel("Test texts", "epoch", "accuracy, %")
	test.Legend.Top = false
	for side, list := range runs {
		for i, o := range list {
			var losses, scores plotter.XYs
			const window = 25
			for from := 0; from < len(o.Losses); from += window {
				part := o.Losses[from:min(from+window, len(o.Losses))]
				mean, _ := spread(part)
				losses = append(losses, plotter.XY{X: float64(from) + float64(len(part))/2, Y: mean})
			}
			for epoch, a := range o.Accuracies {
				scores = append(scores, plotter.XY{X: float64(epoch + 1), Y: 100 * a})
			}
			for p, points := range map[*plot.Plot]plotter.XYs{loss: losses, test: scores} {
				line, dots, err := plotter.NewLinePoints(points)
				if err != nil {
					return err
				}
				line.Color, line.Width = colors[side], vg.Points(1.2)
				dots.Color, dots.Radius, dots.Shape = colors[side], vg.Points(2), draw.CircleGlyph{}
				p.Add(line, dots)
				if i == 0 {
					p.Legend.Add(fmt.Sprintf("%s, %d seeds", sides[side], len(list)), line)
				}
			}
		}
	}
	const width, height = 4.2 * vg.Inch, 3.2 * vg.Inch
	img := vgimg.NewWith(vgimg.UseWH(2*width, height), vgimg.UseDPI(110))
	tiles := draw.Tiles{Rows: 1, Cols: 2, PadX: vg.Points(18), PadTop: vg.Points(10), PadBottom: vg.Points(10), PadLeft: vg.Points(10), PadRight: vg.Points(14)}
	panels := [][]*plot.Plot{{loss, test}}
	for i, c := range plot.Align(panels, tiles, draw.New(img))[0] {
		panels[0][i].Draw(c)
	}
	return atomicfile.Write(name, func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: img}.WriteTo(w)
		return err
	})
}

func panel(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = vg.Points(6)
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	return p
}
