package main

import "github.com/fovea-ml/fovea/examples/internal/outdir"

const program = "detect-train"

// Results in the output folder.
const (
	modelName     = "model"
	curvesName    = "curves.png"
	precisionName = "precision.png"
	confusionName = "confusion.png"
	sheetName     = "found.png"
)

// folder returns the output folder of a run.
func (s *settings) folder() outdir.Folder {
	return outdir.Folder{Path: s.Out, Program: program, Version: 1, Results: []string{modelName, curvesName, precisionName, confusionName, sheetName}}
}

// restore replaces the settings of a resumed run with those of the unfinished run. A flag in given must have the same value.
func (s *settings) restore(given map[string]bool) error {
	var was stored
	if err := s.folder().Restore(&was); err != nil {
		return err
	}
	w := was.Settings
	err := s.folder().Same(given, []outdir.Flag{
		{Name: "data", Was: w.Data, Now: outdir.Absolute(s.Data)}, {Name: "model", Was: w.Model, Now: s.Model},
		{Name: "init", Was: w.Init, Now: outdir.Located(s.Init)}, {Name: "freeze", Was: w.Freeze, Now: s.Freeze},
		{Name: "size", Was: w.Size, Now: s.Size}, {Name: "epochs", Was: w.Epochs, Now: s.Epochs}, {Name: "budget", Was: w.Budget, Now: s.Budget},
		{Name: "batch", Was: w.Batch, Now: s.Batch}, {Name: "rate", Was: w.Rate, Now: s.Rate}, {Name: "augment", Was: w.Augment, Now: s.Augment},
		{Name: "scales", Was: w.Scales, Now: s.Scales}, {Name: "ema", Was: w.EMA, Now: s.EMA}, {Name: "patience", Was: w.Patience, Now: s.Patience},
		{Name: "skip-errors", Was: w.Skip, Now: s.Skip}, {Name: "seed", Was: w.Seed, Now: s.Seed}, {Name: "math", Was: w.Math, Now: s.Math},
	}...)
	if err != nil {
		return err
	}
	w.Out, w.Resume, w.JSON, w.Threads = s.Out, s.Resume, s.JSON, s.Threads
	w.planned = was.Epochs
	*s = w
	return nil
}

// stored describes a run in a file of its output folder.
type stored struct {
	Settings settings `json:"flags"`
	Epochs   int      `json:"epochs"` // those that -budget allows, or the recipe's
}

// begin prepares the output folder.
func (r *run) begin() error {
	if r.settings.Resume {
		return nil
	}
	keep := r.settings
	keep.Data, keep.Init = outdir.Absolute(keep.Data), outdir.Located(keep.Init)
	return r.settings.folder().Begin(stored{keep, r.settings.planned}, r.console)
}

// identity names what a resumed run must have in common with the run it continues, beside its settings.
func (r *run) identity() (map[string]string, error) {
	id := map[string]string{"weights": outdir.Weights(r.model)}
	var err error
	if id["images for training"], err = fingerprint(r.corpus.train); err == nil {
		id["images for validation"], err = fingerprint(r.corpus.validation)
	}
	return id, err
}
