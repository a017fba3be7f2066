package train

import (
	"bytes"
	"encoding/json"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/text/internal/model"
)

// referenceCase is a training, as testdata/gen/text_train.py reads it.
type referenceCase struct {
	Kind    string           `json:"kind"`
	Words   []countedWord    `json:"words"`
	Options referenceOptions `json:"options"`
}

type countedWord word

func (w countedWord) MarshalJSON() ([]byte, error) { return json.Marshal([]any{w.text, w.count}) }

func (w *countedWord) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&w.text, &w.count})
}

// referenceOptions are the arguments of the reference's trainers.
type referenceOptions struct {
	Size          int      `json:"vocab_size,omitempty"`
	MinFrequency  int      `json:"min_frequency,omitempty"`
	Special       []string `json:"special_tokens,omitempty"`
	LimitAlphabet *int     `json:"limit_alphabet,omitempty"`
	Alphabet      []string `json:"initial_alphabet,omitempty"`
	Prefix        *string  `json:"continuing_subword_prefix,omitempty"`
	Suffix        *string  `json:"end_of_word_suffix,omitempty"`
	MaxChars      *int     `json:"max_token_length,omitempty"`
	Unknown       string   `json:"unk_token,omitempty"`
	MaxPiece      int      `json:"max_piece_length,omitempty"`
	SeedSize      int      `json:"seed_size,omitempty"`
	Shrinking     float64  `json:"shrinking_factor,omitempty"`
	SubIterations int      `json:"n_sub_iterations,omitempty"`
}

// referenceModel is the part of a "model" object that training decides.
type referenceModel struct {
	Vocab  json.RawMessage `json:"vocab"`
	Merges [][2]string     `json:"merges"`
}

func (c *referenceCase) words() iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for _, w := range c.Words {
			if !yield(w.text, w.count) {
				return
			}
		}
	}
}

func (c *referenceCase) mergeOptions() MergeOptions {
	o := MergeOptions{Size: c.Options.Size, MinFrequency: c.Options.MinFrequency, Special: c.Options.Special,
		LimitAlphabet: c.Options.LimitAlphabet, Prefix: c.Options.Prefix}
	for _, s := range c.Options.Alphabet {
		o.Alphabet = append(o.Alphabet, []rune(s)[0])
	}
	if c.Options.Suffix != nil {
		o.Suffix = *c.Options.Suffix
	}
	if c.Options.MaxChars != nil {
		o.MaxChars = *c.Options.MaxChars
	}
	return o
}

func (c *referenceCase) unigramOptions() UnigramOptions {
	o := c.Options
	return UnigramOptions{Size: o.Size, Special: o.Special, Unknown: o.Unknown, MaxChars: o.MaxPiece, SeedSize: o.SeedSize,
		ShrinkingFactor: o.Shrinking, SubIterations: o.SubIterations}
}

// randomCase draws a corpus of few letters, in which many pairs are equally frequent.
func randomCase(rng *rand.Rand) referenceCase {
	letters := []rune([]string{"ab", "abc", "abcdefgh", "aéb日", "x<u>"}[rng.IntN(5)])
	c := referenceCase{Kind: "BPE"}
	seen := map[string]bool{}
	for range 1 + rng.IntN(60) {
		var b strings.Builder
		for range 1 + rng.IntN(10) {
			b.WriteRune(letters[rng.IntN(len(letters))])
		}
		if !seen[b.String()] {
			c.Words = append(c.Words, countedWord{b.String(), 1 + rng.IntN(20)})
		}
		seen[b.String()] = true
	}
	c.Options.Size = 5 + rng.IntN(100)
	if rng.IntN(2) == 0 {
		c.Options.MinFrequency = rng.IntN(20)
	}
	if rng.IntN(2) == 0 {
		c.Options.Special = []string{"<u>", "a"}[:1+rng.IntN(2)]
	}
	if rng.IntN(3) == 0 {
		c.Options.Alphabet = []string{"z", "aa", "é"}
	}
	if rng.IntN(4) == 0 {
		c.Options.MaxChars = new(2 + rng.IntN(6))
	}
	// The reference numbers tokens with a prefix or a suffix in the order of a hash table. As special tokens they have an
	// order.
	switch rng.IntN(4) {
	case 0:
		c.Options.Suffix = new("</w>")
		for _, r := range letters {
			c.Options.Special = append(c.Options.Special, string(r)+"</w>")
		}
	case 1:
		c.Kind, c.Options.MaxChars = "WordPiece", nil // its trainer has no such argument
		for _, r := range letters {
			c.Options.Special = append(c.Options.Special, "##"+string(r))
		}
	}
	return c
}

// TestReference compares BPE and WordPiece with tokenizers on random corpora, and on a text.
func TestReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var cases []referenceCase
	for range 500 {
		cases = append(cases, randomCase(rng))
	}
	for _, size := range []int{300, 3000, 20000} {
		c := referenceCase{Kind: "BPE", Words: textWords(t)}
		c.Options = referenceOptions{Size: size, Special: []string{"<unk>"}}
		cases = append(cases, c)
	}
	for i, m := range runReference(t, cases) {
		compareReference(t, &cases[i], m)
	}
}

func compareReference(t *testing.T, c *referenceCase, want referenceModel) {
	t.Helper()
	tokens, merges := trainedTokens(t, c)
	text, _ := json.Marshal(c)
	if diff := cmp.Diff(referenceTokens(t, want), tokens); diff != "" {
		t.Fatalf("-reference +got\n%s\n%s", diff, text)
	}
	if diff := cmp.Diff(want.Merges, merges, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("merges: -reference +got\n%s\n%s", diff, text)
	}
}

func runReference(t *testing.T, cases []referenceCase) []referenceModel {
	t.Helper()
	c := oracle.Command(t, "tokenizers", "text_train.py")
	text, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	c.Stdin = bytes.NewReader(text)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var models []referenceModel
	if err := json.Unmarshal(out, &models); err != nil {
		t.Fatal(err)
	}
	return models
}

// trainedTokens returns the tokens, in the order of their ids, and the merges that a model would save.
func trainedTokens(t *testing.T, c *referenceCase) ([]string, [][2]string) {
	t.Helper()
	if c.Kind == "WordPiece" {
		o, err := WordPiece(t.Context(), c.words(), c.mergeOptions())
		if err != nil {
			t.Fatal(err)
		}
		return texts(o.Vocabulary), nil
	}
	o, err := BPE(t.Context(), c.words(), c.mergeOptions())
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.NewBPE(o)
	if err != nil {
		t.Fatal(err)
	}
	return texts(o.Vocabulary), m.Merges()
}

func texts(entries []model.Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Token)
	}
	return out
}

func referenceTokens(t *testing.T, m referenceModel) []string {
	t.Helper()
	var ids map[string]int
	if err := json.Unmarshal(m.Vocab, &ids); err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(ids))
	for token, id := range ids {
		out[id] = token
	}
	return out
}

func referencePieces(t *testing.T, m referenceModel) []model.Piece {
	t.Helper()
	var pieces [][2]any
	if err := json.Unmarshal(m.Vocab, &pieces); err != nil {
		t.Fatal(err)
	}
	var out []model.Piece
	for _, p := range pieces {
		out = append(out, model.Piece{Token: p[0].(string), Score: p[1].(float64)})
	}
	return out
}

// TestGolden compares with what tokenizers trained when testdata/gen/text_train.py wrote the golden.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/train.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		referenceCase
		Want referenceModel `json:"want"`
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if c.Kind != "Unigram" {
			compareReference(t, &c.referenceCase, c.Want)
			continue
		}
		o, err := Unigram(t.Context(), c.words(), c.unigramOptions())
		if err != nil {
			t.Fatal(err)
		}
		// The reference gives characters that are no pieces scores 0.0001 apart, in the order of a hash table.
		byToken := cmpopts.SortSlices(func(a, b model.Piece) bool { return a.Token < b.Token })
		near := cmpopts.EquateApprox(0, 0.002)
		if diff := cmp.Diff(referencePieces(t, c.Want), o.Pieces, byToken, near); diff != "" {
			t.Errorf("-reference +got\n%s", diff)
		}
	}
}

// textWords returns the words of this module's documents, with U+2581 in place of a space before them.
func textWords(t *testing.T) []countedWord {
	t.Helper()
	counts := map[string]int{}
	for _, pattern := range []string{"../../../*.md", "../../../docs/*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range strings.Fields(string(data)) {
				counts["▁"+f]++
			}
		}
	}
	var out []countedWord
	for text, n := range counts {
		out = append(out, countedWord{text, n})
	}
	if len(out) < 1000 {
		t.Fatalf("found %d words", len(out))
	}
	return out
}

// TestUnigramReference compares the likelihood of a text: under our pieces it must be as high as under those of
// tokenizers, within 1 % of its logarithm.
func TestUnigramReference(t *testing.T) {
	var cases []referenceCase
	for _, size := range []int{400, 2000, 6000} {
		c := referenceCase{Kind: "Unigram", Words: textWords(t)}
		c.Options = referenceOptions{Size: size, Special: []string{"<unk>", "</s>"}, Unknown: "<unk>"}
		cases = append(cases, c)
	}
	for i, m := range runReference(t, cases) {
		c := &cases[i]
		o, err := Unigram(t.Context(), c.words(), c.unigramOptions())
		if err != nil {
			t.Fatal(err)
		}
		reference := referencePieces(t, m)
		shared := map[string]bool{}
		for _, p := range reference {
			shared[p.Token] = true
		}
		common := 0
		for _, p := range o.Pieces {
			if shared[p.Token] {
				common++
			}
		}
		ours, theirs := likelihood(t, o.Pieces, c.Words), likelihood(t, reference, c.Words)
		t.Logf("size %d: %d of %d pieces are the same; log-likelihood per character %.5f, reference %.5f", c.Options.Size, common, len(o.Pieces), ours, theirs)
		if len(o.Pieces) != len(reference) {
			t.Errorf("%d pieces, reference %d", len(o.Pieces), len(reference))
		}
		if ours < theirs-0.01*math.Abs(theirs) {
			t.Errorf("size %d: log-likelihood per character %.5f, reference %.5f", c.Options.Size, ours, theirs)
		}
	}
}

// likelihood returns the mean log-likelihood per character of the best ways to cut the words.
func likelihood(t *testing.T, pieces []model.Piece, words []countedWord) float64 {
	t.Helper()
	m, err := model.NewUnigram(model.UnigramOptions{Pieces: pieces, Unknown: new(0)})
	if err != nil {
		t.Fatal(err)
	}
	sum, chars := 0.0, 0
	for _, w := range words {
		tokens, err := m.Append(nil, w.text)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range tokens {
			if k.ID == 0 {
				t.Fatalf("%q has an unknown character", w.text)
			}
			sum += float64(w.count) * pieces[k.ID].Score
		}
		chars += w.count * utf8.RuneCountInString(w.text)
	}
	return sum / float64(chars)
}
