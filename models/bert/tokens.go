package bert

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/text"
)

// packTokens is how many tokens run at once: enough to fill the cores, few enough to stay small.
const packTokens = 2048

// readTokenizer reads the tokenizer of the folder. Where it cannot, the tasks on texts return the error; the model
// still takes ids.
func (m *Model) readTokenizer(fsys fs.FS) {
	t, err := text.Open(fsys, text.OpenOptions{ModelType: m.Config.ModelType})
	if err == nil {
		m.tokenizerFiles, err = readTokenizerFiles(fsys)
	}
	if err != nil {
		m.textErr = err
		return
	}
	m.Tokenizer = t
	if cut := t.Defaults().Truncation; cut != nil {
		m.MaxTokens = min(m.MaxTokens, cut.Max)
	}
}

// limit says how texts are read.
type limit struct {
	tokens int  // that a text may have
	cut    bool // longer texts are cut; otherwise they are an error
	lower  bool // in lower case
}

// limit is that of the tasks of transformers.
func (m *Model) limit() limit { return limit{tokens: m.MaxTokens, cut: m.Truncate} }

// encode turns texts and pairs into tokens. An error names the input by its position.
func (m *Model) encode(ctx context.Context, inputs []text.Input, l limit) ([]*text.Encoding, error) {
	if err := m.hasTokenizer(); err != nil {
		return nil, err
	}
	o := text.Options{LowerCase: l.lower}
	if l.cut {
		o.Truncation = &text.Truncation{Max: l.tokens}
		if d := m.Tokenizer.Defaults().Truncation; d != nil {
			o.Truncation.Left = d.Left
		}
	}
	all, err := m.Tokenizer.EncodeBatch(ctx, inputs, o)
	if err != nil {
		return nil, err
	}
	for i, e := range all {
		if err := m.fits(e, l.tokens); err != nil {
			return nil, fmt.Errorf("text %d: %w", i, err)
		}
	}
	return all, nil
}

// hasTokenizer returns an error for a model without one.
func (m *Model) hasTokenizer() error {
	switch {
	case m.Tokenizer != nil:
		return nil
	case m.textErr != nil:
		return fmt.Errorf("the model has no tokenizer: %w", m.textErr)
	}
	return errors.New("the model has no tokenizer: set Tokenizer")
}

// fits returns an error for tokens that the model does not take.
func (m *Model) fits(e *text.Encoding, most int) error {
	if e.Len() == 0 {
		return errors.New("expected at least one token, found none")
	}
	if e.Len() > most {
		return fmt.Errorf("expected at most %d tokens, found %d: set Truncate to cut longer texts", most, e.Len())
	}
	for i, id := range e.IDs {
		if id < 0 || id >= m.Config.VocabSize {
			return fmt.Errorf("the tokenizer gives %q the id %d, which is outside the model's vocabulary of %d words: it belongs to another model",
				e.Tokens[i], id, m.Config.VocabSize)
		}
		if k := e.TypeIDs[i]; m.usesTypes() && (k < 0 || k >= m.Config.TypeVocabSize) {
			return fmt.Errorf("the tokenizer gives %q the type %d, and the model has %d types", e.Tokens[i], k, m.Config.TypeVocabSize)
		}
	}
	return nil
}

// usesTypes reports whether token types are inputs: the model has some, and transformers' class of the tokenizer gives
// them.
func (m *Model) usesTypes() bool {
	return m.Encoder.Embeddings.Types != nil && m.Tokenizer != nil && slices.Contains(m.Tokenizer.ModelInputs(), "token_type_ids")
}

// pack returns the input of encoded texts.
func (m *Model) pack(encodings []*text.Encoding) Input {
	in := Input{Starts: []int{0}}
	for _, e := range encodings {
		in.IDs = append(in.IDs, e.IDs...)
		if m.usesTypes() {
			in.Types = append(in.Types, e.TypeIDs...)
		}
		in.Starts = append(in.Starts, len(in.IDs))
	}
	return in
}

// over calls pass with packs of encoded texts, their hidden states, and the position of the first.
func (m *Model) over(ctx context.Context, encodings []*text.Encoding, pass func(hidden *autograd.Tensor, in Input, first int) error) error {
	return run.OverSizes(ctx, m.runner, m.tape(), encodings, (*text.Encoding).Len, packTokens,
		func(t *autograd.Tape, some []*text.Encoding, first int) error {
			in := m.pack(some)
			return pass(m.Hidden(t, in), in, first)
		})
}
