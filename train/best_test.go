package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
)

// scored is a run of one weight, which is 1 less after each epoch, with the given scores.
func scored(scores ...float64) (Config, *autograd.Parameter) {
	w := autograd.NewParameter(1)
	model := &struct{ W *autograd.Parameter }{w}
	return Config{
		Model:     model,
		Optimizer: NewSGD([]Group{{Params: []Param{{"W", w}}}}, SGDOptions{}),
		Schedule:  Curve{Peak: 0.5}.Constant(), Epochs: len(scores), Batches: 2,
		Loss: func(_ context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
			return autograd.Sum(t.Use(w), false), nil
		},
		Validate: func(_ context.Context, epoch int) (float64, error) {
			if got := float64(w.Values()[0]); got != -float64(epoch+1) {
				return 0, fmt.Errorf("epoch %d: the weight is %v", epoch, got)
			}
			return scores[epoch], nil
		},
	}, w
}

// The best epoch is found, kept and waited for.
func TestBest(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name   string
		scores []float64
		change func(*Config)
		best   int
		epochs int // that were run
	}{
		{"the highest", []float64{1, 3, 2, 3}, nil, 1, 4},
		{"the lowest", []float64{1, 3, 0.5, 3}, func(c *Config) { c.LowerIsBetter = true }, 2, 4},
		{"gains too small to wait for", []float64{1, 1.4, 1.6, 1.7, 9}, func(c *Config) { c.MinGain, c.Patience = 0.5, 3 }, 3, 4},
		{"a gain large enough", []float64{1, 1.4, 2, 2.1, 2.2, 2.8}, func(c *Config) { c.MinGain, c.Patience = 0.5, 3 }, 5, 6},
		{"NaN", []float64{nan, nan, -5, nan}, nil, 2, 4},
		{"never", []float64{nan, nan}, nil, -1, 2},
		{"impatient", []float64{1, 3, 2, 3, 9}, func(c *Config) { c.Patience = 2 }, 1, 4},
		{"patient enough", []float64{1, 3, 2, 4, 9}, func(c *Config) { c.Patience = 2 }, 4, 5},
		{"impatient from the start", []float64{nan, nan, nan, 4}, func(c *Config) { c.Patience = 3 }, -1, 3},
	} {
		cfg, w := scored(c.scores...)
		cfg.KeepBest = true
		if c.change != nil {
			c.change(&cfg)
		}
		var last Epoch
		cfg.OnEpoch = func(_ context.Context, e Epoch) error { last = e; return nil }
		res, err := Run(context.Background(), cfg)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		want := -float32(c.best + 1)
		if c.best < 0 {
			want = -float32(c.epochs)
		}
		if res.Best != c.best || len(res.Scores) != c.epochs || w.Values()[0] != want || res.Stopped != (c.epochs < len(c.scores)) {
			t.Errorf("%s: expected epoch %d of %d with the weight %v, found %v with %v", c.name, c.best, c.epochs, want, res, w.Values()[0])
		}
		if last.Number != c.epochs-1 || last.Best != (c.best == c.epochs-1) {
			t.Errorf("%s: the last epoch is %+v", c.name, last)
		}
	}
}

// A run that keeps its best epoch is stopped after each step and continued.
func TestBestIsResumed(t *testing.T) {
	stop := errors.New("stop")
	scores := []float64{1, 3, 2, 2.5, 1}
	for k := 1; k <= 8; k++ {
		file := filepath.Join(t.TempDir(), "run.safetensors")
		make := func() (Config, *autograd.Parameter) {
			c, w := scored(scores...)
			c.File, c.Start, c.SaveEvery, c.KeepBest, c.Patience = file, ResumeIfPresent, 100, true, 3
			return c, w
		}
		c, w := make()
		c.OnStep = func(r Record) error {
			if r.Step == k {
				return stop
			}
			return nil
		}
		if _, err := Run(context.Background(), c); !errors.Is(err, stop) {
			t.Fatal(err)
		}
		if got, want := w.Values()[0], -float32(k)/2; got != want {
			t.Errorf("stopped after step %d: expected the last weight, %v, found %v", k, want, got)
		}
		for range 2 { // a finished run ends at once with the same result
			c, w = make()
			res, err := Run(context.Background(), c)
			if err != nil || res.Best != 1 || w.Values()[0] != -2 || !slices.Equal(res.Scores, scores) || res.Steps != 10 {
				t.Errorf("stopped after step %d, resumed: %+v with the weight %v, %v", k, res, w.Values()[0], err)
			}
		}
	}
}

// With an average, the average is measured and kept, and training goes on with the weights.
func TestBestAverage(t *testing.T) {
	c, w := scored(1, 2, 1)
	c.EMA = NewEMA(c.Optimizer.Parameters(), nil, EMAOptions{Decay: new(0.5)})
	c.KeepBest = true
	scores := []float64{1, 2, 1}
	var measured []float32
	c.Validate = func(_ context.Context, epoch int) (float64, error) {
		measured = append(measured, w.Values()[0])
		return scores[epoch], nil
	}
	var after []float32
	c.OnEpoch = func(context.Context, Epoch) error {
		after = append(after, w.Values()[0])
		return nil
	}
	if _, err := Run(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	// -0.5, -1, -1.5, …, averaged from 0 with halves
	if want := []float32{-0.625, -1.53125, -2.5078125}; !slices.Equal(measured, want) {
		t.Errorf("expected the averages %v to be measured, found %v", want, measured)
	}
	if want := []float32{-1, -2, -3}; !slices.Equal(after, want) {
		t.Errorf("expected the weights %v after each epoch, found %v", want, after)
	}
	if got := w.Values()[0]; got != -1.53125 {
		t.Errorf("expected the best average, found %v", got)
	}
}

// A resumed run finds the same best epoch when a score is infinite, and refuses to turn the comparison around.
func TestScoresAreResumed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.safetensors")
	scores := []float64{math.Inf(1), 3, 2, math.Inf(-1)}
	make := func() Config {
		c, _ := scored(scores...)
		c.File, c.Start, c.LowerIsBetter = file, ResumeIfPresent, true
		return c
	}
	c := make()
	c.OnStep = func(r Record) error {
		if r.Step == 3 {
			return ErrStop
		}
		return nil
	}
	if _, err := Run(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	c = make()
	c.LowerIsBetter = false
	if _, err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), "better scores: lower in the file, none in this run") {
		t.Errorf("the other comparison: %v", err)
	}
	if res, err := Run(context.Background(), make()); err != nil || res.Best != 3 || !slices.Equal(res.Scores, scores) {
		t.Errorf("found %+v, %v", res, err)
	}
}

// The loss of an epoch is the mean of its own steps, and OnEpoch may leave the average in the model.
func TestEpochsAreApart(t *testing.T) {
	c, w := scored(1, 1, 1)
	c.Validate = nil
	c.EMA = NewEMA(c.Optimizer.Parameters(), nil, EMAOptions{Decay: new(0.5)})
	c.OnEpoch = func(context.Context, Epoch) error { c.EMA.Swap(); return nil }
	res, err := Run(context.Background(), c)
	if want := []float64{-0.25, -1.25, -2.25}; err != nil || !slices.Equal(res.Losses, want) {
		t.Errorf("expected the losses %v, found %v, %v", want, res.Losses, err)
	}
	if w.Values()[0] != -3 || c.EMA.Swapped() {
		t.Errorf("the weight is %v, swapped %v", w.Values()[0], c.EMA.Swapped())
	}
}
