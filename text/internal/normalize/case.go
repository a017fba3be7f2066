package normalize

import (
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/chars"
)

// lowercase maps every character to lower case, whatever is beside it: a capital sigma is σ at the end of a word as
// well.
type lowercase struct{}

// Lowercase maps a string as the component Lowercase does.
func Lowercase(sc *Scratch, s String) String { return lowercase{}.Normalize(sc, s) }

func (lowercase) Normalize(sc *Scratch, s String) String {
	text := s.text
	var e *Editor
	kept := 0 // up to here the text was written
	for i := 0; i < len(text); {
		if b := text[i]; b < utf8.RuneSelf {
			if e == nil && 'A' <= b && b <= 'Z' {
				e = s.Edit(sc)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if chars.Of(r).Is(chars.Lowers) {
			if e == nil {
				e = s.Edit(sc)
			}
			e.KeepMapped(kept, i, lowerASCII)
			r, second := chars.Lower(r)
			e.Put(r, 0)
			if second != 0 {
				e.Put(second, 1)
			}
			kept = i + size
		}
		i += size
	}
	if e == nil {
		return s
	}
	e.KeepMapped(kept, len(text), lowerASCII)
	return e.String()
}

var lowerASCII = asciiTable(func(b byte) byte {
	r, _ := chars.Lower(rune(b))
	return byte(r)
})
