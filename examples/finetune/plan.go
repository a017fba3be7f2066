package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// titles describe the methods.
var titles = map[string]string{headOnly: "a head on features", adapters: "low-rank adapters", full: "full fine-tuning"}

// choice is what a run does.
type choice struct {
	Method string `json:"method"`
	Epochs int    `json:"epochs"`
}

// estimate is what a method is expected to take. A head has no epochs.
type estimate struct {
	choice
	fixed, epoch time.Duration // once, and for each epoch
	bytes        int64
}

func (e *estimate) time() time.Duration { return e.after(e.Epochs) }

// after is the time where a run ends after as many epochs.
func (e *estimate) after(epochs int) time.Duration { return e.fixed + time.Duration(epochs)*e.epoch }

// fewest is the number of epochs below which a slower method is not worth its time.
const fewest = 5

// plan measures the methods that the flags leave open, prints what they will take, and chooses one.
func (r *run) plan(ctx context.Context) error {
	s := &r.settings
	list := methods
	switch {
	case s.Method != "":
		list = []string{s.Method}
	case s.Model == "":
		list = []string{full}
	}
	if s.Method != "" && s.Budget == 0 {
		r.chosen = choice{s.Method, s.epochs()}
		return nil
	}
	forward, memory, err := r.measureForward(ctx)
	if err != nil {
		return err
	}
	c := &r.corpus
	all := c.train.files.Len() + c.validation.files.Len() + c.test.files.Len()
	for _, method := range list {
		e := estimate{choice: choice{Method: method}}
		if method == headOnly {
			width := r.model.Config.FeatureSize()
			e.fixed = time.Duration(all)*forward + r.fitTime(width)
			e.bytes = 4*int64(nn.Count(r.model)) + memory + 4*int64(all)*int64(width)
		} else {
			step, bytes, err := r.measureStep(ctx, method)
			if err != nil {
				return err
			}
			e.Epochs = s.epochs()
			e.fixed = time.Duration(c.test.files.Len()) * forward
			e.epoch = time.Duration(c.train.files.Len())*step + time.Duration(c.validation.files.Len())*forward
			e.bytes = bytes + memory // of validation, whose batches come beside those of training
			if s.Budget > 0 && s.Epochs == 0 && e.epoch > 0 {
				e.Epochs = min(e.Epochs, max(fewest, int((s.Budget-e.fixed)/e.epoch)))
			}
		}
		r.estimates = append(r.estimates, e)
	}
	r.choose()
	return nil
}

// choose takes the slowest method that fits into the budget: usually the better one. Without a budget it takes the first.
func (r *run) choose() {
	s, note := &r.settings, ""
	best := &r.estimates[0]
	for i := range r.estimates {
		if e := &r.estimates[i]; s.Budget > 0 && e.time() <= s.Budget {
			best = e
		}
	}
	if s.Budget > 0 && best.time() > s.Budget {
		note = fmt.Sprintf(", which takes longer than the budget of %v", s.Budget)
	}
	r.chosen = best.choice
	r.console.Line("expected time, and memory beside the images, from a few steps:")
	for i := range r.estimates {
		e := &r.estimates[i]
		epochs := ""
		if e.Method != headOnly {
			epochs = fmt.Sprintf(", at most %d epochs", e.Epochs)
		}
		r.console.Line("  %-44s %8s  %9s", titles[e.Method]+epochs, roughly(e.time()), console.Size(e.bytes))
	}
	if s.Budget == 0 && len(r.estimates) > 1 {
		note = " (-budget 30m takes the slowest that fits into the time, and -method chooses)"
	}
	r.console.Line("taking %s%s", titles[r.chosen.Method], note)
	for _, name := range s.unused(r.chosen.Method) {
		r.console.Line("-%s has no effect on it", name)
	}
}

// roughly formats a time with two digits or so.
func roughly(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

// sampled is the number of images that are measured.
const sampled = 8

// sample returns a few images from all over a data set.
func sample(d vision.Dataset) *vision.Subset {
	out := &vision.Subset{Of: d}
	n := min(sampled, d.Len())
	for i := range n {
		out.Indices = append(out.Indices, i*d.Len()/n)
	}
	return out
}

// measureForward returns the time in which an image is read and the model computes its features, and the memory of a batch and
// of the weights as inference packs them.
func (r *run) measureForward(ctx context.Context) (each time.Duration, bytes int64, err error) {
	d := sample(r.corpus.train.files)
	arena := autograd.NewArena()
	for range 2 { // the first time packs the weights
		began := time.Now()
		loader := &vision.Loader{Data: d, Preprocess: r.model.Preprocess, Goroutines: r.settings.Threads}
		err = train.Evaluate(ctx, loader, autograd.Options{Workers: r.model.Workers, Math: r.model.Math, Arena: arena}, func(t *autograd.Tape, b *vision.Batch) error {
			r.model.Pooled(t.Input(b.Pixels, b.Shape()...)).Floats(nil)
			return nil
		})
		if err != nil {
			return 0, 0, err
		}
		each = time.Since(began) / time.Duration(d.Len())
	}
	return each, 4*int64(nn.Count(r.model)) + int64(arena.Bytes())*featureBatch/int64(d.Len()), nil
}

// measureStep trains a model for a few steps, and returns the time for an image and the memory of a training run. The model is
// thrown away.
func (r *run) measureStep(ctx context.Context, method string) (each time.Duration, bytes int64, err error) {
	const patience = 3 * time.Second
	m, err := r.make(ctx, method)
	if err != nil {
		return 0, 0, err
	}
	d := sample(r.corpus.train.kept)
	c, err := r.training(m, method, d, 3)
	if err != nil {
		return 0, 0, err
	}
	c.Tape.Arena = autograd.NewArena()
	var step time.Duration
	began := time.Now()
	c.OnStep = func(rec train.Record) error {
		took := time.Since(began)
		if rec.Step > 1 { // the first one reserves memory
			step += took / 2
		} else if took > patience {
			step = took
			return train.ErrStop
		}
		began = time.Now()
		if rec.Step == 3 {
			return train.ErrStop
		}
		return nil
	}
	if _, err := train.Run(ctx, c); err != nil {
		return 0, 0, err
	}
	batch := min(r.settings.Batch, r.corpus.train.kept.Len())
	return step / time.Duration(min(r.settings.Batch, d.Len())), r.trainingBytes(m, c, batch, d.Len()), nil
}

// trainingBytes returns the memory of a training run: the weights, and for those that are trained the gradient, two moments, the
// best values and perhaps their average; and what the steps computed, in proportion to the images.
func (r *run) trainingBytes(m *vit.Model, c train.Config, batch, measured int) int64 {
	copies := int64(4)
	if c.EMA != nil {
		copies++
	}
	values := 0
	for _, p := range trained(m) {
		values += p.Len()
	}
	return 4*int64(nn.Count(m)) + 4*copies*int64(values) + int64(c.Tape.Arena.Bytes())*int64(batch)/int64(cmp.Or(min(batch, measured), 1))
}
