package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/fovea-ml/fovea/autograd"
)

// Run trains until the epochs are over, an error occurs, or the context ends. In all three cases it saves before it
// returns, except after a [NonFiniteError]. When the context ends, it drops the step under way, and the error wraps the
// context's cause.
//
// The state after a step depends on the Config alone: not on the number of workers, and not on how often the run was
// stopped and resumed.
func Run(ctx context.Context, c Config) (Result, error) {
	if err := c.check(); err != nil {
		return Result{}, err
	}
	r := newRun(c)
	if c.Resume {
		if err := r.load(); err != nil {
			return Result{}, err
		}
	}
	o := c.Tape
	o.Gradients, o.Training, o.Context, o.Seed = true, true, ctx, c.Seed
	r.tape = autograd.NewTape(o)
	err := r.train(ctx)
	return Result{Steps: r.Step, Losses: r.losses()}, err
}

// run is a run under way.
type run struct {
	Config
	state
	tape    *autograd.Tape
	grads   *autograd.Gradients
	norm    norm
	buffers [][]float32 // the model's buffers before the step
	line    []byte
	garbage garbage
}

func newRun(c Config) *run {
	c.Accumulate = max(1, c.Accumulate)
	if c.Params == nil {
		c.Params = c.Optimizer.Parameters()
	}
	c.Params = collect(c.Params)
	if c.Buffers != nil {
		c.Buffers = collect(c.Buffers)
	}
	return &run{Config: c, grads: autograd.NewGradients()}
}

// collect walks a model once, and yields the same values each time.
func collect[T any](values iter.Seq2[string, T]) iter.Seq2[string, T] {
	type named struct {
		path  string
		value T
	}
	var all []named
	for path, v := range values {
		all = append(all, named{path, v})
	}
	return func(yield func(string, T) bool) {
		for _, n := range all {
			if !yield(n.path, n.value) {
				return
			}
		}
	}
}

// state is the progress of a run, which a resume file holds beside tensors.
type state struct {
	Step       int      `json:"step"`        // optimizer steps done
	EpochsDone int      `json:"epochs_done"` // epochs whose OnEpoch has returned
	Sum        number   `json:"sum"`         // of this epoch's finite losses
	Count      int      `json:"count"`       // of this epoch's finite losses
	Losses     []number `json:"losses"`      // means of the epochs done
	Updates    int64    `json:"updates"`     // of the average
}

// steps is the length of the run.
func (r *run) steps() int { return r.Epochs * r.StepsPerEpoch }

func (r *run) losses() []float64 {
	l := make([]float64, len(r.state.Losses))
	for i, x := range r.state.Losses {
		l[i] = float64(x)
	}
	return l
}

// train does the rest of the run.
func (r *run) train(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return r.stopped(context.Cause(ctx))
		}
		var err error
		save := false
		switch {
		case r.Step/r.StepsPerEpoch > r.EpochsDone:
			err = r.endEpoch(ctx)
			save = r.SaveEvery == 0 && r.Step < r.steps()
		case r.Step == r.steps():
			return r.save()
		default:
			err = r.next(ctx)
			save = r.SaveEvery > 0 && r.Step%r.SaveEvery == 0
		}
		if err != nil {
			return r.stopped(err)
		}
		if save {
			if err := r.save(); err != nil {
				return err
			}
		}
	}
}

// stopped saves, unless a number is not finite, and adds the position of the run to the error.
func (r *run) stopped(err error) error {
	if bad := (*NonFiniteError)(nil); errors.As(err, &bad) {
		return err
	}
	err = fmt.Errorf("train: stopped after step %d of %d: %w", r.Step, r.steps(), err)
	return errors.Join(err, r.save())
}

// endEpoch ends an epoch after its last step.
func (r *run) endEpoch(ctx context.Context) error {
	mean := float64(r.Sum) / float64(r.Count)
	if r.OnEpoch != nil {
		err := r.OnEpoch(ctx, r.EpochsDone, mean)
		if r.EMA != nil && r.EMA.Swapped() {
			r.EMA.Swap()
		}
		if err != nil {
			return err
		}
	}
	r.state.Losses = append(r.state.Losses, number(mean))
	r.EpochsDone++
	r.Sum, r.Count = 0, 0
	return nil
}

// next does one step and reports it.
func (r *run) next(ctx context.Context) error {
	start := time.Now()
	n := float64(r.StepsPerEpoch)
	rec := Record{
		Step: r.Step + 1, Steps: r.steps(), Epoch: float64(r.Step+1) / n,
		LR: r.Schedule(float64(r.Step) / n),
	}
	if err := r.update(ctx, &rec); err != nil {
		return err
	}
	r.Step++
	r.garbage.collect()
	if rec.Finite() {
		r.Sum += number(rec.Loss)
		r.Count++
	}
	if s := time.Since(start).Seconds(); s > 0 {
		rec.ImagesPerSecond = float64(r.BatchSize*r.Accumulate) / s
	}
	if r.Log != nil {
		r.line = append(rec.AppendJSON(r.line[:0]), '\n')
		if _, err := r.Log.Write(r.line); err != nil {
			return fmt.Errorf("log: %w", err)
		}
	}
	if r.OnStep != nil {
		return r.OnStep(rec)
	}
	return nil
}

// update computes the mean gradient of the step's batches and changes the parameters. If it cannot change them, it
// restores the model's buffers too.
func (r *run) update(ctx context.Context, rec *Record) error {
	r.keepBuffers()
	done := false
	defer func() {
		if !done {
			r.restoreBuffers()
		}
	}()
	r.grads.Zero()
	for i := range r.Accumulate {
		loss, err := r.batch(ctx, Batch{
			Seed: r.Seed, Step: r.Step, Epoch: r.Step / r.StepsPerEpoch,
			Index: r.Step%r.StepsPerEpoch*r.Accumulate + i,
			Key:   uint64(r.Step)*uint64(r.Accumulate) + uint64(i),
		})
		if err != nil {
			return err
		}
		rec.Loss += loss / float64(r.Accumulate)
		if !finite(loss) {
			rec.GradNorm = math.NaN()
			return r.nonFinite(rec)
		}
	}
	mean := 1 / float64(r.Accumulate)
	workers := r.Tape.Workers
	rec.GradNorm = r.norm.of(r.grads, r.Optimizer.Parameters(), workers) * mean
	if !finite(rec.GradNorm) {
		return r.nonFinite(rec)
	}
	r.Optimizer.Step(r.grads, rec.LR, mean*ClipScale(rec.GradNorm, r.ClipNorm), workers)
	if r.EMA != nil {
		r.EMA.Update(workers)
	}
	done = true
	return nil
}

// batch adds the gradients of one batch and returns its loss.
func (r *run) batch(ctx context.Context, b Batch) (loss float64, err error) {
	r.tape.Step(b.Key)
	err = r.tape.Try(func() error {
		if r.Gradients != nil {
			loss, err = r.Gradients(ctx, r.tape, b, r.grads)
			return err
		}
		x, err := r.Loss(ctx, r.tape, b)
		if err != nil {
			return err
		}
		loss = float64(x.Float())
		if finite(loss) {
			r.tape.Commit()
			x.Backward(r.grads)
		}
		return nil
	})
	return loss, err
}

func (r *run) nonFinite(rec *Record) error {
	bad := &NonFiniteError{Record: *rec}
	if r.OnNonFinite == nil {
		return bad
	}
	if bad.Err = r.OnNonFinite(*rec); bad.Err != nil {
		return bad
	}
	return nil
}

// keepBuffers copies the model's buffers: a step that is dropped after some of its batches must not leave their
// statistics behind.
func (r *run) keepBuffers() {
	if r.Buffers == nil {
		return
	}
	i := 0
	for _, b := range r.Buffers {
		if i == len(r.buffers) {
			r.buffers = append(r.buffers, make([]float32, len(b.Values())))
		}
		copy(r.buffers[i], b.Values())
		i++
	}
}

func (r *run) restoreBuffers() {
	if r.Buffers == nil {
		return
	}
	i := 0
	for _, b := range r.Buffers {
		b.Update(func(v []float32) { copy(v, r.buffers[i]) })
		i++
	}
}
