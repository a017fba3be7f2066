package main

import (
	"context"
	"fmt"
	"maps"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/train"
)

// train trains the model, or does the rest of an interrupted training. The model then has the weights of the best epoch.
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
	c.Validate = func(ctx context.Context, epoch int) (float64, error) {
		list, err := r.predict(ctx, "", r.corpus.validation.list)
		if err != nil {
			return 0, err
		}
		counts := r.corpus.confusion(r.corpus.validation, list)
		if s.Balance {
			return counts.BalancedAccuracy(), nil
		}
		return counts.Accuracy(), nil
	}
	c.OnEpoch = func(_ context.Context, e train.Epoch) error {
		r.console.Line("epoch %d of %d: loss %.4f, %.1f %% of the validation texts right", e.Number+1, c.Epochs, e.Loss, 100*e.Score)
		return nil
	}
	result, err := train.Run(ctx, c)
	if err != nil {
		return result, fmt.Errorf("training: %w", err)
	}
	return result, nil
}

// confusion counts the predictions of texts.
func (c *corpus) confusion(t texts, predictions []bert.Prediction) *metrics.Confusion {
	counts := metrics.NewConfusion(len(c.classes))
	counts.Names = c.classes
	for i, p := range predictions {
		counts.Add(t.labels[i], p.Top[0].Index)
	}
	return counts
}

// predict classifies texts, with a bar if it has a name.
func (r *run) predict(ctx context.Context, name string, list []string) ([]bert.Prediction, error) {
	var show *console.Progress
	if name != "" {
		show = r.console.Phase(name, console.Steps, int64(len(list)))
		defer show.End()
	}
	const some = 256
	var out []bert.Prediction
	for from := 0; from < len(list); from += some {
		part, err := r.model.Classify(ctx, list[from:min(from+some, len(list))]...)
		if err != nil {
			return nil, err
		}
		if out = append(out, part...); show != nil {
			show.At(int64(len(out)))
		}
	}
	return out, nil
}
