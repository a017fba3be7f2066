package main

import (
	"context"
	"path/filepath"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
	"github.com/fovea-ml/fovea/train"
)

// run is one run of the program.
type run struct {
	settings settings
	recipe   recipe
	console  *console.Console
	corpus   corpus
	model    *bert.Model

	// afterStep, if not nil, is called after every training step.
	afterStep func(step int)
}

// outcome holds the results of a run.
type outcome struct {
	training train.Result
	test     *report
	words    float64 // accuracy of logistic regression on bags of words
	majority float64 // accuracy of the largest class
}

// do trains a model, measures it and writes it.
func (r *run) do(ctx context.Context) (*outcome, error) {
	if err := r.load(); err != nil {
		return nil, err
	}
	if err := r.make(ctx); err != nil {
		return nil, err
	}
	r.describe()
	unlock, err := r.settings.folder().Lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := r.begin(); err != nil {
		return nil, err
	}
	r.console.Resume("continue with -resume -out %s", r.settings.Out)

	o := &outcome{}
	if o.training, err = r.train(ctx); err != nil {
		return nil, err
	}
	if r.settings.Rank > 0 {
		if err := lora.Merge(r.model); err != nil {
			return nil, err
		}
	}
	if err := r.model.Save(r.path(modelName), bert.SaveOptions{}); err != nil {
		return nil, err
	}
	if o.test, err = r.measure(ctx); err != nil {
		return nil, err
	}
	if o.words, err = r.bagOfWords(ctx); err != nil {
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

func (r *run) path(name string) string { return filepath.Join(r.settings.Out, name) }

// describe prints the data and the model of the run.
func (r *run) describe() {
	c := &r.corpus
	r.console.Line("%d texts for training, %d for validation, %d for testing; %d labels", len(c.train.list), len(c.validation.list), len(c.test.list), len(c.classes))
	kind := r.model.Config.ModelType
	if r.settings.Model == "" {
		kind = "small BERT from scratch"
	}
	all, trained := nn.Count(r.model), 0
	for _, p := range nn.Parameters(r.model) {
		if !p.Frozen {
			trained += p.Len()
		}
	}
	note := ""
	if trained < all {
		note = " of which " + millions(trained) + " are trained,"
	}
	r.console.Line("%s: %s million parameters,%s at most %d tokens, seed %d; %s", kind, millions(all), note, r.model.MaxTokens, r.settings.Seed, console.Computing(r.settings.Math))
}
