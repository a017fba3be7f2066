package text

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/fovea-ml/fovea/text/internal/model"
	"github.com/fovea-ml/fovea/text/internal/normalize"
	"github.com/fovea-ml/fovea/text/internal/split"
)

// Tokenizer turns texts into tokens and back. Any number of goroutines may use it at once.
type Tokenizer struct {
	normalizer normalize.Normalizer // nil: none, as are the others
	splitter   split.Splitter
	model      model.Model
	processor  processor
	code       *siglip   // in the place of the normalizer and the splitter, nil for most
	decoders   []decoder // nil: tokens are joined with spaces
	added      *vocabulary
	truncation *Truncation
	padding    *Padding
	raw        components
	config     config
	working    sync.Pool // of *work
}

// Options says how a text is encoded. The zero value adds special tokens, and neither truncates nor pads.
type Options struct {
	NoSpecial  bool        // leave out the special tokens that the post-processor adds
	Truncation *Truncation // nil: no limit
	Padding    *Padding    // nil: none
	// PlainSpecial reads special tokens in the text as ordinary text. Set it for texts that users wrote.
	PlainSpecial bool
	// LowerCase puts the text in lower case before the normalizer, as sentence-transformers' do_lower_case does.
	// Special tokens in the text stay as they are. The class SiglipTokenizer does not support it.
	LowerCase bool
}

// Input is a text to encode, or a pair.
type Input struct {
	Text  string
	Words []string // in the place of Text: a text that was split into words; offsets count within each word
	Pair  *Input   // the second text of a pair, nil for none; its own Pair is not read
}

// Encode encodes a text. Bytes that are not UTF-8 count as U+FFFD, one for each maximal invalid sequence, as in Python.
//
// It returns an error for a text above 2 GiB, or one that the normalizer makes far longer; for an option out of its
// range, such as a limit below the number of special tokens; for windows that are too many for memory; and for an
// unknown word where the vocabulary lacks its unknown token.
func (t *Tokenizer) Encode(text string, o Options) (*Encoding, error) {
	return t.encode(Input{Text: text}, o)
}

// EncodePair encodes two texts, such as a question and its context. Its errors are those of [Tokenizer.Encode].
func (t *Tokenizer) EncodePair(first, second string, o Options) (*Encoding, error) {
	return t.encode(Input{Text: first, Pair: &Input{Text: second}}, o)
}

// EncodeWords encodes a text that was split into words before. Word indexes are those of the list, and offsets count
// within each word. Its errors are those of [Tokenizer.Encode].
func (t *Tokenizer) EncodeWords(words []string, o Options) (*Encoding, error) {
	if words == nil {
		words = []string{}
	}
	return t.encode(Input{Words: words}, o)
}

// encode encodes and pads one input.
func (t *Tokenizer) encode(in Input, o Options) (*Encoding, error) {
	w := t.work()
	defer t.release(w)
	e, err := t.encodeWith(w, in, o)
	if err != nil {
		return nil, err
	}
	if o.Padding != nil {
		if err := pad([]*Encoding{e}, o.Padding); err != nil {
			return nil, err
		}
	}
	e.number()
	return e, nil
}

// encodeWith encodes one input without padding.
func (t *Tokenizer) encodeWith(w *work, in Input, o Options) (*Encoding, error) {
	parts := make([]*part, 0, 2)
	for i, text := range []*Input{&in, in.Pair} {
		if text == nil {
			continue
		}
		p, err := t.tokens(w, i, text, o)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	if o.Truncation != nil {
		added := 0
		if t.processor != nil && !o.NoSpecial {
			added = t.processor.added(len(parts))
		}
		share := shareFast
		if t.code != nil {
			share = shareInCode
		}
		if err := truncate(parts, o.Truncation, added, share); err != nil {
			return nil, err
		}
	}
	if t.processor == nil {
		if len(parts) == 2 {
			for i, p := range parts {
				q := *p
				q.setSequence(i)
				parts[i] = &q
			}
		}
		return join(parts), nil
	}
	for i, p := range parts {
		q := p.clone()
		q.setSequence(i)
		for _, o := range q.over {
			o.setSequence(i)
		}
		parts[i] = q
	}
	parts, err := t.processor.process(parts, !o.NoSpecial)
	if err == nil {
		err = checkWindows(parts)
	}
	if err != nil {
		return nil, err
	}
	return join(parts), nil
}

// work is memory for one call.
type work struct {
	scratch normalize.Scratch
	first   []segment // of the text
	second  []segment // of a normalized segment
	hits    []match
	pieces  []split.Piece
	tokens  []model.Token
	parts   [2]part
}

// work returns memory for a call, which [Tokenizer.release] takes back.
func (t *Tokenizer) work() *work {
	if w, ok := t.working.Get().(*work); ok {
		return w
	}
	return new(work)
}

// maxKept is the number of tokens and of bytes up to which the memory of a call is kept for the next one.
const maxKept = 1 << 18

// release keeps the memory for the next call, but not that of a huge text. It drops what belongs to the text.
func (t *Tokenizer) release(w *work) {
	kept := max(cap(w.first), cap(w.second), cap(w.hits), cap(w.pieces), cap(w.tokens), cap(w.parts[0].ids), cap(w.parts[1].ids))
	if kept > maxKept {
		return
	}
	w.scratch.Reset()
	clear(w.pieces)
	for i := range w.parts {
		clear(w.parts[i].tokens)
		w.parts[i].source, w.parts[i].over = nil, nil
	}
	t.working.Put(w)
}

// tokens encodes text i of an input, without special tokens. The part lies in the memory of w.
func (t *Tokenizer) tokens(w *work, i int, in *Input, o Options) (_ *part, err error) {
	defer normalize.Recover(&err)
	p := &w.parts[i]
	if p.owned { // its memory went into an encoding
		*p = part{}
	}
	*p = part{ids: p.ids[:0], types: p.types[:0], tokens: p.tokens[:0], offsets: p.offsets[:0], words: p.words[:0], special: p.special[:0]}
	p.source = &source{texts: []string{in.Text}}
	if in.Words != nil {
		p.source = &source{texts: append([]string(nil), in.Words...), words: true}
	}
	size := 0
	for _, text := range p.source.texts {
		size += len(text)
	}
	w.scratch.Bound(normalize.Room(size))
	for j, text := range p.source.texts {
		if len(text) > math.MaxInt32 {
			return nil, fmt.Errorf("text: expected at most %d bytes, found %d", math.MaxInt32, len(text))
		}
		switch {
		case t.config.openAI:
			text = cleanOpenAI(text)
			p.source.texts[j] = text
		case t.config.canonical:
			text = cleanCanonical(text)
			p.source.texts[j] = text
		case t.config.whitespace:
			text = cleanWhitespace(text)
			p.source.texts[j] = text
		}
		text, fixes := repair(text)
		if fixes != nil {
			if p.source.repaired == nil {
				p.source.repaired = make([][]fix, len(p.source.texts))
			}
			p.source.texts[j], p.source.repaired[j] = text, fixes
		}
		word := -1
		if p.source.words {
			word = j
		}
		o := o
		o.PlainSpecial = o.PlainSpecial || t.config.plain
		if t.code != nil && o.LowerCase {
			return nil, errors.New("text: option LowerCase: unsupported for a tokenizer whose rules are code")
		}
		if t.code != nil {
			err = t.code.appendText(t.added, w, p, text, word, o.PlainSpecial)
		} else {
			err = t.appendText(w, p, text, word, o)
		}
		if err != nil {
			return nil, err
		}
	}
	p.types, p.special = slices.Grow(p.types, p.len()), slices.Grow(p.special, p.len())
	for len(p.types) < len(p.ids) {
		p.types = append(p.types, i)
		p.special = append(p.special, false)
	}
	if cap(p.ids) > maxKept {
		p.owned = true
		w.first, w.second, w.hits, w.pieces, w.tokens = nil, nil, nil, nil, nil
		w.scratch = normalize.Scratch{}
	}
	return p, nil
}

// appendText appends the tokens of a valid text to p. With a word of -1 the words are counted.
func (t *Tokenizer) appendText(w *work, p *part, text string, word int, o Options) error {
	w.scratch.Reset()
	original := normalize.New(text)
	count := 0
	next := func() int {
		if word >= 0 {
			return word
		}
		count++
		return count - 1
	}
	w.first, w.hits = t.added.cut(w.first[:0], w.hits, text, t.added.plain, t.added.plainIDs, o.PlainSpecial)
	for i, s := range w.first {
		part := original.Slice(s.from, s.to)
		if s.id >= 0 {
			p.appendAdded(part, s.id, s.within(w.first, i), next)
			continue
		}
		if o.LowerCase {
			part = normalize.Lowercase(&w.scratch, part)
		}
		if t.normalizer != nil {
			part = t.normalizer.Normalize(&w.scratch, part)
		}
		w.second, w.hits = t.added.cut(w.second[:0], w.hits, part.Text(), t.added.normal, t.added.normalIDs, o.PlainSpecial)
		for i, s := range w.second {
			piece := part
			if s.from != 0 || s.to != part.Len() {
				piece = part.Slice(s.from, s.to)
			}
			if s.id >= 0 {
				p.appendAdded(piece, s.id, s.within(w.second, i), next)
				continue
			}
			if t.splitter == nil {
				w.pieces = append(w.pieces[:0], piece)
			} else {
				if piece.Len() > maxKept {
					w.pieces = slices.Grow(w.pieces[:0], piece.Len()/8)
				}
				w.pieces = t.splitter.Split(&w.scratch, w.pieces[:0], piece)
			}
			begin, done := p.len(), 0
			for i, s := range w.pieces {
				if err := t.appendPiece(w, p, s, next()); err != nil {
					return err
				}
				if done += s.Len(); cap(p.ids) == len(p.ids) {
					p.reserve(expected(w.pieces[i+1:], p.len()-begin, done))
				}
			}
		}
	}
	return nil
}

// within reports whether a segment is the end of the one before it. Thousands of tokens can take the same white space.
func (s segment) within(list []segment, i int) bool {
	return i > 0 && list[i-1].id >= 0 && list[i-1].to == s.to && list[i-1].from < s.from
}

// appendAdded appends an added token. A token that normalization left empty does not count. With ends it is the end of
// the token before it, with which it shares memory.
func (p *part) appendAdded(s normalize.String, id int, ends bool, next func() int) {
	if s.Len() == 0 {
		return
	}
	from, to := s.Original(0, s.Len())
	p.ids = append(p.ids, id)
	if ends {
		last := p.tokens[len(p.tokens)-1]
		p.tokens = append(p.tokens, last[len(last)-s.Len():])
	} else {
		p.tokens = append(p.tokens, strings.Clone(s.Text()))
	}
	p.offsets = append(p.offsets, [2]int{from, to})
	p.words = append(p.words, next())
}

// expected returns the number of tokens to make room for, after done bytes gave n tokens. Where few bytes are done, it
// is at most one for each piece that is left.
func expected(left []split.Piece, n, done int) int {
	size := 0
	for _, s := range left {
		size += s.Len()
	}
	share := float64(n) / float64(done) * float64(size)
	return 1 + int(min(share, float64(max(8*n, len(left)))))
}

// appendPiece appends the tokens of a piece that the model cuts.
func (t *Tokenizer) appendPiece(w *work, p *part, piece normalize.String, word int) error {
	text := piece.Text()
	var err error
	if w.tokens, err = t.model.Append(w.tokens[:0], text); err != nil {
		return err
	}
	if len(w.tokens) > cap(p.ids)-len(p.ids) {
		p.reserve(len(w.tokens))
	}
	for _, token := range w.tokens {
		name := t.model.Text(text, token)
		if within(name, text) {
			name = strings.Clone(name)
		}
		from, to := place(piece, token)
		p.ids = append(p.ids, token.ID)
		p.tokens = append(p.tokens, name)
		p.offsets = append(p.offsets, [2]int{from, to})
		p.words = append(p.words, word)
	}
	return nil
}

// place returns the bytes of the original that a token came from. BPE counts a suffix that has no place in the text;
// its tokens lie at the end of the piece.
func place(piece normalize.String, t model.Token) (from, to int) {
	if n := piece.Len(); t.Start >= n && n > 0 {
		_, end := piece.Original(0, n)
		return end, end
	} else if t.End > n {
		return piece.Original(t.Start, n)
	}
	return piece.Original(t.Start, t.End)
}

// within reports whether s shares the memory of text, which is used again.
func within(s, text string) bool {
	if s == "" {
		return false
	}
	at, from := uintptr(unsafe.Pointer(unsafe.StringData(s))), uintptr(unsafe.Pointer(unsafe.StringData(text)))
	return at >= from && at < from+uintptr(len(text))
}

// ID returns the id of a token.
func (t *Tokenizer) ID(token string) (int, bool) { return t.added.id(token) }

// Token returns the token with an id, as [Tokenizer.Decode] starts from it.
func (t *Tokenizer) Token(id int) (string, bool) { return t.added.token(id) }

// Special returns the token with a name of transformers, such as "mask_token", and its id. It knows the names of the
// folder; ok is false where the folder has no such token.
func (t *Tokenizer) Special(name string) (token string, id int, ok bool) {
	token, ok = t.config.special[name]
	if !ok {
		return "", 0, false
	}
	id, ok = t.ID(token)
	return token, id, ok
}

// SubwordPrefix returns what stands before a token inside a word, such as "##" of WordPiece, or "" where the model has
// none.
func (t *Tokenizer) SubwordPrefix() string {
	if m, ok := t.model.(interface{ SubwordPrefix() string }); ok {
		return m.SubwordPrefix()
	}
	return ""
}

// ModelInputs returns which parts of an encoding transformers gives a model: some of input_ids, token_type_ids and
// attention_mask (model_input_names of the folder or its class). A tokenizer without a folder has no class and gives no
// token types.
func (t *Tokenizer) ModelInputs() []string {
	if names := t.config.inputs; names != nil {
		return slices.Clone(names)
	}
	return slices.Clone(plainInputs)
}

// Size returns the number of tokens, added tokens included. An id can be larger where the vocabulary has holes.
func (t *Tokenizer) Size() int {
	n := t.model.Size()
	for token := range t.added.ids {
		if _, ok := t.model.ID(token); !ok {
			n++
		}
	}
	return n
}
