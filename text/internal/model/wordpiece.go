package model

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/trie"
)

// A WordPiece model takes the longest token that begins the rest of the word, again and again. Tokens after the first
// carry a prefix. A word with a rest that no token begins is the unknown token as a whole (tokenizers,
// wordpiece/mod.rs).
type WordPiece struct {
	vocabulary
	pieces  *trie.Trie
	values  []uint32 // the ids of the numbers of the trie
	inner   uint32   // the node of the prefix; trie.None where no token has it
	prefix  string
	unknown string
	max     int
}

// WordPieceOptions describe a WordPiece model.
type WordPieceOptions struct {
	Vocabulary []Entry // of equal tokens the last counts
	Unknown    *string // the token of words that the vocabulary cannot spell; nil is [UNK]
	Prefix     *string // of tokens inside a word; nil is ##
	MaxChars   *int    // longer words are unknown; nil is 100
}

// SubwordPrefix returns the prefix of tokens inside a word, "" for none.
func (m *WordPiece) SubwordPrefix() string { return m.prefix }

// NewWordPiece checks the options and returns a model. The vocabulary may lack the unknown token. Then a word that
// needs it is an error.
func NewWordPiece(o WordPieceOptions) (*WordPiece, error) {
	m := &WordPiece{unknown: "[UNK]", prefix: "##", max: 100}
	if o.Unknown != nil {
		m.unknown = *o.Unknown
	}
	if o.Prefix != nil {
		m.prefix = *o.Prefix
	}
	if o.MaxChars != nil {
		m.max = *o.MaxChars
	}
	if m.max < 0 {
		return nil, fmt.Errorf("max_input_chars_per_word: expected at least 0, found %d", m.max)
	}
	var err error
	if m.vocabulary, err = newVocabulary(o.Vocabulary); err != nil {
		return nil, err
	}
	tokens := make([]string, len(o.Vocabulary))
	m.values = make([]uint32, len(o.Vocabulary))
	for i, e := range o.Vocabulary {
		if m.max > maxPiece { // shorter words bound the time as well
			if err := checkPiece(e.Token); err != nil {
				return nil, fmt.Errorf("vocab: %w", err)
			}
		}
		tokens[i], m.values[i] = e.Token, uint32(e.ID)
	}
	m.pieces = trie.New(tokens)
	m.inner, _ = m.pieces.Find(m.prefix)
	return m, nil
}

var errNoUnknown = errors.New("the vocabulary lacks the unknown token")

// Append appends the tokens of a word. It returns an error where the word is unknown and the vocabulary lacks the
// unknown token.
func (m *WordPiece) Append(dst []Token, word string) ([]Token, error) {
	if len(word) > m.max && utf8.RuneCountInString(word) > m.max {
		return m.appendUnknown(dst, word)
	}
	base := len(dst)
	for start, node := 0, trie.Root; start < len(word); node = m.inner {
		end, value := start, -1
		if node != trie.None {
			for i := start; i < len(word); i++ {
				child, ok := m.pieces.Child(node, word[i])
				if !ok {
					break
				}
				if node = child; m.pieces.Value(node) >= 0 {
					end, value = i+1, m.pieces.Value(node)
				}
			}
		}
		if value < 0 {
			return m.appendUnknown(dst[:base], word)
		}
		dst = append(dst, Token{ID: int(m.values[value]), Start: start, End: end})
		start = end
	}
	return dst, nil
}

func (m *WordPiece) appendUnknown(dst []Token, word string) ([]Token, error) {
	if len(word) == 0 {
		return dst, nil
	}
	id, ok := m.ids[m.unknown]
	if !ok {
		return dst, fmt.Errorf("word %s: %w %q", short(word), errNoUnknown, m.unknown)
	}
	return append(dst, Token{ID: int(id), End: len(word)}), nil
}

// short quotes a word, or its beginning, for an error.
func short(word string) string {
	const most = 40
	if len(word) <= most {
		return fmt.Sprintf("%q", word)
	}
	end := most
	for end > 0 && !utf8.RuneStart(word[end]) {
		end--
	}
	return fmt.Sprintf("%q…", word[:end])
}

// Text returns the text of a token, with the prefix inside a word.
func (m *WordPiece) Text(word string, t Token) string {
	if !m.shared() {
		s, _ := m.Token(t.ID)
		return s
	}
	// Several tokens may have the id; the part of the word says which one it is.
	s := word[t.Start:t.End]
	if t.Start > 0 {
		s = m.prefix + s
	}
	if id, ok := m.ids[s]; ok && int(id) == t.ID {
		return s
	}
	return m.unknown
}
