package text

import (
	"fmt"
	"slices"
)

// Encoding is an encoded text or pair: one entry for each token in every list.
type Encoding struct {
	IDs     []int
	TypeIDs []int    // segment of each token: 0 or 1 in most models
	Tokens  []string // as the vocabulary writes them
	// Offsets are the bytes [start, end) of the original text, or of the original word for words that were split
	// before. Special tokens that are written in the text have offsets and a word too. Only padding and special tokens
	// that the post-processor added have [0, 0].
	Offsets [][2]int
	// Words are the indexes of the words that the tokens are parts of, and -1 for padding and added special tokens.
	Words []int
	// Sequences are 0 for the first text, 1 for the second, and -1 for padding and added special tokens. They are all 0
	// for one text without a post-processor, as in the reference.
	Sequences []int
	Attention []bool // false for padding
	Special   []bool // true for padding and for the tokens that the post-processor added
	// Overflow holds the further windows of a text that was cut, in the order of the reference, when
	// [Truncation.Overflow] asks for them. Each has its special tokens, at most Truncation.Max tokens, and no Overflow
	// of its own. Padding applies to them too. Where Truncation.Max leaves no token for the text, one window holds the
	// whole text.
	Overflow []*Encoding

	ranges [2]span
}

// Len returns the number of tokens.
func (e *Encoding) Len() int { return len(e.IDs) }

// span is the range of the tokens of one text.
type span struct {
	from, to int
	set      bool
}

// part is a run of tokens before everything is joined. Unless it is owned, its slices may lie in reused memory or
// belong to other parts, so none of them is written in place.
type part struct {
	ids     []int
	types   []int
	tokens  []string
	offsets [][2]int
	words   []int
	special []bool
	ranges  [2]span
	source  *source
	over    []*part
	owned   bool // nothing else uses the memory of the lists, so that an encoding can take it
}

func (p *part) len() int { return len(p.ids) }

// source is the text that the offsets of a part count in.
type source struct {
	texts    []string
	words    bool    // texts are words, and the word index of a token is the index of its text
	repaired [][]fix // for each text, nil where all were valid
}

// slice returns the tokens [from, to) without ranges and windows.
func (p *part) slice(from, to int) *part {
	return &part{
		ids: p.ids[from:to], types: p.types[from:to], tokens: p.tokens[from:to], offsets: p.offsets[from:to],
		words: p.words[from:to], special: p.special[from:to], source: p.source,
	}
}

// setSequence says that all tokens belong to text i.
func (p *part) setSequence(i int) { p.ranges[i] = span{0, p.len(), true} }

// setType replaces the type of every token.
func (p *part) setType(id int) {
	if !p.owned || len(p.types) < p.len() {
		p.types = make([]int, p.len())
	}
	for i := range p.types {
		p.types[i] = id
	}
}

// reserve makes room for n more tokens.
func (p *part) reserve(n int) {
	p.ids = slices.Grow(p.ids, n)
	p.tokens = slices.Grow(p.tokens, n)
	p.offsets = slices.Grow(p.offsets, n)
	p.words = slices.Grow(p.words, n)
}

// join concatenates parts. Windows are combined as the reference does: each window of one part with the other parts and
// with each of their windows, the later part varying fastest.
func join(parts []*part) *Encoding {
	e := concat(parts)
	if !slices.ContainsFunc(parts, func(p *part) bool { return len(p.over) > 0 }) {
		return e
	}
	var windows [][]*part
	for i, p := range parts {
		var next [][]*part
		for _, w := range windows {
			w = w[:len(w):len(w)]
			next = append(next, append(w, p))
			for _, o := range p.over {
				next = append(next, append(w, o))
			}
		}
		for _, o := range p.over {
			next = append(next, append(slices.Clone(parts[:i]), o))
		}
		windows = next
	}
	for _, w := range windows {
		e.Overflow = append(e.Overflow, concat(w))
	}
	return e
}

// maxWindows is the number of tokens that all windows of one encoding may have together.
const maxWindows = 1 << 27

// checkWindows returns an error for windows that would not fit in memory: their number is the product of those of the
// parts.
func checkWindows(parts []*part) error {
	windows, longest := 1.0, 0
	for _, p := range parts {
		windows *= float64(1 + len(p.over))
		longest += p.len()
	}
	if windows > 1 && windows*float64(max(longest, 1)) > maxWindows {
		return fmt.Errorf("truncation: expected windows of at most %d tokens together, found %.0f windows of %d", maxWindows, windows, longest)
	}
	return nil
}

// concat copies parts into a new encoding, with offsets in the original text. An encoding of one part that is owned
// takes its memory.
func concat(parts []*part) *Encoding {
	if len(parts) == 1 && parts[0].owned {
		p := parts[0]
		e := &Encoding{IDs: p.ids, TypeIDs: p.types, Tokens: p.tokens, Offsets: p.offsets, Words: p.words, Special: p.special, ranges: p.ranges}
		if p.source != nil && p.source.repaired != nil {
			p.source.original(e.Offsets, p.words)
		}
		e.Attention = slices.Repeat([]bool{true}, p.len())
		return e
	}
	n := 0
	for _, p := range parts {
		n += p.len()
	}
	e := &Encoding{
		IDs: make([]int, 0, n), TypeIDs: make([]int, 0, n), Tokens: make([]string, 0, n), Offsets: make([][2]int, 0, n),
		Words: make([]int, 0, n), Attention: make([]bool, n), Special: make([]bool, 0, n),
	}
	for _, p := range parts {
		for i, r := range p.ranges {
			if r.set {
				e.ranges[i] = span{len(e.IDs) + r.from, len(e.IDs) + r.to, true}
			}
		}
		e.IDs = append(e.IDs, p.ids...)
		e.TypeIDs = append(e.TypeIDs, p.types...)
		e.Tokens = append(e.Tokens, p.tokens...)
		e.Words = append(e.Words, p.words...)
		e.Special = append(e.Special, p.special...)
		e.Offsets = append(e.Offsets, p.offsets...)
		if p.source != nil && p.source.repaired != nil {
			p.source.original(e.Offsets[len(e.Offsets)-p.len():], p.words)
		}
	}
	for i := range e.Attention {
		e.Attention[i] = true
	}
	return e
}

// number fills Sequences, also of windows. Without ranges every token belongs to the first text, padding included.
func (e *Encoding) number() {
	for _, o := range e.Overflow {
		o.number()
	}
	e.Sequences = make([]int, e.Len())
	if !e.ranges[0].set || !e.ranges[1].set {
		if e.ranges[0].set {
			e.fill(e.ranges[0], 0)
		}
		return // all zeros, as the reference numbers a lone second text
	}
	for i := range e.Sequences {
		e.Sequences[i] = -1
	}
	for i, r := range e.ranges {
		for j := r.from; j < r.to; j++ {
			e.Sequences[j] = i
		}
	}
}

// fill numbers one range and leaves the rest at -1.
func (e *Encoding) fill(r span, id int) {
	for i := range e.Sequences {
		e.Sequences[i] = -1
	}
	for i := r.from; i < r.to; i++ {
		e.Sequences[i] = id
	}
}
