package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// pretrain trains a masked autoencoder to reconstruct images. It returns the mean loss of each epoch.
func (r *run) pretrain(ctx context.Context, m *mae.Model) ([]float64, error) {
	p := r.recipe.Pretrain
	batch := p.batch(r.images.train.Len())
	data := &feed{loader: &vision.Loader{
		Data: r.images.train, Preprocess: m.Preprocess, Augment: &p.Augment,
		BatchSize: batch, Shuffle: true, DropLast: true, Seed: r.seed(1), Goroutines: r.settings.Threads,
	}}
	defer data.close()
	c := r.config("pretrain", p, r.epochs, data.loader.Batches())
	c.Params = nn.Parameters(m)
	c.Optimizer = train.NewAdamW(train.Groups(c.Params, train.GroupOptions{WeightDecay: p.WeightDecay, NoDecay: isToken}),
		train.AdamOptions{Beta2: p.Beta2})
	c.BatchSize = batch
	c.Loss = func(ctx context.Context, t *autograd.Tape, b train.Batch) (*autograd.Tensor, error) {
		got, err := data.batch(ctx, b)
		if err != nil {
			return nil, err
		}
		n := len(got.Labels)
		masking := m.Masking(m.Noise(b.Seed, b.Key, n), n)
		return m.Loss(t.Input(got.Pixels, n, 3, got.Height, got.Width), masking), nil
	}
	result, err := r.train(ctx, "pre-training", c)
	return result.Losses, err
}

// isToken reports whether a parameter is a token or a table of positions. These have several dimensions, as weights do,
// but get no weight decay.
func isToken(path string) bool {
	switch path {
	case "Encoder.ClassToken", "Encoder.Positions", "Decoder.MaskToken":
		return true
	}
	return false
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

// learn trains a classifier on the labeled images.
func (r *run) learn(ctx context.Context, name, file string, m *vit.Model, p phase) (*learning, error) {
	batch := p.batch(r.images.labeled.Len())
	data := &feed{loader: &vision.Loader{
		Data: r.images.labeled, Preprocess: m.Preprocess, Augment: &p.Augment,
		BatchSize: batch, Shuffle: true, DropLast: true, Seed: r.seed(2), Goroutines: r.settings.Threads,
	}}
	defer data.close()
	steps := data.loader.Batches()
	epochs := p.epochs(r.images.labeled.Len(), r.recipe.LabelSteps)
	c := r.config(file, p, epochs, steps)
	c.Params = nn.Parameters(m)
	c.Optimizer = train.NewAdamW(train.Groups(c.Params, train.GroupOptions{
		WeightDecay: p.WeightDecay, NoDecay: isToken,
		LayerDecay: p.LayerDecay, Layers: len(m.Encoder.Blocks), Layer: m.Layer,
	}), train.AdamOptions{Beta2: p.Beta2})
	c.BatchSize = batch
	c.Loss = func(ctx context.Context, t *autograd.Tape, b train.Batch) (*autograd.Tensor, error) {
		got, err := data.batch(ctx, b)
		if err != nil {
			return nil, err
		}
		logits := m.Forward(t.Input(got.Pixels, len(got.Labels), 3, got.Height, got.Width))
		return autograd.CrossEntropy(logits, got.Labels, autograd.CrossEntropyOptions{Smoothing: p.Smoothing}), nil
	}
	history := &learning{StepsPerEpoch: steps}
	c.Extra = &history.Tests
	c.OnEpoch = func(ctx context.Context, epoch int, _ float64) error {
		// The epochs are divided into parts of equal length. The last epoch of each part is followed by a test.
		if (epoch+1)*tests/epochs == epoch*tests/epochs {
			return nil
		}
		share, err := accuracy(ctx, m, r.images.test, r.settings.Threads)
		if err == nil {
			history.Tests = append(history.Tests, measurement{(epoch + 1) * steps, share})
		}
		return err
	}
	result, err := r.train(ctx, name, c)
	history.Losses = result.Losses
	return history, err
}

// config returns the part of the training configuration that all phases share.
func (r *run) config(file string, p phase, epochs, steps int) train.Config {
	length := float64(epochs)
	return train.Config{
		Schedule:      train.Curve{Peak: p.Rate, Warmup: p.Warmup * length, Length: length}.Cosine(),
		Epochs:        epochs,
		StepsPerEpoch: steps,
		ClipNorm:      1,
		Seed:          r.settings.Seed,
		Tape:          autograd.Options{Workers: simd.NewWorkers(r.settings.Threads)},
		File:          r.resumeFile(file),
		SaveEvery:     max(1, epochs*steps/10),
		Identity:      r.identity,
	}
}

// train runs a phase, or the rest of an interrupted phase, and shows its progress.
func (r *run) train(ctx context.Context, name string, c train.Config) (train.Result, error) {
	if r.settings.Resume {
		_, err := os.Stat(c.File)
		switch {
		case err == nil:
			c.Resume = true
		case !errors.Is(err, fs.ErrNotExist):
			return train.Result{}, err
		}
	}
	show := r.console.Phase(name, console.Steps, int64(c.Epochs*c.StepsPerEpoch))
	defer show.End()
	c.OnStep = func(rec train.Record) error {
		show.At(int64(rec.Step), fmt.Sprintf("loss %.4f", rec.Loss), fmt.Sprintf("%.0f images/s", rec.ImagesPerSecond))
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

// accuracy returns the share of images that a classifier labels correctly.
func accuracy(ctx context.Context, m *vit.Model, d vision.Dataset, threads int) (float64, error) {
	loader := &vision.Loader{Data: d, Preprocess: m.Preprocess, BatchSize: 100, Goroutines: threads}
	tape := autograd.NewTape(autograd.Options{Workers: simd.NewWorkers(threads), Context: ctx})
	right := 0
	for b, err := range loader.Epoch(ctx, 0) {
		if err != nil {
			return 0, err
		}
		err = tape.Try(func() error {
			logits := m.Forward(tape.Input(b.Pixels, len(b.Labels), 3, b.Height, b.Width))
			classes := logits.Dim(1)
			values := logits.Floats(nil)
			for i, label := range b.Labels {
				if best(values[i*classes:(i+1)*classes]) == label {
					right++
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		tape.Reset()
	}
	return float64(right) / float64(d.Len()), nil
}

// best returns the index of the largest value, the first if there are several.
func best(values []float32) int {
	b := 0
	for i, v := range values {
		if v > values[b] {
			b = i
		}
	}
	return b
}
