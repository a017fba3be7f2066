package bert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
)

// pipelines are the answers of transformers' pipelines (testdata/gen/bert_tasks.py).
type pipelines struct {
	Fill     []json.RawMessage
	Classify []json.RawMessage
	ZeroShot []struct {
		Labels []string
		Scores []float32
	}
	Entities map[string][]Entity
	Answers  [][]struct {
		Answer     string
		Start, End int
		Score      float32
	}
	Choose []float32
	Next   float32
}

// TestPipelines compares every task with transformers' pipelines.
func TestPipelines(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "bert_tasks.py", dir)
	var want pipelines
	data, err := os.ReadFile(filepath.Join(dir, "want.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	open := func(name string) *Model {
		m, err := Open(filepath.Join(dir, name), LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	const paris = "Paris is the capital of France. London, the capital of England, is larger."
	long := strings.Repeat("Anna lives in London. ", 9) + "Peter lives in Paris."

	t.Run("fill mask", func(t *testing.T) {
		m := open("ForMaskedLM")
		filled, err := m.FillMask(ctx, FillOptions{Top: 3}, "the [MASK] is in Paris.", "[MASK] and [MASK].")
		if err != nil {
			t.Fatal(err)
		}
		targets, err := m.FillMask(ctx, FillOptions{Targets: []string{"par", "of", "##er"}}, "the [MASK]")
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range append(filled, targets...) {
			type word struct {
				Token    int
				TokenStr string `json:"token_str"`
				Score    float32
			}
			masks := make([][]word, 1)
			if json.Unmarshal(want.Fill[i], &masks[0]) != nil {
				if err := json.Unmarshal(want.Fill[i], &masks); err != nil {
					t.Fatal(err)
				}
			}
			if len(masks) != len(f.Masks) {
				t.Fatalf("text %d has %d masks, expected %d", i, len(f.Masks), len(masks))
			}
			for j, words := range masks {
				for k, w := range words {
					if got := f.Masks[j][k]; got.ID != w.Token || got.Text != w.TokenStr || off(got.Probability, w.Score) {
						t.Errorf("text %d, mask %d: found %+v, expected %+v", i, j, got, w)
					}
				}
			}
		}
	})
	t.Run("classify", func(t *testing.T) {
		m := open("ForSequenceClassification")
		found, err := m.Classify(ctx, "Paris is large.", "")
		if err != nil {
			t.Fatal(err)
		}
		both, err := m.ClassifyPairs(ctx, Pair{"Paris", "London is a city"})
		if err != nil {
			t.Fatal(err)
		}
		type class struct {
			Label string
			Score float32
		}
		for i, p := range append(found, both...) {
			var flat []class
			if json.Unmarshal(want.Classify[i], &flat) != nil {
				var nested [][]class
				if err := json.Unmarshal(want.Classify[i], &nested); err != nil {
					t.Fatal(err)
				}
				flat = nested[0]
			}
			for j, c := range flat {
				if p.Top[j].Label != c.Label || off(p.Top[j].Probability, c.Score) {
					t.Errorf("text %d: found %+v, expected %+v", i, p.Top[j], c)
				}
			}
		}
		for i, multi := range []bool{false, true} {
			found, err := m.ZeroShot(ctx, []string{"cities", "animals", "a person"}, ZeroShotOptions{MultiLabel: multi}, paris, long)
			if err != nil {
				t.Fatal(err)
			}
			for j, p := range found {
				w := want.ZeroShot[2*i+j]
				for k, c := range p.Top {
					if c.Label != w.Labels[k] || off(c.Probability, w.Scores[k]) {
						t.Errorf("multi label %v: found %+v, expected %v", multi, p.Top, w)
					}
				}
			}
		}
	})
	t.Run("entities", func(t *testing.T) {
		m := open("ForTokenClassification")
		for how, want := range want.Entities {
			o, text := EntityOptions{Aggregation: Aggregation(how)}, paris
			if how == "windows" {
				o, text = EntityOptions{Aggregation: Simple, Stride: 10}, long
			}
			found, err := m.Entities(ctx, o, text)
			if err != nil {
				t.Fatal(err)
			}
			if len(found[0]) != len(want) || len(want) < 2 {
				t.Errorf("%s: found %+v, expected %+v", how, found[0], want)
				continue
			}
			for i, w := range want {
				e := found[0][i]
				if e.Label != w.Label || e.Start != w.Start || e.End != w.End || e.Text != text[w.Start:w.End] || off(e.Score, w.Score) {
					t.Errorf("%s: found %+v, expected %+v", how, e, w)
				}
			}
		}
	})
	t.Run("answers", func(t *testing.T) {
		m := open("ForQuestionAnswering")
		i := 0
		for _, passage := range []string{paris, long} {
			for _, top := range []int{1, 4} {
				for _, none := range []*float64{nil, new(0.0)} {
					found, err := m.Answer(ctx, "Who lives in Paris?", passage, AnswerOptions{Top: top, Stride: 8, NoAnswer: none})
					if err != nil {
						t.Fatal(err)
					}
					if len(found) != len(want.Answers[i]) {
						t.Fatalf("found %+v, expected %+v", found, want.Answers[i])
					}
					for j, w := range want.Answers[i] {
						if a := found[j]; a.Text != w.Answer || a.Start != w.Start || a.End != w.End || off(a.Score, w.Score) {
							t.Errorf("top %d: found %+v, expected %+v", top, a, w)
						}
					}
					i++
				}
			}
		}
	})
	t.Run("choices", func(t *testing.T) {
		p, err := open("ForMultipleChoice").Choose(ctx, "the capital", "Paris", "London is", "a, b")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Top {
			if off(c.Probability, want.Choose[c.Index]) {
				t.Errorf("found %+v, expected %v", c, want.Choose)
			}
		}
	})
	t.Run("next sentence", func(t *testing.T) {
		p, err := open("ForNextSentencePrediction").IsNext(ctx, Pair{"Paris is large.", "London is larger."})
		if err != nil || off(p[0], want.Next) {
			t.Errorf("found %v, %v, expected %v", p, err, want.Next)
		}
	})
}

// off reports whether two probabilities differ.
func off(a, b float32) bool { return !(math.Abs(float64(a-b)) <= 1e-4) }

// small is MiniLM with a head for a task that is not trained, as good as any for texts from outside.
func small(t testing.TB, task Task, labels ...string) *Model {
	t.Helper()
	m := minilm(t)
	m.NewHead(task, labels, rng())
	return m
}

// TestHostileTexts gives the tasks texts that nobody expects. Each ends with a result or one error.
func TestHostileTexts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes where the processor is emulated")
	}
	ctx := context.Background()
	const words = 1 << 18
	huge := strings.Repeat("a", 4*words)
	list := []string{"", " ", "\x00", "a\xff\xfeb", huge, strings.Repeat("word ", words), "[MASK] [SEP] [CLS] [PAD]"}
	m := small(t, SequenceClassification, "no", "yes")
	for i, s := range list {
		_, err := m.Classify(ctx, s)
		if long := i == 5; long != (err != nil) {
			t.Errorf("text %d: found %v", i, err)
		} else if long && !strings.Contains(err.Error(), fmt.Sprintf("bert: text 0: expected at most 512 tokens, found %d: set Truncate", words+2)) {
			t.Error(err)
		}
	}
	m.Truncate = true
	if _, err := m.Classify(ctx, list...); err != nil {
		t.Error(err)
	}
	for _, e := range []struct {
		name string
		run  func() error
		want string
	}{
		{"mask", func() error { _, err := m.FillMask(ctx, FillOptions{}, "a"); return err }, "no head for masked words"},
		{"entities", func() error { _, err := m.Entities(ctx, EntityOptions{}, "a"); return err }, `expected a model for the task "ForTokenClassification"`},
		{"answer", func() error { _, err := m.Answer(ctx, "a", "b", AnswerOptions{}); return err }, "no head for the spans"},
		{"zero shot", func() error { _, err := m.ZeroShot(ctx, []string{"a"}, ZeroShotOptions{}, "b"); return err }, "a class entailment"},
		{"rerank", func() error { _, err := m.Rerank(ctx, "a", "b"); return err }, "one class, found 2 classes"},
		{"choose", func() error { _, err := m.Choose(ctx, "a", "b"); return err }, `"ForMultipleChoice"`},
		{"next", func() error { _, err := m.IsNext(ctx, Pair{}); return err }, "next sentence"},
		{"prompt", func() error { _, err := m.Embedder(EmbedOptions{PromptName: "query"}); return err }, `found "query"`},
		{"dim", func() error { _, err := m.Embedder(EmbedOptions{Dim: 385}); return err }, "expected 1 to 384, found 385"},
	} {
		if err := e.run(); err == nil || !strings.Contains(err.Error(), e.want) || !strings.HasPrefix(err.Error(), "bert: ") {
			t.Errorf("%s: found %v, expected %q", e.name, err, e.want)
		}
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := m.Classify(canceled, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("found %v", err)
	}
	m.Tokenizer = nil
	if _, err := m.Classify(ctx, "a"); err == nil || !strings.Contains(err.Error(), "no tokenizer") {
		t.Errorf("found %v", err)
	}
	if p, err := small(t, TokenClassification, "O", "B-X").Entities(ctx, EntityOptions{Aggregation: "all"}, "a"); err == nil {
		t.Errorf("found %v", p)
	}
	spans := small(t, QuestionAnswering)
	if a, err := spans.Answer(ctx, "", "", AnswerOptions{}); err != nil || len(a) != 0 {
		t.Errorf("found %v, %v", a, err)
	}
	if _, err := spans.Answer(ctx, strings.Repeat("who ", 600), "b", AnswerOptions{}); err == nil {
		t.Error("a question that is too long has an answer")
	}
	if a, err := spans.Answer(ctx, "Who?", strings.Repeat("Ada wrote it. ", 300), AnswerOptions{Top: 3}); err != nil || len(a) != 3 {
		t.Errorf("found %v, %v", a, err)
	}
}

// TestVocabulary expects an error for a tokenizer of another model.
func TestVocabulary(t *testing.T) {
	m := minilm(t)
	c := tiny("bert")
	other := New(c, Features, 0, rng())
	other.Tokenizer = m.Tokenizer
	_, err := other.Embed(context.Background(), "dog")
	if err == nil || !strings.Contains(err.Error(), `the tokenizer gives "[CLS]" the id 101, which is outside the model's vocabulary of 40 words`) {
		t.Errorf("found %v", err)
	}
}

// TestRerank orders texts by the score of a cross-encoder.
func TestRerank(t *testing.T) {
	m := small(t, SequenceClassification, "score")
	ctx := context.Background()
	ranked, err := m.Rerank(ctx, "What is the capital of France?", "A dog.", "Paris.", strings.Repeat("long ", 1000))
	if err != nil || len(ranked) != 3 {
		t.Fatal(ranked, err)
	}
	if !slices.IsSortedFunc(ranked, func(a, b Ranked) int { return -compareScores(a, b) }) {
		t.Errorf("not sorted: %v", ranked)
	}
	p, err := m.ClassifyPairs(ctx, Pair{"What is the capital of France?", "Paris."})
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(ranked, func(r Ranked) bool { return r.Index == 1 })
	if p[0].Problem != models.MultiLabel || ranked[at].Score != p[0].Top[0].Probability {
		t.Errorf("found %v, expected %v", ranked, p)
	}
	m.Config.CrossEncoder = &CrossEncoder{ActivationFn: "torch.nn.modules.linear.Identity"}
	ranked, err = m.Rerank(ctx, "What is the capital of France?", "Paris.")
	if err != nil || ranked[0].Score != p[0].Logits[0] {
		t.Errorf("found %v, %v, expected the logit %v", ranked, err, p[0].Logits)
	}
}

func compareScores(a, b Ranked) int {
	switch {
	case a.Score < b.Score:
		return -1
	case a.Score > b.Score:
		return 1
	}
	return 0
}

// TestMerge keeps the entity with the most characters of those that overlap, as transformers does: letters of two bytes
// count once.
func TestMerge(t *testing.T) {
	const s = "São Paulo. Who"
	found := merge([]Entity{{Label: "A", Score: 0.9, Text: s[:10], Start: 0, End: 10}, {Label: "B", Score: 0.5, Text: s[5:], Start: 5, End: 15}})
	if len(found) != 1 || found[0].Label != "B" {
		t.Errorf("found %+v", found)
	}
}
