package train

import (
	"context"
	"math"
)

// validate measures the model, with the average in it if there is one.
func (r *run) validate(ctx context.Context, e *Epoch) (err error) {
	if r.Validate == nil {
		return nil
	}
	r.average(func() { e.Score, err = r.Validate(ctx, e.Number) })
	e.Best = r.better(e.Score)
	return err
}

// average calls f with the average in the model, where there is one.
func (r *run) average(f func()) {
	if r.EMA != nil {
		r.EMA.Swap()
		defer func() {
			if r.EMA.Swapped() {
				r.EMA.Swap()
			}
		}()
	}
	f()
}

// better reports whether a score is better than the best so far.
func (r *run) better(score float64) bool {
	if r.state.Best < 0 {
		return !math.IsNaN(score)
	}
	return r.gain(score, float64(r.state.Scores[r.state.Best])) > 0
}

// gain returns by how much a score is better than another.
func (c *Config) gain(score, than float64) float64 {
	if c.LowerIsBetter {
		return than - score
	}
	return score - than
}

// waited returns the number of epochs since the last one that was better than the best before by more than MinGain, as
// transformers' EarlyStoppingCallback counts them.
func (r *run) waited() (epochs int) {
	best := math.NaN()
	for _, s := range r.state.Scores {
		score := float64(s)
		first := math.IsNaN(best) && !math.IsNaN(score)
		epochs++
		if first || r.gain(score, best) > r.MinGain {
			epochs = 0
		}
		if first || r.gain(score, best) > 0 {
			best = score
		}
	}
	return epochs
}

// impatient reports whether the last Patience epochs brought no better score.
func (r *run) impatient() bool {
	return r.Patience > 0 && r.Step == r.EpochsDone*r.stepsPerEpoch() && r.waited() >= r.Patience
}

// keepBest copies the weights of the epoch that has ended, the best so far.
func (r *run) keepBest() {
	if !r.KeepBest {
		return
	}
	r.average(func() {
		for i, v := range r.model {
			r.best[i].Update(func(kept []float32) { copy(kept, v.Values()) })
		}
	})
}

// restoreBest leaves the weights of the best epoch in the model.
func (r *run) restoreBest() {
	if r.state.Best < 0 {
		return
	}
	for i, v := range r.model {
		v.Update(func(now []float32) { copy(now, r.best[i].Values()) })
	}
}
