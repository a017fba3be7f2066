package normalize

import (
	"unicode/utf8"
)

// A String is a text that was cut from an original and changed. It knows the place in the original of each of its
// bytes. It is small and immutable; copies share memory.
type String struct {
	text string
	from *alignment // nil: every byte of text is at its own place in the original
	at   int        // without from: the place of text in the original; with it: the index of text in from.starts
}

// An alignment holds the sources of a changed text.
//
// Every byte of the text comes from one rune of the original, or from none. The sources ascend, and the bytes without a
// source precede all others.
type alignment struct {
	source string   // runes at the same places, and as long, as those of the original from base on
	base   int      // the place of source in the original
	starts []uint32 // for each byte of the text, the first byte of its source within source
	bare   int      // the number of leading bytes without a source; starts holds a place of width 0 for them
}

// New returns the original itself. It must be valid UTF-8, of less than 4 GiB.
func New(original string) String { return String{text: original} }

// Text returns the text after all changes.
func (s String) Text() string { return s.text }

// Len returns the length of the text in bytes.
func (s String) Len() int { return len(s.text) }

// Slice returns the part of s from byte start to byte end of its text. Both are at boundaries of runes.
func (s String) Slice(start, end int) String {
	if start == end {
		return String{at: s.shift() + start}
	}
	return String{text: s.text[start:end], from: s.from, at: s.at + start}
}

// Original returns the bytes of the original that bytes start to end of the text came from.
//
// An empty range has no source. As in the reference (NormalizedString::convert_offsets), its result is then the same
// distance from the start of the original of s.
func (s String) Original(start, end int) (int, int) {
	switch {
	case start >= end:
		at := s.shift() + start
		return at, at
	case s.from == nil:
		for start > 0 && !utf8.RuneStart(s.text[start]) {
			start--
		}
		for end < len(s.text) && !utf8.RuneStart(s.text[end]) {
			end++
		}
		return s.at + start, s.at + end
	}
	a, last := s.from, s.at+end-1
	to := int(a.starts[last])
	if last >= a.bare {
		to += width(a.source[to])
	}
	return a.base + int(a.starts[s.at+start]), a.base + to
}

// shift returns the place in the original at which the original of s begins.
func (s String) shift() int {
	switch {
	case s.from == nil:
		return s.at
	case len(s.text) == len(s.from.starts):
		return s.from.base
	}
	return s.from.base + int(s.from.starts[s.at])
}

// bare returns the number of leading bytes of the text without a source.
func (s String) bare() int {
	if s.from == nil {
		return 0
	}
	return min(max(s.from.bare-s.at, 0), len(s.text))
}

// width returns the length of the rune that begins with b.
func width(b byte) int {
	switch {
	case b < 0xC0:
		return 1
	case b < 0xE0:
		return 2
	case b < 0xF0:
		return 3
	}
	return 4
}

// Prepend returns s with prefix before it. The prefix has the source of the first rune. An empty s stays empty. An
// empty prefix takes the source of the first rune away, as in the reference.
func (s String) Prepend(sc *Scratch, prefix string) String {
	if s.text == "" {
		return s
	}
	e := s.edit(sc, len(prefix))
	first, size := utf8.DecodeRuneInString(s.text)
	if prefix == "" {
		e.Put(first, 1)
		e.pos = size
	} else {
		for i, r := range prefix {
			e.Put(r, min(i, 1))
		}
		e.Put(first, 1)
	}
	e.Keep(size, len(s.text))
	return e.String()
}

// Append returns s with suffix after it. The suffix has the source of the last rune.
func (s String) Append(sc *Scratch, suffix string) String {
	if suffix == "" {
		return s
	}
	e := s.edit(sc, len(suffix))
	e.Keep(0, len(s.text))
	e.insert(suffix)
	return e.String()
}

// Map returns s with f applied to every rune.
func (s String) Map(sc *Scratch, f func(rune) rune) String {
	for i, r := range s.text {
		if f(r) != r {
			e := s.Edit(sc)
			e.Keep(0, i)
			for _, r := range s.text[i:] {
				e.Put(f(r), 0)
			}
			return e.String()
		}
	}
	return s
}

// Filter returns s without the runes that keep rejects.
func (s String) Filter(sc *Scratch, keep func(rune) bool) String {
	for i, r := range s.text {
		if !keep(r) {
			return s.filter(sc, keep, i)
		}
	}
	return s
}

// filter is Filter after the first rejected rune was found at byte first.
func (s String) filter(sc *Scratch, keep func(rune) bool, first int) String {
	e := s.Edit(sc)
	from := 0
	for i, r := range s.text[first:] {
		if i += first; !keep(r) {
			e.Keep(from, i)
			e.Drop(1)
			from = i + utf8.RuneLen(r)
		}
	}
	e.Keep(from, len(s.text))
	return e.String()
}
