package bert

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/internal/test/modeltest"
)

// wantFolder holds the outputs of transformers and sentence-transformers for a folder (testdata/gen/bert_folders.py).
type wantFolder struct {
	Texts      []string
	Pairs      [][2]string
	Prompt     string
	Embeddings [][]float32
	Scores     []float32
	Classes    []map[string]float32
	Labels     []map[string]float32
	Long       string
	Entities   map[string][][]Entity
	Question   string
	Answers    []struct {
		Context string
		Top     int
		None    bool
		Found   []struct {
			Answer     string
			Start, End int
			Score      float32
		}
	}
}

// TestFolders compares folders in the form of those that people use with the libraries, from texts to results.
func TestFolders(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "bert_folders.py", dir)
	var all map[string]wantFolder
	readFile(t, filepath.Join(dir, "want.json"), &all)
	if len(all) != 25 {
		t.Fatalf("%d folders", len(all))
	}
	for name, want := range all {
		t.Run(name, func(t *testing.T) {
			m, err := Open(filepath.Join(dir, name), LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			want.check(t, m)
			again := filepath.Join(t.TempDir(), name)
			if err := m.Save(again, SaveOptions{}); err != nil {
				t.Fatal(err)
			}
			if m, err = Open(again, LoadOptions{}); err != nil {
				t.Fatal(err)
			}
			want.check(t, m)
		})
	}
}

func (w *wantFolder) check(t *testing.T, m *Model) {
	t.Helper()
	ctx := context.Background()
	switch {
	case w.Embeddings != nil:
		e, err := m.Embedder(EmbedOptions{PromptName: w.Prompt})
		if err != nil {
			t.Fatal(err)
		}
		found, err := e.Embed(ctx, w.Texts...)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range w.Embeddings {
			near(t, w.Texts[i], found[i], want)
		}
	case w.Scores != nil:
		for i, p := range w.Pairs {
			found, err := m.Rerank(ctx, p[0], p[1])
			if err != nil {
				t.Fatal(err)
			}
			near(t, p[0], []float32{found[0].Score}, w.Scores[i:i+1])
		}
	case w.Classes != nil:
		for i, p := range w.Pairs {
			found, err := m.ClassifyPairs(ctx, Pair{p[0], p[1]})
			if err != nil {
				t.Fatal(err)
			}
			w.classes(t, found[0], w.Classes[i])
		}
	case w.Labels != nil:
		found, err := m.ZeroShot(ctx, []string{"a city", "wet", "Anna"}, ZeroShotOptions{}, w.Texts...)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range found {
			w.classes(t, p, w.Labels[i])
		}
	case w.Entities != nil:
		w.entities(t, m)
	default:
		for _, a := range w.Answers {
			o := AnswerOptions{Top: a.Top, Stride: 8}
			if a.None {
				o.NoAnswer = new(0.0)
			}
			found, err := m.Answer(ctx, w.Question, a.Context, o)
			if err != nil {
				t.Fatal(err)
			}
			if len(found) != len(a.Found) || len(found) == 0 {
				t.Fatalf("found %+v, expected %+v", found, a.Found)
			}
			for i, want := range a.Found {
				got := found[i]
				start, end := characters(a.Context, got.Start), characters(a.Context, got.End)
				if got.Text != want.Answer || start != want.Start || end != want.End || off(got.Score, want.Score) {
					t.Errorf("top %d, none %v: found %+v, expected %+v", a.Top, a.None, got, want)
				}
			}
		}
	}
}

func (w *wantFolder) classes(t *testing.T, found Prediction, want map[string]float32) {
	t.Helper()
	for _, c := range found.Top {
		if off(c.Probability, want[c.Label]) {
			t.Errorf("found %+v, expected %v", found.Top, want)
			return
		}
	}
}

func (w *wantFolder) entities(t *testing.T, m *Model) {
	t.Helper()
	for how, lists := range w.Entities {
		o, texts := EntityOptions{Aggregation: Aggregation(how)}, w.Texts
		if how == "windows" {
			o, texts = EntityOptions{Aggregation: ByFirstToken, Stride: 9}, []string{w.Long}
		}
		found, err := m.Entities(context.Background(), o, texts...)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range lists {
			if how != "windows" && len(found[i]) != len(want) {
				t.Errorf("%s, %q: found %+v, expected %+v", how, texts[i], found[i], want)
				continue
			}
			for j := range min(len(want), len(found[i])) {
				got := found[i][j]
				start, end := characters(texts[i], got.Start), characters(texts[i], got.End)
				if got.Label != want[j].Label || start != want[j].Start || end != want[j].End || off(got.Score, want[j].Score) {
					t.Errorf("%s, %q: found %+v, expected %+v", how, texts[i], got, want[j])
					break
				}
			}
		}
	}
}

// characters returns the number of characters in the first n bytes.
func characters(s string, n int) int { return utf8.RuneCountInString(s[:n]) }

// near expects values within 1e-4.
func near(t *testing.T, text string, found, want []float32) {
	t.Helper()
	if len(found) != len(want) {
		t.Errorf("%q: %d values, expected %d", text, len(found), len(want))
		return
	}
	for i := range want {
		if math.Abs(float64(found[i]-want[i])) > 1e-4*max(1, math.Abs(float64(want[i]))) {
			t.Errorf("%q: value %d is %v, expected %v", text, i, found[i], want[i])
			return
		}
	}
}

// TestNomic refuses a model of another kind by name.
func TestNomic(t *testing.T) {
	dir := t.TempDir()
	data := []byte(`{"model_type": "nomic_bert", "architectures": ["NomicBertModel"]}`)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), data, 0o666); err != nil {
		t.Fatal(err)
	}
	const want = `found "nomic_bert"`
	if _, err := Open(dir, LoadOptions{}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("found %v, expected %q", err, want)
	}
}
