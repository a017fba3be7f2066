package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// A finished run is made longer, gentler or tighter, when the caller accepts the change by name.
func TestAccept(t *testing.T) {
	longer := func(c *Config) {
		c.Epochs = 3
		c.Schedule = Curve{Peak: 0.5, Length: 3}.Linear()
	}
	for _, c := range []struct {
		name        string
		accept      []string
		change      func(*Config)
		differences []string // names; nil when the run continues
		steps       int
	}{
		{"longer", []string{"epochs", "schedule"}, longer, nil, 6},
		{"longer, same schedule", []string{"epochs"}, func(c *Config) { c.Epochs = 3 }, nil, 6},
		{"longer, not accepted", nil, longer, []string{"epochs", "schedule"}, 0},
		{"longer, schedule not accepted", []string{"epochs"}, longer, []string{"schedule"}, 0},
		{"a lower rate", []string{"schedule"}, func(c *Config) { c.Schedule = Curve{Peak: 0.25}.Constant() }, nil, 4},
		{"a lower rate, not accepted", nil, func(c *Config) { c.Schedule = Curve{Peak: 0.25}.Constant() }, []string{"schedule"}, 0},
		{"a tighter clip", []string{"clipping norm"}, func(c *Config) { c.ClipNorm = 0.5 }, nil, 4},
		{"a seed", []string{"seed"}, func(c *Config) { c.Seed = 9 }, nil, 4},
		{"other data", []string{"data: batch size"}, func(c *Config) { c.Data = described{"batch size": "4"} }, nil, 4},
		{"other data, not accepted", nil, func(c *Config) { c.Data = described{"batch size": "4", "length": "7"} }, []string{"data: batch size", "data: length"}, 0},
		{"another weight decay", []string{"settings"}, func(c *Config) {
			c.Optimizer = NewSGD([]Group{{Params: []Param{{"W", weight(c)}}, WeightDecay: 0.1}}, SGDOptions{})
		}, nil, 4},
		{"another weight decay, not accepted", nil, func(c *Config) {
			c.Optimizer = NewSGD([]Group{{Params: []Param{{"W", weight(c)}}, WeightDecay: 0.1}}, SGDOptions{})
		}, []string{"settings of W"}, 0},
		{"other optimizer settings", []string{"optimizer", "settings of W"}, func(c *Config) {
			c.Optimizer = NewSGD(Groups(c.Optimizer.Parameters(), GroupOptions{WeightDecay: 0.1}), SGDOptions{Nesterov: true, Momentum: 0.5})
		}, []string{"optimizer/momentum/W"}, 0},
	} {
		make := func() Config {
			cfg, _ := scored(1, 2)
			cfg.Validate = nil
			cfg.Data, cfg.Batches = described{"batch size": "2"}, 0
			return cfg
		}
		cfg := make()
		cfg.File = filepath.Join(t.TempDir(), "run.safetensors")
		if _, err := Run(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
		file := cfg.File
		cfg = make()
		cfg.File, cfg.Start, cfg.Accept = file, Resume, c.accept
		c.change(&cfg)
		res, err := Run(context.Background(), cfg)
		var e *ResumeError
		switch {
		case c.differences == nil && (err != nil || res.Steps != c.steps):
			t.Errorf("%s: found %+v, %v", c.name, res, err)
		case c.differences != nil && !errors.As(err, &e):
			t.Errorf("%s: expected a ResumeError, found %v", c.name, err)
		case c.differences != nil:
			var names []string
			for _, d := range e.Differences {
				names = append(names, d.Name)
			}
			if !slices.Equal(names, c.differences) {
				t.Errorf("%s: expected the differences %q, found %q", c.name, c.differences, names)
			}
		}
	}
}

// described is data of two batches that has only settings.
type described map[string]string

func (described) Batches() int                  { return 2 }
func (d described) Describe() map[string]string { return d }
func (described) Close()                        {}

// A run goes on in another arithmetic only when it is told to. Int8 trains nothing.
func TestMathSetting(t *testing.T) {
	for _, c := range []struct{ was, is simd.Math }{{simd.Strict, simd.BF16}, {simd.BF16, simd.Strict}, {simd.BF16, simd.Accurate}} {
		file := stoppedFileOf(t, c.was, 3)
		cfg, _ := line(3, file)
		cfg.Tape.Math = c.is
		_, err := resumed(cfg)
		var e *ResumeError
		if !errors.As(err, &e) || len(e.Differences) != 1 || e.Differences[0] != (Difference{"math", c.was.String(), c.is.String()}) {
			t.Errorf("%v after %v: expected a difference in math, found %v", c.is, c.was, err)
		}
		cfg.Accept = []string{"math"}
		if _, err := resumed(cfg); err != nil {
			t.Errorf("%v after %v, accepted: %v", c.is, c.was, err)
		}
		cfg.Accept = nil
		if _, err := resumed(cfg); err != nil {
			t.Errorf("%v goes on: %v", c.is, err)
		}
	}
	cfg, _ := line(3, "")
	cfg.Tape.Math = simd.Int8
	var e *autograd.UseError
	if _, err := Run(context.Background(), cfg); !errors.As(err, &e) || !strings.Contains(err.Error(), "train: config: Tape: autograd: tape: products in int8 have no gradients") {
		t.Errorf("int8: %v", err)
	}
}

// A run cannot end before the steps that were done, nor accept what no setting is called.
func TestAcceptHasLimits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.safetensors")
	cfg, _ := scored(1, 2, 3)
	cfg.File = file
	if _, err := Run(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		accept string
		change func(*Config)
		want   string
	}{
		{"epochs", func(c *Config) { c.Epochs = 2 }, "has done 6 steps, expected at most the 4 of this run"},
		{"epoch", func(*Config) {}, `found "epoch"`},
		{"batches in an epoch", func(*Config) {}, `"batches in an epoch" cannot change within a run`},
	} {
		cfg, _ := scored(1, 2, 3)
		cfg.File, cfg.Start, cfg.Accept = file, Resume, []string{c.accept}
		c.change(&cfg)
		if _, err := Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("accepting %q: expected %q, found %v", c.accept, c.want, err)
		}
	}
}

// Every step of the schedule is compared, also one that differs alone.
func TestScheduleIsComparedAtEveryStep(t *testing.T) {
	for _, at := range []int{0, 1, 57, 100, 998, 999} {
		file := stoppedFile(t, 3)
		c, _ := line(3, file)
		was := c.Schedule
		c.Schedule = Func(func(x float64) float64 {
			if int(x*1000+0.5) == at {
				return was.Rate(x) + 1e-6
			}
			return was.Rate(x)
		})
		_, err := resumed(c)
		var e *ResumeError
		if !errors.As(err, &e) || len(e.Differences) != 1 || e.Differences[0].Name != "schedule" {
			t.Errorf("step %d: expected a difference in the schedule, found %v", at, err)
		}
	}
}

// A frozen parameter is not in the file, but its values are compared.
func TestFrozenParametersAreCompared(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.safetensors")
	make := func(base float32) Config {
		cfg, w := scored(1, 2)
		frozen := autograd.ParameterOf([]float32{base, 2}, 2)
		frozen.Frozen = true
		cfg.Model = &struct{ Base, W *autograd.Parameter }{frozen, w}
		cfg.File, cfg.Start = file, ResumeIfPresent
		return cfg
	}
	if _, err := Run(context.Background(), make(1)); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(file); strings.Contains(string(data), "parameters/Base") {
		t.Error("the file holds a frozen parameter")
	}
	if _, err := Run(context.Background(), make(1)); err != nil {
		t.Errorf("the same base: %v", err)
	}
	if _, err := Run(context.Background(), make(3)); err == nil || !strings.Contains(err.Error(), "frozen parameters: 2 values, ") {
		t.Errorf("another base: found %v", err)
	}
}

// A run that was measured cannot go on unmeasured, nor the other way around: the best epoch would be of a part.
func TestValidateOfTheWholeRun(t *testing.T) {
	for _, measured := range []bool{false, true} {
		make := func(measured bool) Config {
			c, _ := scored(1, 2)
			if !measured {
				c.Validate = nil
			}
			return c
		}
		file := filepath.Join(t.TempDir(), "run.safetensors")
		c := make(measured)
		c.File = file
		c.OnStep = func(r Record) error {
			if r.Step == 3 {
				return ErrStop
			}
			return nil
		}
		if _, err := Run(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		c = make(!measured)
		c.File, c.Start = file, Resume
		if res, err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), "Validate") || res.Steps > 0 {
			t.Errorf("measured %v at first: %+v, %v", measured, res, err)
		}
	}
}

// A shorter run compares the rates of the steps it has, and an error names the first rate that differs.
func TestShorterRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.safetensors")
	make := func(epochs int, rate Schedule) Config {
		c, _ := line(2, file)
		c.Epochs, c.Batches, c.Schedule = epochs, 20, rate
		return c
	}
	c := make(7, Func(func(x float64) float64 { return 1 / (1 + x) }))
	c.OnStep = func(r Record) error {
		if r.Step == 3 {
			return ErrStop
		}
		return nil
	}
	if _, err := Run(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	c = make(2, Func(func(x float64) float64 { return max(1/(1+x), 0.6) }))
	c.Start, c.Accept = Resume, []string{"epochs"}
	_, err := Run(context.Background(), c)
	var e *ResumeError
	if !errors.As(err, &e) || len(e.Differences) != 1 || e.Differences[0].Name != "schedule" || !strings.HasPrefix(e.Differences[0].File, "other learning rates from one of the steps 13 to") {
		t.Errorf("another schedule: %v", err)
	}
	c = make(2, Func(func(x float64) float64 { return 2 / (1 + x) }))
	c.Start, c.Accept = Resume, []string{"epochs"}
	if _, err := Run(context.Background(), c); !errors.As(err, &e) || e.Differences[0] != (Difference{"schedule", "learning rate 1 at step 0", "2"}) {
		t.Errorf("twice the rate: %v", err)
	}
	c = make(2, Func(func(x float64) float64 {
		if x >= 2 {
			return 0 // in steps that only the longer run has
		}
		return 1 / (1 + x)
	}))
	c.Start, c.Accept = Resume, []string{"epochs"}
	if res, err := Run(context.Background(), c); err != nil || res.Steps != 40 {
		t.Errorf("the same schedule: %+v, %v", res, err)
	}
}
