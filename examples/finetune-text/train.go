package main

import (
	"context"
	"fmt"
	"maps"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/train"
)

// train trains the model, or does the rest of an interrupted training. The model then has the weights of the best
// epoch.
func (r *run) train(ctx context.Context) (train.Result, error) {
	s := &r.settings
	identity := r.identity()
	o := bert.TrainOptions{
		Epochs: r.recipe.epochs, BatchSize: s.Batch, Rate: &r.recipe.rate, LayerDecay: s.LayerDecay, Freeze: s.Freeze, MaxTokens: s.Tokens, Seed: s.Seed,
	}
	if s.Balance {
		o.ClassWeights = data.ClassWeights(r.corpus.train.labels, len(r.corpus.classes))
	}
	c, err := r.model.Training(r.corpus.train.examples(), o)
	if err != nil {
		return train.Result{}, err
	}
	maps.Copy(c.Identity, identity)
	c.File, c.Start = s.folder().State(), train.Replace
	if s.Resume {
		c.Start = train.ResumeIfPresent
	}
	c.KeepBest, c.Patience = true, s.Patience
	total := c.Epochs * c.Data.Batches()
	c.SaveEvery = max(1, total/10)
	show := r.console.Phase("training", console.Steps, int64(total))
	defer show.End()
	c.OnStep = func(rec train.Record) error {
		show.At(int64(rec.Step), fmt.Sprintf("loss %.3f", rec.Loss), fmt.Sprintf("%.0f texts/s", rec.SamplesPerSecond))
		if r.afterStep != nil {
			r.afterStep(rec.Step)
		}
		return nil
	}
	validation := r.corpus.validation.examples()
	c.Validate = func(ctx context.Context, epoch int) (float64, error) {
		counts, err := r.model.Evaluate(ctx, validation)
		if err != nil {
			return 0, err
		}
		if s.Balance {
			return counts.BalancedAccuracy(), nil
		}
		return counts.Accuracy(), nil
	}
	score := "validation accuracy"
	if s.Balance {
		score += ", mean over labels,"
	}
	c.OnEpoch = func(_ context.Context, e train.Epoch) error {
		r.console.Line("epoch %d of %d: loss %.4f, %s %.1f %%", e.Number+1, c.Epochs, e.Loss, score, 100*e.Score)
		return nil
	}
	result, err := train.Run(ctx, c)
	if err != nil {
		return result, fmt.Errorf("training: %w", err)
	}
	return result, nil
}

// predict classifies the test texts, and shows a bar.
func (r *run) predict(ctx context.Context, list []string) ([]bert.Prediction, error) {
	show := r.console.Phase("testing", console.Steps, int64(len(list)))
	defer show.End()
	const some = 256
	var out []bert.Prediction
	for from := 0; from < len(list); from += some {
		part, err := r.model.Classify(ctx, list[from:min(from+some, len(list))]...)
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
		show.At(int64(len(out)))
	}
	return out, nil
}
