package model

import (
	"cmp"
	"fmt"
	"slices"
)

// A vocabulary maps tokens to ids and back.
type vocabulary struct {
	ids   map[string]uint32
	order []Entry // one for each id, in the order of the ids
}

// newVocabulary reads a list in which the last of equal tokens counts.
func newVocabulary(entries []Entry) (vocabulary, error) {
	v := vocabulary{ids: make(map[string]uint32, len(entries))}
	for _, e := range entries {
		if err := cmp.Or(checkToken(e.Token), checkID(e.Token, e.ID)); err != nil {
			return vocabulary{}, fmt.Errorf("vocab: %w", err)
		}
		v.ids[e.Token] = uint32(e.ID)
	}
	if len(v.ids) == len(entries) {
		v.order = slices.Clone(entries)
	} else {
		v.order = make([]Entry, 0, len(v.ids))
		for _, e := range entries {
			if v.ids[e.Token] == uint32(e.ID) {
				v.order = append(v.order, e)
			}
		}
	}
	byID := func(a, b Entry) int { return cmp.Compare(a.ID, b.ID) }
	if !slices.IsSortedFunc(v.order, byID) {
		slices.SortStableFunc(v.order, byID)
	}
	// Of entries with one id the last stays.
	kept := v.order[:0]
	for _, e := range v.order {
		if n := len(kept); n > 0 && kept[n-1].ID == e.ID {
			kept[n-1] = e
		} else {
			kept = append(kept, e)
		}
	}
	clear(v.order[len(kept):])
	v.order = kept
	return v, nil
}

// ID returns the id of a token.
func (v *vocabulary) ID(token string) (int, bool) {
	id, ok := v.ids[token]
	return int(id), ok
}

// Token returns the token with an id. Of several tokens with one id it is the last.
func (v *vocabulary) Token(id int) (string, bool) {
	if id >= 0 && id < len(v.order) && v.order[id].ID == id {
		return v.order[id].Token, true
	}
	i, ok := slices.BinarySearchFunc(v.order, id, func(e Entry, id int) int { return cmp.Compare(e.ID, id) })
	if !ok {
		return "", false
	}
	return v.order[i].Token, true
}

// Size returns the number of tokens. An id can be larger.
func (v *vocabulary) Size() int { return len(v.ids) }

// entries returns all tokens in the order of their ids. Of several tokens with one id, the one that the id stands for
// is the last.
func (v *vocabulary) entries() []Entry {
	if !v.shared() {
		return v.order
	}
	out := slices.Clone(v.order)
	for token, id := range v.ids {
		if last, _ := v.Token(int(id)); last != token {
			out = append(out, Entry{Token: token, ID: int(id)})
		}
	}
	slices.SortFunc(out, func(a, b Entry) int {
		last, _ := v.Token(a.ID)
		switch {
		case a.ID != b.ID:
			return cmp.Compare(a.ID, b.ID)
		case a.Token == last:
			return 1
		case b.Token == last:
			return -1
		}
		return cmp.Compare(a.Token, b.Token)
	})
	return out
}

// shared reports whether two tokens have one id.
func (v *vocabulary) shared() bool { return len(v.order) < len(v.ids) }
