package normalize

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/chars"
	"github.com/fovea-ml/fovea/text/internal/component"
)

// A Charsmap has the rules of a SentencePiece model for replacing characters. It is the length in bytes of a double
// array, the double array (darts-clone: uint32, little endian), and the replacements, each of which ends at a NUL.
type Charsmap struct {
	units []uint32
	texts string
}

// A precompiled replaces characters and short graphemes by the rules of a charsmap.
type precompiled struct {
	*Charsmap
	ascii [128]bool // a rule begins with this character
}

func parsePrecompiled(f *fields, _ int) Normalizer {
	text := component.Required[string](f, "precompiled_charsmap")
	if f.Err != nil {
		return nil
	}
	charsmap, err := base64.StdEncoding.DecodeString(text)
	var n *precompiled
	if err == nil {
		n, err = newPrecompiled(charsmap)
	}
	if err != nil {
		f.Fail("precompiled_charsmap: %w", err)
	}
	return n
}

func newPrecompiled(charsmap []byte) (*precompiled, error) {
	m, err := NewCharsmap(charsmap)
	if err != nil {
		return nil, err
	}
	n := &precompiled{Charsmap: m}
	for c := range n.ascii {
		_, n.ascii[c] = n.find(string(rune(c)))
	}
	return n, nil
}

// NewCharsmap reads the charsmap of a SentencePiece model.
func NewCharsmap(charsmap []byte) (*Charsmap, error) {
	if len(charsmap) < 4 {
		return nil, fmt.Errorf("expected at least 4 bytes, found %d", len(charsmap))
	}
	size, rest := binary.LittleEndian.Uint32(charsmap), charsmap[4:]
	size -= size % 4
	if size == 0 || int64(size) > int64(len(rest)) {
		return nil, fmt.Errorf("expected a trie of 4 to %d bytes, found %d", len(rest), size)
	}
	if !utf8.Valid(rest[size:]) {
		return nil, fmt.Errorf("replacements: expected UTF-8")
	}
	m := &Charsmap{units: make([]uint32, size/4), texts: string(rest[size:])}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(rest[4*i:])
	}
	return m, nil
}

// find returns the replacement of the shortest rule that text begins with. A rule beyond the trie or the replacements
// is none.
func (m *Charsmap) find(text string) (string, bool) {
	start, _ := m.rule(text, false)
	return m.text(start)
}

// Longest returns the replacement of the longest rule that text begins with, and the length of what it replaces: 0 for
// no rule.
func (m *Charsmap) Longest(text string) (to string, size int) {
	start, size := m.rule(text, true)
	to, ok := m.text(start)
	if !ok {
		size = 0
	}
	return to, size
}

// rule returns the place of the replacement of a rule that text begins with, and the length of what it replaces.
// Without a rule the place is -1.
func (m *Charsmap) rule(text string, longest bool) (start, size int) {
	start = -1
	at := offset(m.units[0])
	for i := 0; i < len(text); i++ {
		c := uint32(text[i])
		at ^= c
		if c == 0 || at >= uint32(len(m.units)) {
			break
		}
		unit := m.units[at]
		if unit&(1<<31|0xFF) != c {
			break
		}
		at ^= offset(unit)
		if unit>>8&1 == 0 {
			continue
		}
		if at >= uint32(len(m.units)) {
			break
		}
		start, size = int(m.units[at]&^(1<<31)), i+1
		if !longest {
			break
		}
	}
	return start, size
}

// text returns the replacement at a place.
func (m *Charsmap) text(start int) (string, bool) {
	if start < 0 || start > len(m.texts) || start < len(m.texts) && !utf8.RuneStart(m.texts[start]) {
		return "", false
	}
	to, _, _ := strings.Cut(m.texts[start:], "\x00")
	return to, true
}

// offset returns the distance to the children of a unit.
func offset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

func (n *precompiled) Normalize(sc *Scratch, s String) String {
	text := s.text
	w := charsmapWriter{sc: sc, s: s}
	for i := n.plain(text, 0); i < len(text); i = n.plain(text, i) {
		size := chars.Grapheme(text[i:])
		end := i + size
		if size < 6 {
			if to, ok := n.find(text[i:end]); ok {
				w.replace(i, end, to)
				i = end
				continue
			}
		}
		for i < end {
			_, size := utf8.DecodeRuneInString(text[i:end])
			if to, ok := n.find(text[i : i+size]); ok {
				w.replace(i, i+size, to)
			}
			i += size
		}
	}
	return w.String()
}

// plain returns the end of the longest run of text from byte i on that has no rules.
func (n *precompiled) plain(text string, i int) int {
	for i < len(text) && text[i] < utf8.RuneSelf && !n.ascii[text[i]] && (i+1 == len(text) || text[i+1] < utf8.RuneSelf) {
		i++
	}
	return i
}

// A charsmapWriter passes changes on to an Editor, one late: a later replacement may drop runes after the last rune.
// The accounts of the reference, which it follows, forget the dropped runes where nothing was written before.
type charsmapWriter struct {
	sc     *Scratch
	s      String
	e      *Editor // nil until something changes
	kept   int     // the text before was written, but for the last rune
	last   rune
	change int
	held   bool // last and change wait
}

// keep writes the text from kept to i as it is.
func (w *charsmapWriter) keep(i int) {
	if w.kept == i {
		return
	}
	w.flush()
	r, size := utf8.DecodeLastRuneInString(w.s.text[w.kept:i])
	w.e.Keep(w.kept, i-size)
	w.last, w.change, w.held = r, 0, true
	w.kept = i
}

// flush writes the last rune.
func (w *charsmapWriter) flush() {
	if w.held {
		w.e.Put(w.last, w.change)
		w.held = false
	}
}

// replace writes the text to in the place of bytes i to j.
func (w *charsmapWriter) replace(i, j int, to string) {
	if w.e == nil {
		w.e = w.s.Edit(w.sc)
	}
	w.keep(i)
	w.kept = j
	left := utf8.RuneCountInString(to)
	more := left - utf8.RuneCountInString(w.s.text[i:j])
	for _, r := range to {
		w.flush()
		w.last, w.change, w.held = r, 0, true
		if left <= more {
			w.change = 1
		}
		left--
	}
	if more < 0 && w.held {
		w.change += more
	}
}

// String returns the changed text.
func (w *charsmapWriter) String() String {
	if w.e == nil {
		return w.s
	}
	w.keep(len(w.s.text))
	w.flush()
	return w.e.String()
}
