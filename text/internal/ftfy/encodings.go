package ftfy

import (
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// An encoding has one byte for each character.
type encoding struct {
	runes [256]rune // the character of each byte, or that of Latin-1
	bytes map[rune]byte
	loose bool // U+FFFD counts as the byte lost
	mac   bool // Macintosh, where a dash before a space looks like UTF-8
}

// latin is the number of the first encodings, which resemble Latin-1.
const latin = 7

// lost is the byte that stands for a character that was lost: the control character SUBSTITUTE.
const lost = 0x1A

// encodings returns those in which UTF-8 may have been read, in the order in which they are tried: Latin-1, those of
// Windows, Latin-2, Macintosh, and that of the IBM PC.
var encodings = sync.OnceValue(func() []*encoding {
	var list []*encoding
	for _, m := range []*charmap.Charmap{
		charmap.ISO8859_1, charmap.Windows1252, charmap.Windows1251, charmap.Windows1250, charmap.Windows1253, charmap.Windows1254,
		charmap.Windows1257, charmap.ISO8859_2, charmap.Macintosh, charmap.CodePage437,
	} {
		e := &encoding{bytes: map[rune]byte{}, mac: m == charmap.Macintosh}
		e.loose = strings.HasPrefix(m.String(), "Windows")
		for i := range e.runes {
			e.runes[i] = m.DecodeByte(byte(i))
			if e.runes[i] == utf8.RuneError { // none has it
				e.runes[i] = rune(i)
			}
		}
		if e.loose {
			e.runes[lost] = utf8.RuneError
		}
		for i, r := range e.runes {
			e.bytes[r] = byte(i)
		}
		list = append(list, e)
	}
	return list
})

// encode returns the bytes of a text, if it has them all.
func (e *encoding) encode(text string) ([]byte, bool) {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		c, ok := byte(r), true
		if r >= utf8.RuneSelf || r == lost {
			c, ok = e.bytes[r]
		}
		if !ok {
			return nil, false
		}
		out = append(out, c)
	}
	return out, true
}

// decode reads UTF-8. It also reads Java's form of NUL, and characters beyond U+FFFF that were written as two
// surrogates (CESU-8).
func decode(data []byte) (string, bool) {
	if utf8.Valid(data) {
		return string(data), true
	}
	var b strings.Builder
	b.Grow(len(data))
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			if r, size = variant(data); size == 0 {
				return "", false
			}
		}
		b.WriteRune(r)
		data = data[size:]
	}
	return b.String(), true
}

// variant reads a character that UTF-8 does not have at the beginning of data. Without one the size is 0. The reference
// also takes a line feed at the end for the last byte.
func variant(data []byte) (r rune, size int) {
	follows := func(i int, from, to byte) bool {
		return i < len(data) && (data[i] >= from && data[i] <= to || data[i] == '\n' && i == len(data)-1)
	}
	switch {
	case data[0] == 0xC0 && follows(1, 0x80, 0x80):
		return 0, 2
	case data[0] == 0xED && len(data) > 5 && data[3] == 0xED && follows(1, 0xA0, 0xAF) && follows(2, 0x80, 0xBF) && follows(4, 0xB0, 0xBF) && follows(5, 0x80, 0xBF):
		return 0x10000 + rune(data[1]&0x0F)<<16 + rune(data[2]&0x3F)<<10 + rune(data[4]&0x0F)<<6 + rune(data[5]&0x3F), 6
	}
	return 0, 0
}
