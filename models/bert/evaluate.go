package bert

import (
	"context"
	"errors"
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/text"
)

// Evaluate classifies examples and counts the answers:
//
//	confusion, err := model.Evaluate(ctx, held)
//	fmt.Println(confusion.Accuracy(), confusion.MacroF1())
//
// It serves as the measurement of train.Config.Validate:
//
//	config.Validate = func(ctx context.Context, epoch int) (float64, error) {
//		confusion, err := model.Evaluate(ctx, held)
//		if err != nil {
//			return 0, err
//		}
//		return confusion.Accuracy(), nil
//	}
//
// Texts that are too long are cut, as in [Model.Training]. It returns an error for a model whose classes do not exclude
// each other, without examples, and for an example whose class the model does not have. ctx ends it with the context's
// error.
func (m *Model) Evaluate(ctx context.Context, examples []Example) (*metrics.Confusion, error) {
	if err := m.wants(SequenceClassification); err != nil {
		return nil, err
	}
	c, err := m.evaluate(ctx, examples)
	if err != nil {
		return nil, fmt.Errorf("bert: evaluate: %w", err)
	}
	return c, nil
}

func (m *Model) evaluate(ctx context.Context, examples []Example) (*metrics.Confusion, error) {
	names := m.labels()
	if p := m.Config.Problem.Of(len(names)); p != models.SingleLabel {
		return nil, fmt.Errorf("expected a model with one class for a text, found the problem %q", p)
	}
	if len(examples) == 0 {
		return nil, errors.New("expected at least one example")
	}
	inputs, labels := make([]text.Input, len(examples)), make([]int, len(examples))
	for i, e := range examples {
		if e.Class < 0 || e.Class >= len(names) {
			return nil, fmt.Errorf("example %d: expected a class of 0 to %d, found %d", i, len(names)-1, e.Class)
		}
		inputs[i], labels[i] = e.input(), e.Class
	}
	rows, err := m.rows(ctx, inputs, limit{tokens: m.MaxTokens, cut: true}, m.ClassLogits)
	if err != nil {
		return nil, err
	}
	c := metrics.NewConfusion(len(names))
	c.Names = names
	for i, row := range rows {
		if err := c.AddLogits(row, labels[i:i+1]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// input returns the text of an example, or the pair.
func (e Example) input() text.Input {
	in := text.Input{Text: e.Text}
	if e.Pair != "" {
		in.Pair = &text.Input{Text: e.Pair}
	}
	return in
}

// Similarities returns the cosine of the vectors of each pair of texts, -1 to 1. metrics.Spearman compares them with
// the similarities that people gave, as sentence-transformers' EmbeddingSimilarityEvaluator does.
func (e *Embedder) Similarities(ctx context.Context, list ...Pair) ([]float32, error) {
	both := make([]string, 0, 2*len(list))
	for _, p := range list {
		both = append(both, p.First, p.Second)
	}
	vectors, err := e.embed(ctx, both)
	if err != nil {
		return nil, fmt.Errorf("bert: %w", err)
	}
	out := make([]float32, len(list))
	tape := autograd.NewTape(autograd.Options{})
	for i := range out {
		x := Normalize{}.Forward(tape.Input(append(vectors[2*i], vectors[2*i+1]...), 2, e.width)).Floats(nil)
		for k := range e.width {
			out[i] += x[k] * x[e.width+k]
		}
		tape.Reset()
	}
	return out, nil
}
