package bert

import (
	"context"
	"errors"
	"fmt"

	"github.com/fovea-ml/fovea/simd"
)

// IsNext returns the probability that the second text of each pair follows the first. In ALBERT it is that the order of
// the two is right. It returns an error for a model without such a head, and for pairs that are too long.
func (m *Model) IsNext(ctx context.Context, list ...Pair) ([]float32, error) {
	if m.Sentence == nil || m.Pooler == nil {
		return nil, errors.New("bert: the model has no head for the next sentence")
	}
	rows, err := m.rows(ctx, pairs(list), m.limit(), m.NextLogits)
	if err != nil {
		return nil, fmt.Errorf("bert: %w", err)
	}
	out := make([]float32, len(rows))
	for i, row := range rows {
		simd.Softmax(row, row, 1)
		out[i] = row[0]
	}
	return out, nil
}
