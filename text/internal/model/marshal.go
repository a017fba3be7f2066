package model

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// writer writes a JSON object.
type writer struct {
	bytes.Buffer
	text *json.Encoder
}

func newWriter(kind string) *writer {
	w := &writer{}
	w.text = json.NewEncoder(&w.Buffer)
	w.text.SetEscapeHTML(false)
	w.WriteString(`{"type":`)
	w.value(kind)
	return w
}

// value writes a text, a flag, a number, or null for a nil pointer.
func (w *writer) value(v any) {
	_ = w.text.Encode(v)    // the types cannot fail
	w.Truncate(w.Len() - 1) // the line end
}

func (w *writer) name(name string) {
	w.WriteByte(',')
	w.value(name)
	w.WriteByte(':')
}

func (w *writer) field(name string, v any) {
	w.name(name)
	w.value(v)
}

func (w *writer) vocabulary(v *vocabulary) {
	w.name("vocab")
	for i, e := range v.entries() {
		w.WriteByte("{,"[min(i, 1)])
		w.value(e.Token)
		w.WriteByte(':')
		w.WriteString(strconv.Itoa(e.ID))
	}
	if len(v.order) == 0 {
		w.WriteByte('{')
	}
	w.WriteByte('}')
}

func (w *writer) close() ([]byte, error) {
	w.WriteByte('}')
	return w.Bytes(), nil
}

// MarshalJSON returns the "model" object of a tokenizer.json.
func (m *WordPiece) MarshalJSON() ([]byte, error) {
	w := newWriter("WordPiece")
	w.field("unk_token", m.unknown)
	w.field("continuing_subword_prefix", m.prefix)
	w.field("max_input_chars_per_word", m.max)
	w.vocabulary(&m.vocabulary)
	return w.close()
}

// MarshalJSON returns the "model" object of a tokenizer.json.
func (m *WordLevel) MarshalJSON() ([]byte, error) {
	w := newWriter("WordLevel")
	w.vocabulary(&m.vocabulary)
	w.field("unk_token", m.unknown)
	return w.close()
}

// MarshalJSON returns the "model" object of a tokenizer.json.
func (m *BPE) MarshalJSON() ([]byte, error) {
	w := newWriter("BPE")
	w.field("dropout", nil)
	w.field("unk_token", m.unknown)
	w.field("continuing_subword_prefix", optional(m.prefix))
	w.field("end_of_word_suffix", optional(m.suffix))
	w.field("fuse_unk", m.fuse)
	w.field("byte_fallback", m.fallback)
	w.field("ignore_merges", m.ignore)
	w.vocabulary(&m.vocabulary)
	w.name("merges")
	w.WriteByte('[')
	for i, p := range m.Merges() {
		if i > 0 {
			w.WriteByte(',')
		}
		if m.shared() {
			if _, ok := m.ids[p[0]+p[1][min(len(m.prefix), len(p[1])):]]; !ok {
				return nil, fmt.Errorf("merge %d: tokens with one id cannot be told apart when they are saved: %s and %s", i, short(p[0]), short(p[1]))
			}
		}
		w.WriteByte('[')
		w.value(p[0])
		w.WriteByte(',')
		w.value(p[1])
		w.WriteByte(']')
	}
	w.WriteByte(']')
	return w.close()
}

// Merges returns the merges, the one with the lowest rank first.
func (m *BPE) Merges() [][2]string {
	var slots []mergeSlot
	for _, s := range m.merges.slots {
		if s.merge != 0 {
			slots = append(slots, s)
		}
	}
	slices.SortFunc(slots, func(a, b mergeSlot) int { return cmp.Compare(a.merge, b.merge) })
	out := make([][2]string, len(slots))
	for i, s := range slots {
		out[i][0], _ = m.Token(int(s.pair >> 32))
		out[i][1], _ = m.Token(int(s.pair & 0xffffffff))
	}
	return out
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// MarshalJSON returns the "model" object of a tokenizer.json.
func (m *Unigram) MarshalJSON() ([]byte, error) {
	w := newWriter("Unigram")
	if m.unknown >= 0 {
		w.field("unk_id", m.unknown)
	} else {
		w.field("unk_id", nil)
	}
	w.name("vocab")
	w.WriteByte('[')
	for i, p := range m.pieces {
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteByte('[')
		w.value(p.Token)
		w.WriteByte(',')
		w.value(p.Score)
		w.WriteByte(']')
	}
	w.WriteByte(']')
	w.field("byte_fallback", m.fallback)
	return w.close()
}
