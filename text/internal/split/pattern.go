package split

import (
	"strings"

	"github.com/fovea-ml/fovea/text/internal/normalize"
	"github.com/fovea-ml/fovea/text/internal/regex"
)

// next returns the place of the first sub in text from a place on, or the end of the text.
func next(text string, from int, sub string) int {
	if i := strings.Index(text[from:], sub); i >= 0 {
		return from + i
	}
	return len(text)
}

// byPattern cuts at the matches of a regular expression, or at what is between them.
type byPattern struct {
	regex    *regex.Regexp
	behavior behavior
	invert   bool
}

func (b byPattern) Split(_ *normalize.Scratch, dst []Piece, s Piece) []Piece {
	c := cutter{behavior: b.behavior, dst: dst, s: s}
	text, last := s.Text(), 0
	if text == "" {
		return dst
	}
	for start, end := range b.regex.All(text) {
		if last != start {
			c.add(last, start, b.invert)
		}
		c.add(start, end, !b.invert)
		last = end
	}
	if last != len(text) {
		c.add(last, len(text), b.invert)
	}
	c.flush()
	return c.dst
}

// quote returns a pattern that matches the text itself.
func quote(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune(`\.+*?()|[]{}^$`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
