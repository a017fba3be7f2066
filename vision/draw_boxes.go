package vision

import (
	"fmt"
	"image"
	"math"
	"strconv"
)

// Annotation is something found in an image.
type Annotation struct {
	Box    SourceBox    // in pixels
	Label  string       // "" for none
	Score  float32      // written behind the label as 0.97; 0 for none
	Class  int          // chooses the color
	Points [][2]float32 // landmarks, x and y in pixels
}

// Annotate returns the image as RGB with boxes, labels, scores and landmarks drawn on it. Lines and letters grow with
// the image; labels stand on a ground of their box's color, stay inside the image, and keep clear of each other
// where there is room. What lies outside the image is cut off at its border. It returns an error that matches
// [ErrSize] for a malformed image and for coordinates that are not finite.
func Annotate(m *Image, found []Annotation) (*Image, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	for i, a := range found {
		values := []float32{a.Box.X0, a.Box.Y0, a.Box.X1, a.Box.Y1}
		for _, p := range a.Points {
			values = append(values, p[:]...)
		}
		for _, v := range values {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return nil, fmt.Errorf("vision: annotation %d: box %v, points %v, expected finite coordinates: %w", i, a.Box, a.Points, ErrSize)
			}
		}
	}
	out := m.RGB()
	if out == m {
		out = m.Clone()
	}
	letters, err := newLettering(lettersFor(m.Width, m.Height))
	if err != nil {
		return nil, fmt.Errorf("vision: annotate: %w", err)
	}
	line := max(2, letters.height()/8)
	frames := make([]image.Rectangle, len(found))
	for i, a := range found {
		frames[i] = image.Rectangle{out.pixel(a.Box.X0, a.Box.Y0), out.pixel(a.Box.X1, a.Box.Y1)}.Canon()
		out.frame(frames[i], line, ClassColor(a.Class))
	}
	// Points and labels come last, so that no other's line runs through them.
	for _, a := range found {
		for _, p := range a.Points {
			at := out.pixel(p[0], p[1])
			out.dot(at, float64(line)*1.25+1, [3]uint8{255, 255, 255})
			out.dot(at, float64(line)*1.25, ClassColor(a.Class))
		}
	}
	var taken []image.Rectangle
	for i, a := range found {
		if text := letters.fit(a.text(), out.Width-letters.height()/2); text != "" {
			taken = append(taken, out.tag(letters, text, frames[i], line, ClassColor(a.Class), taken))
		}
	}
	return out, nil
}

// text is the label and the score.
func (a *Annotation) text() string {
	if a.Score == 0 {
		return a.Label
	}
	score := strconv.FormatFloat(float64(a.Score), 'f', 2, 32)
	if a.Label == "" {
		return score
	}
	return a.Label + " " + score
}

// pixel rounds coordinates, limited to just outside the image.
func (m *Image) pixel(x, y float32) image.Point {
	limit := func(v float32, n int) int {
		return int(math.Round(min(max(float64(v), -1), float64(n)+1)))
	}
	return image.Pt(limit(x, m.Width), limit(y, m.Height))
}

// frame draws the outline of a rectangle, its lines centerd on the edges but kept inside the image, with a thin dark
// rim that separates it from a ground of its own color.
func (m *Image) frame(r image.Rectangle, line int, color [3]uint8) {
	r = r.Intersect(m.Bounds())
	if r.Empty() {
		return
	}
	outer := r.Inset(-line / 2).Intersect(m.Bounds())
	m.outline(outer.Inset(-1), 1, [3]uint8{}, 90)
	m.outline(outer, line, color, 255)
	if inner := outer.Inset(line); !inner.Empty() {
		m.outline(inner, 1, [3]uint8{}, 90)
	}
}

func (m *Image) outline(r image.Rectangle, line int, color [3]uint8, weight uint32) {
	if r.Dx() <= 2*line || r.Dy() <= 2*line {
		m.fill(r, color, weight)
		return
	}
	m.fill(image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+line), color, weight)
	m.fill(image.Rect(r.Min.X, r.Max.Y-line, r.Max.X, r.Max.Y), color, weight)
	m.fill(image.Rect(r.Min.X, r.Min.Y+line, r.Min.X+line, r.Max.Y-line), color, weight)
	m.fill(image.Rect(r.Max.X-line, r.Min.Y+line, r.Max.X, r.Max.Y-line), color, weight)
}

// dot fills a circle, its edge smoothed over a pixel.
func (m *Image) dot(at image.Point, radius float64, color [3]uint8) {
	n := int(radius) + 1
	for y := -n; y <= n; y++ {
		for x := -n; x <= n; x++ {
			inside := radius + 0.5 - math.Hypot(float64(x), float64(y))
			m.blend(at.X+x, at.Y+y, color, uint32(255*min(max(inside, 0), 1)))
		}
	}
}

// tag writes text on a ground of one color at the box: above its upper edge, below that, below its lower edge, or
// above that, wherever the image has room and no other tag stands; failing that, above, as far as the image allows.
func (m *Image) tag(l *lettering, text string, box image.Rectangle, line int, color [3]uint8, taken []image.Rectangle) image.Rectangle {
	pad := l.height() / 5
	w, h := l.width(text)+2*pad, l.height()
	x := min(max(box.Min.X-line/2, 0), max(m.Width-w, 0))
	var place image.Rectangle
	for i, y := range []int{box.Min.Y - line/2 - h, box.Min.Y + (line+1)/2, box.Max.Y + (line+1)/2, box.Max.Y - line/2 - h} {
		r := image.Rect(x, y, x+w, y+h)
		if i == 0 {
			up := min(max(y, 0), max(m.Height-h, 0))
			place = image.Rect(x, up, x+w, up+h)
		}
		free := y >= 0 && r.Max.Y <= m.Height
		for _, other := range taken {
			free = free && !r.Overlaps(other)
		}
		if free {
			place = r
			break
		}
	}
	m.fill(place, color, 255)
	l.draw(m, text, place.Min.X+pad, place.Min.Y+l.ascent, readableOn(color))
	return place
}

// ClassColor returns the color of a class: neighboring numbers differ in hue as far as possible (by the golden
// angle, which never comes back to a color), and all are of about the brightness at which black or white letters
// can be read on them.
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
		return [3]uint8{}
	}
	return [3]uint8{255, 255, 255}
}
