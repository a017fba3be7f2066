package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"

	"github.com/fovea-ml/fovea/autograd"
)

// Config describes a run. Optimizer, Schedule, Epochs, StepsPerEpoch, and one of Loss and Gradients are required.
type Config struct {
	// Optimizer changes the parameters; Schedule gives its learning rate.
	Optimizer Optimizer
	Schedule  Schedule

	// Epochs is the length of the run, and StepsPerEpoch the number of optimizer steps in an epoch.
	Epochs        int
	StepsPerEpoch int

	// Accumulate is the number of batches in a step, which uses the mean of their gradients; 0 means 1.
	Accumulate int

	// Loss builds the loss of a batch, a Tensor of one element, on a training tape that records gradients.
	Loss func(ctx context.Context, t *autograd.Tape, b Batch) (*autograd.Tensor, error)

	// Gradients computes a loss and adds its gradients to g itself, for gradients that need several passes, such as
	// training with cached embeddings. It may reset the tape and make others. It calls [autograd.Tape.Commit] for the
	// passes that update running statistics.
	Gradients func(ctx context.Context, t *autograd.Tape, b Batch, g *autograd.Gradients) (loss float64, err error)

	// ClipNorm, if positive, limits the norm of the mean gradient ([ClipScale]).
	ClipNorm float64

	// EMA, if not nil, is updated after every step.
	EMA *EMA

	// Seed is the seed of all randomness in the run: of the tape and, through [Batch], of the data.
	Seed uint64

	// Tape holds options of the tape, such as Recompute and Workers; the optimizer uses Workers too. The loop sets
	// Gradients, Training, Context, Seed and Step itself.
	Tape autograd.Options

	// Params and Buffers, as (path, value), are the parameters and buffers in a resume file. Without Params these are the
	// optimizer's parameters, which is enough when all others are frozen and come from another file.
	Params  iter.Seq2[string, *autograd.Parameter]
	Buffers iter.Seq2[string, *autograd.Buffer]

	// File, if not empty, is the resume file. It is written every SaveEvery steps, or at the end of each epoch when
	// SaveEvery is 0; when the run ends; and when it is stopped.
	File      string
	SaveEvery int

	// Resume continues the run in File, which must exist.
	Resume bool

	// Identity, if not nil, holds further settings that a resumed run must share with the stopped one, such as the model's
	// configuration and the data set.
	Identity map[string]string

	// Extra, if not nil, points to a value of the caller that the resume file keeps as JSON, such as a history or the best
	// result so far. Resuming fills it.
	Extra any

	// BatchSize, if not 0, is the number of images in a batch. Records then hold the speed.
	BatchSize int

	// Log, if not nil, gets each record as a line of JSON. Steps that are repeated after a crash are logged again: the last
	// line of a step counts.
	Log io.Writer

	// OnStep, if not nil, is called after every step, and OnEpoch after the last step of each epoch, counted from 0, with
	// the mean loss. An error stops the run. A resumed run calls OnEpoch again if it was stopped in it. OnEpoch may leave
	// the EMA swapped.
	OnStep  func(Record) error
	OnEpoch func(ctx context.Context, epoch int, loss float64) error

	// OnNonFinite, if not nil, is called when a loss or gradient is not finite. When it returns nil, the step is skipped: no
	// parameter changes. Otherwise, and without it, the run stops; parameters are unchanged and File is not written.
	OnNonFinite func(Record) error
}

// A Batch identifies the batch that the loop asks for. Data that depends on nothing else makes resumed runs the same as
// others.
type Batch struct {
	Seed  uint64 // of the run
	Step  int    // optimizer step, from 0
	Epoch int    // from 0
	Index int    // within the epoch, from 0 to StepsPerEpoch·Accumulate - 1
	Key   uint64 // within the run, from 0; it is the tape's Step
}

// check reports all mistakes in a Config.
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
	want(c.StepsPerEpoch > 0, "expected at least one step an epoch, found %d", c.StepsPerEpoch)
	want(c.Accumulate >= 0 && c.SaveEvery >= 0, "Accumulate (%d) and SaveEvery (%d) must not be negative", c.Accumulate, c.SaveEvery)
	want(!c.Resume || c.File != "", "Resume needs a File")
	if c.Extra != nil {
		v := reflect.ValueOf(c.Extra)
		want(v.Kind() == reflect.Pointer && !v.IsNil(), "Extra: expected a pointer, found %T", c.Extra)
	}
	if c.Params != nil && c.Optimizer != nil {
		saved := map[*autograd.Parameter]bool{}
		for _, p := range c.Params {
			saved[p] = true
		}
		for path, p := range c.Optimizer.Parameters() {
			want(saved[p], "parameter %q of the optimizer is not among Params", path)
		}
	}
	return errors.Join(errs...)
}

// Result is the result of a run besides the trained model.
type Result struct {
	Steps  int       // done, those before resuming included
	Losses []float64 // mean loss of each epoch that ended
}

// A NonFiniteError reports a loss or a gradient that is not finite. The parameters are as they were
// before the step.
type NonFiniteError struct {
	Record Record
	Err    error // what OnNonFinite returned, if anything
}

func (e *NonFiniteError) Error() string {
	what := fmt.Sprintf("the loss is %v", e.Record.Loss)
	if finite(e.Record.Loss) {
		what = fmt.Sprintf("the norm of the gradient is %v (loss %v)", e.Record.GradNorm, e.Record.Loss)
	}
	s := fmt.Sprintf("train: step %d of %d: %s at learning rate %v", e.Record.Step, e.Record.Steps, what, e.Record.LR)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *NonFiniteError) Unwrap() error { return e.Err }
