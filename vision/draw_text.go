package vision

import (
	"image"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// goRegular is Go's own typeface: Latin, Greek and Cyrillic.
var goRegular = sync.OnceValues(func() (*sfnt.Font, error) { return opentype.Parse(goregular.TTF) })

// lettering draws text of one size. It is not for use by several goroutines at once.
type lettering struct {
	face            font.Face
	ascent, descent int // pixels above and below the base line
}

// newLettering returns letters that are so many pixels high, accents and descenders included.
func newLettering(size int) (*lettering, error) {
	f, err := goRegular()
	if err != nil {
		return nil, err
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: float64(size), DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, err
	}
	m := face.Metrics()
	return &lettering{face: face, ascent: m.Ascent.Ceil(), descent: m.Descent.Ceil()}, nil
}

// lettersFor is the size of letters that can be read on an image of w × h pixels when all of it is looked at.
func lettersFor(w, h int) int { return min(max(min(w, h)/28, 12), 128) }

func (l *lettering) height() int { return l.ascent + l.descent }

func (l *lettering) width(s string) int { return font.MeasureString(l.face, s).Ceil() }

// oneLine replaces what would leave the line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// fit shortens text to so many pixels, with an ellipsis in place of what was cut.
func (l *lettering) fit(s string, width int) string {
	const longest = 4000 // bytes of any text that an image has room for
	s = oneLine(s[:min(len(s), longest)])
	if l.width(s) <= width {
		return s
	}
	room := fixed.I(width - l.width("…"))
	cut := 0
	var x fixed.Int26_6
	before := rune(-1)
	for i, r := range s {
		if x > room {
			break
		}
		cut = i
		if before >= 0 {
			x += l.face.Kern(before, r)
		}
		advance, _ := l.face.GlyphAdvance(r)
		x += advance
		before = r
	}
	if cut == 0 {
		return ""
	}
	return strings.TrimRight(s[:cut], " ") + "…"
}

// draw writes one line on an RGB image, from x on the base line y. What is outside the image is left out.
func (l *lettering) draw(m *Image, s string, x, y int, color [3]uint8) {
	dot := fixed.P(x, y)
	before := rune(-1)
	for _, r := range s {
		if before >= 0 {
			dot.X += l.face.Kern(before, r)
		}
		at, mask, from, advance, ok := l.face.Glyph(dot, r)
		if ok {
			l.ink(m, at, mask, from, color)
		}
		dot.X += advance
		before = r
	}
}

// ink blends a glyph's mask into the image.
func (l *lettering) ink(m *Image, at image.Rectangle, mask image.Image, from image.Point, color [3]uint8) {
	in := at.Intersect(m.Bounds())
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			_, _, _, a := mask.At(from.X+x-at.Min.X, from.Y+y-at.Min.Y).RGBA()
			m.blend(x, y, color, a>>8)
		}
	}
}

// blend mixes a color into a pixel of an RGB image, with a weight of 0 to 255. Outside it does nothing.
func (m *Image) blend(x, y int, color [3]uint8, weight uint32) {
	if weight == 0 || x < 0 || y < 0 || x >= m.Width || y >= m.Height {
		return
	}
	p := m.Pix[3*(y*m.Width+x):][:3]
	for i, c := range color {
		p[i] = uint8((uint32(p[i])*(255-weight) + uint32(c)*weight + 127) / 255)
	}
}

// fill paints a rectangle of an RGB image. What is outside the image is left out.
func (m *Image) fill(r image.Rectangle, color [3]uint8, weight uint32) {
	r = r.Intersect(m.Bounds())
	if weight < 255 {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				m.blend(x, y, color, weight)
			}
		}
		return
	}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		d := m.row(y)[3*r.Min.X : 3*r.Max.X]
		if y > r.Min.Y {
			copy(d, m.row(r.Min.Y)[3*r.Min.X:])
			continue
		}
		for i := range d {
			d[i] = color[i%3]
		}
	}
}
