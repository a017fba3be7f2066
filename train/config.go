package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// Config describes a run. Optimizer, Schedule, Epochs, one of Data and Batches, and one of Loss and Gradients are
// required.
type Config struct {
	// Model is the model: a struct of layers, as nn.Parameters walks it. File and KeepBest need it. They hold its
	// parameters, apart from frozen ones, and its buffers.
	Model any

	// Optimizer changes the parameters; Schedule gives its learning rate.
	Optimizer Optimizer
	Schedule  Schedule

	// Epochs is the length of the run. There may be up to 2³⁰ steps.
	Epochs int

	// Data is where Loss takes its batches from: usually a [Feed]. It says how many there are in an epoch. A resumed run
	// must have the same data. Run closes it at the end.
	Data Data

	// Batches is the number of batches in an epoch, for a run without Data.
	Batches int

	// Accumulate is the number of batches in a step, which uses the mean of their gradients; 0 means 1. The last step of
	// an epoch uses the batches that are left.
	Accumulate int

	// Loss builds the loss of a batch on a training tape that records gradients: a Tensor of one element, the mean over
	// the samples of the batch. ctx ends when Run returns, so that goroutines that prepare data end too.
	Loss func(ctx context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error)

	// Gradients computes a loss and adds its gradients to g itself, for gradients that need several passes. A loss over
	// the embeddings of a batch larger than memory needs one pass: package contrast caches within Loss. Gradients may reset the tape and make others. It calls [autograd.Tape.Commit] for the
	// passes that update running statistics. ctx is that of Loss.
	Gradients func(ctx context.Context, t *autograd.Tape, b *Batch, g *autograd.Gradients) (loss float64, err error)

	// ClipNorm, if positive, limits the norm of the mean gradient ([ClipScale]).
	ClipNorm float64

	// EMA, if not nil, is updated after every step. After Run the model holds its own last weights, or, with KeepBest, the
	// best average; [EMA.Swap] then gives the last average.
	EMA *EMA

	// Seed is the seed of the tape and, through [Batch], of data that a program makes itself. The batches of a Feed follow
	// the Seed of its loader.
	Seed uint64

	// Tape holds options of the tape, such as Recompute, Math and Workers; the optimizer uses Workers too. The loop sets
	// Gradients, Training, Context, Seed and Step itself. With a Math of simd.BF16 the products of the forward and the
	// backward pass are in bfloat16; weights, gradients and the optimizer stay in float32.
	Tape autograd.Options

	// File, if not empty, is the resume file. It is written every SaveEvery steps, or at the end of each epoch when
	// SaveEvery is 0; when the run ends; and when it is stopped.
	File      string
	SaveEvery int

	// Start decides whether a File that exists is refused (the zero value), replaced or resumed.
	Start Start

	// Accept names settings that may differ between the resume file and this run, as [Difference] names them: for example
	// "epochs" and "schedule" for a longer run. "settings" stands for the learning-rate scale and weight decay of every
	// parameter. A [ResumeError] prints the names. Patience and the callbacks may always differ. Settings that change the
	// meaning of the position, such as "batches in an epoch", cannot be accepted.
	Accept []string

	// Keep, if positive, keeps the last Keep saves beside File, under its name with the step, as in
	// run.step-00001200.safetensors. With Validate, the save of the best epoch is kept too.
	Keep int

	// OnSave, if not nil, is called after each save with the name of the file. An error stops the run.
	OnSave func(file string) error

	// Identity, if not nil, holds further settings that a resumed run must share with the stopped one, such as the model's
	// configuration.
	Identity map[string]string

	// Extra, if not nil, points to a value of the caller that the resume file keeps as JSON, such as a history. Resuming
	// fills it. When a callback fails, or ends the run in a step or epoch that a resumed run repeats, the file holds the
	// value from before the call. OnStep is not repeated: its step is done.
	Extra any

	// Log, if not nil, gets each record as a line of JSON. Steps that are repeated after a crash are logged again: the last
	// line of a step counts.
	Log io.Writer

	// Validate, if not nil, measures the model after each epoch, counted from 0: with its score Run finds the best epoch.
	// If there is an EMA, the model holds the average meanwhile. A score of NaN is never the best.
	Validate func(ctx context.Context, epoch int) (score float64, err error)

	// LowerIsBetter says that a smaller score is better, as for a loss.
	LowerIsBetter bool

	// Patience, if positive, ends the run after this number of epochs in a row that were not better than the best before
	// them by more than MinGain.
	Patience int
	MinGain  float64

	// KeepBest leaves the weights of the best epoch in the model when the run has ended. With an EMA these are the
	// average. A run that is stopped by an error or by its context leaves the last weights; File holds both.
	KeepBest bool

	// OnStep, if not nil, is called after every step, and OnEpoch after each epoch. An error stops the run, [ErrStop]
	// without an error of Run. A resumed run calls Validate and OnEpoch again if it was stopped in one of them. OnEpoch may
	// leave the EMA swapped.
	OnStep  func(Record) error
	OnEpoch func(ctx context.Context, e Epoch) error

	// OnNonFinite, if not nil, is called when a loss or gradient is not finite. When it returns nil, the step is skipped: no
	// parameter changes. Otherwise, and without it, the run stops; parameters are unchanged and File is not written.
	OnNonFinite func(Record) error
}

// Start says how a run starts when there may be the File of an earlier run.
type Start int

// The ways to start.
const (
	NewRun          Start = iota // at step 0; a File that exists is an error that matches fs.ErrExist
	Replace                      // at step 0; a File that exists is replaced
	Resume                       // where the run in File stopped; a missing File is an error that matches fs.ErrNotExist
	ResumeIfPresent              // as Resume if File exists, otherwise as NewRun
)

// ErrStop, from a callback, ends a run before its time. Run then saves and returns no error.
var ErrStop = errors.New("train: stop")

// A Batch identifies the batch that the loop asks for. Data that depends on nothing else makes resumed runs the same as
// others.
type Batch struct {
	Seed  uint64 // of the run
	Step  int    // optimizer step, from 0
	Epoch int    // from 0
	Index int    // within the epoch, from 0
	Key   uint64 // within the run, from 0; it is the tape's Step

	// Samples is the number of samples in the batch, which Loss or Gradients sets, for example by [Feed.Next]. Means over
	// batches are weighted by it. Batches of 0, which is the initial value, count as one sample.
	Samples int
}

// Epoch describes an epoch that has ended, for [Config.OnEpoch].
type Epoch struct {
	Number int     // from 0
	Loss   float64 // mean over the samples
	Score  float64 // of Validate; NaN without it
	Best   bool    // the score is the best so far
}

// Result is the result of a run besides the trained model.
type Result struct {
	Steps   int       // done, those before resuming included
	Losses  []float64 // mean loss of each epoch that ended
	Scores  []float64 // of Validate, for each epoch that ended
	Best    int       // the epoch with the best score, from 0, or -1
	Stopped bool      // ended before Config.Epochs, by ErrStop or Patience
}

// maxSteps bounds the time to look at the schedule's rate of every step, to some ten seconds.
const maxSteps = 1 << 30

// check reports all mistakes in a Config, which has its defaults.
func (c *Config) check() error {
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("train: config: "+format, args...))
		}
	}
	want(c.Optimizer != nil, "expected an Optimizer")
	want(c.Schedule != nil, "expected a Schedule")
	want((c.Loss == nil) != (c.Gradients == nil), "expected one of Loss and Gradients")
	want(c.Epochs > 0, "expected at least one epoch, found %d", c.Epochs)
	if c.Data != nil {
		want(c.Data.Batches() > 0, "expected at least one batch in Data, found %d", c.Data.Batches())
		want(c.Batches == c.Data.Batches(), "Batches is for a run without Data, found both")
	} else {
		want(c.Batches > 0, "expected Data, or at least one batch in an epoch, found %d Batches", c.Batches)
	}
	if c.Epochs > 0 && c.Batches > 0 && c.Accumulate > 0 {
		fits := c.Batches <= math.MaxInt/c.Epochs && c.stepsPerEpoch() <= maxSteps/c.Epochs
		want(fits, "%d epochs of %d batches are too many, expected at most %d steps", c.Epochs, c.Batches, maxSteps)
	}
	want(c.Accumulate > 0, "Accumulate: expected 0 or more, found %d", c.Accumulate)
	want(c.SaveEvery >= 0, "SaveEvery: expected 0 or more, found %d", c.SaveEvery)
	want(c.Keep >= 0, "Keep: expected 0 or more, found %d", c.Keep)
	want(c.Patience >= 0, "Patience: expected 0 or more, found %d", c.Patience)
	want(finite(c.ClipNorm) && c.ClipNorm >= 0, "ClipNorm: expected 0 or more, found %v", c.ClipNorm)
	want(finite(c.MinGain) && c.MinGain >= 0, "MinGain: expected 0 or more, found %v", c.MinGain)
	want(c.Start >= NewRun && c.Start <= ResumeIfPresent, "Start: unknown value %d", c.Start)
	o := c.Tape
	o.Gradients = true
	if err := o.Check(); err != nil {
		errs = append(errs, fmt.Errorf("train: config: Tape: %w", err))
	}
	if c.File == "" {
		want(c.Start == NewRun || c.Start == Replace, "resuming needs a File")
		want(c.Keep == 0, "Keep needs a File")
		want(c.OnSave == nil, "OnSave needs a File")
	} else {
		want(c.Model != nil, "File needs a Model, whose parameters and buffers it holds")
	}
	if c.Validate == nil {
		want(!c.KeepBest, "KeepBest needs Validate")
		want(c.Patience == 0, "Patience needs Validate")
	}
	want(!c.KeepBest || c.Model != nil, "KeepBest needs a Model")
	if c.Extra != nil {
		v := reflect.ValueOf(c.Extra)
		want(v.Kind() == reflect.Pointer && !v.IsNil(), "Extra: expected a pointer, found %T", c.Extra)
	}
	if c.EMA != nil {
		if err := c.EMA.Err(); err != nil {
			errs = append(errs, err)
		}
		want(!c.EMA.Swapped(), "EMA: the model holds the average; swap back first")
	}
	if c.Optimizer != nil {
		if err := c.Optimizer.Err(); err != nil {
			errs = append(errs, err)
		}
		want(c.Optimizer.Err() != nil || c.trains(), "nothing to train: the optimizer has no parameter that is not frozen")
		if c.Model != nil {
			for path := range missing(c) {
				want(false, "parameter %q of the optimizer is not in Model", path)
			}
		}
	}
	if len(errs) == 0 {
		errs = append(errs, c.checkSchedule())
	}
	return errors.Join(errs...)
}

// trains reports whether the optimizer has anything to change.
func (c *Config) trains() bool {
	for _, p := range c.Optimizer.Parameters() {
		if !p.Frozen {
			return true
		}
	}
	return false
}

// missing returns the paths of the optimizer's parameters that the model does not have.
func missing(c *Config) map[string]bool {
	held := map[*autograd.Parameter]bool{}
	for _, p := range nn.Parameters(c.Model) {
		held[p] = true
	}
	paths := map[string]bool{}
	for path, p := range c.Optimizer.Parameters() {
		if !held[p] {
			paths[path] = true
		}
	}
	return paths
}

// checkSchedule asks the schedule for the learning rate of every step.
func (c *Config) checkSchedule() error {
	if s, ok := c.Schedule.(checked); ok {
		if err := s.check(float64(c.Epochs), c.stepsPerEpoch()); err != nil {
			return fmt.Errorf("train: config: Schedule: %w", err)
		}
	}
	zeros := 0
	for step := range c.steps() {
		lr := c.rate(step)
		if !finite(lr) || lr < 0 {
			return fmt.Errorf("train: config: Schedule: expected a learning rate of 0 or more, found %v at step %d", lr, step)
		}
		if lr == 0 {
			zeros++
		}
	}
	switch {
	case zeros == c.steps():
		return errors.New("train: config: Schedule: nothing to train: the learning rate is 0 at every step")
	case zeros > c.steps()/2 && zeros > 1: // such as a Curve in epochs within PerStep
		return fmt.Errorf("train: config: Schedule: the learning rate is 0 at %d of %d steps; the lengths within PerStep are steps", zeros, c.steps())
	}
	return nil
}

// withDefaults replaces zero values by the defaults they stand for.
func (c Config) withDefaults() Config {
	if c.Accumulate == 0 {
		c.Accumulate = 1
	}
	if c.Data != nil && c.Batches == 0 {
		c.Batches = c.Data.Batches()
	}
	return c
}

// stepsPerEpoch is the number of optimizer steps in an epoch.
func (c *Config) stepsPerEpoch() int { return (c.Batches-1)/c.Accumulate + 1 }

// steps is the length of the run.
func (c *Config) steps() int { return c.Epochs * c.stepsPerEpoch() }

// rate is the learning rate of a step, counted from 0.
func (c *Config) rate(step int) float64 {
	return c.Schedule.Rate(float64(step) / float64(c.stepsPerEpoch()))
}

// accepts reports whether a setting may differ from the resume file.
func (c *Config) accepts(name string) bool {
	return slices.Contains(c.Accept, name) || strings.HasPrefix(name, settingsOf) && slices.Contains(c.Accept, allSettings)
}
