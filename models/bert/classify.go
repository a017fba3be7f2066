package bert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/text"
)

// Prediction is a model's answer for one text: Logits, one for each class, and Top, all classes by descending
// probability, with their Label, Index and Probability. See [models.Prediction].
type Prediction = models.Prediction

// Classify predicts the class of each text, in the order of the texts. models.Predict documents the probabilities: they
// are those of transformers' text-classification pipeline. ctx ends it between layers and batches with an error that
// matches the context's; the model stays usable.
//
// It returns an error for a model without a classifier of sequences, and for a text that is too long, unless Truncate
// is set.
func (m *Model) Classify(ctx context.Context, list ...string) ([]Prediction, error) {
	return m.classify(ctx, texts(list))
}

// ClassifyPairs is [Model.Classify] for pairs of texts, such as a premise and a hypothesis.
func (m *Model) ClassifyPairs(ctx context.Context, list ...Pair) ([]Prediction, error) {
	return m.classify(ctx, pairs(list))
}

func (m *Model) classify(ctx context.Context, inputs []text.Input) ([]Prediction, error) {
	if err := m.wants(SequenceClassification); err != nil {
		return nil, err
	}
	logits, err := m.rows(ctx, inputs, m.limit(), m.ClassLogits)
	if err != nil {
		return nil, fmt.Errorf("bert: %w", err)
	}
	labels := m.labels()
	out := make([]Prediction, len(logits))
	for i, row := range logits {
		out[i] = models.Predict(row, labels, m.Config.Problem)
	}
	return out, nil
}

// wants returns an error unless the model has a task's classifier.
func (m *Model) wants(task Task) error {
	if m.Classifier == nil || m.Task != task {
		return fmt.Errorf("bert: expected a model for the task %q, found one for %q", task, m.Task)
	}
	return nil
}

// labels returns the names of the classes.
func (m *Model) labels() []string { return m.Config.LabelsOf(m.Classifier.Out.Weight.Shape()[0]) }

// ZeroShotOptions say how [Model.ZeroShot] classifies.
type ZeroShotOptions struct {
	// Template is a sentence with {} where a label goes; "" means "This example is {}."
	Template string
	// MultiLabel lets any number of labels be true. Each probability is then that of entailment against contradiction.
	MultiLabel bool
}

// ZeroShot classifies texts by any labels, with a model of natural language inference: a label is as probable as the
// text entails a sentence about it (Yin et al., arXiv 1909.00161). The probabilities are those of transformers'
// zero-shot-classification pipeline. Logits are those of entailment. Long texts are cut.
//
// It returns an error for a model that has no class whose name begins with "entail", without labels, and for a template
// without {}.
func (m *Model) ZeroShot(ctx context.Context, labels []string, o ZeroShotOptions, list ...string) ([]Prediction, error) {
	if err := m.wants(SequenceClassification); err != nil {
		return nil, err
	}
	out, err := m.zeroShot(ctx, labels, o, list)
	if err != nil {
		return nil, fmt.Errorf("bert: %w", err)
	}
	return out, nil
}

func (m *Model) zeroShot(ctx context.Context, labels []string, o ZeroShotOptions, list []string) ([]Prediction, error) {
	names := m.labels()
	entails := m.entails(names)
	template := cmp.Or(o.Template, "This example is {}.")
	switch {
	case entails < 0 || len(names) < 2:
		return nil, fmt.Errorf("expected a model of inference, with a class entailment, found the classes %q", names)
	case len(labels) == 0:
		return nil, errors.New("expected at least one label")
	case !strings.Contains(template, "{}"):
		return nil, fmt.Errorf("option Template: expected a text with {}, found %q", template)
	}
	contradicts := 0
	if entails == 0 {
		contradicts = len(names) - 1
	}
	var inputs []text.Input
	for _, s := range list {
		for _, label := range labels {
			inputs = append(inputs, text.Input{Text: s, Pair: &text.Input{Text: strings.ReplaceAll(template, "{}", label)}})
		}
	}
	encodings, err := m.encodeFirst(ctx, inputs)
	if err != nil {
		return nil, err
	}
	rows, err := m.headRows(ctx, encodings, m.ClassLogits)
	if err != nil {
		return nil, err
	}
	multi := o.MultiLabel || len(labels) == 1
	out := make([]Prediction, 0, len(list))
	for some := range slices.Chunk(rows, len(labels)) {
		logits, p := make([]float32, len(some)), make([]float32, len(some))
		for i, row := range some {
			logits[i] = row[entails]
			two := []float32{row[contradicts], row[entails]}
			simd.Softmax(two, two, 1)
			p[i] = two[1]
		}
		problem := models.MultiLabel
		if !multi {
			problem = models.SingleLabel
			simd.Softmax(p, logits, 1)
		}
		out = append(out, Prediction{Logits: logits, Top: models.Rank(p, labels), Problem: problem})
	}
	return out, nil
}

// entails returns the class of entailment, or -1: the pipeline looks for it in label2id, where a configuration has one.
func (m *Model) entails(names []string) int {
	is := func(s string) bool { return strings.HasPrefix(strings.ToLower(s), "entail") }
	found := -1
	for name, i := range m.Config.Label2ID {
		if is(name) && i >= 0 && i < len(names) && (found < 0 || i < found) {
			found = i
		}
	}
	if found < 0 {
		found = slices.IndexFunc(names, is)
	}
	return found
}

// encodeFirst encodes pairs and cuts the first text of those that are too long.
func (m *Model) encodeFirst(ctx context.Context, inputs []text.Input) ([]*text.Encoding, error) {
	if err := m.hasTokenizer(); err != nil {
		return nil, err
	}
	encodings, err := m.Tokenizer.EncodeBatch(ctx, inputs, text.Options{Truncation: &text.Truncation{Max: m.MaxTokens, Strategy: text.OnlyFirst}})
	if err != nil {
		return nil, err
	}
	for i, e := range encodings {
		if err := m.fits(e, m.MaxTokens); err != nil {
			return nil, fmt.Errorf("text %d: %w", i, err)
		}
	}
	return encodings, nil
}

// Choose returns how well each of several texts goes with another, such as the answers of a question or the ends of a
// story. The probabilities add up to 1. It returns an error for a model without a head for multiple choice.
func (m *Model) Choose(ctx context.Context, question string, choices ...string) (Prediction, error) {
	if err := m.wants(MultipleChoice); err != nil {
		return Prediction{}, err
	}
	if len(choices) == 0 {
		return Prediction{}, errors.New("bert: expected at least one choice")
	}
	list := make([]Pair, len(choices))
	for i, c := range choices {
		list[i] = Pair{question, c}
	}
	rows, err := m.rows(ctx, pairs(list), m.limit(), m.ClassLogits)
	if err != nil {
		return Prediction{}, fmt.Errorf("bert: %w", err)
	}
	logits, p := slices.Concat(rows...), make([]float32, len(rows))
	simd.Softmax(p, logits, 1)
	return Prediction{Logits: logits, Top: models.Rank(p, choices), Problem: models.SingleLabel}, nil
}

// Ranked is a text that was compared with a query.
type Ranked struct {
	Index int // in the list of texts
	Score float32
}

// Rerank compares texts with a query by a cross-encoder, a classifier of pairs with one class, and returns them by
// descending score: the sigmoid of the logit, or what config.json names in its place
// (sentence_transformers.activation_fn). The scores are those of sentence-transformers' CrossEncoder. Model.Reranking
// says how pairs are read; the default prompt stands before the query. Pairs that are too long are cut.
func (m *Model) Rerank(ctx context.Context, query string, list ...string) ([]Ranked, error) {
	if err := m.wants(SequenceClassification); err != nil {
		return nil, err
	}
	if n := m.Classifier.Out.Weight.Shape()[0]; n != 1 {
		return nil, fmt.Errorf("bert: expected a cross-encoder, a classifier with one class, found %d classes", n)
	}
	act, err := m.Config.scoreActivation()
	if err != nil {
		return nil, fmt.Errorf("bert: %w", err)
	}
	if m.rerankErr != nil {
		return nil, fmt.Errorf("bert: %w", m.rerankErr)
	}
	prompt, err := m.Reranking.prompt("")
	if err != nil {
		return nil, fmt.Errorf("bert: Reranking: %w", err)
	}
	both := make([]Pair, len(list))
	for i, s := range list {
		both[i] = Pair{prompt + query, s}
	}
	rows, err := m.rows(ctx, pairs(both), m.Reranking.limit(m), m.ClassLogits)
	if err != nil {
		return nil, fmt.Errorf("bert: %w", err)
	}
	return rank(slices.Concat(rows...), act), nil
}

// rank returns the scores of logits in descending order. Where the sigmoid has rounded to 1, the logits decide.
func rank(logits []float32, act autograd.Activation) []Ranked {
	out := make([]Ranked, len(logits))
	if len(out) == 0 {
		return out
	}
	tape := autograd.NewTape(autograd.Options{})
	for i, score := range autograd.Activate(tape.Input(logits, len(logits)), act).Floats(nil) {
		out[i] = Ranked{i, score}
	}
	slices.SortStableFunc(out, func(a, b Ranked) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(logits[b.Index], logits[a.Index]))
	})
	return out
}
