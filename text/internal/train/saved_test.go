package train

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/text/internal/model"
)

// TestSaved saves trained models, and compares the ids of tokenizers that loads them.
func TestSaved(t *testing.T) {
	words := textWords(t)
	c := referenceCase{Words: words}
	bpe, err := BPE(t.Context(), c.words(), MergeOptions{Size: 2000, Special: []string{"<unk>"}, Suffix: "</w>"})
	if err != nil {
		t.Fatal(err)
	}
	bpe.Unknown = new("<unk>")
	piece, err := WordPiece(t.Context(), c.words(), MergeOptions{Size: 2000, Special: []string{"[UNK]"}})
	if err != nil {
		t.Fatal(err)
	}
	unigram, err := Unigram(t.Context(), c.words(), UnigramOptions{Size: 2000, Unknown: "<unk>"})
	if err != nil {
		t.Fatal(err)
	}
	var list []model.Model
	for _, build := range []func() (model.Model, error){
		func() (model.Model, error) { return model.NewBPE(bpe) },
		func() (model.Model, error) { return model.NewWordPiece(piece) },
		func() (model.Model, error) { return model.NewUnigram(unigram) },
	} {
		m, err := build()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	var texts []string
	for i, w := range words {
		texts = append(texts, w.text, w.text+words[(i*7)%len(words)].text+"ℵ")
	}
	command := oracle.Command(t, "tokenizers", "text_model.py")
	var input bytes.Buffer
	for _, m := range list {
		text, err := m.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.NewEncoder(&input).Encode(map[string]any{"model": string(text), "words": texts}); err != nil {
			t.Fatal(err)
		}
	}
	command.Stdin = &input
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) != len(list) {
		t.Fatalf("%d models came back", len(lines))
	}
	for i, m := range list {
		var answer struct {
			Want [][][]any `json:"want"`
		}
		if err := json.Unmarshal(lines[i], &answer); err != nil {
			t.Fatal(err)
		}
		for k, text := range texts {
			got, err := m.Append(nil, text)
			if err != nil {
				t.Fatal(err)
			}
			same := len(got) == len(answer.Want[k])
			for j := 0; same && j < len(got); j++ {
				same = float64(got[j].ID) == answer.Want[k][j][0].(float64)
			}
			if !same {
				t.Fatalf("%T: %q: %v, reference %v", m, text, got, answer.Want[k])
			}
		}
	}
}
