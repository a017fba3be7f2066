package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/trie"
)

// A Unigram model takes the pieces with the highest sum of scores (T. Kudo, "Subword regularization", 2018; tokenizers,
// unigram/model.rs). A character that is no piece may be an unknown piece. Its score is ten below the lowest. Unknown
// characters side by side are one token. With ByteFallback they become the tokens of their bytes, where all of them
// exist.
type Unigram struct {
	pieces   []Piece
	trie     *trie.Trie
	scores   []float64
	low      float64 // the score of an unknown character
	unknown  int     // -1: none
	fallback bool
	bytes    [256]int32 // the ids of <0x00> and so on; -1: no token
	cache    *cache
}

// A Piece is a token of a Unigram model. The score is the logarithm of its probability.
type Piece struct {
	Token string
	Score float64
}

// UnigramOptions describe a Unigram model.
type UnigramOptions struct {
	Pieces       []Piece // their ids are their places; of equal tokens the last counts
	Unknown      *int    // the id of the unknown token; nil: none, and a word that needs it is an error
	ByteFallback bool    // unknown characters become the tokens <0x00> to <0xFF> of their bytes
}

// unknownPenalty is the distance of the score of unknown characters from the lowest score.
const unknownPenalty = 10

// NewUnigram checks the options and returns a model. Scores must be finite.
func NewUnigram(o UnigramOptions) (*Unigram, error) {
	m := &Unigram{pieces: slices.Clone(o.Pieces), unknown: -1, fallback: o.ByteFallback, cache: newCache()}
	if o.Unknown != nil {
		if m.unknown = *o.Unknown; m.unknown < 0 || m.unknown >= len(o.Pieces) {
			return nil, fmt.Errorf("unk_id: expected the id of one of %d pieces, found %d", len(o.Pieces), m.unknown)
		}
	}
	if len(o.Pieces) > math.MaxInt32 {
		return nil, fmt.Errorf("vocab: expected at most %d pieces, found %d", math.MaxInt32, len(o.Pieces))
	}
	m.scores = make([]float64, len(m.pieces))
	tokens := make([]string, len(m.pieces))
	least := math.Inf(1)
	for i, p := range m.pieces {
		if err := errors.Join(checkToken(p.Token), checkPiece(p.Token)); err != nil {
			return nil, fmt.Errorf("vocab: %w", err)
		}
		if math.IsNaN(p.Score) || math.IsInf(p.Score, 0) {
			return nil, fmt.Errorf("vocab: score of token %s: expected a finite number, found %v", short(p.Token), p.Score)
		}
		tokens[i], m.scores[i] = p.Token, p.Score
		least = min(least, p.Score)
	}
	m.low = least - unknownPenalty
	m.trie = trie.New(tokens)
	for b := range m.bytes {
		m.bytes[b] = int32(m.trie.Lookup(byteToken(byte(b))))
	}
	return m, nil
}

// step is the best way to reach a place in a word.
type step struct {
	score float64
	start int32 // where its last piece starts; -1: no way is known
	id    int32
}

var paths = sync.Pool{New: func() any { return new([]step) }}

var errNoUnknownID = errors.New("it has an unknown character, and the model has no unk_id")

// Append appends the tokens of a word. It returns an error where a character is unknown and the model has no unknown
// token.
func (m *Unigram) Append(dst []Token, word string) ([]Token, error) {
	if len(word) <= cacheWord {
		set := m.cache.set(word)
		base := len(dst)
		dst, ok := set.get(dst, word)
		if ok {
			return dst, nil
		}
		var buffer [cacheWord + 1]step
		dst, err := m.encode(dst, word, buffer[:len(word)+1])
		if err == nil {
			set.put(word, dst[base:])
		}
		return dst, err
	}
	kept := paths.Get().(*[]step)
	if cap(*kept) <= len(word) {
		*kept = make([]step, len(word)+1)
	}
	dst, err := m.encode(dst, word, (*kept)[:len(word)+1])
	if cap(*kept) <= longWord {
		paths.Put(kept)
	}
	return dst, err
}

func (m *Unigram) encode(dst []Token, word string, path []step) ([]Token, error) {
	for i := range path {
		path[i].start = -1
	}
	path[0].score = 0
	for at := 0; at < len(word); {
		n := 1
		if word[at] >= utf8.RuneSelf {
			_, n = utf8.DecodeRuneInString(word[at:])
		}
		score := path[at].score
		single := false
		node := trie.Root
		for i := at; i < len(word); i++ {
			child, ok := m.trie.Child(node, word[i])
			if !ok {
				break
			}
			node = child
			if v := m.trie.Value(node); v >= 0 {
				// Of equal sums the first counts: its last piece is the longest.
				to := &path[i+1]
				if sum := m.scores[v] + score; to.start < 0 || sum > to.score {
					*to = step{sum, int32(at), int32(v)}
				}
				single = single || i+1 == at+n
			}
		}
		if !single {
			to := &path[at+n]
			if sum := m.low + score; to.start < 0 || sum > to.score {
				if m.unknown < 0 {
					return dst, fmt.Errorf("word %s: %w", short(word), errNoUnknownID)
				}
				*to = step{sum, int32(at), int32(m.unknown)}
			}
		}
		at += n
	}
	return m.collect(dst, word, path), nil
}

// collect appends the tokens on the best path.
func (m *Unigram) collect(dst []Token, word string, path []step) []Token {
	base := len(dst)
	if len(word) > longWord {
		n := 0
		for end := len(word); end > 0; end = int(path[end].start) {
			n++
		}
		dst = slices.Grow(dst, n)
	}
	for end := len(word); end > 0; {
		start := int(path[end].start)
		if id := int(path[end].id); id != m.unknown {
			dst = append(dst, Token{ID: id, Start: start, End: end})
			end = start
			continue
		}
		for start > 0 && int(path[start].id) == m.unknown {
			start = int(path[start].start)
		}
		dst = m.appendUnknown(dst, word, start, end)
		end = start
	}
	slices.Reverse(dst[base:])
	return dst
}

// appendUnknown appends the tokens of unknown characters, from the last to the first. Together the characters may be a
// piece, one that was not on the best path.
func (m *Unigram) appendUnknown(dst []Token, word string, start, end int) []Token {
	text := word[start:end]
	if id := m.trie.Lookup(text); id >= 0 {
		return append(dst, Token{ID: id, Start: start, End: end})
	}
	if m.fallback {
		base := len(dst)
		for i := len(text) - 1; i >= 0; i-- {
			id := m.bytes[text[i]]
			if id < 0 {
				dst = dst[:base]
				break
			}
			// As in the reference, each byte has the place of all of the characters.
			dst = append(dst, Token{ID: int(id), Start: start, End: end})
		}
		if len(dst) > base {
			return dst
		}
	}
	return append(dst, Token{ID: m.unknown, Start: start, End: end})
}

// Pieces returns the pieces. The list must not be changed.
func (m *Unigram) Pieces() []Piece { return m.pieces }

// Text returns the text of a token: that of the word for the unknown token.
func (m *Unigram) Text(word string, t Token) string {
	if t.ID == m.unknown {
		return word[t.Start:t.End]
	}
	s, _ := m.Token(t.ID)
	return s
}

// ID returns the id of a token.
func (m *Unigram) ID(token string) (int, bool) {
	id := m.trie.Lookup(token)
	return max(id, 0), id >= 0
}

// Token returns the token with an id.
func (m *Unigram) Token(id int) (string, bool) {
	if id < 0 || id >= len(m.pieces) {
		return "", false
	}
	return m.pieces[id].Token, true
}

// Size returns the number of pieces.
func (m *Unigram) Size() int { return len(m.pieces) }
