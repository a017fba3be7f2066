package text

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// letters returns a part with a token for each letter of text i.
func letters(text string, i int) *part {
	p := &part{source: &source{texts: []string{text}}}
	for at := range len(text) {
		p.ids = append(p.ids, int(text[at]))
		p.tokens = append(p.tokens, text[at:at+1])
		p.offsets = append(p.offsets, [2]int{at, at + 1})
		p.words = append(p.words, at)
		p.special = append(p.special, false)
	}
	p.setType(i)
	return p
}

// show writes the tokens of an encoding and of its windows.
func show(e *Encoding) string {
	out := []string{strings.Join(e.Tokens, "")}
	for _, o := range e.Overflow {
		out = append(out, strings.Join(o.Tokens, ""))
	}
	return strings.Join(out, " ")
}

// TestTruncate has results of tokenizers 0.23.3 for a model with one token a letter.
func TestTruncate(t *testing.T) {
	for _, c := range []struct {
		texts string
		t     Truncation
		added int
		want  string
	}{
		{"abcd", Truncation{Max: 4}, 0, "abcd"},
		{"abcdefg", Truncation{Max: 3, Overflow: true}, 0, "abc def g"},
		{"abcdefg", Truncation{Max: 3}, 0, "abc"},
		{"abcdefg", Truncation{Max: 5, Overflow: true, Stride: 1}, 2, "abc cde efg"},
		{"abcdefg", Truncation{Max: 3, Overflow: true, Stride: 1, Left: true}, 0, "efg cde abc"},
		{"abcdefgh", Truncation{Max: 3, Overflow: true, Left: true}, 0, "fgh cde ab"},
		{"abc", Truncation{Max: 0, Overflow: true}, 0, " abc"},
		{"abc", Truncation{Max: 1}, 2, "truncation: expected a maximum of at least 2, the number of special tokens, found 1"},
		{"abc", Truncation{Max: 2, Stride: 2}, 0, "truncation: expected a stride below 2, the tokens left for a text, found 2"},
		{"abc", Truncation{Max: 2, Strategy: OnlySecond}, 0, "only the second text may be cut, but there is one text"},
		{"abc", Truncation{Max: 3, Strategy: OnlySecond}, 0, "abc"},
		{"abcdef uvw", Truncation{Max: 7}, 0, "abcduvw"},
		{"abcdef uvwxyz", Truncation{Max: 7}, 0, "abcuvwx"},
		{"ab uvwxyz", Truncation{Max: 6}, 0, "abuvwx"},
		{"abcdef uvwxyz", Truncation{Max: 8, Strategy: OnlyFirst, Overflow: true}, 0, "abuvwxyz cduvwxyz efuvwxyz"},
		{"abcdef uvwxyz", Truncation{Max: 9, Strategy: OnlySecond, Overflow: true}, 0, "abcdefuvw abcdefxyz"},
		{"abc uvwxyz", Truncation{Max: 5, Strategy: OnlyFirst}, 0, "the text that may be cut has only 3"},
		{"abcd uvwx", Truncation{Max: 6, Stride: 1, Overflow: true}, 0, "abcuvw cduvw cdwx abcwx"},
	} {
		var parts []*part
		for i, text := range strings.Fields(c.texts) {
			parts = append(parts, letters(text, i))
		}
		got := ""
		if err := truncate(parts, &c.t, c.added, shareFast); err != nil {
			got = err.Error()
		} else {
			got = show(join(parts))
		}
		if got != c.want && !(len(c.want) > 20 && strings.Contains(got, c.want)) {
			t.Errorf("%s, %+v: expected %q, found %q", c.texts, c.t, c.want, got)
		}
	}
}

// TestPad pads on both sides, windows too.
func TestPad(t *testing.T) {
	for _, c := range []struct {
		p    Padding
		want string
	}{
		{Padding{Token: "_"}, "abc uv_"},
		{Padding{Token: "_", Left: true}, "abc _uv"},
		{Padding{Token: "_", Multiple: 4}, "abc_ uv__"},
		{Padding{Token: "_", Length: 5, Left: true}, "__abc ___uv"},
		{Padding{Token: "_", Length: 2}, "abc uv"},
	} {
		batch := []*Encoding{join([]*part{letters("abc", 0)}), join([]*part{letters("uv", 0)})}
		c.p.ID, c.p.TypeID = 7, 3
		if err := pad(batch, &c.p); err != nil {
			t.Fatal(err)
		}
		if got := show(batch[0]) + " " + show(batch[1]); got != c.want {
			t.Errorf("%+v: expected %q, found %q", c.p, c.want, got)
		}
		for _, e := range batch {
			e.number()
			for i, token := range e.Tokens {
				filled := token == "_"
				if filled != (e.IDs[i] == 7) || filled != (e.TypeIDs[i] == 3) || filled == e.Attention[i] || filled != e.Special[i] ||
					filled != (e.Words[i] == -1) || filled && e.Offsets[i] != [2]int{} {
					t.Errorf("%+v: token %d of %+v", c.p, i, e)
				}
			}
		}
	}
}

// TestProcessors has results of tokenizers 0.23.3.
func TestProcessors(t *testing.T) {
	const (
		bert    = `{"type": "BertProcessing", "sep": ["]", 2], "cls": ["[", 1]}`
		roberta = `{"type": "RobertaProcessing", "sep": ["]", 2], "cls": ["[", 1], "trim_offsets": true, "add_prefix_space": false}`
		forms   = `{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "X", "type_id": 4}}, {"Sequence": {"id": "A", "type_id": 5}}],
			"pair": [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "X", "type_id": 4}}, {"Sequence": {"id": "A", "type_id": 0}}],
			"special_tokens": {"X": {"id": "X", "ids": [8, 9], "tokens": ["<", ">"]}}}`
		both = `{"type": "Sequence", "processors": [{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true}, ` + bert + `]}`
	)
	for _, c := range []struct{ processor, texts, want string }{
		{bert, "abc", "[abc] [0 0 0 0 0] [-1 0 0 0 -1] 2"},
		{bert, "ab uv", "[ab]uv] [0 0 0 0 1 1 1] [-1 0 0 -1 1 1 -1] 3"},
		{roberta, "abc", "[abc] [0 0 0 0 0] [-1 0 0 0 -1] 2"},
		{roberta, "ab uv", "[ab]]uv] [0 0 0 0 0 0 0 0] [-1 0 0 -1 -1 1 1 -1] 4"},
		{forms, "abc", "<>abc [4 4 5 5 5] [-1 -1 0 0 0] 2"},
		{forms, "ab uv", "uv<>ab [1 1 4 4 0 0] [1 1 -1 -1 0 0] 2"},
		{both, "abc", "[abc] [0 0 0 0 0] [-1 0 0 0 -1] 2"},
	} {
		p, err := parseProcessor([]byte(c.processor))
		if err != nil {
			t.Fatal(err)
		}
		var parts []*part
		for i, text := range strings.Fields(c.texts) {
			q := letters(text, i)
			q.setSequence(i)
			parts = append(parts, q)
		}
		n := p.added(len(parts))
		plain, err := p.process(slices.Clone(parts), false)
		if err != nil {
			t.Fatal(err)
		}
		parts, err = p.process(parts, true)
		if err != nil {
			t.Fatal(err)
		}
		e := join(parts)
		e.number()
		if got := fmt.Sprintf("%s %v %v %d", show(e), e.TypeIDs, e.Sequences, n); got != c.want {
			t.Errorf("%.30s, %s: expected %s, found %s", c.processor, c.texts, c.want, got)
		}
		if got := len(join(plain).IDs); got != e.Len()-n {
			t.Errorf("%.30s, %s: expected %d tokens without special tokens, found %d", c.processor, c.texts, e.Len()-n, got)
		}
	}
}

// TestProcessorTwice takes a text twice, with other types, after special tokens were added. The result is that of
// tokenizers 0.23.3.
func TestProcessorTwice(t *testing.T) {
	p, err := parseProcessor([]byte(`{"type": "Sequence", "processors": [
		{"type": "RobertaProcessing", "sep": ["]", 2], "cls": ["[", 1], "trim_offsets": true, "add_prefix_space": false},
		{"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 1}}], "pair": [], "special_tokens": {}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	parts, err := p.process([]*part{letters("ab", 0)}, true)
	if err != nil {
		t.Fatal(err)
	}
	e := join(parts)
	e.number()
	const want = "[ab][ab] [0 0 0 0 1 1 1 1] [-1 -1 -1 -1 0 0 0 0]"
	if got := fmt.Sprintf("%s %v %v", show(e), e.TypeIDs, e.Sequences); got != want {
		t.Errorf("expected %s, found %s", want, got)
	}
}

// TestProcessorErrors names the field.
func TestProcessorErrors(t *testing.T) {
	for data, want := range map[string]string{
		`{}`:                `post_processor: type: expected a value`,
		`{"type": "Other"}`: `post_processor: unsupported type "Other"`,
		`{"type": "BertProcessing", "sep": ["a", 1]}`:                                                                               "BertProcessing: cls: expected a value, found no such field",
		`{"type": "BertProcessing", "sep": ["a", 1], "cls": ["b"]}`:                                                                 "BertProcessing: cls: expected a token and its id",
		`{"type": "BertProcessing", "sep": ["a", -1], "cls": ["b", 1]}`:                                                             "sep: id: expected a whole number from 0",
		`{"type": "BertProcessing", "sep": ["a", 1], "cls": ["b", 1], "trim_offsets": 1}`:                                           "trim_offsets: unsupported field",
		`{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "a", "type_id": 0}}], "pair": [], "special_tokens": {}}`: `single[0]: SpecialToken: id: expected a name from special_tokens, found "a"`,
		`{"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B", "type_id": 0}}], "pair": [], "special_tokens": {}}`:     "single[0]: id: expected A",
		strings.Repeat(`{"type": "Sequence", "processors": [`, 100) + strings.Repeat("]}", 100):                                     "expected at most 64 levels",
	} {
		_, err := parseProcessor([]byte(data))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: expected %q, found %v", data, want, err)
		}
	}
}
