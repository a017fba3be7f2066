package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/internal/test/goroutines"
	"github.com/fovea-ml/fovea/simd"
)

// squares is a loader of the numbers 0, 1, … in batches.
func squares(n, batch int) *data.Loader[[]float32] {
	return &data.Loader[[]float32]{
		Len: n, BatchSize: batch, Shuffle: true, Seed: 3,
		Reset:   func(b *[]float32, n int) { *b = slices.Grow((*b)[:0], n)[:n] },
		Prepare: func(b *[]float32, slot, item int, r *data.Rand) error { (*b)[slot] = float32(item); return nil },
	}
}

// A run takes its batches from a loader, in the loader's order, also after a resume in the middle of an epoch.
func TestFeed(t *testing.T) {
	before := runtime.NumGoroutine()
	loader := squares(10, 4)
	var want []string
	for epoch := range 2 {
		for b, err := range loader.Epoch(context.Background(), epoch) {
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprint(b.Value))
		}
	}
	for stop := 1; stop <= 6; stop++ {
		file := filepath.Join(t.TempDir(), "run.safetensors")
		var got []string
		run := func(after int) (Result, error) {
			w := autograd.NewParameter(1)
			feed := NewFeed(squares(10, 4))
			return Run(context.Background(), Config{
				Model:     &struct{ W *autograd.Parameter }{w},
				Optimizer: NewSGD([]Group{{Params: []Param{{"W", w}}}}, SGDOptions{}), Schedule: Curve{Peak: 0.1}.Constant(),
				Epochs: 2, Data: feed, File: file, Start: ResumeIfPresent,
				Loss: func(ctx context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
					got1, err := feed.Next(ctx, b)
					if err != nil {
						return nil, err
					}
					got = append(got, fmt.Sprint(got1.Value))
					return autograd.Mean(autograd.Mul(t.Input(got1.Value, got1.Len()), t.Use(w)), false), nil
				},
				OnStep: func(r Record) error {
					if r.Samples != []int{4, 4, 2}[(r.Step-1)%3] {
						return fmt.Errorf("step %d has %d samples", r.Step, r.Samples)
					}
					if r.Step == after {
						return ErrStop
					}
					return nil
				},
			})
		}
		if res, err := run(stop); err != nil || res.Steps != stop {
			t.Fatalf("stop after %d: %+v, %v", stop, res, err)
		}
		if res, err := run(0); err != nil || res.Steps != 6 {
			t.Fatalf("stop after %d, resumed: %+v, %v", stop, res, err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("stop after %d: expected the batches %q, found %q", stop, want, got)
		}
	}
	goroutines.Expect(t, before)
}

// broken is a loader with an error in its second batch, or one that ends early.
type broken struct{ err error }

func (broken) Batches() int                { return 3 }
func (broken) Describe() map[string]string { return nil }
func (l broken) EpochFrom(context.Context, int, int) iter.Seq2[*data.Batch[[]float32], error] {
	return func(yield func(*data.Batch[[]float32], error) bool) {
		if yield(&data.Batch[[]float32]{Items: []int{0}}, nil) && l.err != nil {
			yield(nil, l.err)
		}
	}
}

func TestFeedReportsErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{{errors.New("a broken image"), "a broken image"}, {nil, "epoch 0 has no batch 1: it has fewer batches than expected"}} {
		feed := NewFeed(broken{c.err})
		w := autograd.NewParameter(1)
		res, err := Run(context.Background(), Config{
			Optimizer: NewSGD([]Group{{Params: []Param{{"W", w}}}}, SGDOptions{}), Schedule: Curve{Peak: 0.1}.Constant(), Epochs: 1, Data: feed,
			Loss: func(ctx context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
				if _, err := feed.Next(ctx, b); err != nil {
					return nil, err
				}
				return autograd.Sum(t.Use(w), false), nil
			},
		})
		if err == nil || !strings.Contains(err.Error(), c.want) || res.Steps != 1 {
			t.Errorf("expected %q after one step, found %+v, %v", c.want, res, err)
		}
	}
}

// Gradients, losses and means of epochs weigh batches by their samples: batches of 4, 4 and 2, two or three a step, are
// one batch of as many samples. So transformers' Trainer does it (num_items_in_batch).
func TestUnevenBatchesAreWeighted(t *testing.T) {
	type outcome struct {
		weights, losses []float64
	}
	final := func(batch, accumulate int, apart bool) (o outcome) {
		w := autograd.ParameterOf([]float32{1}, 1)
		feed := NewFeed(squares(10, batch))
		c := Config{
			Optimizer: NewSGD([]Group{{Params: []Param{{"W", w}}}}, SGDOptions{}), Schedule: Curve{Peak: 0.01}.Constant(),
			Epochs: 3, Data: feed, Accumulate: accumulate,
			OnStep: func(Record) error { o.weights = append(o.weights, float64(w.Values()[0])); return nil },
		}
		loss := func(ctx context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
			x, err := feed.Next(ctx, b)
			if err != nil {
				return nil, err
			}
			return autograd.Mean(autograd.Square(autograd.Mul(t.Input(x.Value, x.Len()), t.Use(w))), false), nil
		}
		if apart {
			c.Gradients = func(ctx context.Context, t *autograd.Tape, b *Batch, g *autograd.Gradients) (float64, error) {
				x, err := loss(ctx, t, b)
				if err != nil {
					return 0, err
				}
				x.Backward(g)
				return float64(x.Float()), nil
			}
		} else {
			c.Loss = loss
		}
		res, err := Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		o.losses = res.Losses
		return o
	}
	whole := final(10, 1, false)
	for _, apart := range []bool{false, true} {
		got := final(4, 3, apart)
		for i, w := range whole.weights {
			if math.Abs(got.weights[i]-w) > 1e-6 {
				t.Errorf("three batches, apart %v: weight %v after step %d, in one batch %v", apart, got.weights[i], i+1, w)
			}
		}
		for i, l := range whole.losses {
			if math.Abs(got.losses[i]-l) > 1e-5*l {
				t.Errorf("three batches, apart %v: loss %v in epoch %d, in one batch %v", apart, got.losses[i], i, l)
			}
		}
		// Two batches a step leave one for the second step of an epoch.
		if got := final(4, 2, apart); len(got.weights) != 6 {
			t.Errorf("two of three batches a step, apart %v: expected 6 steps, found %d", apart, len(got.weights))
		}
	}
	eight, two := final(8, 1, false), final(4, 2, false)
	for i, w := range eight.weights {
		if math.Abs(two.weights[i]-w) > 1e-6 {
			t.Errorf("batches of 4, 4 and 2, two a step: weight %v after step %d, with batches of 8 and 2 %v", two.weights[i], i+1, w)
		}
	}
}

// Evaluate takes every batch once, without gradients or dropout.
func TestEvaluate(t *testing.T) {
	sum := float32(0)
	err := Evaluate(context.Background(), squares(10, 4), autograd.Options{Gradients: true, Training: true, Workers: simd.NewWorkers(1)},
		func(t *autograd.Tape, b *data.Batch[[]float32]) error {
			if t.Training() || t.Recording() {
				return errors.New("the tape behaves as in training")
			}
			sum += autograd.Sum(autograd.Dropout(t.Input(b.Value, b.Len()), 0.5), false).Float()
			return nil
		})
	if err != nil || sum != 45 {
		t.Errorf("expected the sum 45, found %v, %v", sum, err)
	}
	stop := errors.New("stop")
	if err := Evaluate(context.Background(), squares(10, 4), autograd.Options{}, func(*autograd.Tape, *data.Batch[[]float32]) error { return stop }); err != stop {
		t.Errorf("expected the error of pass, found %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Evaluate(ctx, squares(10, 4), autograd.Options{}, func(*autograd.Tape, *data.Batch[[]float32]) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("expected the context's error, found %v", err)
	}
}

// A step can be as long as an epoch, whatever its length: with the largest number, every batch is in it.
func TestAccumulateAll(t *testing.T) {
	c, w := scored(1, 2, 3)
	c.Accumulate, c.Validate = math.MaxInt, nil
	if res, err := Run(context.Background(), c); err != nil || res.Steps != 3 || w.Values()[0] != -1.5 {
		t.Errorf("found %+v with the weight %v, %v", res, w.Values()[0], err)
	}
}

// A batch whose samples are all skipped is an error where it would come, whether the run is resumed or not. Otherwise
// the batches behind it would have other numbers.
func TestSkippedBatch(t *testing.T) {
	for _, c := range []struct {
		broken, steps int
		want          string
	}{{1, 1, "expected batch 1, found batch 2"}, {3, 3, "no batch 3"}} {
		for stop := range c.steps + 1 {
			file := filepath.Join(t.TempDir(), "run.safetensors")
			run := func(after int) (Result, error) {
				w := autograd.NewParameter(1)
				loader := squares(12, 3)
				loader.Shuffle, loader.OnError = false, data.SkipErrors
				loader.Prepare = func(_ *[]float32, _, item int, _ *data.Rand) error {
					if item/3 == c.broken {
						return errors.New("broken")
					}
					return nil
				}
				feed := NewFeed(loader)
				return Run(context.Background(), Config{
					Model:     &struct{ W *autograd.Parameter }{w},
					Optimizer: NewSGD([]Group{{Params: []Param{{"W", w}}}}, SGDOptions{}), Schedule: Curve{Peak: 0.1}.Constant(),
					Epochs: 1, Data: feed, File: file, Start: ResumeIfPresent,
					Loss: func(ctx context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
						if _, err := feed.Next(ctx, b); err != nil {
							return nil, err
						}
						return autograd.Sum(t.Use(w), false), nil
					},
					OnStep: func(r Record) error {
						if r.Step == after {
							return ErrStop
						}
						return nil
					},
				})
			}
			if stop > 0 {
				if _, err := run(stop); err != nil {
					t.Fatal(err)
				}
			}
			res, err := run(-1)
			if all := errors.Is(err, data.ErrAllSkipped); err == nil || res.Steps != c.steps || !all && !strings.Contains(err.Error(), c.want) {
				t.Errorf("batch %d skipped, stopped after %d steps: %+v, %v", c.broken, stop, res, err)
			}
		}
	}
}

// The loss of an epoch is the mean over its samples, whatever the sizes of its steps.
func TestEpochLossIsWeighted(t *testing.T) {
	w := autograd.ParameterOf([]float32{1}, 1)
	feed := NewFeed(squares(10, 4))
	sum := 0.0
	res, err := Run(context.Background(), Config{
		Optimizer: NewSGD([]Group{{Params: []Param{{"W", w}}}}, SGDOptions{}), Schedule: Curve{Peak: 1e-9}.Constant(),
		Epochs: 1, Data: feed,
		Loss: func(ctx context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
			x, err := feed.Next(ctx, b)
			if err != nil {
				return nil, err
			}
			return autograd.Mean(autograd.Mul(t.Input(x.Value, x.Len()), t.Use(w)), false), nil
		},
		OnStep: func(r Record) error { sum += r.Loss * float64(r.Samples); return nil },
	})
	if err != nil || math.Abs(res.Losses[0]-4.5) > 1e-6 || math.Abs(sum-45) > 1e-5 {
		t.Errorf("expected the mean of 0 to 9, found %v with steps of %v, %v", res.Losses, sum, err)
	}
}

// A Feed answers by number, whatever was asked before: another epoch, or a batch that failed.
func TestFeedAnswersByNumber(t *testing.T) {
	fail := true
	loader := squares(10, 4)
	prepare := loader.Prepare
	loader.Prepare = func(b *[]float32, slot, item int, r *data.Rand) error {
		if fail {
			return errors.New("the disk is away")
		}
		return prepare(b, slot, item, r)
	}
	feed := NewFeed(loader)
	defer feed.Close()
	ctx := t.Context()
	if _, err := feed.Next(ctx, &Batch{}); err == nil {
		t.Error("a batch that failed is no error")
	}
	fail = false
	for _, at := range [][2]int{{0, 0}, {0, 1}, {3, 2}, {0, 0}, {1, 1}, {1, 1}} {
		got, err := feed.Next(ctx, &Batch{Epoch: at[0], Index: at[1]})
		if err != nil {
			t.Fatalf("epoch %d, batch %d: %v", at[0], at[1], err)
		}
		for want := range loader.EpochFrom(ctx, at[0], at[1]) {
			if !slices.Equal(got.Value, want.Value) {
				t.Errorf("epoch %d, batch %d: expected %v, found %v", at[0], at[1], want.Value, got.Value)
			}
			break
		}
	}
}
