package train

import (
	"context"
	"encoding/json"
	"errors"
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
