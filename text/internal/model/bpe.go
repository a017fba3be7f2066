package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A BPE model starts from the characters of a word and merges the pair of neighbors with the lowest rank, again and
// again (byte pair encoding; tokenizers, bpe/model.rs and bpe/word.rs). A character without a token becomes its bytes,
// with ByteFallback and where all its bytes have tokens; or the unknown token; or, where the model has none, nothing.
type BPE struct {
	vocabulary
	merges  merges
	symbols [4]*symbols // of characters by their place in the word: 1 after the first, 2 the last; nil where it is that of 0
	bytes   [256]int64  // the ids of <0x00> and so on; -1: no token
	cache   *cache
	regular bool // a merge is always longer than its parts, and no two tokens have one id

	unknown        *string
	prefix, suffix string
	fuse           bool
	fallback       bool
	ignore         bool
}

// BPEOptions describe a BPE model.
type BPEOptions struct {
	Vocabulary   []Entry     // of equal tokens the last counts
	Merges       [][2]string // the first has the lowest rank; of equal merges the last counts
	Unknown      *string     // the token of characters without a token; nil: none, and the characters vanish
	Prefix       string      // of tokens inside a word
	Suffix       string      // of tokens at the end of a word
	FuseUnknown  bool        // unknown characters side by side are one token
	ByteFallback bool        // characters without a token become the tokens <0x00> to <0xFF> of their bytes
	IgnoreMerges bool        // a word in the vocabulary is one token, whether or not merges lead to it
}

// NewBPE checks the options and returns a model. The tokens of a merge, and the merged token, must be in the
// vocabulary. The vocabulary may lack the unknown token. Then a word that needs it is an error.
func NewBPE(o BPEOptions) (*BPE, error) {
	m := &BPE{unknown: o.Unknown, prefix: o.Prefix, suffix: o.Suffix,
		fuse: o.FuseUnknown, fallback: o.ByteFallback, ignore: o.IgnoreMerges, cache: newCache()}
	var err error
	if m.vocabulary, err = newVocabulary(o.Vocabulary); err != nil {
		return nil, err
	}
	if err := m.addMerges(o.Merges); err != nil {
		return nil, fmt.Errorf("merges: %w", err)
	}
	m.symbols[0] = newSymbols(m.ids, "", "")
	for place := 1; place < len(m.symbols); place++ {
		prefix, suffix := "", ""
		if place&1 != 0 {
			prefix = m.prefix
		}
		if place&2 != 0 {
			suffix = m.suffix
		}
		switch {
		case prefix == "" && suffix == "":
			m.symbols[place] = m.symbols[0]
		case place == 3 && prefix == "":
			m.symbols[place] = m.symbols[2]
		case place == 3 && suffix == "":
			m.symbols[place] = m.symbols[1]
		default:
			m.symbols[place] = newSymbols(m.ids, prefix, suffix)
		}
	}
	for b := range m.bytes {
		m.bytes[b] = -1
		if id, ok := m.ids[byteToken(byte(b))]; ok {
			m.bytes[b] = int64(id)
		}
	}
	return m, nil
}

// byteToken returns the token that stands for a byte, such as <0x0A>.
func byteToken(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

var errNoToken = errors.New("is not in the vocabulary")

// addMerges fills the table of merges.
func (m *BPE) addMerges(list [][2]string) error {
	m.merges = newMerges(len(list))
	m.regular = !m.shared()
	var merged []byte
	for rank, p := range list {
		left, ok := m.ids[p[0]]
		if !ok {
			return fmt.Errorf("merge %d of %s and %s: %s %w", rank, short(p[0]), short(p[1]), short(p[0]), errNoToken)
		}
		right, ok := m.ids[p[1]]
		if !ok {
			return fmt.Errorf("merge %d of %s and %s: %s %w", rank, short(p[0]), short(p[1]), short(p[1]), errNoToken)
		}
		// The reference drops as many bytes as the prefix has, whatever they are.
		if len(p[1]) < len(m.prefix) {
			return fmt.Errorf("merge %d of %s and %s: expected the prefix %s, found none", rank, short(p[0]), short(p[1]), short(m.prefix))
		}
		merged = append(append(merged[:0], p[0]...), p[1][len(m.prefix):]...)
		id, ok := m.ids[string(merged)]
		if !ok {
			return fmt.Errorf("merge %d of %s and %s: %s %w", rank, short(p[0]), short(p[1]), short(string(merged)), errNoToken)
		}
		m.merges.set(left, right, id, rank)
		m.regular = m.regular && len(p[1]) > len(m.prefix) && len(p[0]) > 0
	}
	return nil
}

// ParseMerges reads the text of a merges.txt: one merge a line, two tokens with a space between them. Lines that begin
// with #version are skipped.
func ParseMerges(text string) ([][2]string, error) {
	var list []string
	for line := range strings.Lines(text) {
		list = append(list, strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
	}
	return splitMerges(list)
}

func splitMerges(lines []string) ([][2]string, error) {
	out := make([][2]string, 0, len(lines))
	for i, line := range lines {
		if strings.HasPrefix(line, "#version") {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(right, " ") {
			return nil, fmt.Errorf("merge %d: expected two tokens with a space between them, found %s", i, short(line))
		}
		out = append(out, [2]string{left, right})
	}
	return out, nil
}

// Append appends the tokens of a word. It returns an error where a character is unknown and the vocabulary lacks the
// unknown token.
func (m *BPE) Append(dst []Token, word string) ([]Token, error) {
	if word == "" {
		return dst, nil
	}
	if len(word) > cacheWord {
		return m.encode(dst, word)
	}
	set := m.cache.set(word)
	base := len(dst)
	dst, ok := set.get(dst, word)
	if ok {
		return dst, nil
	}
	dst, err := m.encode(dst, word)
	if err == nil {
		set.put(word, dst[base:])
	}
	return dst, err
}

// encode appends the tokens of a word that is not in the cache.
func (m *BPE) encode(dst []Token, word string) ([]Token, error) {
	if m.ignore {
		if id, ok := m.ids[word]; ok {
			return append(dst, Token{ID: int(id), End: len(word)}), nil
		}
	}
	if len(word) <= shortWord && m.regular && !m.fallback {
		var buffer [shortWord]symbol
		line, err := m.start(buffer[:0], word)
		if err != nil {
			return dst, err
		}
		return appendSymbols(dst, mergeScan(&m.merges, line)), nil
	}
	kept := scratches.Get().(*scratch)
	if len(word) > longWord {
		kept.line = slices.Grow(kept.line[:0], len(word))
	}
	line, err := m.start(kept.line[:0], word)
	if err == nil {
		kept.mergeHeap(&m.merges, line)
		dst = appendSymbols(dst, line)
	}
	kept.line = line
	kept.release()
	return dst, err
}

// appendSymbols appends the tokens of the symbols that are left.
func appendSymbols(dst []Token, line []symbol) []Token {
	if len(line) > longWord {
		n := 0
		for i := range line {
			n += int(min(line[i].size, 1))
		}
		dst = slices.Grow(dst, n)
	}
	at := 0
	for i := range line {
		if n := int(line[i].size); n != 0 {
			dst = append(dst, Token{ID: int(line[i].id), Start: at, End: at + n})
			at += n
		}
	}
	return dst
}

// start appends the symbols of a word's characters.
func (m *BPE) start(line []symbol, word string) ([]symbol, error) {
	var unknown symbol // the unknown characters that are not appended; size 0: none
	for at := 0; at < len(word); {
		r, n := rune(word[at]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(word[at:])
		}
		place := 0
		if at > 0 {
			place |= 1
		}
		if at+n == len(word) {
			place |= 2
		}
		text := word[at : at+n]
		at += n
		if id, ok := m.symbols[place].lookup(r); ok {
			if unknown.size > 0 {
				line = append(line, unknown)
				unknown.size = 0
			}
			line = append(line, symbol{id: id, size: uint32(n)})
			continue
		}
		if m.fallback {
			// As in the reference, the bytes come before unknown characters that are not appended yet.
			if appended, ok := m.appendBytes(line, place, text); ok {
				line = appended
				continue
			}
		}
		if m.unknown == nil {
			continue
		}
		id, ok := m.ids[*m.unknown]
		if !ok {
			return line, fmt.Errorf("word %s: %w %q", short(word), errNoUnknown, *m.unknown)
		}
		if unknown.size > 0 && !m.fuse {
			line = append(line, unknown)
			unknown.size = 0
		}
		unknown = symbol{id: id, size: unknown.size + uint32(n)}
	}
	if unknown.size > 0 {
		line = append(line, unknown)
	}
	return line, nil
}

// SubwordPrefix returns the prefix of tokens inside a word, "" for none.
func (m *BPE) SubwordPrefix() string { return m.prefix }

// appendBytes appends the tokens of the bytes of a character, with the prefix and the suffix that its place asks for.
// It reports false where one of them has no token.
func (m *BPE) appendBytes(line []symbol, place int, text string) ([]symbol, bool) {
	parts := [3]string{1: text}
	if place&1 != 0 {
		parts[0] = m.prefix
	}
	if place&2 != 0 {
		parts[2] = m.suffix
	}
	for _, part := range parts {
		for i := range len(part) {
			id := m.bytes[part[i]]
			if id < 0 {
				return line, false
			}
			line = append(line, symbol{id: uint32(id), size: 1})
		}
	}
	return line, true
}

// Text returns the text of the token's id.
func (m *BPE) Text(_ string, t Token) string {
	s, _ := m.Token(t.ID)
	return s
}
