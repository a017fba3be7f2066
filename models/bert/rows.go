package bert

import (
	"context"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/text"
)

// rows returns the row that a head gives for each text. The result of the head is [sequences, width].
func (m *Model) rows(ctx context.Context, inputs []text.Input, l limit, head func(hidden *autograd.Tensor, starts []int) *autograd.Tensor) ([][]float32, error) {
	encodings, err := m.encode(ctx, inputs, l)
	if err != nil {
		return nil, err
	}
	return m.headRows(ctx, encodings, head)
}

// headRows is rows for texts that were encoded.
func (m *Model) headRows(ctx context.Context, encodings []*text.Encoding, head func(hidden *autograd.Tensor, starts []int) *autograd.Tensor) ([][]float32, error) {
	rows := make([][]float32, 0, len(encodings))
	err := m.over(ctx, encodings, func(hidden *autograd.Tensor, in Input, _ int) error {
		rows = run.AppendRows(rows, head(hidden, in.Starts))
		return nil
	})
	return rows, err
}
