package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/describe"
	"github.com/fovea-ml/fovea/examples/internal/imageset"
	"github.com/fovea-ml/fovea/internal/peak"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// run is one run of the program.
type run struct {
	settings  settings
	console   *console.Console
	corpus    corpus
	estimates []estimate
	chosen    choice
	model     *vit.Model
	begun     bool // continues an unfinished run

	// afterStep, if not nil, is called after every step of training, or batch of features.
	afterStep func(step int)
}

// outcome holds the results of a run.
type outcome struct {
	training train.Result // of adapters and full fine-tuning
	trials   []trial      // of a head
	best     int          // the epoch or the trial, from 0
	test     *report
	pixels   float64 // accuracy of logistic regression on pixels
	majority float64 // accuracy of the largest class
	took     time.Duration
	peak     int64 // resident memory of the process, or 0 where the system does not tell it
}

// do trains a model, measures it and writes it.
func (r *run) do(ctx context.Context) (*outcome, error) {
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	unlock, err := r.settings.folder().Lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := r.begin(); err != nil {
		return nil, err
	}
	if !r.begun {
		if err := r.plan(ctx); err != nil {
			return nil, err
		}
		if err := r.keep(); err != nil {
			return nil, err
		}
	}
	r.console.Resume("the same command continues the run in %s", r.settings.Out)

	o, began := &outcome{}, time.Now()
	var logits []float32 // of the test images
	if r.chosen.Method == headOnly {
		if o.trials, o.best, logits, err = r.fit(ctx); err != nil {
			return nil, err
		}
	} else {
		if r.chosen.Method == adapters { // the model so far has none
			if r.model, err = r.make(ctx, adapters); err != nil {
				return nil, err
			}
		}
		if o.training, err = r.train(ctx); err != nil {
			return nil, err
		}
		o.best = o.training.Best
		if r.chosen.Method == adapters {
			if err := lora.Merge(r.model); err != nil {
				return nil, err
			}
		}
		test := &vision.Loader{Data: r.corpus.test.files, Preprocess: r.model.Preprocess, Goroutines: r.settings.Threads}
		if logits, err = imageset.Rows(ctx, r.console, "testing", test, autograd.Options{Workers: r.model.Workers, Math: r.model.Math}, r.model.Forward); err != nil {
			return nil, err
		}
	}
	o.took, o.peak = time.Since(began), peak.Memory()
	if err := r.model.Save(r.path(modelName), vit.SaveOptions{}); err != nil {
		return nil, err
	}
	if o.test, err = r.measure(logits); err != nil {
		return nil, err
	}
	if o.pixels, err = r.baseline(ctx); err != nil {
		return nil, err
	}
	o.majority = r.corpus.majority()
	if err := r.draw(o); err != nil {
		return nil, err
	}
	if err := r.settings.folder().End(); err != nil {
		return nil, err
	}
	r.conclude(o)
	return o, nil
}

// prepare opens the model and reads the images.
func (r *run) prepare(ctx context.Context) error {
	s := &r.settings
	d, err := s.open()
	if err != nil {
		return err
	}
	if s.Model == "" && s.Size == 0 {
		s.Size = scratchSize(d.train)
	}
	r.corpus.classes = d.train.Classes()
	if r.model, err = r.make(ctx, full); err != nil {
		return err
	}
	if r.model.PreprocessAssumed {
		r.console.Line("%s", describe.Assumed(&r.model.Preprocess))
	}
	height, width, _ := r.model.Preprocess.FixedSize()
	if err := r.read(ctx, d, 2*max(height, width)); err != nil {
		return err
	}
	r.describe(height, width)
	return nil
}

func (r *run) path(name string) string { return filepath.Join(r.settings.Out, name) }

// describe prints the data and the model of the run.
func (r *run) describe(height, width int) {
	c := &r.corpus
	if n := len(c.skipped); n > 0 {
		r.console.Line("skipping %d unreadable images, such as %s", n, console.OneLine(c.skipped[0]))
	}
	r.console.Line("%d images for training, %d for validation, %d for testing; %d classes", c.train.files.Len(), c.validation.files.Len(), c.test.files.Len(), len(c.classes))
	kind := r.model.Config.ModelType
	if r.settings.Model == "" {
		kind = "small ViT from scratch"
	}
	r.console.Line("%s: %.2f million parameters, images of %d×%d, seed %d; %s", kind, float64(nn.Count(r.model))/1e6, height, width, r.settings.Seed, console.Computing(r.settings.Math))
}
