package normalize

import (
	"strings"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/chars"
	"github.com/fovea-ml/fovea/text/internal/component"
)

// A strip removes white space at the ends.
type strip struct{ left, right bool }

func parseStrip(f *fields, _ int) Normalizer {
	return strip{left: component.Required[bool](f, "strip_left"), right: component.Required[bool](f, "strip_right")}
}

func (n strip) Normalize(sc *Scratch, s String) String {
	space := func(r rune) bool { return chars.Of(r).Is(chars.Space) }
	from, to := 0, len(s.text)
	if n.left {
		from -= len(strings.TrimLeftFunc(s.text, space)) - to
	}
	if n.right && from < to {
		to = len(strings.TrimRightFunc(s.text, space))
	}
	if to-from == len(s.text) {
		return s
	}
	e := s.Edit(sc)
	e.Drop(utf8.RuneCountInString(s.text[:from]))
	e.Keep(from, to)
	e.Drop(utf8.RuneCountInString(s.text[to:]))
	return e.String()
}

// stripAccents removes marks. Before it, a form such as NFD takes them off the letters.
type stripAccents struct{}

func (stripAccents) Normalize(sc *Scratch, s String) String { return s.filterInfo(sc, chars.Mark) }

// filterInfo returns s without the characters that have one of the properties; no ASCII character may have one.
func (s String) filterInfo(sc *Scratch, properties chars.Info) String {
	for i := 0; i < len(s.text); {
		if s.text[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s.text[i:])
		if chars.Of(r).Is(properties) {
			return s.filter(sc, func(r rune) bool { return r < utf8.RuneSelf || !chars.Of(r).Is(properties) }, i)
		}
		i += size
	}
	return s
}
