package main

import (
	"fmt"
	"hash/crc32"

	"github.com/fovea-ml/fovea/examples/internal/outdir"
)

const program = "clip-train"

// folder returns the output folder of a run.
func (s *settings) folder() outdir.Folder {
	return outdir.Folder{Path: s.Out, Program: program, Version: 1, Results: []string{modelName, curvesName}}
}

// restore replaces the settings of a resumed run with those of the unfinished run. A flag in given must have the same
// value.
func (s *settings) restore(given map[string]bool) error {
	var w settings
	if err := s.folder().Restore(&w); err != nil {
		return err
	}
	err := s.folder().Same(given, []outdir.Flag{
		{Name: "data", Was: w.Data, Now: outdir.Absolute(s.Data)}, {Name: "init", Was: w.Init, Now: outdir.Located(s.Init)},
		{Name: "epochs", Was: w.Epochs, Now: s.Epochs}, {Name: "batch", Was: w.Batch, Now: s.Batch},
		{Name: "seed", Was: w.Seed, Now: s.Seed}, {Name: "math", Was: w.Math, Now: s.Math}, {Name: "skip-broken", Was: w.SkipBroken, Now: s.SkipBroken},
	}...)
	if err != nil {
		return err
	}
	w.Out, w.Resume, w.JSON, w.Threads = s.Out, s.Resume, s.JSON, s.Threads
	*s = w
	return nil
}

// begin prepares the output folder.
func (r *run) begin() error {
	if r.settings.Resume {
		return nil
	}
	keep := r.settings
	keep.Data, keep.Init = outdir.Absolute(keep.Data), outdir.Located(keep.Init)
	return r.settings.folder().Begin(keep, r.console)
}

// identity names what a resumed run must have in common with the run it continues, beside its model and training.
func (r *run) identity() (map[string]string, error) {
	tokenizer, err := r.model.Tokenizer.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return map[string]string{"pairs": r.pairs.sum(), "tokenizer": fmt.Sprintf("%08x", crc32.ChecksumIEEE(tokenizer)), "weights": outdir.Weights(r.model)}, nil
}
