package main

import (
	"context"
	"fmt"
	"iter"
	"maps"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/train"
)

// train trains the model, or does the rest of an interrupted training. The model then has the weights of the best epoch.
func (r *run) train(ctx context.Context) (train.Result, error) {
	id, err := r.identity()
	if err != nil {
		return train.Result{}, err
	}
	c, err := r.training(r.model, r.chosen.Method, r.corpus.train.kept, r.chosen.Epochs)
	if err != nil {
		return train.Result{}, err
	}
	maps.Copy(c.Identity, id)
	c.File, c.Start = r.settings.folder().State(), train.ResumeIfPresent
	c.KeepBest, c.Patience = true, r.settings.Patience
	total := c.Epochs * c.Data.Batches()
	c.SaveEvery = max(1, total/10)
	show := r.console.Phase("training", console.Steps, int64(total))
	defer show.End()
	c.OnStep = func(rec train.Record) error {
		show.At(int64(rec.Step), fmt.Sprintf("loss %.3f", rec.Loss), fmt.Sprintf("%.1f images/s", rec.SamplesPerSecond))
		if r.afterStep != nil {
			r.afterStep(rec.Step)
		}
		return nil
	}
	c.Validate = func(ctx context.Context, epoch int) (float64, error) {
		counts, err := r.model.Evaluate(ctx, r.corpus.validation.kept)
		if err != nil {
			return 0, err
		}
		return r.score(counts), nil
	}
	c.OnEpoch = func(_ context.Context, e train.Epoch) error {
		r.console.Line("epoch %d of %d: loss %.4f, %.1f %% of the validation images right%s", e.Number+1, c.Epochs, e.Loss, 100*e.Score, r.settings.meaning())
		return nil
	}
	result, err := train.Run(ctx, c)
	if err != nil {
		return result, fmt.Errorf("training: %w", err)
	}
	return result, nil
}

// trained yields the parameters that are not frozen.
func trained(m *vit.Model) iter.Seq2[string, *autograd.Parameter] {
	return func(yield func(string, *autograd.Parameter) bool) {
		for path, p := range nn.Parameters(m) {
			if !p.Frozen && !yield(path, p) {
				return
			}
		}
	}
}
