package bert

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/nn"
)

// An ask gives two texts to a task. It returns all numbers of the result.
type ask struct {
	task Task
	run  func(ctx context.Context, m *Model, a, b string) ([]float32, error)
}

// numbers returns the probabilities of predictions.
func numbers(list []Prediction, err error) ([]float32, error) {
	var out []float32
	for _, p := range list {
		for _, c := range p.Top {
			out = append(out, c.Probability)
		}
	}
	return out, err
}

// asks are all tasks on texts.
var asks = map[string]ask{
	"fill mask": {MaskedWords, func(ctx context.Context, m *Model, a, _ string) ([]float32, error) {
		filled, err := m.FillMask(ctx, FillOptions{Top: 2}, "[MASK] "+a)
		var out []float32
		for _, f := range filled {
			for _, w := range f.Masks[0] {
				out = append(out, w.Probability)
			}
		}
		return out, err
	}},
	"classify": {SequenceClassification, func(ctx context.Context, m *Model, a, _ string) ([]float32, error) {
		return numbers(m.Classify(ctx, a))
	}},
	"classify pairs": {SequenceClassification, func(ctx context.Context, m *Model, a, b string) ([]float32, error) {
		return numbers(m.ClassifyPairs(ctx, Pair{a, b}))
	}},
	"zero shot": {SequenceClassification, func(ctx context.Context, m *Model, a, b string) ([]float32, error) {
		return numbers(m.ZeroShot(ctx, []string{"good", b[:min(len(b), 20)]}, ZeroShotOptions{}, a))
	}},
	"evaluate": {SequenceClassification, func(ctx context.Context, m *Model, a, b string) ([]float32, error) {
		c, err := m.Evaluate(ctx, []Example{{Text: a, Pair: b}})
		if err != nil {
			return nil, err
		}
		return []float32{float32(c.Accuracy())}, nil
	}},
	"entities": {TokenClassification, func(ctx context.Context, m *Model, a, _ string) ([]float32, error) {
		lists, err := m.Entities(ctx, EntityOptions{Ignore: []string{}}, a)
		var out []float32
		for _, list := range lists {
			for _, e := range list {
				if a[e.Start:e.End] != e.Text {
					return nil, fmt.Errorf("entity %+v is not its text", e)
				}
				out = append(out, e.Score)
			}
		}
		return out, err
	}},
	"answer": {QuestionAnswering, func(ctx context.Context, m *Model, a, b string) ([]float32, error) {
		list, err := m.Answer(ctx, b, a, AnswerOptions{Top: 2})
		out := make([]float32, len(list))
		for i, answer := range list {
			if a[answer.Start:answer.End] != answer.Text {
				return nil, fmt.Errorf("answer %+v is not its text", answer)
			}
			out[i] = min(answer.Score, 1) // those of equal answers are added
		}
		return out, err
	}},
	"choose": {MultipleChoice, func(ctx context.Context, m *Model, a, b string) ([]float32, error) {
		p, err := m.Choose(ctx, a, b, "x")
		return numbers([]Prediction{p}, err)
	}},
	"next": {NextSentence, func(ctx context.Context, m *Model, a, b string) ([]float32, error) {
		return m.IsNext(ctx, Pair{a, b})
	}},
	"rerank": {"scores", func(ctx context.Context, m *Model, a, b string) ([]float32, error) {
		list, err := m.Rerank(ctx, b, a)
		if err != nil {
			return nil, err
		}
		return []float32{list[0].Score}, nil
	}},
	"similarities": {Features, func(ctx context.Context, m *Model, a, b string) ([]float32, error) {
		e, err := m.Embedder(EmbedOptions{})
		if err != nil {
			return nil, err
		}
		x, err := e.Similarities(ctx, Pair{a, b})
		for i := range x {
			x[i] = x[i]/2 + 0.5
		}
		return x, err
	}},
}

// askable returns a small model for a task, with the tokenizer of base, a model of classifierOf.
func askable(base *Model, task Task) *Model {
	c := base.Config
	classes, labels := 3, []string{"entailment", "O", "contradiction"}
	if task == "scores" {
		task, classes, labels = SequenceClassification, 1, []string{"score"}
	}
	c.SetLabels(labels)
	m := New(c, task, classes, rng())
	m.Tokenizer, m.tokenizerFiles = base.Tokenizer, base.tokenizerFiles
	return m
}

// TestHostileInputs gives every task texts that nobody expects. Each ends with numbers or with one error.
func TestHostileInputs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes where the processor is emulated")
	}
	ctx := context.Background()
	const mega = 1 << 20
	texts := map[string]string{
		"empty": "", "space": " \t\n", "zero": "\x00", "invalid": "a\xff\xfe b\xc3", "surrogate": "\xed\xa0\x80", "special": "[CLS] [SEP] [PAD] [MASK]",
		"one word": strings.Repeat("a", mega), "bytes": strings.Repeat("\xff", mega), "marks": strings.Repeat("!?", mega/2), "emoji": strings.Repeat("🤖", 99),
	}
	base := classifierOf(t)
	for name, a := range asks {
		m := askable(base, a.task)
		for kind, s := range texts {
			for _, cut := range []bool{false, true} {
				pairs := [][2]string{{s, "a dog"}, {"a dog", s}}
				if len(s) >= mega { // some of the ways, to save time
					if pairs = pairs[:1]; !cut || kind == "marks" && name != "classify" && name != "entities" && name != "answer" {
						continue
					}
				}
				m.Truncate = cut
				for _, pair := range pairs {
					found, err := a.run(ctx, m, pair[0], pair[1])
					bad := slices.ContainsFunc(found, func(p float32) bool { return !(p >= -1e-6 && p <= 1+1e-6) || math.IsNaN(float64(p)) })
					if bad || err != nil && !strings.HasPrefix(err.Error(), "bert: ") {
						t.Errorf("%s, %s: found %v, %v", name, kind, found, err)
					}
					if err != nil && len(err.Error()) > 300 {
						t.Errorf("%s, %s: an error of %d bytes", name, kind, len(err.Error()))
					}
				}
			}
		}
	}
}

// TestMissingFiles expects one error of every task for a folder without a tokenizer or with that of another model, and
// of Open for a folder without the other files.
func TestMissingFiles(t *testing.T) {
	ctx := context.Background()
	base := classifierOf(t)
	for name, a := range asks {
		m := askable(base, a.task)
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"tokenizer.json", "model.safetensors", "config.json"} {
			if err := os.Rename(filepath.Join(dir, file), filepath.Join(dir, "away")); err != nil {
				t.Fatal(err)
			}
			back, err := Open(dir, LoadOptions{})
			if file == "tokenizer.json" && err == nil {
				_, err = a.run(ctx, back, "a", "b")
			} else if err == nil {
				t.Errorf("%s: a folder without %s opens", name, file)
			}
			if err == nil || !strings.HasPrefix(err.Error(), "bert: ") || file == "model.safetensors" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s without %s: found %v", name, file, err)
			}
			if err := os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
		}
		m.Config.VocabSize = 50 // the table is larger, but that is not what counts
		if _, err := a.run(ctx, m, "a dog", "b"); err == nil || !strings.Contains(err.Error(), "outside the model's vocabulary of 50 words") {
			t.Errorf("%s: found %v", name, err)
		}
	}
}

// TestLabelsThatDoNotFit names the classes by numbers where the configuration has names for others.
func TestLabelsThatDoNotFit(t *testing.T) {
	m := askable(classifierOf(t), SequenceClassification)
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(dir, "config.json"), `"2": "contradiction"`, `"3": "contradiction"`)
	back, err := Open(dir, LoadOptions{})
	if err != nil {
		if !strings.Contains(err.Error(), "id2label") {
			t.Errorf("found %v", err)
		}
		return
	}
	p, err := back.Classify(context.Background(), "a dog")
	if err != nil {
		t.Fatal(err)
	}
	if len(p[0].Top) != 3 || !strings.HasPrefix(p[0].Top[0].Label, "LABEL_") || nn.Count(back) != nn.Count(m) {
		t.Errorf("found %+v", p[0].Top)
	}
}
