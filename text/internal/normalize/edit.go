package normalize

import (
	"unicode/utf8"
	"unsafe"
)

// An Editor writes a changed copy of a String from left to right: Keep, Put and Drop for all of its runes, then String.
//
//	e := s.Edit(sc)
//	for _, r := range s.Text() {
//		e.Put(unicode.ToUpper(r), 0)
//	}
//	s = e.String()
//
// Every rune that is written takes the source of the rune whose place it takes. A rune that is added takes the source
// of the rune before it. This is NormalizedString::transform of the reference.
type Editor struct {
	sc     *Scratch
	src    String
	pos    int // bytes of src that were replaced or dropped
	end    int // no rune from here on is replaced
	text   []byte
	starts []uint32
	own    bool // starts holds the sources of text; otherwise they are those of the same bytes of src
	bare   int
}

// Edit returns an Editor that changes s. Its memory comes from sc, which may be nil.
func (s String) Edit(sc *Scratch) *Editor {
	e := s.edit(sc, 0)
	// The reference replaces the range of the text that has a source. Where text was put before the first rune, that
	// range is not all of it: runes are then written after the text without a source.
	if bare := s.bare(); bare == len(s.text) {
		e.end = 0
	} else if bare > 0 {
		e.Keep(0, bare)
	}
	return e
}

// edit returns an Editor that replaces all of s, also runes without a source.
func (s String) edit(sc *Scratch, extra int) *Editor {
	if sc == nil {
		sc = new(Scratch)
	}
	sc.check(len(s.text) + extra)
	e := &sc.editor
	*e = Editor{sc: sc, src: s, end: len(s.text), text: sc.bytes.reserve(len(s.text) + extra)}
	return e
}

// Keep writes bytes i to j of the text of the source. Each rune takes the place of one rune.
func (e *Editor) Keep(i, j int) {
	if i == j {
		return
	}
	if i != e.pos || j > e.end {
		for _, r := range e.src.text[i:j] {
			e.Put(r, 0)
		}
		return
	}
	e.write(len(e.text) + j - i)
	e.text = append(e.text, e.src.text[i:j]...)
	if e.own {
		e.align(i, j)
	}
	e.pos = j
}

// Put writes r. With a change of 0 it takes the place of one rune. With a change of -n it takes the place of one rune
// and the n runes after it are dropped. With a positive change it is added after the last rune that was replaced or
// dropped.
func (e *Editor) Put(r rune, change int) {
	n := len(e.text)
	if change > 0 {
		e.ownStarts()
		e.write(n + utf8.UTFMax)
		e.text = utf8.AppendRune(e.text, r)
		e.source(e.pos-1, len(e.text)-n)
		return
	}
	old := 0
	if e.pos < e.end {
		_, old = utf8.DecodeRuneInString(e.src.text[e.pos:e.end])
	}
	if old != utf8.RuneLen(r) || e.pos >= e.end {
		e.ownStarts()
	}
	e.write(n + utf8.UTFMax)
	e.text = utf8.AppendRune(e.text, r)
	if e.own {
		e.source(e.pos, len(e.text)-n)
	}
	e.pos += old
	if change < 0 {
		e.Drop(-change)
	}
}

// Swap writes text in the place of bytes i to j of the text of the source, which are one rune. All of it takes the
// source of this rune. It is Put for the first rune of text with a change of 0, and for others with a change of 1.
func (e *Editor) Swap(i, j int, text []byte) {
	a := e.src.from
	if i != e.pos || j > e.end || a != nil && e.src.at+i < a.bare || len(text) == 0 {
		change := 0
		for len(text) > 0 {
			r, size := utf8.DecodeRune(text)
			e.Put(r, change)
			change = 1
			text = text[size:]
		}
		return
	}
	e.ownStarts()
	at := uint32(i)
	if a != nil {
		at = a.starts[e.src.at+i]
	}
	n := len(e.text)
	e.write(n + len(text))
	e.text = append(e.text, text...)
	e.room(n + len(text))
	e.starts = e.starts[:n+len(text)]
	for k := range text {
		e.starts[n+k] = at
	}
	e.pos = j
}

// KeepMapped is Keep with every byte b replaced by table[b]. The table maps ASCII to ASCII and leaves other bytes.
func (e *Editor) KeepMapped(i, j int, table *[256]byte) {
	n := len(e.text)
	e.Keep(i, j)
	for k, b := range e.text[n:] {
		e.text[n+k] = table[b]
	}
}

// asciiTable returns a table for KeepMapped.
func asciiTable(f func(b byte) byte) *[256]byte {
	var table [256]byte
	for b := range table {
		table[b] = byte(b)
		if b < utf8.RuneSelf {
			table[b] = f(byte(b))
		}
	}
	return &table
}

// Drop drops n runes.
func (e *Editor) Drop(n int) {
	for ; n > 0 && e.pos < e.end; n-- {
		e.ownStarts()
		_, size := utf8.DecodeRuneInString(e.src.text[e.pos:e.end])
		e.pos += size
	}
}

// insert adds the runes of text.
func (e *Editor) insert(text string) {
	e.ownStarts()
	e.write(len(e.text) + len(text))
	e.text = append(e.text, text...)
	e.source(e.pos-1, len(text))
}

// String returns the changed copy and ends the edit.
func (e *Editor) String() String {
	if e.end < len(e.src.text) {
		e.ownStarts()
		e.pos, e.end = e.end, len(e.src.text)
		e.Keep(e.pos, e.end)
	}
	if !e.own && len(e.text) < len(e.src.text) {
		e.ownStarts()
	}
	e.sc.spent += len(e.text)
	e.sc.bytes.keep(e.text)
	s := String{text: unsafe.String(unsafe.SliceData(e.text), len(e.text)), from: e.src.from, at: e.src.at}
	if len(e.text) == 0 {
		s = String{at: e.src.shift()}
	} else if e.own {
		e.sc.starts.keep(e.starts)
		source, base := e.sourceText()
		// The original of a part begins where the part begins, not where the whole began.
		if skip := e.src.shift() - base; skip > 0 {
			source, base = source[skip:], base+skip
			for i := range e.starts {
				e.starts[i] -= uint32(skip)
			}
		}
		from := append(e.sc.froms.reserve(1), alignment{source: source, base: base, starts: e.starts, bare: e.bare})
		e.sc.froms.keep(from)
		s.from, s.at = &from[0], 0
	}
	*e = Editor{sc: e.sc}
	return s
}

// sourceText returns the source and base of the alignment of the copy.
func (e *Editor) sourceText() (string, int) {
	if e.src.from == nil {
		return e.src.text, e.src.at
	}
	return e.src.from.source, e.src.from.base
}

// write makes room for n bytes.
func (e *Editor) write(n int) {
	if n > cap(e.text) {
		e.sc.check(n)
		e.text = append(e.sc.bytes.reserve(2*n), e.text...)
	}
}

// room makes room for n sources.
func (e *Editor) room(n int) {
	if n > cap(e.starts) {
		e.starts = append(e.sc.starts.reserve(max(2*n, len(e.src.text))), e.starts...)
	}
}

// ownStarts gives the copy sources of its own, from the first rune that is not as long as the rune in whose place it
// is.
func (e *Editor) ownStarts() {
	if e.own {
		return
	}
	e.own = true
	e.room(max(len(e.text), cap(e.text)))
	e.align(0, len(e.text))
}

// align gives the bytes that follow the sources of bytes i to j of the source.
func (e *Editor) align(i, j int) {
	n := len(e.starts)
	e.room(n + j - i)
	e.starts = e.starts[:n+j-i]
	out := e.starts[n:]
	if a := e.src.from; a != nil {
		copy(out, a.starts[e.src.at+i:e.src.at+j])
		if i < a.bare-e.src.at {
			e.bare = n + min(j, a.bare-e.src.at) - i
		}
		return
	}
	text := e.src.text[i:j]
	at := uint32(i)
	for k := range out {
		if utf8.RuneStart(text[k]) {
			at = uint32(i + k)
		}
		out[k] = at
	}
}

// source gives the next n bytes the source of byte i of the source.
func (e *Editor) source(i, n int) {
	at, bare := e.startOf(i)
	if bare {
		e.bare = len(e.starts) + n
	}
	e.room(len(e.starts) + n)
	for range n {
		e.starts = append(e.starts, at)
	}
}

// startOf returns the start of the source of byte i, and whether it has no source.
func (e *Editor) startOf(i int) (uint32, bool) {
	i = min(i, len(e.src.text)-1)
	a := e.src.from
	switch {
	case i < 0 && a == nil:
		return 0, true
	case i < 0:
		return uint32(e.src.shift() - a.base), true
	case a != nil:
		return a.starts[e.src.at+i], e.src.at+i < a.bare
	}
	for i > 0 && !utf8.RuneStart(e.src.text[i]) {
		i--
	}
	return uint32(i), false
}
