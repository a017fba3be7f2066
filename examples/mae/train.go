package main

import (
	"context"
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// pretrain trains a masked autoencoder to reconstruct images. It returns the mean loss of each epoch.
func (r *run) pretrain(ctx context.Context, m *mae.Model) ([]float64, error) {
	p := r.recipe.Pretrain
	batch := p.batch(r.images.train.Len())
	feed := train.NewFeed(&vision.Loader{
		Data: r.images.train, Preprocess: m.Preprocess, Augment: &p.Augment,
		BatchSize: batch, Shuffle: true, DropLast: true, Seed: r.seed(1), Goroutines: r.settings.Threads,
	})
	c := r.config("pretrain", p, r.epochs)
	c.Model, c.Data = m, feed
	c.Optimizer = train.NewAdamW(train.Groups(nn.Parameters(m), train.GroupOptions{WeightDecay: p.WeightDecay, NoDecay: m.NoDecay}),
		train.AdamOptions{Beta2: new(p.Beta2)})
	c.Loss = func(ctx context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
		images, err := feed.Next(ctx, b)
		if err != nil {
			return nil, err
		}
		masking := m.Masking(m.Noise(b.Seed, b.Key, images.Len()), images.Len())
		return m.Loss(t.Input(images.Pixels, images.Shape()...), masking), nil
	}
	result, err := r.train(ctx, "pre-training", c)
	return result.Losses, err
}

// learning is the history of training a classifier: the mean loss of each epoch, and the test accuracy after some
// epochs, always including the last.
type learning struct {
	StepsPerEpoch int
	Losses        []float64
	Tests         []measurement
}

// measurement is the test accuracy after a number of steps.
type measurement struct {
	Step     int
	Accuracy float64
}

// accuracy returns the test accuracy of the trained classifier.
func (l *learning) accuracy() float64 { return l.Tests[len(l.Tests)-1].Accuracy }

// tests is the number of accuracy measurements during the training of a classifier.
const tests = 5

// learn trains a classifier on labeled images.
func (r *run) learn(ctx context.Context, name, file string, m *vit.Model, labeled vision.Dataset, p phase) (*learning, error) {
	batch := p.batch(labeled.Len())
	feed := train.NewFeed(&vision.Loader{
		Data: labeled, Preprocess: m.Preprocess, Augment: &p.Augment,
		BatchSize: batch, Shuffle: true, DropLast: true, Seed: r.seed(2), Goroutines: r.settings.Threads,
	})
	steps := feed.Batches()
	epochs := p.epochs(labeled.Len())
	c := r.config(file, p, epochs)
	c.Model, c.Data = m, feed
	c.Optimizer = train.NewAdamW(train.Groups(nn.Parameters(m), train.GroupOptions{
		WeightDecay: p.WeightDecay, NoDecay: m.NoDecay,
		LayerDecay: p.LayerDecay, Layers: len(m.Encoder.Blocks), Layer: m.Layer,
	}), train.AdamOptions{Beta2: new(p.Beta2)})
	c.Loss = func(ctx context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
		images, err := feed.Next(ctx, b)
		if err != nil {
			return nil, err
		}
		logits := m.Forward(t.Input(images.Pixels, images.Shape()...))
		return autograd.CrossEntropy(logits, images.Labels, autograd.CrossEntropyOptions{Smoothing: p.Smoothing}), nil
	}
	history := &learning{StepsPerEpoch: steps}
	c.Extra = &history.Tests
	c.OnEpoch = func(ctx context.Context, e train.Epoch) error {
		// The epochs are divided into parts of equal length. The last epoch of each part is followed by a test.
		if (e.Number+1)*tests/epochs == e.Number*tests/epochs {
			return nil
		}
		right, err := m.Evaluate(ctx, r.images.test)
		if err != nil {
			return err
		}
		history.Tests = append(history.Tests, measurement{(e.Number + 1) * steps, right.Accuracy()})
		return nil
	}
	result, err := r.train(ctx, name, c)
	history.Losses = result.Losses
	return history, err
}

// config returns the part of the training configuration that all phases share.
func (r *run) config(file string, p phase, epochs int) train.Config {
	length := float64(epochs)
	start := train.Replace
	if r.settings.Resume {
		start = train.ResumeIfPresent
	}
	return train.Config{
		Schedule: train.Curve{Peak: p.Rate, Warmup: p.Warmup * length, Length: length}.Cosine(),
		Epochs:   epochs,
		ClipNorm: 1,
		Seed:     r.settings.Seed,
		Tape:     r.tape(),
		File:     r.resumeFile(file),
		Start:    start,
		Identity: r.identity,
	}
}

// train runs a phase, or the rest of an interrupted phase, and shows its progress.
func (r *run) train(ctx context.Context, name string, c train.Config) (train.Result, error) {
	steps := c.Epochs * c.Data.Batches()
	c.SaveEvery = max(1, steps/10)
	show := r.console.Phase(name, console.Steps, int64(steps))
	defer show.End()
	c.OnStep = func(rec train.Record) error {
		show.At(int64(rec.Step), fmt.Sprintf("loss %.4f", rec.Loss), fmt.Sprintf("%.0f images/s", rec.SamplesPerSecond))
		if r.afterStep != nil {
			r.afterStep(name, rec.Step)
		}
		return nil
	}
	result, err := train.Run(ctx, c)
	if err != nil {
		return result, fmt.Errorf("%s: %w", name, err)
	}
	return result, nil
}
