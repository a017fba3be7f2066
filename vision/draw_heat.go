package vision

import (
	"fmt"
	"math"
)

// ColorMap turns numbers from 0 to 1 into colors.
type ColorMap uint8

const (
	// Viridis runs from dark violet by green to yellow, even to the eye, also without color vision.
	Viridis ColorMap = iota
	// Turbo runs from dark blue by green to dark red: a rainbow whose steps are even enough to be read.
	Turbo
	// Gray runs from black to white.
	Gray
	colorMapCount
)

// Colors at even distances, between which a map is interpolated.
var colorMaps = [colorMapCount][][3]uint8{
	Viridis: {{68, 1, 84}, {71, 45, 123}, {59, 82, 139}, {44, 114, 142}, {33, 145, 140}, {40, 174, 128}, {94, 201, 98}, {173, 220, 48}, {253, 231, 37}},
	Turbo:   {{48, 18, 59}, {71, 119, 239}, {27, 208, 213}, {98, 252, 108}, {210, 233, 53}, {254, 155, 45}, {219, 58, 7}, {122, 4, 3}},
	Gray:    {{0, 0, 0}, {255, 255, 255}},
}

// At returns the color of v, which is limited to 0..1. NaN counts as 0.
func (c ColorMap) At(v float64) [3]uint8 {
	anchors := colorMaps[c%colorMapCount]
	if !(v > 0) {
		return anchors[0]
	}
	last := len(anchors) - 1
	x := min(v, 1) * float64(last)
	i := min(int(x), last-1)
	f := x - float64(i)
	// A cubic through the four nearest colors (Catmull-Rom), which has no corners at the anchors.
	p := func(j, ch int) float64 { return float64(anchors[min(max(j, 0), last)][ch]) }
	var out [3]uint8
	for ch := range out {
		a, b, c, d := p(i-1, ch), p(i, ch), p(i+1, ch), p(i+2, ch)
		v := b + f/2*(c-a+f*(2*a-5*b+4*c-d+f*(3*(b-c)+d-a)))
		out[ch] = uint8(min(max(v+0.5, 0), 255))
	}
	return out
}

// HeatOptions says how a map of numbers is laid over an image. The zero value is half transparent viridis over the
// range of the numbers.
type HeatOptions struct {
	Colors  ColorMap
	Opacity float64 // of the map, above 0 to 1; 0 means 0.5
	// Low and High are the numbers shown as the first and the last color. When they are equal, the least and the
	// greatest of the finite numbers take their place.
	Low, High float32
}

// Overlay returns the image as RGB with a map of numbers laid over it: attention, or the evidence for a class. values
// is [height, width], row after row, and is stretched over the whole image, interpolated bilinearly between the
// centers of its cells. Around cells that are not finite the image shows. It returns an error that matches [ErrSize]
// for a malformed image and when values does not hold height × width numbers.
func Overlay(m *Image, values []float32, width, height int, o HeatOptions) (*Image, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if width <= 0 || height <= 0 || width > maxSide || height > maxSide || len(values)/width != height || len(values)%width != 0 {
		return nil, fmt.Errorf("vision: overlay: %d values, expected a map of %d×%d: %w", len(values), width, height, ErrSize)
	}
	if !(o.Opacity >= 0 && o.Opacity <= 1) || o.Colors >= colorMapCount {
		return nil, fmt.Errorf("vision: overlay: opacity %v of color map %d, expected 0 to 1 of a map that there is", o.Opacity, o.Colors)
	}
	if o.Opacity == 0 {
		o.Opacity = 0.5
	}
	low, span := heatRange(values, o)
	out := m.RGB()
	if out == m {
		out = m.Clone()
	}
	var colors [256][3]uint8
	for i := range colors {
		colors[i] = o.Colors.At(float64(i) / 255)
	}
	weight := uint32(255*o.Opacity + 0.5)
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
	return out, nil
}

// heatRange returns the least number shown and the distance to the greatest.
func heatRange(values []float32, o HeatOptions) (low, span float64) {
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
