package split

import (
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/chars"
	"github.com/fovea-ml/fovea/text/internal/normalize"
)

// byClass cuts at the characters with one of the properties. Each is a match of its own.
type byClass struct {
	class    chars.Info
	behavior behavior
}

func (b byClass) Split(_ *normalize.Scratch, dst []Piece, s Piece) []Piece {
	c := cutter{behavior: b.behavior, dst: dst, s: s}
	text, last := s.Text(), 0
	for i := 0; i < len(text); {
		size := 1
		var info chars.Info
		if x := text[i]; x < utf8.RuneSelf {
			info = chars.ASCII[x]
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(text[i:])
			info = chars.Of(r)
		}
		if info.Is(b.class) {
			if last < i {
				c.add(last, i, false)
			}
			last = i + size
			c.add(i, last, true)
		}
		i += size
	}
	if last < len(text) {
		c.add(last, len(text), false)
	}
	c.flush()
	return c.dst
}

// delimiter cuts at one character, which it removes.
type delimiter rune

func (d delimiter) Split(_ *normalize.Scratch, dst []Piece, s Piece) []Piece {
	return atRune(dst, s, rune(d), removed)
}

// atRune cuts at every r.
func atRune(dst []Piece, s Piece, r rune, b behavior) []Piece {
	c := cutter{behavior: b, dst: dst, s: s}
	text, last := s.Text(), 0
	delimiter := string(r)
	for i := next(text, 0, delimiter); i < len(text); i = next(text, last, delimiter) {
		if last < i {
			c.add(last, i, false)
		}
		last = i + len(delimiter)
		c.add(i, last, true)
	}
	if last < len(text) {
		c.add(last, len(text), false)
	}
	c.flush()
	return c.dst
}

// bert cuts at white space, which it removes, and around punctuation.
type bert struct{}

func (bert) Split(_ *normalize.Scratch, dst []Piece, s Piece) []Piece {
	text, start := s.Text(), 0
	for i := 0; i < len(text); {
		size := 1
		var info chars.Info
		if x := text[i]; x < utf8.RuneSelf {
			info = chars.ASCII[x]
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(text[i:])
			info = chars.Of(r)
		}
		if info.Is(chars.Space | chars.Punctuation) {
			if start < i {
				dst = append(dst, s.Slice(start, i))
			}
			if start = i + size; !info.Is(chars.Space) {
				dst = append(dst, s.Slice(i, start))
			}
		}
		i += size
	}
	if start < len(text) {
		dst = append(dst, s.Slice(start, len(text)))
	}
	return dst
}

// whitespace keeps runs of word characters and runs of what is neither word nor space: \w+|[^\w\s]+ of the crate regex.
type whitespace struct{}

func (whitespace) Split(_ *normalize.Scratch, dst []Piece, s Piece) []Piece {
	t := tables()
	text, start, kind := s.Text(), 0, outside
	for i := 0; i < len(text); {
		size := 1
		var k uint8
		if x := text[i]; x < utf8.RuneSelf {
			k = t.ascii[x]
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(text[i:])
			k = t.kind(r)
		}
		if k != kind {
			if kind != outside {
				dst = append(dst, s.Slice(start, i))
			}
			start, kind = i, k
		}
		i += size
	}
	if kind != outside {
		dst = append(dst, s.Slice(start, len(text)))
	}
	return dst
}

// fixedLength cuts after every n characters.
type fixedLength int

func (n fixedLength) Split(_ *normalize.Scratch, dst []Piece, s Piece) []Piece {
	start, count := 0, 0
	for i := range s.Text() {
		if count == int(n) {
			dst = append(dst, s.Slice(start, i))
			start, count = i, 0
		}
		count++
	}
	if start < s.Len() {
		dst = append(dst, s.Slice(start, s.Len()))
	}
	return dst
}

// scripts cuts where the script changes.
type scripts struct{}

func (scripts) Split(_ *normalize.Scratch, dst []Piece, s Piece) []Piece {
	t := tables()
	start, last := -1, uint8(0) // as in the reference, what precedes the first character with a script is lost
	for i, r := range s.Text() {
		script := t.script(r)
		if script == 0 {
			continue
		}
		if script != last {
			if start >= 0 {
				dst = append(dst, s.Slice(start, i))
			}
			start, last = i, script
		}
	}
	if start >= 0 {
		dst = append(dst, s.Slice(start, s.Len()))
	}
	return dst
}
