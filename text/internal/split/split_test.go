package split

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/text/internal/normalize"
)

func ExampleParse() {
	splitter, err := Parse([]byte(`{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range splitter.Split(nil, nil, normalize.New("It's tea time")) {
		start, end := p.Original(0, p.Len())
		fmt.Println(p.Text(), start, end)
	}
	// Output:
	// It 0 2
	// 's 2 4
	// Ġtea 4 8
	// Ġtime 8 13
}

// TestGolden compares with pieces that tokenizers made before.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/pieces.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			splitCase
			splitAnswer
		} `json:"cases"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 50 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for _, c := range file.Cases {
		compare(t, []splitCase{c.splitCase}, []splitAnswer{c.splitAnswer})
	}
}

func TestParseErrors(t *testing.T) {
	for data, want := range map[string]string{
		`{"type": "Foo"}`:    `unsupported type "Foo"`,
		`{}`:                 `type: expected a value, found no such field`,
		`[]`:                 "object",
		`{"type": "Digits"`:  "pre_tokenizer",
		`{"type": "Digits"}`: `Digits: individual_digits: expected a value, found no such field`,
		`{"type": "Digits", "individual_digits": 1}`:                                                "individual_digits",
		`{"type": "Whitespace", "pattern": 1}`:                                                      `Whitespace: pattern: unsupported field`,
		`{"type": "CharDelimiterSplit", "delimiter": "ab"}`:                                         "expected one character",
		`{"type": "CharDelimiterSplit", "delimiter": ""}`:                                           "expected one character",
		`{"type": "FixedLength", "length": 0}`:                                                      "length: expected 1 or more",
		`{"type": "Punctuation", "behavior": "removed"}`:                                            `behavior: unsupported value "removed"`,
		`{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "x"}`:                          `prepend_scheme: unsupported value "x"`,
		`{"type": "Metaspace", "replacement": "▁", "add_prefix_space": false}`:                      `add_prefix_space is false`,
		`{"type": "Split", "pattern": {"Regex": "a("}, "behavior": "Removed", "invert": false}`:     "group without )",
		`{"type": "Split", "pattern": {"Regex": "(a)\\1"}, "behavior": "Removed", "invert": false}`: "unsupported reference to a group",
		`{"type": "Split", "pattern": {"Glob": "a"}, "behavior": "Removed", "invert": false}`:       `expected one of "String" and "Regex"`,
		`{"type": "Split", "pattern": {}, "behavior": "Removed", "invert": false}`:                  `expected one of "String" and "Regex"`,
		`{"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}, {"type": "Foo"}]}`:          `pretokenizers[1]: unsupported type "Foo"`,
		strings.Repeat(`{"type": "Sequence", "pretokenizers": [`, 100) + strings.Repeat(`]}`, 100):  "expected at most 64 levels",
	} {
		if _, err := Parse([]byte(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: got %v, want %q", data, err, want)
		}
	}
	if s, err := Parse([]byte("null")); s != nil || err != nil {
		t.Errorf("null: got %v, %v", s, err)
	}
}

// TestAllocations: the pieces of a text cost no memory beyond the slice that holds them.
func TestAllocations(t *testing.T) {
	text := normalize.New(strings.Repeat("It's a text, with 12 words… 中文。 ", 200))
	for _, c := range configurations() {
		if !strings.Contains(c, "Regex") && !strings.HasPrefix(c, `{"type": "Bert`) && !strings.HasPrefix(c, `{"type": "Whitespace`) && !strings.Contains(c, `"type": "ByteLevel"`) {
			continue
		}
		s, err := Parse([]byte(c))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(c, "Sequence") {
			continue // each piece is changed on its own
		}
		sc := new(normalize.Scratch)
		pieces := s.Split(sc, nil, text)
		n := testing.AllocsPerRun(10, func() {
			sc.Reset()
			pieces = s.Split(sc, pieces[:0], text)
		})
		if n > 8 {
			t.Errorf("%s: %v allocations for %d pieces", c, n, len(pieces))
		}
	}
}

// TestSequenceKeeps: the pieces of other texts, which are in dst before, stay.
func TestSequenceKeeps(t *testing.T) {
	s, err := Parse([]byte(`{"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Punctuation"}, {"type": "Digits", "individual_digits": true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	pieces := s.Split(nil, s.Split(nil, nil, normalize.New("a, b")), normalize.New("c12."))
	var got []string
	for _, p := range pieces {
		got = append(got, p.Text())
	}
	if want := []string{"a", ",", "b", "c", "1", "2", "."}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzSplit: no input makes a panic, and pieces that are not changed are parts of the text in order.
func FuzzSplit(f *testing.F) {
	for i, c := range configurations() {
		if i%5 == 0 || i < 20 {
			f.Add([]byte(c), "It's a text, 12 \n中文。")
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		if len(data) > 1000 || len(text) > 1000 {
			return
		}
		s, err := Parse(data)
		if err != nil || s == nil {
			return
		}
		text = strings.ToValidUTF8(text, "\uFFFD")
		for _, p := range s.Split(new(normalize.Scratch), nil, normalize.New(text)) {
			start, end := p.Original(0, p.Len())
			if p.Len() == 0 || start < 0 || end < start || end > len(text) {
				t.Fatalf("%s in %q: piece %q at %d, %d", data, text, p.Text(), start, end)
			}
		}
	})
}
