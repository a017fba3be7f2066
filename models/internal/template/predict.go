package template

import (
	"context"
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/run"
)

// Predict ranks the classes for each sequence of vectors, in the order of the inputs. Sequences may differ in length. ctx
// ends it between blocks and batches with an error that matches the context's; the model stays usable. It is safe for
// concurrent use. A sequence that is empty, or has a vector of another length, is an error that names it by its position.
func (m *Model) Predict(ctx context.Context, inputs ...[][]float32) ([]models.Prediction, error) {
	for i, sequence := range inputs {
		if len(sequence) == 0 {
			return nil, fmt.Errorf("template: input %d: expected one vector or more, found none", i)
		}
		for _, v := range sequence {
			if len(v) != m.Config.NumFeatures {
				return nil, fmt.Errorf("template: input %d: expected vectors of %d numbers, found one of %d", i, m.Config.NumFeatures, len(v))
			}
		}
	}
	classes := m.Head.Weight.Shape()[0]
	labels := m.Config.LabelsOf(classes)
	out := make([]models.Prediction, 0, len(inputs))
	err := run.Over(ctx, m.runner, m.Workers, inputs, func(t *autograd.Tape, some [][][]float32, _ int) error {
		for len(some) > 0 { // neighbors of one length run together
			n, length := 1, len(some[0])
			for n < len(some) && len(some[n]) == length {
				n++
			}
			flat := slices.Concat(slices.Concat(some[:n]...)...)
			logits := m.Forward(t.Input(flat, n, length, m.Config.NumFeatures)).Floats(nil) // values leave the tape by copying
			for row := range slices.Chunk(logits, classes) {
				out = append(out, models.Predict(slices.Clip(row), labels, m.Config.Problem))
			}
			some = some[n:]
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return out, nil
}
