package split

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/normalize"
	"github.com/fovea-ml/fovea/text/internal/regex"
)

// words is the pattern of GPT-2.
var words = sync.OnceValue(func() *regex.Regexp {
	return regex.MustCompile(`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`)
})

// byteLevel cuts by the pattern of GPT-2, and writes a printable character for each byte.
type byteLevel struct {
	prefix bool // a space is put before the text, unless it begins with one
	regex  bool // it cuts
}

func (b byteLevel) Split(sc *normalize.Scratch, dst []Piece, s Piece) []Piece {
	if b.prefix && !strings.HasPrefix(s.Text(), " ") {
		s = s.Prepend(sc, " ")
	}
	if s.Len() == 0 {
		return dst
	}
	if !b.regex {
		return append(dst, s.Bytes(sc))
	}
	if start, end := s.Original(0, 1); start == end {
		// Changing the text depends on where it begins without a source. So each piece is changed on its own.
		base := len(dst)
		dst = byPattern{regex: words(), behavior: isolated}.Split(sc, dst, s)
		for i := range dst[base:] {
			dst[base+i] = dst[base+i].Bytes(sc)
		}
		return dst
	}
	changed := s.Bytes(sc)
	text, last, at := s.Text(), 0, 0
	for start, end := range words().All(text) {
		if last < start {
			to := at + changedLen(text[last:start])
			dst = append(dst, changed.Slice(at, to))
			at = to
		}
		to := at + changedLen(text[start:end])
		dst = append(dst, changed.Slice(at, to))
		at, last = to, end
	}
	if at < changed.Len() {
		dst = append(dst, changed.Slice(at, changed.Len()))
	}
	return dst
}

// changedLen returns the number of bytes of the printable characters for the bytes of text.
func changedLen(text string) int {
	n := len(text)
	for i := range len(text) {
		if b := text[i]; b <= ' ' || b >= 0x7F {
			n++
		}
	}
	return n
}

// scheme says where Metaspace puts its mark before a text.
type scheme uint8

const (
	always scheme = iota
	first         // before the begin of the original
	never
)

var schemes = map[string]scheme{"always": always, "first": first, "never": never}

// metaspace writes a mark for each space, and cuts before marks.
type metaspace struct {
	mark   rune
	scheme scheme
	split  bool
}

func (m metaspace) Split(sc *normalize.Scratch, dst []Piece, s Piece) []Piece {
	mark := string(m.mark)
	s = s.ReplaceString(sc, " ", mark)
	if m.scheme != never && !strings.HasPrefix(s.Text(), mark) {
		if at, _ := s.Original(0, 0); m.scheme == always || at == 0 {
			s = s.Prepend(sc, mark)
		}
	}
	switch {
	case s.Len() == 0:
		return dst
	case m.split:
		return atRune(dst, s, m.mark, mergedWithNext)
	}
	return append(dst, s)
}

// oneRune returns the character of a text of one character.
func oneRune(text string) (rune, bool) {
	r, size := utf8.DecodeRuneInString(text)
	return r, size > 0 && size == len(text)
}
