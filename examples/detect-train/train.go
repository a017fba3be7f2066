package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// history holds what a run has measured so far. It is saved with the run.
type history struct {
	Names []string     // of the parts of the loss
	Sum   []float64    // of each part, in the epoch under way
	Steps int          // in that epoch
	Parts [][]float64  // the mean of each part, for each epoch
	AP    [][2]float64 // on validation images: AP and AP50, for each epoch
}

// parts counts the parts of the losses of a step.
type parts struct {
	names  []string
	values []float64
}

// observe notes the parts of the loss of a batch.
func (r *run) observe(_ *train.Batch, l detect.Losses) {
	r.parts = parts{}
	for _, p := range l {
		r.parts.names, r.parts.values = append(r.parts.names, p.Name), append(r.parts.values, float64(p.Value.Float()))
	}
}

// add adds the losses of a step to the history.
func (r *run) add() {
	h := &r.history
	if h.Names = r.parts.names; len(h.Sum) != len(h.Names) {
		h.Sum = make([]float64, len(h.Names))
	}
	for i, v := range r.parts.values {
		h.Sum[i] += v
	}
	h.Steps++
}

// average ends an epoch of the history.
func (h *history) average() {
	mean := make([]float64, len(h.Sum))
	for i, sum := range h.Sum {
		mean[i] = sum / float64(max(1, h.Steps))
	}
	h.Parts, h.Sum, h.Steps = append(h.Parts, mean), nil, 0
}

// mostValidated bounds the images of a validation during training.
const mostValidated = 500

// validated returns the images of a validation during training, from all over the data set.
func (r *run) validated() *boxes.Dataset {
	d := r.corpus.validation
	if d.Len() <= mostValidated {
		return d
	}
	some := make([]int, mostValidated)
	for i := range some {
		some[i] = i * d.Len() / mostValidated
	}
	return d.Subset(some)
}

// evaluate finds the objects in images, and compares them with the truth.
func (r *run) evaluate(ctx context.Context, d *boxes.Dataset) (*metrics.COCOResult, []metrics.Detection, error) {
	found, err := r.model.DetectDataset(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	result, err := metrics.COCO(d.Truth(), found, metrics.COCOOptions{})
	return result, found, err
}

// train trains the model, or does the rest of an interrupted training. The model then has the weights of the best epoch.
func (r *run) train(ctx context.Context) (train.Result, error) {
	id, err := r.identity()
	if err != nil {
		return train.Result{}, err
	}
	c, err := r.training(r.model, r.corpus.train, r.settings.planned)
	if err != nil {
		return train.Result{}, err
	}
	maps.Copy(c.Identity, id)
	c.File, c.Start = r.settings.folder().State(), train.Replace
	if r.settings.Resume {
		c.Start = train.ResumeIfPresent
	}
	c.KeepBest, c.Patience, c.Extra = true, r.settings.Patience, &r.history
	total := c.Epochs * c.Data.Batches()
	c.SaveEvery = max(1, total/20)
	show := r.console.Phase("training", console.Steps, int64(total))
	defer show.End()
	c.OnStep = func(rec train.Record) error {
		r.add()
		show.At(int64(rec.Step), fmt.Sprintf("loss %.3f", rec.Loss), fmt.Sprintf("%.1f images/s", rec.SamplesPerSecond))
		if r.afterStep != nil {
			r.afterStep(rec.Step)
		}
		return nil
	}
	held := r.validated()
	c.Validate = func(ctx context.Context, epoch int) (float64, error) {
		result, _, err := r.evaluate(ctx, held)
		if err != nil {
			return 0, err
		}
		r.history.AP = append(r.history.AP[:epoch:epoch], [2]float64{result.AP, result.AP50})
		return result.AP, nil
	}
	c.OnEpoch = func(_ context.Context, e train.Epoch) error {
		r.history.average()
		ap := r.history.AP[e.Number]
		r.console.Line("epoch %d of %d: loss %.4f; validation AP %.1f, AP50 %.1f", e.Number+1, c.Epochs, e.Loss, 100*ap[0], 100*ap[1])
		return nil
	}
	result, err := train.Run(ctx, c)
	if err != nil {
		return result, fmt.Errorf("training: %w", err)
	}
	return result, nil
}

// plan sets the number of epochs: the recipe's, or with -budget as many as fit into it, by the time of a few steps.
func (r *run) plan(ctx context.Context) error {
	s := &r.settings
	if s.planned > 0 {
		return nil
	}
	if s.planned = s.epochs(); s.Budget == 0 {
		return nil
	}
	const warm, most = 1, 4
	m, _, err := r.make(ctx)
	if err != nil {
		return err
	}
	c, err := r.training(m, r.corpus.train, 1)
	if err != nil {
		return err
	}
	c.Tape.Arena = autograd.NewArena()
	step, began := time.Duration(math.MaxInt64), time.Now()
	c.OnStep = func(rec train.Record) error {
		if rec.Step > warm || rec.Step == rec.Steps {
			step = min(step, time.Since(began))
		}
		if began = time.Now(); rec.Step == most {
			return train.ErrStop
		}
		return nil
	}
	if _, err := train.Run(ctx, c); err != nil {
		return err
	}
	held := r.validated()
	began = time.Now()
	some := held.Subset([]int{0, held.Len() - 1})
	if _, err := m.DetectDataset(ctx, some); err != nil {
		return err
	}
	each := time.Since(began) / time.Duration(some.Len())
	epoch := time.Duration(r.steps())*step + time.Duration(held.Len())*each
	s.planned = max(1, int(s.Budget/epoch))
	r.console.Line("-budget %v: an epoch takes about %v, so there will be %d", s.Budget, epoch.Round(100*time.Millisecond), s.planned)
	return nil
}
