package bert

import (
	"cmp"
	"context"
	"fmt"

	"github.com/fovea-ml/fovea/text"
)

// windows encodes texts and cuts long ones to windows that overlap by stride tokens. owner is the text of each window.
// The second text of a pair is cut with the strategy OnlySecond.
func (m *Model) windows(ctx context.Context, inputs []text.Input, strategy text.Strategy, stride int) (windows []*text.Encoding, owner []int, err error) {
	if err := m.hasTokenizer(); err != nil {
		return nil, nil, err
	}
	encodings, err := m.Tokenizer.EncodeBatch(ctx, inputs, text.Options{
		Truncation: &text.Truncation{Max: m.MaxTokens, Strategy: strategy, Stride: stride, Overflow: true},
	})
	if err != nil {
		return nil, nil, err
	}
	for i, e := range encodings {
		for _, w := range append([]*text.Encoding{e}, e.Overflow...) {
			if err := m.fits(w, m.MaxTokens); err != nil {
				return nil, nil, fmt.Errorf("text %d: %w", i, err)
			}
			windows, owner = append(windows, w), append(owner, i)
		}
	}
	return windows, owner, nil
}

// stride returns how many tokens windows share: less than the room that the question leaves.
func (m *Model) stride(question string, asked int) int {
	stride := cmp.Or(asked, min(128, m.MaxTokens/2))
	if m.Tokenizer == nil {
		return stride
	}
	e, err := m.Tokenizer.EncodePair(question, "", text.Options{})
	if err != nil {
		return stride
	}
	if room := m.MaxTokens - e.Len(); asked == 0 && room > 0 {
		stride = min(stride, room/2)
	}
	return stride
}
