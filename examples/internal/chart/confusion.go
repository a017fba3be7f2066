package chart

import (
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fovea-ml/fovea/metrics"
)

// mostNamed is the number of classes up to which a confusion matrix shows their names and counts.
const mostNamed = 20

// SaveConfusion writes a confusion matrix to a PNG file: a row for each label from the top, a column for each prediction. The
// shade of a cell is the share of its row.
func SaveConfusion(name, title string, c *metrics.Confusion) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "predicted", "label"
	p.Title.Padding = vg.Points(6)
	n := c.Classes()
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(n)-0.5, -0.5, float64(n)-0.5
	p.Add(matrix{c})
	if n > mostNamed {
		return Save(name, p)
	}
	label := func(class int) string {
		if c.Names == nil {
			return strconv.Itoa(class)
		}
		if runes := []rune(c.Names[class]); len(runes) > 16 {
			return string(runes[:15]) + "…"
		}
		return c.Names[class]
	}
	var x, y []plot.Tick
	for class := range n {
		x = append(x, plot.Tick{Value: float64(class), Label: label(class)})
		y = append(y, plot.Tick{Value: float64(n - 1 - class), Label: label(class)})
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks(x), plot.ConstantTicks(y)
	p.X.Tick.Length, p.Y.Tick.Length = 0, 0
	if n > 5 {
		p.X.Tick.Label.Rotation, p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = math.Pi/4, text.XRight, text.YTop
	}
	return Save(name, p)
}

// matrix draws the cells of a confusion matrix.
type matrix struct{ *metrics.Confusion }

// Plot implements plot.Plotter.
func (m matrix) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	n := m.Classes()
	style := p.X.Tick.Label
	style.Rotation, style.XAlign, style.YAlign = 0, text.XCenter, text.YCenter
	for label := range n {
		for predicted := range n {
			share := float64(m.Count(label, predicted)) / float64(max(1, m.Support(label)))
			x, y := float64(predicted), float64(n-1-label)
			left, right, low, high := toX(x-0.5), toX(x+0.5), toY(y-0.5), toY(y+0.5)
			c.FillPolygon(shade(share), []vg.Point{{X: left, Y: low}, {X: right, Y: low}, {X: right, Y: high}, {X: left, Y: high}})
			if n > mostNamed {
				continue
			}
			style.Color = color.Black
			if share > 0.5 {
				style.Color = color.White
			}
			c.FillText(style, vg.Point{X: (left + right) / 2, Y: (low + high) / 2}, strconv.Itoa(m.Count(label, predicted)))
		}
	}
}

// DataRange implements plot.DataRanger.
func (m matrix) DataRange() (xmin, xmax, ymin, ymax float64) {
	n := float64(m.Classes())
	return -0.5, n - 0.5, -0.5, n - 0.5
}

// shade returns a color from white, for 0, to blue, for 1.
func shade(share float64) color.Color {
	mix := func(b uint8) uint8 { return uint8(math.Round(255 + share*(float64(b)-255))) }
	return color.RGBA{mix(Blue.R), mix(Blue.G), mix(Blue.B), 255}
}
