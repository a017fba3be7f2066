package bert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/text"
)

// FillOptions change what [Model.FillMask] does.
type FillOptions struct {
	Top int // words for each mask; 0 means 5
	// Targets, when there are any, are the only words to choose from: tokens of the vocabulary. Probabilities stay
	// those among all words.
	Targets []string
}

// Filled holds the words for the masks of one text.
type Filled struct {
	Masks [][]Word // for each mask in the text, the most probable words first
}

// Word is a word for a mask.
type Word struct {
	Text        string // as the tokenizer decodes it alone
	ID          int
	Probability float32
}

// FillMask predicts the words of the masks in each text: "Paris is the [MASK] of France." [Model.MaskToken] is the
// mask. Each of several masks has its own words, as if the other masks were unknown; they are those of transformers'
// fill-mask pipeline.
//
// It returns an error for a model without a head for masked words, for a text without a mask, for a target that is no
// token, and for a text that is too long. ctx ends it between layers and batches.
func (m *Model) FillMask(ctx context.Context, o FillOptions, list ...string) ([]Filled, error) {
	out, err := m.fillMask(ctx, o, list)
	if err != nil {
		return nil, fmt.Errorf("bert: %w", err)
	}
	return out, nil
}

func (m *Model) fillMask(ctx context.Context, o FillOptions, list []string) ([]Filled, error) {
	if m.Masked == nil {
		return nil, errors.New("the model has no head for masked words")
	}
	if o.Top < 0 {
		return nil, fmt.Errorf("option Top: expected 0 or more, found %d", o.Top)
	}
	encodings, err := m.encode(ctx, texts(list), m.limit())
	if err != nil {
		return nil, err
	}
	token, mask, ok := m.mask()
	if !ok {
		return nil, errors.New("the tokenizer has no mask token")
	}
	targets, err := m.targets(o.Targets)
	if err != nil {
		return nil, err
	}
	for i, e := range encodings {
		if !slices.Contains(e.IDs, mask) {
			return nil, fmt.Errorf("text %d: expected a mask, %s, found none", i, token)
		}
	}
	out := make([]Filled, 0, len(list))
	err = m.over(ctx, encodings, func(hidden *autograd.Tensor, in Input, first int) error {
		var rows []int
		for i, id := range in.IDs {
			if id == mask {
				rows = append(rows, i)
			}
		}
		// The logits of a mask are as many as the vocabulary, so few run at once.
		next := len(out)
		for range len(in.Starts) - 1 {
			out = append(out, Filled{})
		}
		for some := range slices.Chunk(rows, 64) {
			logits := m.WordLogits(autograd.GatherRows(hidden, some)).Floats(nil)
			for i, row := range some {
				for in.Starts[next-first+1] <= row {
					next++
				}
				words := m.best(logits[i*m.Config.VocabSize:(i+1)*m.Config.VocabSize], targets, cmp.Or(o.Top, 5))
				out[next].Masks = append(out[next].Masks, words)
			}
		}
		return nil
	})
	return out, err
}

// MaskToken returns the token that stands for a masked word, such as "[MASK]", or "" without a tokenizer.
func (m *Model) MaskToken() string {
	token, _, _ := m.mask()
	return token
}

func (m *Model) mask() (token string, id int, ok bool) {
	if m.Tokenizer == nil {
		return "", 0, false
	}
	return m.Tokenizer.Special("mask_token")
}

// targets returns the ids of tokens, or nil for none.
func (m *Model) targets(words []string) ([]int, error) {
	var ids []int
	for _, w := range words {
		id, ok := m.Tokenizer.ID(w)
		if !ok || id >= m.Config.VocabSize {
			return nil, fmt.Errorf("option Targets: expected tokens of the vocabulary, found %q", w)
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// best returns the most probable words. It makes probabilities of the logits. Of equal ones the lower id is first.
func (m *Model) best(logits []float32, targets []int, top int) []Word {
	simd.Softmax(logits, logits, 1)
	ids := targets
	if ids == nil {
		ids = make([]int, len(logits))
		for i := range ids {
			ids[i] = i
		}
	} else {
		ids = slices.Clone(ids)
	}
	slices.SortFunc(ids, func(a, b int) int { return cmp.Or(cmp.Compare(logits[b], logits[a]), cmp.Compare(a, b)) })
	words := make([]Word, min(top, len(ids)))
	for i := range words {
		id := ids[i]
		words[i] = Word{Text: m.Tokenizer.Decode([]int{id}, text.DecodeOptions{}), ID: id, Probability: logits[id]}
	}
	return words
}
