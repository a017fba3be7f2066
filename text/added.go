package text

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/model"
	"github.com/fovea-ml/fovea/text/internal/normalize"
)

// AddedToken is a token beside the vocabulary of the model. It is found in the text before the model sees it.
type AddedToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // it does not count inside a word
	LStrip     bool   `json:"lstrip"`      // it takes the white space before it
	RStrip     bool   `json:"rstrip"`      // it takes the white space after it
	Normalized bool   `json:"normalized"`  // it is looked for in the normalized text, as its own normalized form
	Special    bool   `json:"special"`     // decoding can leave it out
}

// vocabulary holds the added tokens over a model.
type vocabulary struct {
	model      model.Model
	ids        map[string]int
	tokens     map[int]AddedToken
	normalized map[int]string // normalized form, where it differs
	special    map[string]bool
	plain      *matcher // tokens that are looked for before normalization
	normal     *matcher // tokens that are looked for after it
	plainIDs   []int    // ids of the patterns of plain
	normalIDs  []int
	next       int
}

func newVocabulary(m model.Model) *vocabulary {
	return &vocabulary{model: m, ids: map[string]int{}, tokens: map[int]AddedToken{}, normalized: map[int]string{},
		special: map[string]bool{}, next: -1}
}

// add enters tokens. A token of the model keeps the model's id; others get the next free ids, in their order. The field
// ID is not read.
func (v *vocabulary) add(tokens []AddedToken, n normalize.Normalizer) (err error) {
	defer normalize.Recover(&err)
	size := 0
	for _, t := range tokens {
		size += len(t.Content)
	}
	var sc normalize.Scratch
	sc.Bound(normalize.Room(size))
	next := max(v.next+1, v.model.Size())
	for _, t := range tokens {
		if t.Content == "" {
			continue
		}
		if !utf8.ValidString(t.Content) {
			return fmt.Errorf("added token %q: expected UTF-8", t.Content)
		}
		id, ok := v.id(t.Content)
		if !ok {
			id = next
			next++
		}
		t.ID = id
		if v.ids[t.Content] = id; t.Special {
			v.special[t.Content] = true
		}
		if old, ok := v.tokens[id]; ok && old == t {
			continue
		}
		if t.Normalized && n != nil {
			sc.Reset()
			form := n.Normalize(&sc, normalize.New(t.Content)).Text()
			if form == "" {
				return fmt.Errorf("added token %q: expected a token that normalization keeps, found one that it removes", t.Content)
			}
			if form != t.Content {
				v.normalized[id] = strings.Clone(form)
			}
		}
		v.tokens[id] = t
		v.next = max(v.next, id)
	}
	return nil
}

// build makes the matchers, after all tokens were added.
func (v *vocabulary) build() {
	v.plainIDs, v.normalIDs = nil, nil
	var plain, normal []string
	for _, id := range slices.Sorted(maps.Keys(v.tokens)) {
		t := v.tokens[id]
		if t.Normalized {
			normal = append(normal, v.form(t))
			v.normalIDs = append(v.normalIDs, id)
		} else {
			plain = append(plain, t.Content)
			v.plainIDs = append(v.plainIDs, id)
		}
	}
	v.plain, v.normal = newMatcher(plain), newMatcher(normal)
}

// form returns the text that decoding starts from: the normalized form, where the token was looked for in normalized
// text.
func (v *vocabulary) form(t AddedToken) string {
	if form, ok := v.normalized[t.ID]; ok {
		return form
	}
	return t.Content
}

// id returns the id of a token of either vocabulary.
func (v *vocabulary) id(token string) (int, bool) {
	if id, ok := v.ids[token]; ok {
		return id, true
	}
	return v.model.ID(token)
}

// token returns the text of an id, as decoding sees it.
func (v *vocabulary) token(id int) (string, bool) {
	if t, ok := v.tokens[id]; ok {
		return v.form(t), true
	}
	return v.model.Token(id)
}

// segment is a range of a text: an added token, or text for the model where id is -1.
type segment struct{ from, to, id int }

// cut appends the segments of a text to dst. Segments can overlap where tokens take the same white space, as in the
// reference. With ordinary, special tokens are not looked for.
func (v *vocabulary) cut(dst []segment, hits []match, text string, m *matcher, ids []int, ordinary bool) ([]segment, []match) {
	hits = m.find(hits[:0], text)
	at, solid := 0, 0 // solid: up to here white space was skipped
	for _, h := range hits {
		from, to := h.from, h.to
		t := v.tokens[ids[h.pattern]]
		if ordinary && v.special[t.Content] {
			continue
		}
		if t.SingleWord && (wordEnd(text[:from]) || wordStart(text[to:])) {
			continue
		}
		if t.LStrip {
			from = at + len(trimRight(text[min(at, from):from]))
		}
		if t.RStrip {
			if to >= solid { // otherwise it lies in white space that a token before it took
				solid = len(text) - len(trimLeft(text[to:]))
			}
			to = solid
		}
		if from > to { // a token before it took all of it; the reference fails
			continue
		}
		if at < from {
			dst = append(dst, segment{at, from, -1})
		}
		dst = append(dst, segment{from, to, t.ID})
		at = to
	}
	if at != len(text) {
		dst = append(dst, segment{at, len(text), -1})
	}
	return dst, hits
}

func wordEnd(s string) bool {
	r, size := utf8.DecodeLastRuneInString(s)
	return size > 0 && isWord(r)
}

func wordStart(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size > 0 && isWord(r)
}

func trimRight(s string) string {
	for {
		r, size := utf8.DecodeLastRuneInString(s)
		if size == 0 || !unicode.IsSpace(r) {
			return s
		}
		s = s[:len(s)-size]
	}
}

func trimLeft(s string) string {
	for {
		r, size := utf8.DecodeRuneInString(s)
		if size == 0 || !unicode.IsSpace(r) {
			return s
		}
		s = s[size:]
	}
}
