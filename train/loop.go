package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// Run trains until the epochs are over, Patience ends, a callback returns [ErrStop], an error occurs, or the context
// ends. In all cases it saves before it returns, except after a [NonFiniteError]. When the context ends, it drops the
// step under way, and the error wraps the context's cause.
//
// The state after a step depends on the Config alone: not on the number of workers, and not on how often the run was
// stopped and resumed.
func Run(ctx context.Context, c Config) (Result, error) {
	if c.Data != nil {
		defer c.Data.Close()
	}
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return Result{Best: -1}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := newRun(c)
	if err := r.start(); err != nil {
		return Result{Best: -1}, err
	}
	o := c.Tape
	o.Gradients, o.Training, o.Context, o.Seed = true, true, ctx, c.Seed
	r.tape = autograd.NewTape(o)
	err := r.train(ctx)
	if err == nil && c.KeepBest {
		r.restoreBest()
	}
	return r.result(err == nil), err
}

// run is a run under way.
type run struct {
	Config
	state
	tape  *autograd.Tape
	grads *autograd.Gradients
	part  *autograd.Gradients // of one batch, where Gradients has several a step
	unit  float64             // samples of the step's first batch
	norm  norm

	model   []value            // what training changes in the model
	best    []*autograd.Buffer // of model, after the best epoch
	buffers []*autograd.Buffer // the model's
	before  [][]float32        // values of buffers before the step

	described map[string]string // the settings, for File
	schedule  []span
	extra     json.RawMessage // Extra before the callback under way
	halt      bool            // OnSave returned ErrStop

	line    []byte
	garbage garbage
}

// newRun returns a run at step 0. The Config has its defaults.
func newRun(c Config) *run {
	r := &run{Config: c, grads: autograd.NewGradients()}
	r.state.Best = -1
	if c.Gradients != nil && c.Accumulate > 1 {
		r.part = autograd.NewGradients()
	}
	r.model = changing(&c)
	for _, b := range nn.Buffers(c.Model) {
		r.buffers = append(r.buffers, b)
		r.before = append(r.before, make([]float32, len(b.Values())))
	}
	if c.File != "" {
		r.described, r.schedule = r.setup(), r.spans()
	}
	if c.KeepBest {
		for _, v := range r.model {
			r.best = append(r.best, autograd.NewBuffer(0, v.Shape()...))
		}
	}
	return r
}

// state is the progress of a run, which a resume file holds beside tensors.
type state struct {
	Step       int      `json:"step"`        // optimizer steps done
	EpochsDone int      `json:"epochs_done"` // epochs whose callbacks have returned
	Sum        number   `json:"sum"`         // of this epoch's finite losses, times their samples
	Count      number   `json:"count"`       // samples of this epoch's finite losses
	Losses     []number `json:"losses"`      // means of the epochs done
	Scores     []number `json:"scores"`      // of the epochs done, with Validate
	Best       int      `json:"best"`        // the epoch with the best score, or -1
	Updates    int64    `json:"updates"`     // of the average
	Kept       []int    `json:"kept"`        // steps of the saves that Keep keeps
}

func (r *run) result(ended bool) Result {
	return Result{Steps: r.Step, Losses: floats(r.state.Losses), Scores: floats(r.state.Scores), Best: r.state.Best,
		Stopped: ended && r.EpochsDone < r.Epochs}
}

// train does the rest of the run.
func (r *run) train(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return r.stopped(ctx, context.Cause(ctx))
		}
		var err error
		save := false
		switch {
		case r.Step/r.stepsPerEpoch() > r.EpochsDone:
			err = r.endEpoch(ctx)
			save = r.Step < r.steps() && (r.SaveEvery == 0 || r.Keep > 0 && r.state.Best == r.EpochsDone-1)
		case r.Step == r.steps() || r.impatient():
			return r.save()
		default:
			err = r.next(ctx)
			save = r.SaveEvery > 0 && r.Step%r.SaveEvery == 0
		}
		if err != nil {
			return r.stopped(ctx, err)
		}
		if save {
			if err := r.save(); err != nil || r.halt {
				return err
			}
		}
	}
}

// stopped saves, unless a number is not finite, and adds the position of the run to the error, and the cause where a
// callback only said that the context ended. ErrStop is no error.
func (r *run) stopped(ctx context.Context, err error) error {
	if errors.Is(err, ErrStop) {
		return r.save()
	}
	if bad := (*NonFiniteError)(nil); errors.As(err, &bad) {
		return err
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	err = fmt.Errorf("train: stopped after step %d of %d: %w", r.Step, r.steps(), err)
	return errors.Join(err, r.save())
}

// callback calls f. If f fails or stops the run, the next save holds Extra as it was before: a resumed run calls f again.
func (r *run) callback(f func() error) error {
	if r.Extra != nil && r.File != "" {
		before, err := json.Marshal(r.Extra)
		if err != nil {
			return fmt.Errorf("cannot save Extra: %w", err)
		}
		r.extra = before
	}
	err := f()
	if err == nil {
		r.extra = nil
	}
	return err
}

// endEpoch ends an epoch after its last step.
func (r *run) endEpoch(ctx context.Context) error {
	e := Epoch{Number: r.EpochsDone, Loss: float64(r.Sum) / float64(r.Count), Score: math.NaN()}
	stop := false
	err := r.callback(func() error {
		if err := r.validate(ctx, &e); err != nil || r.OnEpoch == nil {
			return err
		}
		err := r.OnEpoch(ctx, e)
		if r.EMA != nil && r.EMA.Swapped() {
			r.EMA.Swap()
		}
		if stop = errors.Is(err, ErrStop); stop {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	r.state.Losses = append(r.state.Losses, number(e.Loss))
	if r.Validate != nil {
		r.state.Scores = append(r.state.Scores, number(e.Score))
	}
	if e.Best {
		r.state.Best = e.Number
		r.keepBest()
	}
	r.EpochsDone++
	r.Sum, r.Count = 0, 0
	if stop {
		return ErrStop
	}
	return nil
}

// next does one step and reports it.
func (r *run) next(ctx context.Context) error {
	start := time.Now()
	n := float64(r.stepsPerEpoch())
	rec := Record{Step: r.Step + 1, Steps: r.steps(), Epoch: float64(r.Step+1) / n, LR: r.rate(r.Step)}
	var samples float64
	err := r.callback(func() (err error) {
		samples, err = r.update(ctx, &rec)
		return err
	})
	if err != nil {
		return err
	}
	r.Step++
	r.garbage.collect()
	if rec.Finite() {
		r.Sum += number(rec.Loss * samples)
		r.Count += number(samples)
	}
	if s := time.Since(start).Seconds(); s > 0 {
		rec.SamplesPerSecond = float64(rec.Samples) / s
	}
	if r.Log != nil {
		r.line = append(rec.AppendJSON(r.line[:0]), '\n')
		if _, err := r.Log.Write(r.line); err != nil {
			return fmt.Errorf("log: %w", err)
		}
	}
	if r.OnStep == nil {
		return nil
	}
	stop := false
	err = r.callback(func() error {
		err := r.OnStep(rec)
		if stop = errors.Is(err, ErrStop); stop {
			return nil
		}
		return err
	})
	if stop {
		return ErrStop
	}
	return err
}

func floats(numbers []number) []float64 {
	f := make([]float64, len(numbers))
	for i, x := range numbers {
		f[i] = float64(x)
	}
	return f
}
