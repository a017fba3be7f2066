package draw

import "math"

// ClassColor returns the red, green and blue of a class. The hues of neighboring numbers differ by the golden angle,
// so that no two of them are close and no hue comes back. All colors are bright enough for black letters, or dark
// enough for white ones.
func ClassColor(class int) [3]uint8 {
	hue := math.Mod(float64(uint32(class))*0.61803398875+0.02, 1) * 6
	value, saturation := 0.95, 0.85
	if class/5%2 == 1 { // every other round of the circle is darker
		value = 0.72
	}
	channel := func(n float64) uint8 {
		k := math.Mod(n+hue, 6)
		return uint8(255*value*(1-saturation*max(0, min(k, 4-k, 1))) + 0.5)
	}
	return [3]uint8{channel(5), channel(3), channel(1)}
}

// readableOn returns black or white, whichever contrasts more with the color, by the relative luminance of WCAG 2.
func readableOn(color [3]uint8) [3]uint8 {
	linear := func(v uint8) float64 { return math.Pow(float64(v)/255, 2.2) }
	if l := 0.2126*linear(color[0]) + 0.7152*linear(color[1]) + 0.0722*linear(color[2]); l > 0.179 {
		return black
	}
	return white
}

// ColorMap turns numbers from 0 to 1 into colors.
type ColorMap uint8

const (
	// Viridis runs from dark violet through green to yellow in steps that look even, also without color vision.
	Viridis ColorMap = iota
	// Turbo runs from dark blue through green to dark red: a rainbow in fairly even steps.
	Turbo
	// Gray runs from black to white.
	Gray
	colorMapCount
)

// colorMaps are colors at even distances, between which a map is interpolated.
var colorMaps = [colorMapCount][][3]uint8{
	Viridis: {{68, 1, 84}, {71, 45, 123}, {59, 82, 139}, {44, 114, 142}, {33, 145, 140}, {40, 174, 128}, {94, 201, 98}, {173, 220, 48}, {253, 231, 37}},
	Turbo:   {{48, 18, 59}, {71, 119, 239}, {27, 208, 213}, {98, 252, 108}, {210, 233, 53}, {254, 155, 45}, {219, 58, 7}, {122, 4, 3}},
	Gray:    {{0, 0, 0}, {255, 255, 255}},
}

// At returns the red, green and blue of v, which is limited to 0..1. NaN counts as 0.
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
