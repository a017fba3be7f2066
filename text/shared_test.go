package text

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const tokenizerData = "../../shared/data/tokenizers"

// sharedLines reads a JSON value from each line of a shared file, or skips the test.
func sharedLines[T any](t *testing.T, name string) []T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(tokenizerData, name))
	if err != nil {
		t.Skip("needs the shared data")
	}
	var out []T
	for line := range bytes.Lines(data) {
		var v T
		if json.Unmarshal(line, &v) == nil { // one line of each file is damaged
			out = append(out, v)
		}
	}
	if len(out) < 173 {
		t.Fatalf("%s: found %d lines", name, len(out))
	}
	return out
}

// sharedFolder returns a folder with shared files under other names, and files of its own.
func sharedFolder(t *testing.T, files map[string]string, own map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for to, from := range files {
		data, err := os.ReadFile(filepath.Join(tokenizerData, from))
		if err != nil {
			t.Skip("needs the shared data")
		}
		own[to] = string(data)
	}
	for name, content := range own {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// inCharacters turns offsets in bytes into offsets in characters.
func inCharacters(text string, offsets [][2]int) [][2]int {
	out := slices.Clone(offsets)
	for i := range out {
		for j, at := range out[i] {
			out[i][j] = utf8.RuneCountInString(text[:at])
		}
	}
	return out
}

// TestSharedBERT compares with tokenizers 0.23.3, by vocab.txt and by tokenizer.json of MiniLM, which has the same
// vocabulary.
func TestSharedBERT(t *testing.T) {
	lines := sharedLines[struct {
		Text    string
		IDs     []int
		Tokens  []string
		Offsets [][2]int
	}](t, "bert_uncased.jsonl")
	dir := sharedFolder(t, map[string]string{"vocab.txt": "bert-base-uncased-vocab.txt"}, map[string]string{"config.json": `{"model_type": "bert"}`})
	for _, dir := range []string{dir, "../../shared/data/minilm"} {
		tok, err := OpenDir(dir, OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var inputs []Input
		for _, l := range lines {
			inputs = append(inputs, Input{Text: l.Text})
		}
		batch, err := tok.EncodeBatch(context.Background(), inputs, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range lines {
			e := batch[i]
			if !slices.Equal(e.IDs, l.IDs) || !slices.Equal(e.Tokens, l.Tokens) || !slices.Equal(inCharacters(l.Text, e.Offsets), l.Offsets) {
				t.Errorf("%s: %.60q:\n%v\n%v %v\nfound\n%v\n%v %v", dir, l.Text, l.Tokens, l.IDs, l.Offsets, e.Tokens, e.IDs, inCharacters(l.Text, e.Offsets))
			}
		}
	}
}

// TestSharedCLIP compares with OpenAI's rules.
func TestSharedCLIP(t *testing.T) {
	lines := sharedLines[struct {
		Text    string
		IDs     []int
		Context []int `json:"ctx77"`
	}](t, "clip.jsonl")
	dir := sharedFolder(t, map[string]string{clipMerges: clipMerges}, map[string]string{})
	openAI, err := OpenDir(dir, OpenOptions{OpenAI: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		// The lines are of open_clip, to which these tokens are ordinary text.
		plain := strings.Contains(l.Text, "<|startoftext|>")
		e, err := openAI.Encode(l.Text, Options{NoSpecial: true, PlainSpecial: plain})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(e.IDs, l.IDs) {
			t.Errorf("%.60q: expected %v, found %v %v", l.Text, l.IDs, e.IDs, e.Tokens)
		}
		e, err = openAI.Encode(l.Text, Options{PlainSpecial: plain, Truncation: &Truncation{Max: 77}, Padding: &Padding{Length: 77}})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(e.IDs, l.Context) {
			t.Errorf("%.60q: expected the context %v, found %v", l.Text, l.Context, e.IDs)
		}
	}
}
