package text

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/internal/test/oracle"
)

func ExampleTrain() {
	lines := func(yield func(string, error) bool) {
		for _, line := range []string{"low lower lowest", "new newer newest", "low low new new"} {
			if !yield(line, nil) {
				return
			}
		}
	}
	t, err := Train(context.Background(), lines, TrainOptions{Kind: WordPiece, Size: 40})
	if err != nil {
		panic(err)
	}
	e, err := t.Encode("newest low", Options{})
	fmt.Println(e.Tokens, err)
	// Output: [[CLS] new ##est low [SEP]] <nil>
}

// kinds are all kinds.
var kinds = []Kind{BPE, CLIP, WordPiece, Unigram}

// trainingTexts are the lines of the Go files in this folder, English and code, and a few odd texts.
func trainingTexts(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{"狮子 🙂 ﬁn \xff naïve ÉCOLE", "", "   "}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(string(data), "\n")...)
	}
	return lines
}

func sequence(lines []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, line := range lines {
			if !yield(line, nil) {
				return
			}
		}
	}
}

// TestTrain trains twice, with the texts in another order, and encodes with the result.
func TestTrain(t *testing.T) {
	lines := trainingTexts(t)
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			var saved [2][]byte
			progress := 0
			o := TrainOptions{Kind: kind, Size: 600, Special: []string{"<x>", "<s>"}, Lowercase: true, Progress: func(done, total int) { progress++ }}
			var tok *Tokenizer
			for i := range saved {
				if i == 1 {
					lines = slices.Clone(lines)
					slices.Reverse(lines)
				}
				var err error
				if tok, err = Train(t.Context(), sequence(lines), o); err != nil {
					t.Fatal(err)
				}
				if saved[i], err = tok.MarshalJSON(); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(saved[0], saved[1]) {
				t.Error("another order of the texts gives another tokenizer")
			}
			if progress == 0 || tok.Size() != 600 {
				t.Errorf("%d calls of Progress, %d tokens", progress, tok.Size())
			}
			e, err := tok.Encode("the naïve Tokenizer<x> 狮", Options{})
			if err != nil {
				t.Fatal(err)
			}
			if id, ok := tok.ID("<x>"); !ok || !slices.Contains(e.IDs, id) {
				t.Errorf("no token <x> in %q", e.Tokens)
			}
			want := map[Kind]string{BPE: "the naïve tokenizer<x> 狮", CLIP: "the naïve tokenizer 狮", WordPiece: "the naive tokenizer 狮", Unigram: "the naïve tokenizer 狮"}[kind]
			if got := tok.Decode(e.IDs, DecodeOptions{SkipSpecial: kind != BPE}); strings.Join(strings.Fields(got), " ") != want {
				t.Errorf("decoded %q, expected %q", got, want)
			}
		})
	}
}

// TestTrainFails expects errors of options, texts and the context.
func TestTrainFails(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		o    TrainOptions
		want string
	}{
		{TrainOptions{}, "kind: expected bpe, clip, wordpiece or unigram"},
		{TrainOptions{Kind: BPE, Size: -1}, "size"},
		{TrainOptions{Kind: BPE, MinFrequency: -1}, "frequency"},
		{TrainOptions{Kind: Unigram, Special: []string{""}}, "special"},
		{TrainOptions{Kind: Unigram}, "broken"},
	} {
		_, err := Train(t.Context(), func(yield func(string, error) bool) { yield("", broken) }, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: found %v, expected %q", c.o, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Train(ctx, sequence([]string{"a"}), TrainOptions{Kind: BPE}); !errors.Is(err, context.Canceled) {
		t.Errorf("found %v", err)
	}
	for _, kind := range kinds {
		tok, err := Train(t.Context(), sequence(nil), TrainOptions{Kind: kind})
		if err != nil {
			t.Errorf("%s: no texts: %v", kind, err)
		} else if _, err := tok.Encode("a", Options{}); err != nil {
			t.Errorf("%s: no texts: %v", kind, err)
		}
	}
}

// TestTrainReference lets tokenizers encode with trained tokenizers.
func TestTrainReference(t *testing.T) {
	folder := t.TempDir()
	toks := map[Kind]*Tokenizer{}
	for _, kind := range kinds {
		tok, err := Train(t.Context(), sequence(trainingTexts(t)), TrainOptions{Kind: kind, Size: 800})
		if err != nil {
			t.Fatal(err)
		}
		data, err := tok.MarshalJSON()
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, string(kind)+".json"), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if kind == CLIP { // the file does not say that </w> becomes a space: the folder's CLIPTokenizer does
			if tok, err = Parse(data); err != nil {
				t.Fatal(err)
			}
		}
		toks[kind] = tok
	}
	oracle.Run(t, "tokenizers", "text_tokenizers.py", folder, "1", "1000")
	for _, kind := range kinds {
		cases, err := os.ReadFile(filepath.Join(folder, string(kind)+".cases"))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range bytes.Lines(cases) {
			var c referenceCase
			if err := json.Unmarshal(line, &c); err != nil {
				t.Fatal(err)
			}
			if d := difference(toks[kind], &c); d != "" {
				t.Fatalf("%s: %s\n%.1000s", kind, d, line)
			}
			n++
		}
		if n != 1000 {
			t.Errorf("%s: found %d cases", kind, n)
		}
	}
}

// TestTrainCLIP expects the special tokens around a text, with the largest ids, and the same tokens from a folder.
func TestTrainCLIP(t *testing.T) {
	texts := []string{"a photo of a Cat", "a photo of two  cats", "photos"}
	tok, err := Train(t.Context(), sequence(texts), TrainOptions{Kind: CLIP, Size: 540})
	if err != nil {
		t.Fatal(err)
	}
	data, err := tok.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Open(fstest.MapFS{
		"tokenizer.json":        {Data: data},
		"tokenizer_config.json": {Data: []byte(`{"tokenizer_class": "CLIPTokenizer"}`)},
	}, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(texts, "", "Été 狮子 \U0001F642 it's 3<|endoftext|>") {
		e, err := tok.Encode(text, Options{})
		if err != nil {
			t.Fatal(err)
		}
		n := tok.Size()
		if e.IDs[0] != n-2 || e.IDs[len(e.IDs)-1] != n-1 || e.Tokens[0] != "<|startoftext|>" {
			t.Errorf("%q: tokens %q of %d", text, e.Tokens, n)
		}
		again, err := opened.Encode(text, Options{})
		if err != nil || !slices.Equal(again.IDs, e.IDs) || !slices.Equal(again.Offsets, e.Offsets) {
			t.Errorf("%q: the saved tokenizer gives %q, expected %q (%v)", text, again.Tokens, e.Tokens, err)
		}
		if a, b := tok.Decode(e.IDs, DecodeOptions{}), opened.Decode(e.IDs, DecodeOptions{}); a != b {
			t.Errorf("%q: decoded %q and %q", text, a, b)
		}
	}
	e, _ := tok.Encode("a photo", Options{})
	if !slices.Equal(e.Tokens, []string{"<|startoftext|>", "a</w>", "photo</w>", "<|endoftext|>"}) {
		t.Errorf("tokens %q", e.Tokens)
	}
	if _, id, ok := tok.Special("eos_token"); !ok || id != tok.Size()-1 {
		t.Errorf("end token %d, %v", id, ok)
	}
}
