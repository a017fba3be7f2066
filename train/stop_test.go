package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
)

// ErrStop from any callback ends a run without an error, and a resumed run goes on from there.
func TestErrStop(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		steps  int
	}{
		{"OnStep", func(c *Config) {
			c.OnStep = func(r Record) error {
				if r.Step == 3 {
					return ErrStop
				}
				return nil
			}
		}, 3},
		{"OnEpoch", func(c *Config) {
			c.OnEpoch = func(_ context.Context, e Epoch) error {
				if e.Number == 1 {
					return ErrStop
				}
				return nil
			}
		}, 4},
		{"Validate", func(c *Config) {
			was := c.Validate
			c.Validate = func(ctx context.Context, epoch int) (float64, error) {
				if epoch == 1 {
					return 0, ErrStop
				}
				return was(ctx, epoch)
			}
		}, 4},
		{"Loss", func(c *Config) {
			was := c.Loss
			c.Loss = func(ctx context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
				if b.Step == 3 {
					return nil, ErrStop
				}
				return was(ctx, t, b)
			}
		}, 3},
		{"OnSave", func(c *Config) { c.OnSave = func(string) error { return ErrStop } }, 2},
		{"OnNonFinite", func(c *Config) {
			was := c.Loss
			c.Loss = func(ctx context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
				x, err := was(ctx, t, b)
				if b.Step == 3 {
					x = autograd.Scale(x, float32(math.NaN()))
				}
				return x, err
			}
			c.OnNonFinite = func(Record) error { return ErrStop }
		}, 3},
	} {
		file := filepath.Join(t.TempDir(), "run.safetensors")
		cfg, w := scored(1, 2, 3, 4)
		cfg.File = file
		c.change(&cfg)
		res, err := Run(context.Background(), cfg)
		if err != nil || !res.Stopped || res.Steps != c.steps || w.Values()[0] != -float32(c.steps)/2 {
			t.Errorf("%s: expected to stop after %d steps, found %+v, weight %v, %v", c.name, c.steps, res, w.Values()[0], err)
		}
		cfg, w = scored(1, 2, 3, 4)
		cfg.File, cfg.Start = file, Resume
		if res, err = Run(context.Background(), cfg); err != nil || res.Stopped || res.Steps != 8 || len(res.Scores) != 4 || w.Values()[0] != -4 {
			t.Errorf("%s, resumed: %+v, weight %v, %v", c.name, res, w.Values()[0], err)
		}
	}
}

// What a failed callback did to Extra is not saved: the resumed run calls it again.
func TestExtraIsSavedAsItWasBeforeAFailure(t *testing.T) {
	fail := errors.New("disk full")
	for _, at := range []string{"OnStep", "OnEpoch", "Validate", "Loss"} {
		file := filepath.Join(t.TempDir(), "run.safetensors")
		cfg, _ := scored(1, 2, 3)
		cfg.File = file
		var seen []string
		cfg.Extra = &seen
		failing := func(where string, now bool) error {
			seen = append(seen, where)
			if now && where == at {
				return fail
			}
			return nil
		}
		loss, validate := cfg.Loss, cfg.Validate
		cfg.Loss = func(ctx context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
			if err := failing("Loss", b.Step == 1); err != nil {
				return nil, err
			}
			return loss(ctx, t, b)
		}
		cfg.Validate = func(ctx context.Context, epoch int) (float64, error) {
			if err := failing("Validate", true); err != nil {
				return 0, err
			}
			return validate(ctx, epoch)
		}
		cfg.OnStep = func(r Record) error { return failing("OnStep", r.Step == 2) }
		cfg.OnEpoch = func(context.Context, Epoch) error { return failing("OnEpoch", true) }
		if _, err := Run(context.Background(), cfg); !errors.Is(err, fail) {
			t.Fatalf("%s: %v", at, err)
		}
		want := map[string]string{
			"Loss":     "Loss OnStep",
			"OnStep":   "Loss OnStep Loss",
			"Validate": "Loss OnStep Loss OnStep",
			"OnEpoch":  "Loss OnStep Loss OnStep",
		}[at]
		if got := strings.Join(savedExtra(t, file), " "); got != want {
			t.Errorf("%s: expected %q in the file, found %q", at, want, got)
		}
	}
}

// What a stopping callback did to Extra is saved unless a resumed run repeats the step or epoch. So each step and epoch
// is noted once.
func TestExtraAfterErrStop(t *testing.T) {
	for _, at := range []string{"OnStep", "OnEpoch", "Validate", "Loss"} {
		var seen []string
		make := func(file string, stopping bool) Config {
			cfg, _ := scored(1, 2)
			cfg.File, cfg.Start, cfg.Extra = file, ResumeIfPresent, &seen
			note := func(where string, number, last int) error {
				seen = append(seen, fmt.Sprint(where, number))
				if stopping && where == at && number == last {
					return ErrStop
				}
				return nil
			}
			loss := cfg.Loss
			cfg.Loss = func(ctx context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
				if err := note("Loss", b.Step, 1); err != nil {
					return nil, err
				}
				return loss(ctx, t, b)
			}
			cfg.Validate = func(_ context.Context, epoch int) (float64, error) { return 1, note("Validate", epoch, 0) }
			cfg.OnStep = func(r Record) error { return note("OnStep", r.Step, 2) }
			cfg.OnEpoch = func(_ context.Context, e Epoch) error { return note("OnEpoch", e.Number, 0) }
			return cfg
		}
		file := filepath.Join(t.TempDir(), "run.safetensors")
		for _, stopping := range []bool{true, false} {
			seen = nil
			if _, err := Run(context.Background(), make(file, stopping)); err != nil {
				t.Fatalf("%s: %v", at, err)
			}
		}
		const want = "Loss0 OnStep1 Loss1 OnStep2 Validate0 OnEpoch0 Loss2 OnStep3 Loss3 OnStep4 Validate1 OnEpoch1"
		if got := strings.Join(seen, " "); got != want {
			t.Errorf("stopped in %s:\nexpected %s\nfound    %s", at, want, got)
		}
	}
}

// A callback that returns the error of its context does not hide why the context ended.
func TestErrorHasTheCauseOfTheContext(t *testing.T) {
	cause := errors.New("power failure")
	for name, change := range map[string]func(*Config, func()){
		"Loss": func(c *Config, cancel func()) {
			c.Loss = func(ctx context.Context, _ *autograd.Tape, _ *Batch) (*autograd.Tensor, error) {
				cancel()
				return nil, ctx.Err()
			}
		},
		"Validate": func(c *Config, cancel func()) {
			c.Validate = func(ctx context.Context, _ int) (float64, error) { cancel(); return 0, ctx.Err() }
		},
		"OnEpoch": func(c *Config, cancel func()) {
			c.OnEpoch = func(ctx context.Context, _ Epoch) error { cancel(); return ctx.Err() }
		},
	} {
		ctx, cancel := context.WithCancelCause(context.Background())
		cfg, _ := scored(1, 2)
		change(&cfg, func() { cancel(cause) })
		if _, err := Run(ctx, cfg); !errors.Is(err, cause) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: expected the cause, found %v", name, err)
		}
		cancel(nil)
	}
}

// A run that is stopped in its last epoch has not ended, also after its last step.
func TestStoppedInTheLastEpoch(t *testing.T) {
	for _, last := range []bool{false, true} {
		cfg, _ := scored(1, 2)
		cfg.OnStep = func(r Record) error {
			if last && r.Step == r.Steps {
				return ErrStop
			}
			return nil
		}
		res, err := Run(context.Background(), cfg)
		if err != nil || res.Stopped != last || res.Steps != 4 {
			t.Errorf("stopped after the last step %v: %+v, %v", last, res, err)
		}
	}
}

// A place where nothing can be saved is an error before the first step.
func TestFileCannotBeWritten(t *testing.T) {
	for _, file := range []string{filepath.Join(t.TempDir(), "none", "run.safetensors"), t.TempDir()} {
		for _, start := range []Start{NewRun, Replace, Resume, ResumeIfPresent} {
			cfg, _ := scored(1)
			cfg.File, cfg.Start = file, start
			if res, err := Run(context.Background(), cfg); err == nil || res.Steps > 0 || !strings.Contains(err.Error(), file) {
				t.Errorf("%s, %v: %+v, %v", file, start, res, err)
			}
		}
	}
}

func savedExtra(t *testing.T, file string) (extra []string) {
	t.Helper()
	f, err := checkpoint.Open(file, checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head, _ := f.Metadata(headerKey)
	var h header
	if err := json.Unmarshal([]byte(head), &h); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(h.Extra, &extra); err != nil {
		t.Fatal(err)
	}
	return extra
}

// The context that Loss gets ends with the run, whatever ends it.
func TestContextOfLossEndsWithTheRun(t *testing.T) {
	for _, failure := range []error{nil, errors.New("failure")} {
		cfg, _ := scored(1)
		var seen context.Context
		loss := cfg.Loss
		cfg.Loss = func(ctx context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
			seen = ctx
			return loss(ctx, t, b)
		}
		cfg.OnStep = func(Record) error {
			if seen.Err() != nil {
				t.Error("the context ended before the run")
			}
			return failure
		}
		if _, err := Run(context.Background(), cfg); !errors.Is(err, failure) {
			t.Fatal(err)
		}
		if seen.Err() == nil {
			t.Error("the context goes on after the run")
		}
	}
}

// Start decides what becomes of a file that exists.
func TestStart(t *testing.T) {
	for _, c := range []struct {
		start  Start
		exists bool
		want   error
		first  int // the first step that is done
	}{
		{NewRun, false, nil, 1},
		{NewRun, true, fs.ErrExist, 0},
		{Replace, false, nil, 1},
		{Replace, true, nil, 1},
		{Resume, false, fs.ErrNotExist, 0},
		{Resume, true, nil, 4},
		{ResumeIfPresent, false, nil, 1},
		{ResumeIfPresent, true, nil, 4},
	} {
		file := filepath.Join(t.TempDir(), "run.safetensors")
		if c.exists {
			cfg, _ := scored(1, 2)
			cfg.File = file
			cfg.OnStep = func(r Record) error {
				if r.Step == 3 {
					return ErrStop
				}
				return nil
			}
			if _, err := Run(context.Background(), cfg); err != nil {
				t.Fatal(err)
			}
		}
		before, _ := os.ReadFile(file)
		cfg, _ := scored(1, 2)
		cfg.File, cfg.Start = file, c.start
		first := 0
		cfg.OnStep = func(r Record) error {
			if first == 0 {
				first = r.Step
			}
			return nil
		}
		_, err := Run(context.Background(), cfg)
		if !errors.Is(err, c.want) || first != c.first {
			t.Errorf("%v, file exists %v: expected %v and the first step %d, found %v, %d", c.start, c.exists, c.want, c.first, err, first)
		}
		if after, _ := os.ReadFile(file); err != nil && string(before) != string(after) {
			t.Errorf("%v, file exists %v: a refused file was changed", c.start, c.exists)
		}
	}
}

// A history of epochs and records is a value for Extra, also without scores.
func TestHistoryInExtra(t *testing.T) {
	type history struct {
		Epochs  []Epoch
		Records []Record
	}
	file := filepath.Join(t.TempDir(), "run.safetensors")
	var h history
	make := func() Config {
		h = history{}
		c, _ := scored(1, 2, 3)
		c.Validate, c.File, c.Start, c.Extra = nil, file, ResumeIfPresent, &h
		c.OnStep = func(r Record) error { h.Records = append(h.Records, r); return nil }
		c.OnEpoch = func(_ context.Context, e Epoch) error { h.Epochs = append(h.Epochs, e); return nil }
		return c
	}
	c := make()
	epoch := c.OnEpoch
	c.OnEpoch = func(ctx context.Context, e Epoch) error {
		epoch(ctx, e)
		if e.Number == 1 {
			return ErrStop
		}
		return nil
	}
	for _, c := range []Config{c, make()} {
		if _, err := Run(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	for i, e := range h.Epochs {
		if e.Number != i || e.Loss != float64(-i)-0.25 || !math.IsNaN(e.Score) {
			t.Errorf("epoch %d: %+v", i, e)
		}
	}
	for i, r := range h.Records {
		if r.Step != i+1 || r.Epoch != float64(i+1)/2 || r.Loss != -float64(i)/2 || r.LR != 0.5 || r.GradNorm != 1 {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	if len(h.Epochs) != 3 || len(h.Records) != 6 {
		t.Errorf("found %d epochs and %d records", len(h.Epochs), len(h.Records))
	}
}
