package train

import (
	"context"
	"errors"
	"math"

	"github.com/fovea-ml/fovea/autograd"
)

// update computes the mean gradient of the step's batches, weighted by their samples, and changes the parameters. If it
// cannot change them, it restores the model's buffers too. It returns the number of samples.
func (r *run) update(ctx context.Context, rec *Record) (samples float64, err error) {
	r.keepBuffers()
	done := false
	defer func() {
		if !done {
			r.restoreBuffers()
		}
	}()
	r.grads.Zero()
	epoch := r.Step / r.stepsPerEpoch()
	first := r.Step % r.stepsPerEpoch() * r.Accumulate // of the step's batches in the epoch
	r.unit = 0
	for i := first; i < r.Batches && i-first < r.Accumulate; i++ {
		b := &Batch{Seed: r.Seed, Step: r.Step, Epoch: epoch, Index: i, Key: uint64(epoch)*uint64(r.Batches) + uint64(i)}
		loss, err := r.batch(ctx, b)
		if err != nil {
			return 0, err
		}
		n := float64(max(1, b.Samples))
		rec.Samples += max(0, b.Samples)
		rec.Loss += loss * n
		samples += n
		if !finite(loss) {
			rec.Loss, rec.GradNorm = loss, math.NaN()
			return samples, r.nonFinite(rec)
		}
	}
	rec.Loss /= samples
	mean := r.unit / samples
	workers := r.Tape.Workers
	rec.GradNorm = r.norm.of(r.grads, r.Optimizer.Parameters(), workers) * mean
	if !finite(rec.GradNorm) {
		return samples, r.nonFinite(rec)
	}
	r.Optimizer.Step(r.grads, rec.LR, mean*ClipScale(rec.GradNorm, r.ClipNorm), workers)
	if r.EMA != nil {
		r.EMA.Update(workers)
	}
	done = true
	return samples, nil
}

// weight is the weight of a batch's gradients: its samples divided by those of the step's first batch. So it is 1 for
// batches of equal size, and costs nothing.
func (r *run) weight(b *Batch) float32 {
	n := float64(max(1, b.Samples))
	if r.unit == 0 {
		r.unit = n
	}
	return float32(n / r.unit)
}

// batch adds the weighted gradients of one batch and returns its loss.
func (r *run) batch(ctx context.Context, b *Batch) (loss float64, err error) {
	r.tape.Step(b.Key)
	err = r.tape.Try(func() error {
		if r.Gradients != nil {
			loss, err = r.gradients(ctx, b)
			return err
		}
		x, err := r.Loss(ctx, r.tape, b)
		if err != nil {
			return err
		}
		loss = float64(x.Float())
		if finite(loss) {
			r.tape.Commit()
			autograd.Backward(r.grads, []*autograd.Tensor{x}, [][]float32{{r.weight(b)}})
		}
		return nil
	})
	return loss, err
}

// gradients calls Gradients. Where a step has several batches, each first has a table of its own, to be weighted.
func (r *run) gradients(ctx context.Context, b *Batch) (loss float64, err error) {
	if r.part == nil {
		loss, err = r.Gradients(ctx, r.tape, b, r.grads)
		r.weight(b)
		return loss, err
	}
	r.part.Zero()
	if loss, err = r.Gradients(ctx, r.tape, b, r.part); err != nil {
		return loss, err
	}
	if w := r.weight(b); w != 1 {
		r.part.Scale(w)
	}
	r.grads.Merge(r.part)
	return loss, nil
}

func (r *run) nonFinite(rec *Record) error {
	bad := &NonFiniteError{Record: *rec}
	if r.OnNonFinite == nil {
		return bad
	}
	bad.Err = r.OnNonFinite(*rec)
	switch {
	case bad.Err == nil:
		return nil
	case errors.Is(bad.Err, ErrStop):
		return ErrStop
	}
	return bad
}

// keepBuffers copies the model's buffers: a step that is dropped after some of its batches must not leave their
// statistics behind.
func (r *run) keepBuffers() {
	for i, b := range r.buffers {
		copy(r.before[i], b.Values())
	}
}

func (r *run) restoreBuffers() {
	for i, b := range r.buffers {
		b.Update(func(v []float32) { copy(v, r.before[i]) })
	}
}
