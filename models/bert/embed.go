package bert

import (
	"context"
	"fmt"
	"iter"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/text"
)

// EmbedOptions change what an [Embedder] does. The zero value does as the model's folder says.
type EmbedOptions struct {
	// PromptName is the name of one of Sentences.Prompts, to put before each text; "" is the default one.
	PromptName string
	// Prompt is a text to put before each text, in the place of a named one.
	Prompt string
	// Dim keeps the first values of each vector (Matryoshka embeddings). 0 means Sentences.Dim, or else all.
	Dim int
	// Normalize divides each vector by its length, after Dim. Many models do so themselves, before Dim.
	Normalize bool
}

// Embedder turns texts into vectors, for search and comparison. It may be used by any number of goroutines at once.
type Embedder struct {
	model    *Model
	prompt   string
	excluded int // tokens of the prompt that do not count
	dim      int // 0 for all
	width    int
	norm     bool
}

// Embedder returns an embedder. The error names a prompt that the model does not have, or a Dim that is too large.
func (m *Model) Embedder(o EmbedOptions) (*Embedder, error) {
	e, err := m.embedder(o)
	if err != nil {
		return nil, fmt.Errorf("bert: %w", err)
	}
	return e, nil
}

func (m *Model) embedder(o EmbedOptions) (*Embedder, error) {
	s := m.Sentences
	if s == nil {
		return nil, fmt.Errorf("the model does not say how a text becomes one vector: %w", m.sentencesErr)
	}
	e := &Embedder{model: m, prompt: o.Prompt, dim: o.Dim, norm: o.Normalize}
	var err error
	if e.prompt == "" {
		if e.prompt, err = s.prompt(o.PromptName); err != nil {
			return nil, err
		}
	}
	if e.width, err = s.check(m.Config.HiddenSize); err != nil {
		return nil, err
	}
	if e.dim == 0 {
		e.dim = s.Dim
	}
	if e.dim < 0 || e.dim > e.width {
		return nil, fmt.Errorf("option Dim: expected 1 to %d, found %d", e.width, e.dim)
	}
	if e.dim != 0 {
		e.width = e.dim
	}
	if e.prompt != "" && s.ExcludePrompt {
		tokens, err := m.encode(context.Background(), texts([]string{e.prompt}), s.limit(m))
		if err != nil {
			return nil, err
		}
		e.excluded = tokens[0].Len()
		if last := tokens[0].Special; last[len(last)-1] {
			e.excluded--
		}
	}
	return e, nil
}

// Width returns the number of values of a vector.
func (e *Embedder) Width() int { return e.width }

// Embed returns the vector of each text, in the order of the texts. Texts that are too long are cut. A text has the
// same bits in every batch. ctx ends it between layers and batches with an error that matches the context's; the model
// stays usable.
func (e *Embedder) Embed(ctx context.Context, list ...string) ([][]float32, error) {
	vectors, err := e.embed(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("bert: %w", err)
	}
	return vectors, nil
}

func (e *Embedder) embed(ctx context.Context, list []string) ([][]float32, error) {
	encodings, err := e.tokens(ctx, list)
	if err != nil {
		return nil, err
	}
	vectors := make([][]float32, 0, len(list))
	err = e.model.over(ctx, encodings, func(hidden *autograd.Tensor, in Input, _ int) error {
		vectors = run.AppendRows(vectors, e.vectors(hidden, in.Starts))
		return nil
	})
	return vectors, err
}

// vectors returns a vector for each sequence, [sequences, Width].
func (e *Embedder) vectors(hidden *autograd.Tensor, starts []int) *autograd.Tensor {
	x := e.model.Sentences.Forward(hidden, starts, e.excluded)
	if e.dim != 0 && e.dim < x.Dim(1) {
		x = autograd.Slice(x, 1, 0, e.dim)
	}
	if e.norm {
		x = Normalize{}.Forward(x)
	}
	return x
}

// Tokens returns the tokens of texts as Embed makes them, with the prompt, and cut.
func (e *Embedder) Tokens(ctx context.Context, list ...string) ([]*text.Encoding, error) {
	encodings, err := e.tokens(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("bert: %w", err)
	}
	return encodings, nil
}

func (e *Embedder) tokens(ctx context.Context, list []string) ([]*text.Encoding, error) {
	inputs := texts(list)
	for i := range inputs {
		inputs[i].Text = e.prompt + inputs[i].Text
	}
	return e.model.encode(ctx, inputs, e.model.Sentences.limit(e.model))
}

// streamTexts is how many texts a stream reads ahead. They fill several packs.
const streamTexts = 256

// Stream returns the vectors of texts in their order, while it reads them: a file of any size takes little memory. It
// ends with the first error, of the texts, the context or the model.
func (e *Embedder) Stream(ctx context.Context, list iter.Seq2[string, error]) iter.Seq2[[]float32, error] {
	return func(yield func([]float32, error) bool) {
		some := make([]string, 0, streamTexts)
		flush := func() bool {
			vectors, err := e.Embed(ctx, some...)
			some = some[:0]
			for _, v := range vectors {
				if !yield(v, nil) {
					return false
				}
			}
			return err == nil || yield(nil, err) && false
		}
		for s, err := range list {
			if err != nil {
				if flush() {
					yield(nil, err)
				}
				return
			}
			if some = append(some, s); len(some) == streamTexts && !flush() {
				return
			}
		}
		flush()
	}
}

// Embed returns the vector of each text, as [Embedder.Embed] does with the zero options.
func (m *Model) Embed(ctx context.Context, list ...string) ([][]float32, error) {
	e, err := m.Embedder(EmbedOptions{})
	if err != nil {
		return nil, err
	}
	return e.Embed(ctx, list...)
}
