package text

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/oracle"
)

// siglipCase is a line of testdata/gen/text_siglip.py.
type siglipCase struct {
	Folder    int
	Limit     int
	Left      []bool // padding, truncation
	Text      string
	Pair      *string
	Special   bool
	Max       int
	Padded    bool
	IDs       []int
	Types     []int
	Attention []int
	Tokens    []string
	Skip      bool
	Decode    []int
	Decoded   *string
}

// TestSiglip compares with SiglipTokenizer. FOVEA_TEXTS is the number of texts.
func TestSiglip(t *testing.T) {
	folder, count, seed := t.TempDir(), os.Getenv("FOVEA_TEXTS"), os.Getenv("FOVEA_SEED")
	if count == "" {
		count = "2000"
	}
	if seed == "" {
		seed = "1"
	}
	oracle.Run(t, "transformers and sentencepiece", "text_siglip.py", folder, seed, count)
	lines, err := os.ReadFile(filepath.Join(folder, "cases"))
	if err != nil {
		t.Fatal(err)
	}
	tokenizers := map[int]*Tokenizer{}
	wrong, n := 0, 0
	for line := range bytes.Lines(lines) {
		var c siglipCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		tok := tokenizers[c.Folder]
		if tok == nil {
			if tok, err = OpenDir(filepath.Join(folder, strconv.Itoa(c.Folder)), OpenOptions{}); err != nil {
				t.Fatal(err)
			}
			tokenizers[c.Folder] = tok
		}
		n++
		if !checkSiglip(t, tok, &c) {
			if wrong++; wrong > 10 {
				break
			}
		}
	}
	t.Logf("%d texts, %d tokenizers", n, len(tokenizers))
}

func checkSiglip(t *testing.T, tok *Tokenizer, c *siglipCase) bool {
	t.Helper()
	d := tok.Defaults()
	if d.Truncation.Max != c.Limit || d.Truncation.Left != c.Left[1] || d.Padding.Left != c.Left[0] || d.Padding.Token != "</s>" || d.Padding.ID != 1 {
		t.Errorf("folder %d: defaults %+v %+v, expected %d %v", c.Folder, d.Truncation, d.Padding, c.Limit, c.Left)
	}
	o := Options{NoSpecial: !c.Special}
	if c.Max > 0 {
		o.Truncation = &Truncation{Max: c.Max, Left: d.Truncation.Left}
	}
	if c.Padded {
		o.Padding = d.Padding
		o.Padding.Length = c.Max
	}
	in := Input{Text: c.Text}
	if c.Pair != nil {
		in.Pair = &Input{Text: *c.Pair}
		if second, err := tok.Encode(*c.Pair, Options{NoSpecial: true}); err == nil && second.Len() == 0 && d.Truncation.Left && c.Max > 0 {
			return true // Python forgets the second text
		}
	}
	e, err := tok.encode(in, o)
	if err != nil {
		t.Errorf("folder %d: %q: %v", c.Folder, c.Text, err)
		return false
	}
	if c.Padded && len(c.IDs) == 0 { // Python pads no empty encoding
		return e.IDs[0] == 1
	}
	attention := make([]int, e.Len())
	for i, a := range e.Attention {
		if a {
			attention[i] = 1
		}
	}
	if !slices.Equal(e.IDs, c.IDs) || slices.Max(append(e.TypeIDs, 0)) > 0 || slices.Max(append(c.Types, 0)) > 0 || !slices.Equal(attention, c.Attention) || c.Tokens != nil && !slices.Equal(e.Tokens, c.Tokens) {
		t.Errorf("folder %d: %q %v: %v %q, expected %v %q %v", c.Folder, c.Text, c.Pair, e.IDs, e.Tokens, c.IDs, c.Tokens, c.Types)
		return false
	}
	at := 0
	for i, o := range e.Offsets {
		if c.Pair == nil && e.Words[i] >= 0 && (o[0] < at || o[1] < o[0] || o[1] > len(c.Text)) {
			t.Errorf("folder %d: %q: token %q has offsets %v behind %d", c.Folder, c.Text, e.Tokens[i], o, at)
			return false
		}
		if c.Pair == nil && e.Words[i] >= 0 {
			at = o[0]
		}
	}
	if c.Decoded == nil {
		return true
	}
	if got := tok.Decode(c.Decode, DecodeOptions{SkipSpecial: c.Skip}); got != *c.Decoded {
		t.Errorf("folder %d: decoded %v, skip %v: %q, expected %q", c.Folder, c.Decode, c.Skip, got, *c.Decoded)
		return false
	}
	s := tok.NewStream(DecodeOptions{SkipSpecial: c.Skip})
	var pieces []string
	for _, id := range c.Decode {
		pieces = append(pieces, s.Push(id))
	}
	if got := strings.Join(append(pieces, s.Flush()), ""); got != *c.Decoded {
		t.Errorf("folder %d: stream of %v: %q, expected %q", c.Folder, c.Decode, got, *c.Decoded)
		return false
	}
	return true
}
