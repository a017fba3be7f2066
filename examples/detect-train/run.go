package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/train"
)

// run is one run of the program.
type run struct {
	settings settings
	console  *console.Console
	corpus   *corpus
	model    *detect.Model
	config   *detect.Config // of a model from scratch, when not nil
	history  history
	parts    parts // of the epoch under way

	// afterStep, if not nil, is called after every training step.
	afterStep func(step int)
}

// outcome holds the results of a run.
type outcome struct {
	training  train.Result
	test      *metrics.COCOResult
	baseline  *metrics.COCOResult
	threshold float64 // the score above which detections are drawn and counted
	confusion *metrics.Confusion
	objects   int // in the test images
}

// do trains a model, measures it and writes it.
func (r *run) do(ctx context.Context) (*outcome, error) {
	var err error
	if r.corpus, err = r.settings.open(); err != nil {
		return nil, err
	}
	var drawn int
	if r.model, drawn, err = r.make(ctx); err != nil {
		return nil, err
	}
	r.describe(drawn)
	unlock, err := r.settings.folder().Lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := r.plan(ctx); err != nil {
		return nil, err
	}
	if err := r.begin(); err != nil {
		return nil, err
	}
	r.console.Resume("continue with -resume -out %s", r.settings.Out)

	o := &outcome{}
	if o.training, err = r.train(ctx); err != nil {
		return nil, err
	}
	if err := r.model.Save(r.path(modelName), detect.SaveOptions{}); err != nil {
		return nil, err
	}
	if err := r.measure(ctx, o); err != nil {
		return nil, err
	}
	if err := r.draw(o); err != nil {
		return nil, err
	}
	if err := r.settings.folder().End(); err != nil {
		return nil, err
	}
	r.conclude(o)
	return o, nil
}

func (r *run) path(name string) string { return filepath.Join(r.settings.Out, name) }

// describe prints the data and the model of the run. drawn is the number of parameters that are drawn anew.
func (r *run) describe(drawn int) {
	c, s := r.corpus, &r.settings
	if c.skipped > 0 {
		const shown = 5
		r.console.Line("left out %d annotations and images that cannot be used:", c.skipped)
		for _, e := range c.first[:min(shown, len(c.first))] {
			r.console.Line("  %s", e)
		}
	}
	r.console.Line("%s: %d images for training, %d for validation, %d for testing; %d, %d and %d objects of %d classes",
		c.format, c.train.Len(), c.validation.Len(), c.test.Len(), countObjects(c.train), countObjects(c.validation), countObjects(c.test), len(c.train.Classes()))
	all := nn.Count(r.model)
	n, square := side(r.model)
	size := fmt.Sprintf("images of %d×%[1]d", n)
	if !square {
		size = fmt.Sprintf("images whose shorter side has %d pixels", n)
	}
	r.console.Line("%s: %.2f million parameters, %s, seed %d; %s", r.model.Config.ModelType, float64(all)/1e6, size, s.Seed, console.Computing(r.settings.Math))
	switch {
	case s.Init == "":
		r.console.Line("from scratch: all weights are random. A detector that was trained before (-init) needs fewer images and epochs.")
	case drawn == 0:
		r.console.Line("-init knows all classes, so its layers for classes are kept")
	default:
		r.console.Line("-init has other classes: the layers for classes are drawn anew, %d values; the other %d keep those of -init", drawn, all-drawn)
	}
}

// conclude prints the result.
func (r *run) conclude(o *outcome) {
	note := ""
	if o.training.Stopped {
		note = ", where validation stopped getting better"
	}
	r.console.Line("best epoch: %d of %d%s", o.training.Best+1, len(o.training.Losses), note)
	row := func(what string, c *metrics.COCOResult) {
		r.console.Line("  %-52s %5.1f %6.1f %6.1f", what, 100*c.AP, 100*c.AP50, 100*c.AP75)
	}
	r.console.Line("average precision on %d test images with %d objects:", r.corpus.test.Len(), o.objects)
	r.console.Line("  %-52s %5s %6s %6s", "", "AP", "AP50", "AP75")
	row("this detector", o.test)
	row("the most frequent places of training, in every image", o.baseline)
	if names := r.corpus.train.Classes(); len(names) <= 20 {
		var each []string
		for i, c := range o.test.Classes {
			if c.Objects > 0 {
				each = append(each, fmt.Sprintf("%s %.1f", console.Printable(names[o.test.Classes[i].Class]), 100*c.AP50))
			}
		}
		r.console.Line("AP50 of the classes: %s", strings.Join(each, ", "))
	}
	r.console.Line("detections above a score of %.2f give the best F1 on the validation images: -min-score %.2f for examples/detect", o.threshold, o.threshold)
	r.console.Line("written to %s: %s", r.settings.Out, strings.Join([]string{modelName, curvesName, precisionName, confusionName, sheetName}, ", "))
}

// steps returns the number of steps of an epoch.
func (r *run) steps() int {
	batch := cmp.Or(min(r.settings.Batch, r.corpus.train.Len()), 1)
	return (r.corpus.train.Len() + batch - 1) / batch
}
