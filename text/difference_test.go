package text

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/internal/test/oracle"
)

// referenceEncoding is an encoding of tokenizers. Offsets count characters.
type referenceEncoding struct {
	IDs       []int
	Types     []int
	Tokens    []string
	Offsets   [][2]int
	Words     []int
	Sequences []int
	Attention []int
	Special   []int
}

// referenceCase is a line of testdata/gen/text_tokenizers.py.
type referenceCase struct {
	Special    bool
	Plain      bool
	Text       string
	Words      []string
	Pair       *string
	PairWords  []string `json:"pair_words"`
	Truncation *struct {
		Max       int `json:"max_length"`
		Strategy  string
		Direction string
		Stride    int
	}
	Padding *struct {
		Direction string
		ID        int    `json:"pad_id"`
		TypeID    int    `json:"pad_type_id"`
		Token     string `json:"pad_token"`
		Length    *int
		Multiple  *int `json:"pad_to_multiple_of"`
	}
	Encoding *referenceEncoding
	Overflow []referenceEncoding
	Skip     bool
	Decode   []int
	Decoded  *string
}

// options returns the options of a case.
func (c *referenceCase) options() Options {
	o := Options{NoSpecial: !c.Special, PlainSpecial: c.Plain}
	if t := c.Truncation; t != nil {
		strategies := []string{"longest_first", "only_first", "only_second"}
		o.Truncation = &Truncation{Max: t.Max, Strategy: Strategy(slices.Index(strategies, t.Strategy)), Stride: t.Stride,
			Left: t.Direction == "left", Overflow: true}
	}
	if p := c.Padding; p != nil {
		o.Padding = &Padding{Left: p.Direction == "left", ID: p.ID, TypeID: p.TypeID, Token: p.Token}
		if p.Length != nil {
			o.Padding.Length = *p.Length
		}
		if p.Multiple != nil {
			o.Padding.Multiple = *p.Multiple
		}
	}
	return o
}

// input returns the input of a case.
func (c *referenceCase) input() Input {
	in := Input{Text: c.Text, Words: c.Words}
	if c.Pair != nil {
		in.Pair = &Input{Text: *c.Pair}
	}
	if c.PairWords != nil {
		in.Pair = &Input{Words: c.PairWords}
	}
	return in
}

// reference returns an encoding as the reference shows it, with offsets in characters.
func reference(e *Encoding, in Input) referenceEncoding {
	number := func(list []bool) []int {
		out := make([]int, len(list))
		for i, b := range list {
			if b {
				out[i] = 1
			}
		}
		return out
	}
	out := referenceEncoding{e.IDs, e.TypeIDs, e.Tokens, slices.Clone(e.Offsets), e.Words, e.Sequences, number(e.Attention), number(e.Special)}
	for i := range out.Offsets {
		if out.Words[i] < 0 {
			continue
		}
		source := &in
		if in.Pair != nil && e.second(i) {
			source = in.Pair
		}
		text := source.Text
		if source.Words != nil {
			text = source.Words[out.Words[i]]
		}
		for j, at := range out.Offsets[i] {
			out.Offsets[i][j] = utf8.RuneCountInString(text[:at])
		}
	}
	return out
}

// second reports whether token i belongs to the second text, whatever Sequences says of windows without ranges.
func (e *Encoding) second(i int) bool {
	if e.ranges[1].set {
		return i >= e.ranges[1].from && i < e.ranges[1].to
	}
	return e.TypeIDs[i] == 1
}

// difference returns what differs between a result and a case, or "".
func difference(t *Tokenizer, c *referenceCase) string {
	in := c.input()
	e, err := t.encode(in, c.options())
	switch {
	case err != nil && strings.Contains(err.Error(), "the number of special tokens"): // the reference does not truncate then
		return ""
	case (err != nil) != (c.Encoding == nil):
		return fmt.Sprintf("error: %v, expected %v", err, c.Encoding == nil)
	case err == nil:
		got, want := reference(e, in), *c.Encoding
		if d := different(got, want); d != "" {
			return d
		}
		if len(e.Overflow) != len(c.Overflow) {
			return fmt.Sprintf("%d windows, expected %d", len(e.Overflow), len(c.Overflow))
		}
		for i, o := range e.Overflow {
			if d := different(reference(o, in), c.Overflow[i]); d != "" {
				return fmt.Sprintf("window %d: %s", i, d)
			}
		}
	}
	if c.Decoded != nil {
		if got := t.Decode(c.Decode, DecodeOptions{SkipSpecial: c.Skip}); got != *c.Decoded {
			return fmt.Sprintf("decoded %v: %q, expected %q", c.Decode, got, *c.Decoded)
		}
		s := t.NewStream(DecodeOptions{SkipSpecial: c.Skip})
		var pieces []string
		for _, id := range c.Decode {
			piece := s.Push(id)
			if !utf8.ValidString(piece) {
				return fmt.Sprintf("stream of %v: half a character in %q", c.Decode, piece)
			}
			pieces = append(pieces, piece)
		}
		got := strings.Join(append(pieces, s.Flush()), "")
		if got != *c.Decoded && !strings.Contains(*c.Decoded, replacement) {
			return fmt.Sprintf("stream of %v: %q, expected %q", c.Decode, got, *c.Decoded)
		}
	}
	return ""
}

func different(got, want referenceEncoding) string {
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		a, b := g.Field(i), w.Field(i)
		if a.Len()+b.Len() > 0 && !reflect.DeepEqual(a.Interface(), b.Interface()) {
			return fmt.Sprintf("%s: %v, expected %v (tokens %q, expected %q)", g.Type().Field(i).Name, a, b, got.Tokens, want.Tokens)
		}
	}
	return ""
}

// TestDifference compares with tokenizers on random texts, pairs, truncation, padding and tokens, for tokenizers of
// many families. FOVEA_TEXTS is the number of cases for each, FOVEA_TOKENIZERS a folder with NAME.json of other
// tokenizers.
func TestDifference(t *testing.T) {
	folder, count, seed := t.TempDir(), os.Getenv("FOVEA_TEXTS"), os.Getenv("FOVEA_SEED")
	if count == "" {
		count = "1000"
	}
	if seed == "" {
		seed = "1"
	}
	if given := os.Getenv("FOVEA_TOKENIZERS"); given != "" {
		if err := os.CopyFS(folder, os.DirFS(given)); err != nil {
			t.Fatal(err)
		}
	}
	oracle.Run(t, "tokenizers", "text_tokenizers.py", folder, seed, count)
	names, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("found %d tokenizers: %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".json"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			tok, err := Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			saved, err := tok.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(saved)
			if err != nil {
				t.Fatal(err)
			}
			cases, err := os.ReadFile(strings.TrimSuffix(name, ".json") + ".cases")
			if err != nil {
				t.Fatal(err)
			}
			wrong, n := 0, 0
			for line := range bytes.Lines(cases) {
				var c referenceCase
				if err := json.Unmarshal(line, &c); err != nil {
					t.Fatal(err)
				}
				n++
				d := difference(tok, &c)
				if d == "" && n%8 == 0 {
					d = difference(again, &c)
				}
				if d != "" {
					if wrong++; wrong <= 5 {
						t.Errorf("%s\n%.1000s", d, line)
					}
				}
			}
			if wrong > 0 {
				t.Errorf("%d of %d cases differ", wrong, n)
			}
		})
	}
}
