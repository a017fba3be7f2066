package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/text"
)

// classifier writes a small model with random weights.
func classifier(t *testing.T) string {
	t.Helper()
	words := func(yield func(string, error) bool) { yield("a deft and moving film, and a dull one", nil) }
	tokenizer, err := text.Train(t.Context(), words, text.TrainOptions{Kind: text.WordPiece, Lowercase: true})
	if err != nil {
		t.Fatal(err)
	}
	c := bert.Base()
	c.VocabSize, c.MaxPositionEmbeddings = tokenizer.Size(), 16
	c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 8, 1, 2, 16
	rng := rand.New(rand.NewPCG(1, 2))
	m := bert.New(c, bert.Features, 0, rng)
	m.Tokenizer = tokenizer
	m.NewHead(bert.SequenceClassification, []string{"bad", "good"}, rng)
	dir := filepath.Join(t.TempDir(), "model")
	if err := m.Save(dir, bert.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestClassify compares the output for arguments and for standard input with the model's.
func TestClassify(t *testing.T) {
	dir := classifier(t)
	m, err := bert.Open(dir, bert.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m.Truncate = true
	list := []string{"A deft film", strings.Repeat("dull ", 40)}
	want, err := m.Classify(t.Context(), list...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  []string
		stdin string
	}{{list, ""}, {nil, "\n" + list[0] + "\r\n\n" + list[1] + "\n"}} {
		var stdout, stderr bytes.Buffer
		if status := command(append([]string{"-model", dir, "-json", "-top", "1"}, c.args...), strings.NewReader(c.stdin), &stdout, &stderr); status != 0 {
			t.Fatalf("status %d: %s", status, &stderr)
		}
		var got []struct {
			Text   string
			Logits []float32
			Top    []struct {
				Label string
				Index int
				P     float32
			}
		}
		if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || len(got) != 2 {
			t.Fatalf("%v: %s", err, &stdout)
		}
		for i, g := range got {
			first := want[i].Top[0]
			if g.Text != strings.TrimSpace(list[i]) && g.Text != list[i] || len(g.Logits) != 2 || g.Logits[1] != want[i].Logits[1] || len(g.Top) != 1 || g.Top[0].P != first.Probability || g.Top[0].Label != first.Label || g.Top[0].Index != first.Index {
				t.Errorf("found %+v, expected %+v", g, want[i])
			}
		}
	}
	var stdout, stderr bytes.Buffer
	if status := command([]string{"-model", dir, "a film"}, nil, &stdout, &stderr); status != 0 || strings.Count(stdout.String(), " %  ") != 2 || !strings.HasPrefix(stdout.String(), "a film\n") {
		t.Errorf("status %d, printed %q", status, &stdout)
	}
}

func TestMistakes(t *testing.T) {
	features := t.TempDir()
	if err := os.WriteFile(filepath.Join(features, "config.json"), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "-model: expected a folder"},
		{[]string{"-model", "nothing-here", "x"}, "-model: "},
		{[]string{"-model", features, "x"}, "-model: "},
		{[]string{"-model", features, "-top", "0"}, "-top: expected at least 1, found 0"},
	} {
		var stdout, stderr bytes.Buffer
		status := command(c.args, strings.NewReader(""), &stdout, &stderr)
		if status != 1 || !strings.Contains(stderr.String(), c.want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: status %d, %q", c.args, status, &stderr)
		}
	}
}
