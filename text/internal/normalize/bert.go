package normalize

import (
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/chars"
	"github.com/fovea-ml/fovea/text/internal/component"
)

// A bert is the BasicTokenizer of BERT, up to the cut into words.
type bert struct {
	clean, spaceCJK, stripAccents, lower bool
}

func parseBERT(f *fields, _ int) Normalizer {
	n := bert{clean: component.Required[bool](f, "clean_text"), spaceCJK: component.Required[bool](f, "handle_chinese_chars"), lower: component.Required[bool](f, "lowercase")}
	n.stripAccents = n.lower
	if strip := component.Optional[*bool](f, "strip_accents", nil); strip != nil {
		n.stripAccents = *strip
	}
	return n
}

func (n bert) Normalize(sc *Scratch, s String) String {
	if n.clean {
		s = clean(sc, s)
	}
	if n.spaceCJK {
		s = spaceCJK(sc, s)
	}
	if n.stripAccents {
		s = nfd.Normalize(sc, s).filterInfo(sc, chars.Nonspacing)
	}
	if n.lower {
		s = lowercase{}.Normalize(sc, s)
	}
	return s
}

// clean removes NUL, U+FFFD and control characters. Other white space becomes a space.
func clean(sc *Scratch, s String) String {
	text := s.text
	var e *Editor
	kept := 0 // up to here the text was written
	for i := 0; i < len(text); {
		var info chars.Info
		var r rune
		size := 1
		if b := text[i]; b < utf8.RuneSelf {
			if b > ' ' && b < 0x7F {
				i++
				continue
			}
			r, info = rune(b), chars.ASCII[b]
		} else {
			r, size = utf8.DecodeRuneInString(text[i:])
			info = chars.Of(r)
		}
		removed := info.Is(chars.Control) || r == 0 || r == utf8.RuneError
		if removed || info.Is(chars.Space) && r != ' ' {
			if e == nil {
				e = s.Edit(sc)
			}
			if removed || size > 1 {
				e.KeepMapped(kept, i, spaceASCII)
				if removed {
					e.Drop(1)
				} else {
					e.Put(' ', 0)
				}
				kept = i + size
			}
		}
		i += size
	}
	if e == nil {
		return s
	}
	e.KeepMapped(kept, len(text), spaceASCII)
	return e.String()
}

var spaceASCII = asciiTable(func(b byte) byte {
	if chars.ASCII[b].Is(chars.Space) {
		return ' '
	}
	return b
})

// spaceCJK puts spaces around Chinese characters.
func spaceCJK(sc *Scratch, s String) String {
	text := s.text
	var e *Editor
	var buffer [utf8.UTFMax + 2]byte
	kept := 0
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if chars.Of(r).Is(chars.CJK) {
			if e == nil {
				e = s.Edit(sc)
			}
			e.Keep(kept, i)
			spaced := append(utf8.AppendRune(append(buffer[:0], ' '), r), ' ')
			e.Swap(i, i+size, spaced)
			kept = i + size
		}
		i += size
	}
	if e == nil {
		return s
	}
	e.Keep(kept, len(text))
	return e.String()
}
