package model

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// A Token is a part of a word. Start and End are bytes of the word.
//
// BPE counts the bytes of its symbols from the start of the word, as the reference does. So the offsets of a word with
// characters that have no token and no unknown token to stand for them are too small, and byte fallback for an end of
// word suffix yields an End beyond the word.
type Token struct {
	ID, Start, End int
}

// A Model cuts words into tokens. Its methods may be called by goroutines at once.
type Model interface {
	// Append appends the tokens of a word to dst. A word that needs an unknown token, where the vocabulary has none,
	// is an error; some models then skip the character, as their doc comments say.
	Append(dst []Token, word string) ([]Token, error)
	// Text returns the text of a token of the word, as the reference reports it. It can differ from the text of the
	// token's id: a token of Unigram for unknown characters has the text of the word.
	Text(word string, t Token) string
	// ID returns the id of a token.
	ID(token string) (int, bool)
	// Token returns the token with an id. Of several tokens with one id it is the last.
	Token(id int) (string, bool)
	// Size returns the number of tokens. An id can be larger.
	Size() int
	// MarshalJSON returns the "model" object of a tokenizer.json. The reference writes one token for each id, this all
	// of them.
	MarshalJSON() ([]byte, error)
}

// An Entry is a token of a vocabulary and its id, at most 4294967295.
type Entry struct {
	Token string
	ID    int
}

// Entries returns the vocabulary of a list of tokens whose ids are their places in the list.
func Entries(tokens []string) []Entry {
	out := make([]Entry, len(tokens))
	for i, t := range tokens {
		out[i] = Entry{Token: t, ID: i}
	}
	return out
}

// maxPiece is the greatest length in bytes of a token that is looked for at every place of a text. The time is the
// product of the lengths in the worst case; without a bound it would not be linear in the text. Tokens of models have
// less than 300 bytes.
const maxPiece = 1 << 10

// checkPiece returns an error for a token that is too long to be looked for everywhere.
func checkPiece(token string) error {
	if len(token) > maxPiece {
		return fmt.Errorf("token %s: expected at most %d bytes, found %d", short(token), maxPiece, len(token))
	}
	return nil
}

// checkToken returns an error for a token that no text can hold.
func checkToken(token string) error {
	if !utf8.ValidString(token) {
		return fmt.Errorf("token %q: expected UTF-8", token)
	}
	return nil
}

// checkID returns an error for an id that is out of range.
func checkID(token string, id int) error {
	if id < 0 || int64(id) > math.MaxUint32 {
		return fmt.Errorf("id of token %q: expected a whole number from 0 to %d, found %d", token, uint32(math.MaxUint32), id)
	}
	return nil
}
