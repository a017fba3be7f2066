package model

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/oracle"
)

// referenceCase is a model and its tokens of some words, as testdata/gen/text_model.py writes them.
type referenceCase struct {
	Model  string             `json:"model"`
	Words  []string           `json:"words"`
	Want   [][]referenceToken `json:"want"` // nil where the reference refuses the model
	Scores []float64          `json:"scores"`
}

// referenceToken is a token with its text.
type referenceToken struct {
	Token
	text string
}

func (r *referenceToken) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&r.ID, &r.Start, &r.End, &r.text})
}

// TestGolden compares with tokenizers: ids, offsets, texts and errors, of models that are saved and read again too.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/models.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	compareReference(t, data)
}

// TestReference compares with tokenizers on more models, drawn at random.
func TestReference(t *testing.T) {
	compareReference(t, oracle.Run(t, "tokenizers", "text_model.py", "2", "500", "60"))
}

func referenceCases(t testing.TB, data []byte) []referenceCase {
	t.Helper()
	var out []referenceCase
	for line := range bytes.Lines(data) {
		var c referenceCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

func compareReference(t *testing.T, data []byte) {
	t.Helper()
	cases := referenceCases(t, data)
	words := 0
	for _, c := range cases {
		m, err := Parse([]byte(c.Model))
		if c.Want == nil {
			if err == nil {
				t.Errorf("the reference refuses the model %s", c.Model)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %s", err, c.Model)
			continue
		}
		for i, s := range c.Scores {
			if got := m.(*Unigram).scores[i]; got != s {
				t.Fatalf("score %d: %v, reference %v: %s", i, got, s, c.Model)
			}
		}
		saved := m
		if !sharedIDs(m) { // a saved vocabulary has one token for each id, as the reference writes it
			saved = reread(t, m)
		}
		for i, w := range c.Words {
			words++
			compareWord(t, c.Model, m, w, c.Want[i])
			compareWord(t, c.Model, m, w, c.Want[i]) // BPE has it in the cache now
			compareWord(t, c.Model, saved, w, c.Want[i])
			if t.Failed() {
				t.FailNow()
			}
		}
	}
	t.Logf("%d models, %d words", len(cases), words)
}

// reread saves a model and reads it.
func reread(t *testing.T, m Model) Model {
	t.Helper()
	text, err := m.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(text)
	if err != nil {
		t.Fatalf("saved model: %v: %s", err, text)
	}
	return again
}

func sharedIDs(m Model) bool {
	switch m := m.(type) {
	case *WordPiece:
		return m.shared()
	case *BPE:
		return m.shared()
	case *WordLevel:
		return m.shared()
	}
	return false
}

func compareWord(t *testing.T, model string, m Model, word string, want []referenceToken) {
	t.Helper()
	prefix := []Token{{ID: -7, Start: 1, End: 2}}
	got, err := m.Append(prefix, word)
	if (err != nil) != (want == nil) {
		t.Errorf("%q: error %v, reference %v\n%s", word, err, want, model)
		return
	}
	if got[0] != prefix[0] {
		t.Errorf("%q: changed the tokens before", word)
	}
	if err != nil {
		return
	}
	_, bpe := m.(*BPE)
	var out []referenceToken
	for i, g := range got[1:] {
		text := m.Text(word, g)
		if bpe && sharedIDs(m) && i < len(want) {
			text = want[i].text // of tokens with one id the reference reports any
		}
		out = append(out, referenceToken{g, text})
	}
	if !slices.Equal(out, want) {
		t.Errorf("%q: %v, reference %v\n%s", word, out, want, model)
	}
}
