package main

import (
	"context"
	"fmt"
	"maps"
	"math"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// history holds the losses and accuracies that a run has measured so far. It is saved with the run.
type history struct {
	Tests []measurement
}

// measurement is a result on the test images after a number of steps: zero-shot accuracy, or recall@1 of captions.
type measurement struct {
	Step  int
	Score float64
}

// tests is the number of measurements during training.
const tests = 8

// train trains the model.
func (r *run) train(ctx context.Context) (train.Result, error) {
	batch := max(2, min(r.settings.Batch, r.pairs.train.Len()))
	loader := &vision.Loader{
		Data: r.pairs.train, Preprocess: r.model.Preprocess, Augment: &r.recipe.Augment,
		BatchSize: batch, Shuffle: true, DropLast: true, Seed: r.settings.Seed, Goroutines: r.settings.Threads, OnError: r.policy(),
	}
	r.loader = loader
	c, err := r.model.Training(loader, clip.TrainOptions{WeightDecay: &r.recipe.WeightDecay})
	if err != nil {
		return train.Result{}, err
	}
	steps := c.Data.Batches()
	if c.Epochs = r.settings.Epochs; c.Epochs == 0 {
		c.Epochs = max(1, int(math.Round(float64(r.recipe.Steps)/float64(steps))))
	}
	length := float64(c.Epochs)
	c.Schedule = train.Curve{Peak: r.recipe.Rate, Warmup: r.recipe.Warmup * length, Length: length}.Cosine()
	c.ClipNorm, c.Seed = 1, r.settings.Seed
	return r.continued(ctx, c, steps)
}

// continued runs the training, or the rest of an interrupted one, and shows its progress.
func (r *run) continued(ctx context.Context, c train.Config, steps int) (train.Result, error) {
	identity, err := r.identity()
	if err != nil {
		return train.Result{}, err
	}
	maps.Copy(c.Identity, identity)
	c.File, c.Start = r.settings.folder().State(), train.Replace
	if r.settings.Resume {
		c.Start = train.ResumeIfPresent
	}
	total := c.Epochs * steps
	c.SaveEvery = max(1, total/10)
	c.Extra = &r.history
	c.OnEpoch = func(ctx context.Context, e train.Epoch) error {
		// The epochs are divided into parts of equal length. The last epoch of each part is followed by a test.
		if (e.Number+1)*tests/c.Epochs == e.Number*tests/c.Epochs {
			return nil
		}
		score, err := r.score(ctx)
		if err != nil {
			return err
		}
		r.history.Tests = append(r.history.Tests, measurement{(e.Number + 1) * steps, score})
		return nil
	}
	show := r.console.Phase("training", console.Steps, int64(total))
	defer show.End()
	c.OnStep = func(rec train.Record) error {
		show.At(int64(rec.Step), fmt.Sprintf("loss %.3f", rec.Loss), fmt.Sprintf("%.0f pairs/s", rec.SamplesPerSecond))
		if r.afterStep != nil {
			r.afterStep(rec.Step)
		}
		return nil
	}
	result, err := train.Run(ctx, c)
	if err != nil {
		return result, fmt.Errorf("training: %w", r.advise(err))
	}
	r.stepsPerEpoch = steps
	return result, nil
}
