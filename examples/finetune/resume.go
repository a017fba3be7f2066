package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/examples/internal/imageset"
	"github.com/fovea-ml/fovea/examples/internal/outdir"
)

const program = "finetune"

// Results in the output folder.
const (
	modelName     = "model"
	curvesName    = "curves.png"
	confusionName = "confusion.png"
	sheetName     = "mistakes.png"
	mistakesName  = "mistakes.txt"
)

// folder returns the output folder of a run.
func (s *settings) folder() outdir.Folder {
	return outdir.Folder{Path: s.Out, Program: program, Version: 1, Results: []string{modelName, curvesName, confusionName, sheetName, mistakesName}}
}

// stored describes a run in a file of its output folder.
type stored struct {
	Settings settings `json:"flags"`
	Chosen   choice   `json:"chosen"`
}

// begin prepares the output folder, which this run has locked. If it holds an unfinished run of the same flags, begin takes over
// what that run chose. It returns an error for one of other flags: its work would be lost.
func (r *run) begin() error {
	s, f := r.settings, r.settings.folder()
	s.Data, s.Test, s.Model = outdir.Absolute(s.Data), outdir.Absolute(s.Test), outdir.Located(s.Model)
	var was stored
	unfinished, err := f.Unfinished(&was)
	if err != nil || !unfinished {
		return err
	}
	w := was.Settings
	for _, flag := range []outdir.Flag{
		{Name: "model", Was: w.Model, Now: s.Model}, {Name: "data", Was: w.Data, Now: s.Data}, {Name: "test", Was: w.Test, Now: s.Test},
		{Name: "method", Was: w.Method, Now: s.Method}, {Name: "budget", Was: w.Budget, Now: s.Budget}, {Name: "epochs", Was: w.Epochs, Now: s.Epochs},
		{Name: "batch", Was: w.Batch, Now: s.Batch}, {Name: "rate", Was: w.Rate, Now: s.Rate}, {Name: "size", Was: w.Size, Now: s.Size},
		{Name: "rank", Was: w.Rank, Now: s.Rank}, {Name: "freeze", Was: w.Freeze, Now: s.Freeze}, {Name: "augment", Was: w.Augment, Now: s.Augment},
		{Name: "balance", Was: w.Balance, Now: s.Balance}, {Name: "recompute", Was: w.Recompute, Now: s.Recompute},
		{Name: "patience", Was: w.Patience, Now: s.Patience}, {Name: "seed", Was: w.Seed, Now: s.Seed}, {Name: "math", Was: w.Math, Now: s.Math},
	} {
		if flag.Was != flag.Now {
			return fmt.Errorf("-out: the unfinished run in %s was started with -%s %v, not %v: repeat its command to continue it, or choose another folder", s.Out, flag.Name, flag.Was, flag.Now)
		}
	}
	r.chosen, r.begun = was.Chosen, true
	r.console.Line("continuing the unfinished run in %s, by %s", s.Out, titles[r.chosen.Method])
	return nil
}

// keep writes the settings of a new run and what it chose to the output folder.
func (r *run) keep() error {
	s := r.settings
	s.Data, s.Test, s.Model = outdir.Absolute(s.Data), outdir.Absolute(s.Test), outdir.Located(s.Model)
	return s.folder().Begin(stored{s, r.chosen}, r.console)
}

// identity names what a continued run must have in common with its first part, beside its settings.
func (r *run) identity() (map[string]string, error) {
	id := map[string]string{"weights": outdir.Weights(r.model)}
	for name, d := range map[string]imageSet{"images for training": r.corpus.train, "images for validation": r.corpus.validation, "images for testing": r.corpus.test} {
		sum, err := imageset.Fingerprint(d.files)
		if err != nil {
			return nil, err
		}
		id[name] = sum
	}
	return id, nil
}
