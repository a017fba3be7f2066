package model

import "fmt"

// A WordLevel model has one token for each word (tokenizers, wordlevel/mod.rs).
type WordLevel struct {
	vocabulary
	unknown string
}

// WordLevelOptions describe a WordLevel model.
type WordLevelOptions struct {
	Vocabulary []Entry // of equal tokens the last counts
	Unknown    *string // the token of other words; nil is <unk>
}

// NewWordLevel checks the options and returns a model. The vocabulary may lack the unknown token. Then a word that is
// not in the vocabulary is an error.
func NewWordLevel(o WordLevelOptions) (*WordLevel, error) {
	m := &WordLevel{unknown: "<unk>"}
	if o.Unknown != nil {
		m.unknown = *o.Unknown
	}
	var err error
	m.vocabulary, err = newVocabulary(o.Vocabulary)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Append appends the token of a word.
func (m *WordLevel) Append(dst []Token, word string) ([]Token, error) {
	id, ok := m.ids[word]
	if !ok {
		if id, ok = m.ids[m.unknown]; !ok {
			return dst, fmt.Errorf("word %s: %w %q", short(word), errNoUnknown, m.unknown)
		}
	}
	return append(dst, Token{ID: int(id), End: len(word)}), nil
}

// Text returns the word, or the unknown token.
func (m *WordLevel) Text(word string, t Token) string {
	if _, ok := m.ids[word]; ok {
		return word
	}
	return m.unknown
}
