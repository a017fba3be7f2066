package draw

import (
	"fmt"
	"image"
	"strconv"

	"github.com/chewxy/math32"
	"github.com/fovea-ml/fovea/vision"
)

// Annotation is something found in an image.
type Annotation struct {
	Box    Box          // around it
	Label  string       // "" for none
	Score  float32      // written behind the label as 0.97; 0 for none
	Class  int          // chooses the color
	Points [][2]float32 // landmarks, x and y in pixels
}

// Box is a rectangle in pixels, from its left and upper edges to its right and lower ones.
type Box struct{ X0, Y0, X1, Y1 float32 }

// Annotate returns the image as RGB with boxes, labels, scores and landmarks drawn on it. Lines and letters grow with
// the image. A label stands on a background of its box's color, inside the image, and clear of other labels where
// there is room. The border of the image cuts off everything outside. Annotate returns an error that matches
// [vision.ErrSize] for a malformed image and for coordinates that are not finite.
func Annotate(m *vision.Image, found []Annotation) (*vision.Image, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("draw: annotate: %w", err)
	}
	for i, a := range found {
		if !a.finite() {
			return nil, fmt.Errorf("draw: annotation %d: box %v, points %v, expected finite coordinates: %w", i, a.Box, a.Points, vision.ErrSize)
		}
	}
	letters, err := newLettering(lettersFor(m.Height, m.Width))
	if err != nil {
		return nil, fmt.Errorf("draw: annotate: %w", err)
	}
	out := canvasOf(m)
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
			out.dot(at, float64(line)*1.25+1, white)
			out.dot(at, float64(line)*1.25, ClassColor(a.Class))
		}
	}
	var taken []image.Rectangle
	for i, a := range found {
		if text := letters.fit(a.text(), out.Width-letters.height()/2); text != "" {
			taken = append(taken, out.tag(letters, text, frames[i], line, ClassColor(a.Class), taken))
		}
	}
	return out.Image, nil
}

// finite reports whether all coordinates are numbers.
func (a *Annotation) finite() bool {
	values := []float32{a.Box.X0, a.Box.Y0, a.Box.X1, a.Box.Y1}
	for _, p := range a.Points {
		values = append(values, p[:]...)
	}
	for _, v := range values {
		if math32.IsNaN(v) || math32.IsInf(v, 0) {
			return false
		}
	}
	return true
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

// tag writes text on a background of one color beside a box, and returns where. It tries four places: above and below
// the box's upper edge, then below and above its lower edge. It takes the first that is inside the image and free of
// other tags. If there is none, it takes the first place, moved into the image.
func (c canvas) tag(l *lettering, text string, box image.Rectangle, line int, color [3]uint8, taken []image.Rectangle) image.Rectangle {
	pad := l.height() / 5
	w, h := l.width(text)+2*pad, l.height()
	x := min(max(box.Min.X-line/2, 0), max(c.Width-w, 0))
	var place image.Rectangle
	for i, y := range []int{box.Min.Y - line/2 - h, box.Min.Y + (line+1)/2, box.Max.Y + (line+1)/2, box.Max.Y - line/2 - h} {
		r := image.Rect(x, y, x+w, y+h)
		if i == 0 {
			up := min(max(y, 0), max(c.Height-h, 0))
			place = image.Rect(x, up, x+w, up+h)
		}
		free := y >= 0 && r.Max.Y <= c.Height
		for _, other := range taken {
			free = free && !r.Overlaps(other)
		}
		if free {
			place = r
			break
		}
	}
	c.fill(place, color, 255)
	l.draw(c, text, place.Min.X+pad, place.Min.Y+l.ascent, readableOn(color))
	return place
}
