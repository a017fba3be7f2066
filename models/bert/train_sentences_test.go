package bert

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/text"
	"github.com/fovea-ml/fovea/train"
)

// TestSentenceTrainingLibrary follows the losses of sentence-transformers for 50 steps from the same weights and
// batches, all at once and with gradient caching.
func TestSentenceTrainingLibrary(t *testing.T) {
	const matches, size, epochs, seed = 30, 6, 10, 7
	dir := t.TempDir()
	var order [][]int
	for epoch := range epochs {
		order = append(order, slices.Collect(slices.Chunk((&data.Loader[struct{}]{Len: matches, Shuffle: true, Seed: seed}).Order(epoch), size))...)
	}
	writeFile(t, filepath.Join(dir, "order.json"), order)
	modeltest.Python(t, "bert_sentences.py", dir)
	var lists [][3]string
	var want []float64
	readFile(t, filepath.Join(dir, "matches.json"), &lists)
	readFile(t, filepath.Join(dir, "losses.json"), &want)
	var list []Match
	for _, m := range lists {
		list = append(list, Match{Anchor: m[0], Positive: m[1], Negatives: m[2:]})
	}
	for _, micro := range []int{0, 4} {
		m, err := Open(filepath.Join(dir, "model"), LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		m.Workers = simd.NewWorkers(2)
		c, err := m.SentenceTraining(list, SentenceOptions{BatchSize: size, MicroBatch: micro, Seed: seed, WeightDecay: 0.1})
		if err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		c.Epochs, c.Schedule = epochs, train.Curve{Peak: 1e-3}.Constant()
		c.OnStep = func(r train.Record) error {
			worst = max(worst, math.Abs(r.Loss-want[r.Step-1])/want[r.Step-1])
			return nil
		}
		result, err := train.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("micro-batches of %d: %d steps, loss %.4f to %.4f, at most %.2g from sentence-transformers'", micro, result.Steps, want[0], want[len(want)-1], worst)
		if result.Steps != len(want) || worst > 1e-3 {
			t.Errorf("micro-batches of %d: losses differ by %.3g of their value after %d steps, expected at most 1e-3 after %d", micro, worst, result.Steps, len(want))
		}
	}
}

func writeFile(t *testing.T, name string, value any) {
	t.Helper()
	text, err := json.Marshal(value)
	if err == nil {
		err = os.WriteFile(name, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, name string, value any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(text, value)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// trainable returns a small model that knows a few words.
func trainable(t *testing.T, dropout float32) *Model {
	t.Helper()
	words := append([]string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "dog"}, strings.Split("0123456789abcd", "")...)
	tokenizer, err := text.Open(fstest.MapFS{
		"vocab.txt":             {Data: []byte(strings.Join(words, "\n"))},
		"tokenizer_config.json": {Data: []byte(`{"tokenizer_class": "BertTokenizer"}`)},
	}, text.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := MiniLM()
	c.VocabSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = len(words), 16, 2, 2, 24
	c.HiddenDropoutProb, c.AttentionProbsDropoutProb = dropout, dropout
	m := New(c, Features, 0, rng())
	m.Tokenizer, m.Workers = tokenizer, simd.NewWorkers(2)
	return m
}

// animals are matches, with no, one or two negatives.
func animals() []Match {
	var list []Match
	for i := range 14 {
		list = append(list, Match{Anchor: fmt.Sprintf("the cat %x", i), Positive: fmt.Sprintf("dog %x", i), Negatives: []string{"cat", fmt.Sprintf("%x", i)}[:i%3]})
	}
	return list
}

// sentenceRun trains a small model for two epochs of three steps.
func sentenceRun(ctx context.Context, t *testing.T, dropout float32, o SentenceOptions, prepare func(m *Model), change func(c *train.Config)) (*Model, train.Result, error) {
	t.Helper()
	m := trainable(t, dropout)
	if prepare != nil {
		prepare(m)
	}
	c, err := m.SentenceTraining(animals(), o)
	if err != nil {
		return m, train.Result{}, err
	}
	c.Epochs, c.Schedule = 2, train.Curve{Peak: 1e-3}.Constant()
	if change != nil {
		change(&c)
	}
	result, err := train.Run(ctx, c)
	return m, result, err
}

// TestSentenceTraining compares caching with whole batches, without dropout, and resumes to the same bits with it.
func TestSentenceTraining(t *testing.T) {
	ctx := context.Background()
	_, whole, err := sentenceRun(ctx, t, 0, SentenceOptions{BatchSize: 4}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, cached, err := sentenceRun(ctx, t, 0, SentenceOptions{BatchSize: 4, MicroBatch: 3}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range whole.Losses {
		if whole.Steps != 6 || math.Abs(cached.Losses[i]-want) > 1e-4*want {
			t.Errorf("epoch %d of %d steps: loss %v, expected %v", i, whole.Steps, cached.Losses[i], want)
		}
	}

	o := SentenceOptions{BatchSize: 4, MicroBatch: 3, LayerDecay: 0.8}
	want, _, err := sentenceRun(ctx, t, 0.1, o, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "run.safetensors")
	_, _, err = sentenceRun(ctx, t, 0.1, o, nil, func(c *train.Config) {
		c.File = file
		c.OnStep = func(r train.Record) error {
			if r.Step == 4 {
				return train.ErrStop
			}
			return nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := sentenceRun(ctx, t, 0.1, o, nil, func(c *train.Config) { c.File, c.Start = file, train.Resume })
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]float32{}
	for path, p := range nn.Parameters(want) {
		values[path] = p.Values()
	}
	for path, p := range nn.Parameters(got) {
		if !slices.Equal(p.Values(), values[path]) {
			t.Errorf("%s differs after resuming", path)
		}
	}
}

// TestSentenceAdapters trains adapters alone.
func TestSentenceAdapters(t *testing.T) {
	before := map[string][]float32{}
	m, _, err := sentenceRun(context.Background(), t, 0, SentenceOptions{BatchSize: 4, MicroBatch: 2}, func(m *Model) {
		err := lora.Attach(m, lora.Options{Layers: []string{"Encoder.Layers.*.Attention.QKV"}, Rank: 2}, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		for path, p := range nn.Parameters(m) {
			before[path] = slices.Clone(p.Values())
		}
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for path, p := range nn.Parameters(m) {
		if moved, adapter := !slices.Equal(p.Values(), before[path]), strings.Contains(path, ".Adapter."); moved != adapter {
			t.Errorf("%s changed: %v, expected %v", path, moved, adapter)
		}
	}
}

func TestSentenceErrors(t *testing.T) {
	for _, c := range []struct {
		want    string
		options SentenceOptions
		prepare func(m *Model)
	}{
		{"BatchSize: expected 0 or more, found -1", SentenceOptions{BatchSize: -1}, nil},
		{"MicroBatch: expected 0 or more, found -1", SentenceOptions{MicroBatch: -1}, nil},
		{"Scale: expected 0 or more, found -2", SentenceOptions{Scale: -2}, nil},
		{"Anchors: option PromptName", SentenceOptions{Anchors: EmbedOptions{PromptName: "query"}}, nil},
		{"Candidates: expected vectors of", SentenceOptions{Candidates: EmbedOptions{Dim: 2}}, nil},
		{"tokenizer", SentenceOptions{}, func(m *Model) { m.Tokenizer = nil }},
		{"does not say how a text becomes one vector", SentenceOptions{}, func(m *Model) { m.Sentences = nil }},
		{"WeightDecay: expected 0 or more, found -1", SentenceOptions{WeightDecay: -1}, nil},
	} {
		_, _, err := sentenceRun(context.Background(), t, 0, c.options, c.prepare, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected %q, found %v", c.want, err)
		}
	}
	if _, err := trainable(t, 0).SentenceTraining(nil, SentenceOptions{}); err == nil {
		t.Error("expected an error for no matches")
	}
}
