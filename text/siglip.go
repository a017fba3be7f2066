package text

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/model"
	"github.com/fovea-ml/fovea/text/internal/normalize"
)

// siglip is SiglipTokenizer, which is code and no pipeline of a tokenizer.json (models/siglip/tokenization_siglip.py).
// A text loses its case and its punctuation. SentencePiece sees it behind the unknown token, whose pieces are then
// dropped, so that SentencePiece keeps the space before the text.
type siglip struct {
	model    *model.SentencePiece
	file     *pieceModel
	charsmap *normalize.Charsmap // nil: none
	unknown  string
	eos      string
	dropped  int // pieces of the unknown token
	lower    bool
	plain    bool // added tokens are ordinary text
}

// space is the sign of SentencePiece for a space.
const space = "▁"

// newSiglip checks what SentencePiece checks.
func newSiglip(file *pieceModel, unknown, eos string, lower, plain bool) (*siglip, error) {
	if file.kind != 1 {
		return nil, fmt.Errorf("trainer_spec: model_type: expected 1 (Unigram) for class SiglipTokenizer, found %d", file.kind)
	}
	if file.changes {
		return nil, fmt.Errorf("denormalizer_spec: precompiled_charsmap: unsupported")
	}
	list := make([]model.ScoredPiece, len(file.pieces))
	for i, p := range file.pieces {
		list[i] = model.ScoredPiece{Text: p.text, Score: p.score, Kind: model.PieceKind(p.kind)}
	}
	s := &siglip{file: file, unknown: unknown, eos: eos, lower: lower, plain: plain}
	var err error
	if s.model, err = model.NewSentencePiece(list, file.fallback); err != nil {
		return nil, err
	}
	if len(file.charsmap) > 0 {
		if s.charsmap, err = normalize.NewCharsmap(file.charsmap); err != nil {
			return nil, fmt.Errorf("normalizer_spec: precompiled_charsmap: %w", err)
		}
	}
	var t traced
	t.add(unknown, 0, 0)
	if t, err = s.normalize(t); err != nil {
		return nil, err
	}
	tokens, err := s.model.Append(nil, string(t.text))
	s.dropped = len(tokens)
	return s, err
}

// traced is a text that knows the bytes of the original that each of its bytes came from.
type traced struct {
	text     []byte
	from, to []uint32
}

// newTraced returns an empty text with room for n bytes.
func newTraced(n int) traced {
	return traced{make([]byte, 0, n), make([]uint32, 0, n), make([]uint32, 0, n)}
}

func (t *traced) add(s string, from, to int) {
	t.text = append(t.text, s...)
	for range len(s) {
		t.from, t.to = append(t.from, uint32(from)), append(t.to, uint32(to))
	}
}

// appendText appends the tokens of a valid text to p. With a word of -1, a word begins at every space and at every
// added token.
func (s *siglip) appendText(v *vocabulary, w *work, p *part, text string, word int, plain bool) error {
	base := len(p.ids)
	w.hits = w.hits[:0]
	if !s.plain {
		w.hits = v.plain.find(w.hits, text)
	}
	at := 0
	for _, h := range w.hits {
		t := v.tokens[v.plainIDs[h.pattern]]
		if plain && t.Special {
			continue
		}
		from, to := h.from, h.to
		if t.LStrip {
			from = max(at, len(strings.TrimRightFunc(text[:from], pythonSpace)))
		}
		if err := s.appendSegment(v, w, p, text, at, from); err != nil {
			return err
		}
		p.push(t.ID, strings.Clone(t.Content), h.from, h.to)
		if t.RStrip {
			to = len(text) - len(strings.TrimLeftFunc(text[to:], pythonSpace))
		}
		at = to
	}
	if err := s.appendSegment(v, w, p, text, at, len(text)); err != nil {
		return err
	}
	if len(p.ids) > base+1 && p.tokens[base] == space && v.special[p.tokens[base+1]] {
		p.ids, p.tokens, p.offsets = p.ids[:base+copy(p.ids[base:], p.ids[base+1:])],
			p.tokens[:base+copy(p.tokens[base:], p.tokens[base+1:])], p.offsets[:base+copy(p.offsets[base:], p.offsets[base+1:])]
	}
	count, after := -1, true // after: an added token is before
	for i := base; i < len(p.ids); i++ {
		_, added := v.tokens[p.ids[i]]
		if added || after || strings.HasPrefix(p.tokens[i], space) {
			count++
		}
		after = added
		if word >= 0 {
			count = word
		}
		p.words = append(p.words, count)
	}
	return nil
}

// push appends a token without its word.
func (p *part) push(id int, name string, from, to int) {
	p.ids = append(p.ids, id)
	p.tokens = append(p.tokens, name)
	p.offsets = append(p.offsets, [2]int{from, to})
}

// appendSegment appends the tokens of bytes from to end of a text, which are no added token (_tokenize).
func (s *siglip) appendSegment(v *vocabulary, w *work, p *part, text string, from, end int) error {
	if from > 0 && from >= end {
		return nil
	}
	t, err := s.normalize(s.canonical(text, from, end))
	if err != nil {
		return err
	}
	normal := string(t.text)
	if w.tokens, err = s.model.Append(w.tokens[:0], normal); err != nil {
		return err
	}
	tokens := w.tokens
	if len(tokens) >= s.dropped {
		tokens = tokens[s.dropped:]
	}
	p.reserve(len(tokens))
	for _, token := range tokens {
		name, id := s.model.Text(normal, token), token.ID
		if added, ok := v.ids[name]; ok {
			id = added
		} else if id == s.model.Unknown() {
			name = strings.Clone(name)
			if known, ok := s.model.ID(name); ok { // such as a control piece
				id = known
			}
		}
		p.push(id, name, int(t.from[token.Start]), int(t.to[token.End-1]))
	}
	return nil
}

// canonical returns bytes from to end of a text in lower case, without punctuation, and with single spaces, behind the
// unknown token (canonicalize_text). At the beginning of a text there is the sign for a space as well.
func (s *siglip) canonical(text string, from, end int) traced {
	t := newTraced(len(s.unknown) + len(space) + end - from)
	t.add(s.unknown, from, from)
	begun := from == 0
	if begun {
		t.add(space, 0, 0)
	}
	var gap [2]int // white space that was not written
	spaced := false
	put := func(r rune, a, b int) {
		a, b = from+a, from+b
		switch {
		case r < utf8.RuneSelf && asciiPunctuation(byte(r)):
		case r == '▁' || pythonSpace(r):
			if !spaced {
				gap[0] = a
			}
			gap[1], spaced = b, true
		default:
			if spaced && begun {
				t.add(" ", gap[0], gap[1])
			}
			spaced, begun = false, true
			t.add(string(r), a, b)
		}
	}
	if s.lower {
		eachLower(text[from:end], put)
	} else {
		for i, r := range text[from:end] {
			put(r, i, i+utf8.RuneLen(r))
		}
	}
	return t
}

// asciiPunctuation reports whether b is in string.punctuation of Python.
func asciiPunctuation(b byte) bool {
	return b >= '!' && b <= '/' || b >= ':' && b <= '@' || b >= '[' && b <= '`' || b >= '{' && b <= '~'
}

// normalize changes a text as SentencePiece does before it looks for pieces (normalizer.cc).
func (s *siglip) normalize(in traced) (traced, error) {
	out := newTraced(len(in.text) + len(space))
	text := string(in.text)
	most := normalize.Room(len(text))
	at := 0
	for at < len(text) && s.file.squeeze {
		to, n := s.replacement(text[at:])
		if to != " " {
			break
		}
		at += n
	}
	if at == len(text) {
		return out, nil
	}
	sign := " "
	if s.file.escape {
		sign = space
	}
	if s.file.dummy && !s.file.suffix {
		out.add(sign, int(in.from[at]), int(in.from[at]))
	}
	spaced := s.file.squeeze // a space is before
	for at < len(text) {
		to, n := s.replacement(text[at:])
		if len(out.text)+len(to)*len(space) > most {
			return out, fmt.Errorf("text: expected a charsmap that writes at most %d bytes for it, found more", most)
		}
		from, end := int(in.from[at]), int(in.to[at+n-1])
		for spaced && strings.HasPrefix(to, " ") {
			to = to[1:]
		}
		if to != "" {
			spaced = s.file.squeeze && strings.HasSuffix(to, " ")
			if s.file.escape {
				to = strings.ReplaceAll(to, " ", space)
			}
			out.add(to, from, end)
		}
		at += n
	}
	size := len(out.text)
	for s.file.squeeze && strings.HasSuffix(string(out.text[max(0, size-len(sign)):size]), sign) {
		size -= len(sign)
	}
	out.text, out.from, out.to = out.text[:size], out.from[:size], out.to[:size]
	if s.file.dummy && s.file.suffix {
		end := int(in.to[len(in.to)-1])
		out.add(sign, end, end)
	}
	return out, nil
}

// replacement returns what SentencePiece writes for the beginning of a text, and the length of that beginning.
func (s *siglip) replacement(text string) (string, int) {
	if n := s.model.Symbol(text); n > 0 {
		return text[:n], n
	}
	if s.charsmap != nil {
		if to, n := s.charsmap.Longest(text); n > 0 {
			return to, n
		}
	}
	_, n := utf8.DecodeRuneInString(text)
	return text[:n], n
}
