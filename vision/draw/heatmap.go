package draw

import (
	"fmt"
	"math"

	"github.com/fovea-ml/fovea/vision"
)

// HeatmapOptions says how a map of numbers is laid over an image. The zero value is half transparent viridis over the
// range of the numbers.
type HeatmapOptions struct {
	Colors  ColorMap
	Opacity *float64 // of the map, from 0 to 1; nil means 0.5
	// Low and High are the numbers shown as the first and the last color. When they are equal, the least and the
	// greatest of the finite numbers take their place.
	Low, High float32
}

// Heatmap returns the image as RGB with a map of numbers laid over it, such as attention or the evidence for a class.
// values is [height, width], row after row. It is stretched over the whole image, and interpolated bilinearly between
// the centers of its cells. Around cells that are not finite the image shows. Heatmap returns an error that matches
// [vision.ErrSize] for a malformed image and when values does not hold height × width numbers.
func Heatmap(m *vision.Image, values []float32, height, width int, o HeatmapOptions) (*vision.Image, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("draw: heatmap: %w", err)
	}
	if height <= 0 || width <= 0 || len(values)/width != height || len(values)%width != 0 {
		return nil, fmt.Errorf("draw: heatmap: %d values, expected a map of %d×%d: %w", len(values), width, height, vision.ErrSize)
	}
	opacity := 0.5
	if o.Opacity != nil {
		opacity = *o.Opacity
	}
	if !(opacity >= 0 && opacity <= 1) {
		return nil, fmt.Errorf("draw: heatmap: opacity %v, expected 0 to 1", opacity)
	}
	if o.Colors >= colorMapCount {
		return nil, fmt.Errorf("draw: heatmap: unknown color map %d", o.Colors)
	}
	low, span := shownRange(values, o)
	out := canvasOf(m)
	var colors [256][3]uint8
	for i := range colors {
		colors[i] = o.Colors.At(float64(i) / 255)
	}
	weight := uint32(255*opacity + 0.5)
	xs := centers(out.Width, width)
	for y, cy := range centers(out.Height, height) {
		top, bottom := values[cy.i*width:][:width], values[cy.j*width:][:width]
		for x, cx := range xs {
			a := float64(top[cx.i])*(1-cx.f) + float64(top[cx.j])*cx.f
			b := float64(bottom[cx.i])*(1-cx.f) + float64(bottom[cx.j])*cx.f
			v := (a*(1-cy.f) + b*cy.f - low) / span
			if math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			out.blend(x, y, colors[int(255*min(max(v, 0), 1)+0.5)], weight)
		}
	}
	return out.Image, nil
}

// shownRange returns the number shown as the first color, and the distance to the one shown as the last.
func shownRange(values []float32, o HeatmapOptions) (low, span float64) {
	low, high := float64(o.Low), float64(o.High)
	if low == high {
		low, high = math.Inf(1), math.Inf(-1)
		for _, v := range values {
			if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
				low, high = min(low, f), max(high, f)
			}
		}
	}
	if !(high != low) || math.IsInf(low, 0) {
		return low, 1
	}
	return low, high - low
}

// between is a place between two cells: the cells and the weight of the second.
type between struct {
	i, j int
	f    float64
}

// centers returns, for each of n pixels, its place among the centers of cells.
func centers(n, cells int) []between {
	at := make([]between, n)
	for p := range at {
		x := min(max((float64(p)+0.5)*float64(cells)/float64(n)-0.5, 0), float64(cells-1))
		i := int(x)
		at[p] = between{i, min(i+1, cells-1), x - float64(i)}
	}
	return at
}
