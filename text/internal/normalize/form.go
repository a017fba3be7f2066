package normalize

import (
	"slices"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/chars"
)

// A form is a normalization form of Unicode, UAX 15.
type form struct {
	compatible, compose bool
	changes             chars.Info // the characters that the form may change, join or move
}

var (
	nfc  = form{compose: true, changes: chars.NotNFC}
	nfd  = form{changes: chars.NotNFD}
	nfkc = form{compatible: true, compose: true, changes: chars.NotNFKC}
	nfkd = form{compatible: true, changes: chars.NotNFKD}
)

// NFC returns a text in the form NFC.
func NFC(text string) string { return nfc.Normalize(nil, New(text)).Text() }

// NFKC returns a text in the form NFKC.
func NFKC(text string) string { return nfkc.Normalize(nil, New(text)).Text() }

func (n form) Normalize(sc *Scratch, s String) String {
	text := s.text
	start, first := n.next(text, 0)
	if first == len(text) {
		return s
	}
	e := s.Edit(sc)
	w := &e.sc.form
	kept := 0
	for first < len(text) {
		// Characters from start on may change. The next that neither changes nor joins with the one before ends the segment.
		end := first
		for end < len(text) {
			r, size := utf8.DecodeRuneInString(text[end:])
			if end > first && (r < utf8.RuneSelf || !chars.Of(r).Is(n.changes)) {
				break
			}
			end += size
		}
		e.Keep(kept, start)
		w.segment(e, n, text[start:end])
		kept = end
		start, first = n.next(text, end)
	}
	e.Keep(kept, len(text))
	return e.String()
}

// next returns the first character from byte i on that may change, and the start of the character before it, with which
// it may be composed. Without one it returns the length of the text.
func (n form) next(text string, i int) (before, at int) {
	before = i
	for i < len(text) {
		if text[i] < utf8.RuneSelf {
			before = i
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if chars.Of(r).Is(n.changes) {
			if !n.compose {
				before = i
			}
			return before, i
		}
		before = i
		i += size
	}
	return len(text), len(text)
}

// A formWriter normalizes segments. A change is that of Editor.Put.
type formWriter struct {
	runes   []rune
	changes []int
	class   []uint8
	order   []int
}

// segment writes the normalized form of text, which begins where the one before ended.
func (w *formWriter) segment(e *Editor, n form, text string) {
	w.decompose(text, n.compatible)
	if n.compose {
		w.compose()
	}
	for i, r := range w.runes {
		e.Put(r, w.changes[i])
	}
}

// decompose fills w with the decomposition of text in canonical order. The first rune of the decomposition of a
// character takes its place, and others are added. The order of marks moves these changes with the runes, as in the
// reference.
func (w *formWriter) decompose(text string, compatible bool) {
	w.runes, w.changes, w.class = w.runes[:0], w.changes[:0], w.class[:0]
	starter := 0 // the marks after the last starter begin here
	sorted := true
	for _, r := range text {
		n := len(w.runes)
		w.runes = chars.Decompose(w.runes, r, compatible)
		for i := n; i < len(w.runes); i++ {
			w.changes = append(w.changes, min(i-n, 1))
			class := chars.Class(w.runes[i])
			if class == 0 {
				if !sorted {
					w.sort(starter, i)
				}
				starter, sorted = i+1, true
			} else if i > starter && class < w.class[i-1] {
				sorted = false
			}
			w.class = append(w.class, class)
		}
	}
	if !sorted {
		w.sort(starter, len(w.runes))
	}
}

// sort sorts marks i to j by class. Marks of equal class keep their order.
func (w *formWriter) sort(i, j int) {
	runes, changes, class := w.runes[i:j], w.changes[i:j], w.class[i:j]
	w.order = w.order[:0]
	for k := range runes {
		w.order = append(w.order, k)
	}
	slices.SortStableFunc(w.order, func(a, b int) int { return int(class[a]) - int(class[b]) })
	runes2, changes2, class2 := slices.Clone(runes), slices.Clone(changes), slices.Clone(class)
	for to, from := range w.order {
		runes[to], changes[to], class[to] = runes2[from], changes2[from], class2[from]
	}
}

// compose joins characters that compose. A rune that is joined to one before it is dropped there, unless it had been
// added.
func (w *formWriter) compose() {
	const none = -1
	starter, last := none, none // the place of the starter in out, and the class of the last mark after it
	out := 0
	for i, r := range w.runes {
		class := int(w.class[i])
		if starter != none && (last == none || last < class) {
			if composed, ok := chars.Compose(w.runes[starter], r); ok {
				w.runes[starter] = composed
				w.changes[starter] += w.changes[i] - 1
				continue
			}
		}
		w.runes[out], w.changes[out] = r, w.changes[i]
		switch {
		case class == 0:
			starter, last = out, none
		case starter != none:
			last = class
		}
		out++
	}
	w.runes, w.changes = w.runes[:out], w.changes[:out]
}
