package bert

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
	"github.com/fovea-ml/fovea/train"
)

// A trainBatch is a batch in train.json.
type trainBatch struct {
	IDs    [][]int `json:"ids"`
	Labels any     `json:"labels,omitempty"`
	Begins []int   `json:"begins,omitempty"`
	Ends   []int   `json:"ends,omitempty"`

	want Targets
}

// drawBatch draws sequences and targets for a model. Answers are in sequences of one length: padding has logits in
// PyTorch.
func drawBatch(m *Model, rng *rand.Rand, choices int, values bool) trainBatch {
	var b trainBatch
	lengths := []int{5, 9, 2, 7}
	if m.Task == QuestionAnswering {
		lengths = []int{6, 6, 6}
	}
	perToken := [][]int{}
	for _, n := range lengths {
		ids, labels := make([]int, n), make([]int, n)
		for i := range ids {
			ids[i] = 5 + rng.IntN(m.Config.VocabSize-5)
			labels[i] = ids[i] % 3
			if m.Task == MaskedWords {
				labels[i] = autograd.IgnoreClass
				if i%2 == 0 {
					labels[i] = ids[i]
				}
			}
		}
		b.IDs, perToken = append(b.IDs, ids), append(perToken, labels)
		switch m.Task {
		case QuestionAnswering:
			begin, end := ids[0]%n, ids[1]%n
			if len(b.IDs) > 1 { // the places before and after the sequence are possible too
				begin, end = ids[0]%(n+2)-1, ids[1]%(n+2)-1
			}
			b.want.Begins, b.want.Ends = append(b.want.Begins, begin), append(b.want.Ends, end)
		case TokenClassification, MaskedWords:
			b.want.Classes = append(b.want.Classes, labels...)
		case SequenceClassification:
			b.want.Classes = append(b.want.Classes, ids[0]%3)
			b.want.Values = append(b.want.Values, float32(ids[0]%2), float32(ids[1%n]%2), float32(ids[0]%3%2))
		}
	}
	rows := slices.Collect(slices.Chunk(b.want.Values, 3))
	switch {
	case m.Task == TokenClassification || m.Task == MaskedWords:
		b.Labels = perToken
	case m.Task == QuestionAnswering:
		b.Begins, b.Ends = b.want.Begins, b.want.Ends
	case choices > 0:
		b.want.Classes, b.want.Choices = []int{b.IDs[0][0] % 2, b.IDs[2][0] % 2}, choices
		b.Labels = b.want.Classes
	case values:
		b.want.Classes, b.Labels = nil, floats(rows)
	default:
		b.want.Values, b.Labels = nil, b.want.Classes
	}
	return b
}

// floats returns rows that JSON writes with a point, so that Python reads no integers.
func floats(rows [][]float32) [][]json.RawMessage {
	var all [][]json.RawMessage
	for _, row := range rows {
		var one []json.RawMessage
		for _, v := range row {
			one = append(one, json.RawMessage(map[float32]string{0: "0.0", 1: "1.0"}[v]))
		}
		all = append(all, one)
	}
	return all
}

// TestTraining trains every head for 50 steps beside PyTorch.
func TestTraining(t *testing.T) {
	const rate, decay, steps = 2e-3, 0.01, 50
	var folders []string
	for n, c := range []struct {
		modelType string
		task      Task
		problem   models.Problem
		values    bool
	}{
		{"bert", SequenceClassification, "", false}, {"bert", SequenceClassification, models.MultiLabel, true},
		{"roberta", SequenceClassification, models.Regression, true}, {"distilbert", TokenClassification, "", false},
		{"bert", QuestionAnswering, "", false}, {"modernbert", QuestionAnswering, "", false}, {"albert", MultipleChoice, "", false},
		{"electra", MaskedWords, "", false}, {"mpnet", MaskedWords, "", false}, {"modernbert", TokenClassification, "", false},
		{"deberta-v2", SequenceClassification, "", false}, {"deberta-v2", SequenceClassification, "", true},
	} {
		if oracle.Short() && n%4 != 0 {
			continue
		}
		rng := rand.New(rand.NewPCG(uint64(n), 1))
		sizes := tiny(c.modelType)
		sizes.HiddenDropoutProb, sizes.AttentionProbsDropoutProb = 0, 0
		m := New(sizes, c.task, 3, rng)
		m.Config.Problem = c.problem
		scatter(m, uint64(n))
		dir := filepath.Join(t.TempDir(), c.modelType+string(c.task)+string(c.problem)+strconv.FormatBool(c.values))
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		choices := 0
		if c.task == MultipleChoice {
			choices = 2
		}
		run := map[string]any{"rate": rate, "decay": decay, "choices": choices}
		var batches []trainBatch
		var losses []float64
		opt := train.NewAdamW(train.Groups(nn.Parameters(m), train.GroupOptions{WeightDecay: decay}), train.AdamOptions{})
		tape, grads := autograd.NewTape(autograd.Options{Gradients: true}), autograd.NewGradients()
		for step := range steps {
			b := drawBatch(m, rng, choices, c.values)
			tape.Step(uint64(step))
			loss, err := m.Loss(tape, Pack(b.IDs...), b.want)
			if err != nil {
				t.Fatal(err)
			}
			batches, losses = append(batches, b), append(losses, float64(loss.Float()))
			loss.Backward(grads)
			opt.Step(grads, rate, train.ClipScale(train.GradNorm(grads, opt.Parameters(), nil), 1), nil)
			grads.Zero()
			tape.Reset()
		}
		if mean := func(l []float64) float64 { return (l[0] + l[1] + l[2] + l[3] + l[4]) / 5 }; choices == 0 && (c.problem != "" || !c.values) && !(mean(losses[steps-5:]) < mean(losses)) {
			t.Errorf("%s: losses %v do not fall", dir, losses)
		}
		run["batches"], run["losses"] = batches, losses
		data, err := json.Marshal(run)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "train.json"), data, 0o666); err != nil {
			t.Fatal(err)
		}
		folders = append(folders, dir)
	}
	t.Logf("%s", modeltest.Python(t, "train_bert.py", folders...))
}

// TestLossErrors expects one clear error for targets that do not fit the task.
func TestLossErrors(t *testing.T) {
	in := Pack([]int{5, 6, 7}, []int{8, 9})
	for want, c := range map[string]struct {
		task   Task
		target Targets
	}{
		"expected 2 classes, found 1":                           {SequenceClassification, Targets{Classes: []int{1}}},
		"expected 3 weights of classes, found 2":                {SequenceClassification, Targets{Classes: []int{1, 0}, Weights: []float32{1, 1}}},
		"class 1: expected 0 to 2, found 3":                     {SequenceClassification, Targets{Classes: []int{1, 3}}},
		"expected 6 values, found 2":                            {SequenceClassification, Targets{Values: []float32{1, 0}}},
		"expected 5 classes, found 2":                           {TokenClassification, Targets{Classes: []int{1, 2}}},
		"class 0: expected 0 to 39, found 40":                   {MaskedWords, Targets{Classes: []int{40, 1, 1, 1, 1}}},
		"expected 5 classes of tokens, found 0":                 {MaskedWords, Targets{}},
		"expected 2 ends, found 1":                              {QuestionAnswering, Targets{Begins: []int{0, 0}, Ends: []int{1}}},
		"a number of choices that divides 2 sequences, found 3": {MultipleChoice, Targets{Choices: 3}},
		"found one of features":                                 {Features, Targets{}},
	} {
		m := New(tiny("bert"), c.task, 3, rng())
		if _, err := m.Loss(autograd.NewTape(autograd.Options{}), in, c.target); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: found error %v, expected %q", c.task, err, want)
		}
	}
}

// examples are texts of two kinds that a few steps tell apart.
func examples() []Example {
	var list []Example
	for i := range 24 {
		if i%2 == 0 {
			list = append(list, Example{Text: "a good day in the park", Class: 1})
		} else {
			list = append(list, Example{Text: "the engine is broken again", Pair: "call a shop", Class: 0})
		}
	}
	return list
}

// classifierOf returns a small model with the tokenizer of MiniLM and a new head.
func classifierOf(t *testing.T) *Model {
	t.Helper()
	base := minilm(t)
	c := tiny("bert")
	c.VocabSize, c.MaxPositionEmbeddings = base.Config.VocabSize, 64
	m := New(c, Features, 0, rng())
	m.Tokenizer, m.tokenizerFiles = base.Tokenizer, base.tokenizerFiles
	scatter(m, 1)
	m.NewHead(SequenceClassification, []string{"bad", "good"}, rng())
	return m
}

// TestFineTuning trains a classifier on texts: all of it, with frozen layers, with layer decay, and with adapters
// alone.
func TestFineTuning(t *testing.T) {
	for name, c := range map[string]struct {
		options TrainOptions
		adapt   bool
		still   []string // parameters that must not change
	}{
		"all":         {TrainOptions{}, false, nil},
		"frozen":      {TrainOptions{Freeze: 1}, false, []string{"Encoder.Embeddings.", "Encoder.Layers.0."}},
		"head":        {TrainOptions{Freeze: -1}, false, []string{"Encoder."}},
		"layer decay": {TrainOptions{LayerDecay: 0.5}, false, nil},
		"adapters":    {TrainOptions{}, true, []string{"Encoder.Embeddings.", "Encoder.Layers.0.MLP.", "Encoder.Layers.1.Attention.QKV.Weight"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := classifierOf(t)
			if c.adapt {
				err := lora.Attach(m, lora.Options{
					Layers: []string{"Encoder.Layers.*.Attention.QKV.Query", "Encoder.Layers.*.Attention.QKV.Value"}, Rank: 4, Alpha: 8,
					Train: []string{"Heads.Pooler.*", "Heads.Classifier.*"},
				}, rng())
				if err != nil {
					t.Fatal(err)
				}
			}
			before := map[string][]float32{}
			for path, p := range nn.Parameters(m) {
				before[path] = slices.Clone(p.Values())
			}
			o := c.options
			o.Epochs, o.BatchSize, o.Rate, o.Seed = 15, 8, new(1e-2), 3
			if testing.Short() && o.Freeze >= 0 { // a head alone learns slowly
				o.Epochs = 6
			}
			config, err := m.Training(examples(), o)
			if err != nil {
				t.Fatal(err)
			}
			var first, last float64
			config.OnStep = func(r train.Record) error {
				if last = r.Loss; first == 0 {
					first = r.Loss
				}
				return nil
			}
			if _, err := train.Run(context.Background(), config); err != nil {
				t.Fatal(err)
			}
			if !(last < 0.8*first) || math.IsNaN(last) {
				t.Errorf("the loss went from %g to %g", first, last)
			}
			changed := 0
			for path, p := range nn.Parameters(m) {
				same := slices.Equal(before[path], p.Values())
				still := slices.ContainsFunc(c.still, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
				if still && !same {
					t.Errorf("%s changed", path)
				}
				if !same {
					changed++
				}
			}
			if changed == 0 {
				t.Error("nothing changed")
			}
		})
	}
}

// TestTrainingStep runs a single step, which has the whole rate.
func TestTrainingStep(t *testing.T) {
	run, err := classifierOf(t).Training(examples(), TrainOptions{Epochs: 1, BatchSize: len(examples()), Rate: new(1e-3)})
	if err != nil {
		t.Fatal(err)
	}
	if rate := run.Schedule.Rate(0); rate != 1e-3 {
		t.Errorf("expected the rate 0.001, found %v", rate)
	}
	if _, err := train.Run(t.Context(), run); err != nil {
		t.Error(err)
	}
}

// TestTrainingErrors expects one clear error for options and examples that do not fit.
func TestTrainingErrors(t *testing.T) {
	m := classifierOf(t)
	features := New(tiny("bert"), Features, 0, rng())
	for want, f := range map[string]func() error{
		"expected a model of the task": func() error { _, err := features.Training(examples(), TrainOptions{}); return err },
		"at least one example":         func() error { _, err := m.Training(nil, TrainOptions{}); return err },
		"example 0: expected a class of 0 to 1, found 2": func() error {
			_, err := m.Training([]Example{{Text: "x", Class: 2}}, TrainOptions{})
			return err
		},
		"option ClassWeights: expected 2, for classes": func() error {
			_, err := m.Training(examples(), TrainOptions{ClassWeights: []float32{1}})
			return err
		},
		"option ClassWeights: class 1: expected a finite": func() error {
			_, err := m.Training(examples(), TrainOptions{ClassWeights: []float32{1, -1}})
			return err
		},
		"option Freeze: expected -1 to 2, found 3":    func() error { _, err := m.Training(examples(), TrainOptions{Freeze: 3}); return err },
		"option Epochs: expected 0 or more, found -1": func() error { _, err := m.Training(examples(), TrainOptions{Epochs: -1}); return err },
		"option BatchSize: expected 0 or more":        func() error { _, err := m.Training(examples(), TrainOptions{BatchSize: -1}); return err },
		"option MaxTokens: expected 0 or more":        func() error { _, err := m.Training(examples(), TrainOptions{MaxTokens: -1}); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found error %v, expected %q", err, want)
		}
	}
}

// TestClassWeights compares the loss with the weighted mean of the losses of its sequences.
func TestClassWeights(t *testing.T) {
	m := New(tiny("bert"), SequenceClassification, 3, rng())
	scatter(m, 1)
	tape := autograd.NewTape(autograd.Options{})
	weights := []float32{3, 0.5, 0}
	sequences, classes := [][]int{{5, 6, 7}, {8, 9}, {7, 7, 9, 5}}, []int{0, 1, 2}
	sum, total := 0.0, 0.0
	for i, ids := range sequences {
		one, err := m.Loss(tape, Pack(ids), Targets{Classes: classes[i : i+1]})
		if err != nil {
			t.Fatal(err)
		}
		w := float64(weights[classes[i]])
		sum, total = sum+w*float64(one.Float()), total+w
	}
	all, err := m.Loss(tape, Pack(sequences...), Targets{Classes: classes, Weights: weights})
	if err != nil {
		t.Fatal(err)
	}
	if want := sum / total; math.Abs(float64(all.Float())-want) > 1e-5*want {
		t.Errorf("the loss is %v, expected %v", all.Float(), want)
	}
}
