package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/trie"
)

// PieceKind is the type of a piece, with the numbers of sentencepiece_model.proto.
type PieceKind int

// The kinds of pieces.
const (
	NormalPiece  PieceKind = 1
	UnknownPiece PieceKind = 2
	ControlPiece PieceKind = 3 // no text has it
	UserPiece    PieceKind = 4 // it is a piece wherever a text has it
	UnusedPiece  PieceKind = 5
	BytePiece    PieceKind = 6
)

// A ScoredPiece is a piece of a SentencePiece model.
type ScoredPiece struct {
	Text  string
	Score float32
	Kind  PieceKind
}

// SentencePiece is a Unigram model as the SentencePiece library 0.2.3 runs it (unigram_model.cc, EncodeOptimized): its
// sums have single precision. A [Unigram] model runs as in tokenizers: in double precision, and without kinds of
// pieces.
type SentencePiece struct {
	pieces   []ScoredPiece
	trie     *trie.Trie // pieces that a text can have
	found    []int32    // their ids
	normal   map[string]int
	reserved map[string]int // of the other kinds, which go before
	users    *trie.Trie
	low      float32 // score of an unknown character
	unknown  int
	fallback bool
	bytes    [256]int
}

// NewSentencePiece makes a model of pieces whose ids are their places. With fallback, unknown characters become the
// pieces of their bytes. The errors are those of the library.
func NewSentencePiece(pieces []ScoredPiece, fallback bool) (*SentencePiece, error) {
	m := &SentencePiece{pieces: slices.Clone(pieces), unknown: -1, fallback: fallback}
	m.normal, m.reserved = make(map[string]int, len(pieces)), map[string]int{}
	var texts, users []string
	least := float32(math.MaxFloat32)
	for i, p := range m.pieces {
		fail := func(want string) error { return fmt.Errorf("piece %d, %s: expected %s", i, short(p.Text), want) }
		if err := checkPiece(p.Text); err != nil {
			return nil, err
		}
		switch {
		case p.Text == "" || !utf8.ValidString(p.Text) || strings.Contains(p.Text, "\x00"):
			return nil, fail("UTF-8 without NUL")
		case p.Kind < NormalPiece || p.Kind > BytePiece:
			return nil, fail(fmt.Sprintf("a kind from 1 to 6, found %d", p.Kind))
		}
		ids := m.reserved
		if p.Kind == NormalPiece || p.Kind == UserPiece || p.Kind == UnusedPiece {
			ids = m.normal
			texts, m.found = append(texts, p.Text), append(m.found, int32(i))
		}
		if _, ok := ids[p.Text]; ok {
			return nil, fail("one piece of this text, found two")
		}
		ids[p.Text] = i
		switch p.Kind {
		case NormalPiece:
			least = min(least, p.Score)
		case UserPiece:
			users = append(users, p.Text)
		case UnknownPiece:
			if m.unknown >= 0 {
				return nil, fail("one unknown piece, found two")
			}
			m.unknown = i
		case BytePiece:
			b, ok := fallbackByte(p.Text)
			if !fallback || !ok {
				return nil, fail("pieces of bytes such as <0x41> in models with byte_fallback only")
			}
			m.bytes[b] = i + 1
		}
	}
	switch {
	case m.unknown < 0:
		return nil, errors.New("expected an unknown piece, found none")
	case len(texts) == 0:
		return nil, errors.New("expected pieces of texts, found none")
	}
	for b := range m.bytes {
		if m.bytes[b]--; fallback && m.bytes[b] < 0 {
			return nil, fmt.Errorf("expected a piece for every byte, as byte_fallback is true, found none for %#02x", b)
		}
	}
	m.low = least - unknownPenalty
	m.trie, m.users = trie.New(texts), trie.New(users)
	return m, nil
}

// fallbackByte reads the text of a piece such as <0xE2>.
func fallbackByte(text string) (byte, bool) {
	if len(text) != 6 {
		return 0, false
	}
	b, err := strconv.ParseUint(text[3:5], 16, 8)
	return byte(b), err == nil && text == byteToken(byte(b))
}

// hop is the best way to reach a place in a text.
type hop struct {
	score float32
	start int32 // where its last piece starts; -1: no way is known
	id    int32
}

// maxScore is the sum at which the library begins again at 0. Single precision has few digits for larger sums.
const maxScore = 100_000

// Append appends the pieces of a normalized text.
func (m *SentencePiece) Append(dst []Token, text string) ([]Token, error) {
	path := make([]hop, len(text)+1)
	for i := range path {
		path[i].start = -1
	}
	last := 0 // the last place that was reached
	for at := 0; at < len(text); {
		_, n := utf8.DecodeRuneInString(text[at:])
		before := path[at].score
		if before < -maxScore || before > maxScore {
			for i := at; i <= last; i++ {
				path[i].score -= before
			}
			before = 0
		}
		single := false
		node := trie.Root
		for i := at; i < len(text); i++ {
			child, ok := m.trie.Child(node, text[i])
			if !ok {
				break
			}
			node = child
			v := m.trie.Value(node)
			if v < 0 {
				continue
			}
			id := m.found[v]
			score := m.pieces[id].Score
			switch m.pieces[id].Kind {
			case UnusedPiece:
				continue
			case UserPiece:
				score = float32(0.1 * float64(i-at))
			}
			last = max(last, i+1)
			path[i+1].offer(score+before, at, id)
			single = single || i+1 == at+n
		}
		if !single {
			last = max(last, at+n)
			path[at+n].offer(m.low+before, at, int32(m.unknown))
		}
		at += n
	}
	base, n := len(dst), 0
	for end := len(text); end > 0; end = int(path[end].start) {
		n++
	}
	dst = slices.Grow(dst, n)
	for end := len(text); end > 0; {
		start := int(path[end].start)
		dst = append(dst, Token{ID: int(path[end].id), Start: start, End: end})
		end = start
	}
	slices.Reverse(dst[base:])
	return m.joinUnknown(dst, base, text), nil
}

func (h *hop) offer(score float32, start int, id int32) {
	if h.start < 0 || score > h.score {
		*h = hop{score, int32(start), id}
	}
}

// joinUnknown makes one token of unknown characters side by side, or the tokens of their bytes, and sets the ids by the
// texts.
func (m *SentencePiece) joinUnknown(dst []Token, base int, text string) []Token {
	tokens := dst[base:]
	if m.fallback && slices.ContainsFunc(tokens, func(t Token) bool { return t.ID == m.unknown }) {
		tokens = slices.Clone(tokens)
	}
	dst = dst[:base]
	joined := false // the last token is unknown
	for _, t := range tokens {
		switch {
		case t.ID != m.unknown:
			if id, ok := m.reserved[m.pieces[t.ID].Text]; ok {
				t.ID = id
			}
			dst = append(dst, t)
		case m.fallback:
			for _, b := range []byte(text[t.Start:t.End]) {
				dst = append(dst, Token{ID: m.bytes[b], Start: t.Start, End: t.End})
			}
		case joined:
			dst[len(dst)-1].End = t.End
		default:
			dst = append(dst, t)
		}
		joined = t.ID == m.unknown && !m.fallback
	}
	return dst
}

// Symbol returns the length of the longest piece of a user that text begins with, or 0.
func (m *SentencePiece) Symbol(text string) int {
	longest, node, ok := 0, trie.Root, true
	for i := 0; i < len(text); i++ {
		if node, ok = m.users.Child(node, text[i]); !ok {
			break
		}
		if m.users.Value(node) >= 0 {
			longest = i + 1
		}
	}
	return longest
}

// Text returns the text of a token: that of the normalized text for unknown characters.
func (m *SentencePiece) Text(text string, t Token) string {
	if t.ID == m.unknown {
		return text[t.Start:t.End]
	}
	return m.pieces[t.ID].Text
}

// Unknown returns the id of the unknown piece.
func (m *SentencePiece) Unknown() int { return m.unknown }

// Kind returns the kind of the piece with an id.
func (m *SentencePiece) Kind(id int) PieceKind { return m.pieces[id].Kind }

// ID returns the id of a piece.
func (m *SentencePiece) ID(token string) (int, bool) {
	id, ok := m.reserved[token]
	if !ok {
		id, ok = m.normal[token]
	}
	return id, ok
}

// Token returns the piece with an id.
func (m *SentencePiece) Token(id int) (string, bool) {
	if id < 0 || id >= len(m.pieces) {
		return "", false
	}
	return m.pieces[id].Text, true
}

// Size returns the number of pieces.
func (m *SentencePiece) Size() int { return len(m.pieces) }

// MarshalJSON returns an error: a tokenizer.json has no such model.
func (m *SentencePiece) MarshalJSON() ([]byte, error) {
	return nil, errors.New("model: a tokenizer.json cannot hold the rules of SentencePiece")
}
