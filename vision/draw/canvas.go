package draw

import (
	"image"
	"math"

	"github.com/fovea-ml/fovea/vision"
)

var (
	white = [3]uint8{255, 255, 255}
	black = [3]uint8{}
	// ink is the color of text beside images.
	ink = [3]uint8{40, 40, 40}
)

// canvas is an RGB image to draw on. Drawing outside of it does nothing.
type canvas struct{ *vision.Image }

// canvasOf returns a copy of an image as RGB.
func canvasOf(m *vision.Image) canvas {
	out := m.RGB()
	if out == m {
		out = m.Clone()
	}
	return canvas{out}
}

// row returns the samples of row y.
func (c canvas) row(y int) []uint8 { return c.Pix[3*c.Width*y:][:3*c.Width] }

// pixel rounds coordinates, limited to just outside the image.
func (c canvas) pixel(x, y float32) image.Point {
	limit := func(v float32, n int) int {
		return int(math.Round(min(max(float64(v), -1), float64(n)+1)))
	}
	return image.Pt(limit(x, c.Width), limit(y, c.Height))
}

// blend mixes a color into a pixel, with a weight of 0 to 255.
func (c canvas) blend(x, y int, color [3]uint8, weight uint32) {
	if weight == 0 || x < 0 || y < 0 || x >= c.Width || y >= c.Height {
		return
	}
	p := c.Pix[3*(y*c.Width+x):][:3]
	for i, v := range color {
		p[i] = uint8((uint32(p[i])*(255-weight) + uint32(v)*weight + 127) / 255)
	}
}

// fill blends a color into a rectangle.
func (c canvas) fill(r image.Rectangle, color [3]uint8, weight uint32) {
	r = r.Intersect(c.Bounds())
	if weight < 255 {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				c.blend(x, y, color, weight)
			}
		}
		return
	}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		d := c.row(y)[3*r.Min.X : 3*r.Max.X]
		if y > r.Min.Y {
			copy(d, c.row(r.Min.Y)[3*r.Min.X:])
			continue
		}
		for i := range d {
			d[i] = color[i%3]
		}
	}
}

// frame draws the outline of a rectangle. Its lines are centered on the edges but kept inside the image. A thin dark
// rim separates it from a background of its own color.
func (c canvas) frame(r image.Rectangle, line int, color [3]uint8) {
	r = r.Intersect(c.Bounds())
	if r.Empty() {
		return
	}
	outer := r.Inset(-line / 2).Intersect(c.Bounds())
	c.outline(outer.Inset(-1), 1, black, 90)
	c.outline(outer, line, color, 255)
	if inner := outer.Inset(line); !inner.Empty() {
		c.outline(inner, 1, black, 90)
	}
}

func (c canvas) outline(r image.Rectangle, line int, color [3]uint8, weight uint32) {
	if r.Dx() <= 2*line || r.Dy() <= 2*line {
		c.fill(r, color, weight)
		return
	}
	c.fill(image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+line), color, weight)
	c.fill(image.Rect(r.Min.X, r.Max.Y-line, r.Max.X, r.Max.Y), color, weight)
	c.fill(image.Rect(r.Min.X, r.Min.Y+line, r.Min.X+line, r.Max.Y-line), color, weight)
	c.fill(image.Rect(r.Max.X-line, r.Min.Y+line, r.Max.X, r.Max.Y-line), color, weight)
}

// dot fills a circle and smooths its edge over one pixel.
func (c canvas) dot(at image.Point, radius float64, color [3]uint8) {
	n := int(radius) + 1
	for y := -n; y <= n; y++ {
		for x := -n; x <= n; x++ {
			inside := radius + 0.5 - math.Hypot(float64(x), float64(y))
			c.blend(at.X+x, at.Y+y, color, uint32(255*min(max(inside, 0), 1)))
		}
	}
}

// paste copies an image into the canvas, which must have room for it.
func (c canvas) paste(part canvas, x, y int) {
	for r := range part.Height {
		copy(c.row(y + r)[3*x:], part.row(r))
	}
}
