package draw

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
	ascent, descent int // pixels above and below the baseline
}

// newLettering returns letters of size pixels, accents and descenders included.
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

// lettersFor returns the size of letters that can be read when an image of h × w pixels is shown whole.
func lettersFor(h, w int) int { return min(max(min(w, h)/28, 12), 128) }

func (l *lettering) height() int { return l.ascent + l.descent }

func (l *lettering) width(s string) int { return font.MeasureString(l.face, s).Ceil() }

// oneLine replaces control characters, which could leave the line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// fit shortens text to width pixels, with an ellipsis in place of the rest.
func (l *lettering) fit(s string, width int) string {
	const longest = 4000 // bytes; no image has room for more
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

// draw writes one line, from x on the baseline y.
func (l *lettering) draw(c canvas, s string, x, y int, color [3]uint8) {
	dot := fixed.P(x, y)
	before := rune(-1)
	for _, r := range s {
		if before >= 0 {
			dot.X += l.face.Kern(before, r)
		}
		at, mask, from, advance, ok := l.face.Glyph(dot, r)
		if ok {
			l.ink(c, at, mask, from, color)
		}
		dot.X += advance
		before = r
	}
}

// ink blends a glyph's mask into the canvas.
func (l *lettering) ink(c canvas, at image.Rectangle, mask image.Image, from image.Point, color [3]uint8) {
	in := at.Intersect(c.Bounds())
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			_, _, _, a := mask.At(from.X+x-at.Min.X, from.Y+y-at.Min.Y).RGBA()
			c.blend(x, y, color, a>>8)
		}
	}
}
