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

// pretrain teaches a masked autoencoder to rebuild pictures and returns the mean loss of each epoch.
func (r *run) pretrain(ctx context.Context, m *mae.Model) ([]float64, error) {
	p := r.recipe.Pretrain
	batch := p.batch(r.pictures.train.Len())
	data := &feed{loader: &vision.Loader{
		Data: r.pictures.train, Preprocess: m.Preprocess, Augment: &p.Augment,
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

// isToken names the parameters of two dimensions and more that are no weights, and so are not decayed.
func isToken(path string) bool {
	switch path {
	case "Encoder.ClassToken", "Encoder.Positions", "Decoder.MaskToken":
		return true
	}
	return false
}

// learning is what training a classifier leaves for the report: the mean loss of each epoch, and the accuracy
// on the test pictures after some of them, the last one included.
type learning struct {
	StepsPerEpoch int
	Losses        []float64
	Tests         []test
}

// test is the share of test pictures named rightly after a number of steps.
type test struct {
	Step     int
	Accuracy float64
}

// accuracy is that of the trained classifier.
func (l *learning) accuracy() float64 { return l.Tests[len(l.Tests)-1].Accuracy }

// tests is how often a classifier is tested while it learns.
const tests = 5

// learn trains a classifier on the labeled pictures.
func (r *run) learn(ctx context.Context, name, file string, m *vit.Model, p phase) (*learning, error) {
	batch := p.batch(r.pictures.labeled.Len())
	data := &feed{loader: &vision.Loader{
		Data: r.pictures.labeled, Preprocess: m.Preprocess, Augment: &p.Augment,
		BatchSize: batch, Shuffle: true, DropLast: true, Seed: r.seed(2), Goroutines: r.settings.Threads,
	}}
	defer data.close()
	steps := data.loader.Batches()
	epochs := p.epochs(r.pictures.labeled.Len(), r.recipe.LabelSteps)
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
		// The last of the epochs that belong to one of the tests is followed by it.
		if (epoch+1)*tests/epochs == epoch*tests/epochs {
			return nil
		}
		share, err := accuracy(ctx, m, r.pictures.test, r.settings.Threads)
		if err == nil {
			history.Tests = append(history.Tests, test{(epoch + 1) * steps, share})
		}
		return err
	}
	result, err := r.train(ctx, name, c)
	history.Losses = result.Losses
	return history, err
}

// config is what all phases of a run have in common.
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

// train runs one phase, or what is left of it, and shows how far it is.
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
		show.At(int64(rec.Step), fmt.Sprintf("loss %.4f", rec.Loss), fmt.Sprintf("%.0f pictures a second", rec.ImagesPerSecond))
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

// accuracy is the share of pictures that a classifier names rightly.
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

// best is the index of the largest value, the first of equals.
func best(values []float32) int {
	b := 0
	for i, v := range values {
		if v > values[b] {
			b = i
		}
	}
	return b
}
