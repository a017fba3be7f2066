// Package chart draws the curves of training runs:
//
//	loss := chart.New("Training", "step", "loss")
//	chart.Line(loss, "", chart.Blue, points, false)
//	err := chart.Save("curves.png", loss, accuracy) // side by side
package chart

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
	Blue   = color.RGBA{0, 114, 178, 255}
	Orange = color.RGBA{213, 94, 0, 255}
	Green  = color.RGBA{0, 158, 115, 255}
	Gray   = color.RGBA{120, 120, 120, 255}
)

// New returns an empty panel.
func New(title, x, y string) *plot.Plot {
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

// Line adds a curve to a panel, with a dot at each point if dots is set. Without finite points the panel stays as it is.
func Line(p *plot.Plot, name string, c color.Color, xys plotter.XYs, dots bool) {
	l, err := plotter.NewLine(xys)
	if err != nil {
		return
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

// Save writes panels side by side to a PNG file.
func Save(name string, panels ...*plot.Plot) error {
	const width, height = 4.2 * vg.Inch, 3.2 * vg.Inch
	img := vgimg.NewWith(vgimg.UseWH(width*vg.Length(len(panels)), height), vgimg.UseDPI(110))
	tiles := draw.Tiles{Rows: 1, Cols: len(panels), PadX: vg.Points(18), PadTop: vg.Points(10), PadBottom: vg.Points(10), PadLeft: vg.Points(10), PadRight: vg.Points(14)}
	canvases := plot.Align([][]*plot.Plot{panels}, tiles, draw.New(img))
	for i, p := range panels {
		p.Draw(canvases[0][i])
	}
	return atomicfile.Write(name, func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: img}.WriteTo(w)
		return err
	})
}
