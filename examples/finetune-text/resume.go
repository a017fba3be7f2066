package main

import (
	"fmt"
	"hash/crc32"

	"github.com/fovea-ml/fovea/examples/internal/outdir"
)

const program = "finetune-text"

// Results in the output folder.
const (
	modelName     = "model"
	curvesName    = "curves.png"
	confusionName = "confusion.png"
	mistakesName  = "mistakes.txt"
)

// folder returns the output folder of a run.
func (s *settings) folder() outdir.Folder {
	return outdir.Folder{Path: s.Out, Program: program, Version: 1, Results: []string{modelName, curvesName, confusionName, mistakesName}}
}

// located returns the settings with paths that a resumed run finds from anywhere.
func (s settings) located() settings {
	s.Data, s.Test, s.Model = outdir.Absolute(s.Data), outdir.Absolute(s.Test), outdir.Located(s.Model)
	return s
}

// restore replaces the settings of a resumed run with those of the unfinished run. A flag in given must have the same
// value.
func (s *settings) restore(given map[string]bool) error {
	var was settings
	if err := s.folder().Restore(&was); err != nil {
		return err
	}
	now := s.located()
	err := s.folder().Same(given, []outdir.Flag{
		{Name: "model", Was: was.Model, Now: now.Model}, {Name: "data", Was: was.Data, Now: now.Data}, {Name: "test", Was: was.Test, Now: now.Test},
		{Name: "text", Was: was.Text, Now: now.Text}, {Name: "label", Was: was.Label, Now: now.Label},
		{Name: "epochs", Was: was.Epochs, Now: now.Epochs}, {Name: "batch", Was: was.Batch, Now: now.Batch}, {Name: "rate", Was: was.Rate, Now: now.Rate},
		{Name: "max-tokens", Was: was.Tokens, Now: now.Tokens}, {Name: "layer-decay", Was: was.LayerDecay, Now: now.LayerDecay},
		{Name: "freeze", Was: was.Freeze, Now: now.Freeze}, {Name: "lora", Was: was.Rank, Now: now.Rank}, {Name: "balance", Was: was.Balance, Now: now.Balance},
		{Name: "patience", Was: was.Patience, Now: now.Patience}, {Name: "seed", Was: was.Seed, Now: now.Seed}, {Name: "math", Was: was.Math, Now: now.Math},
	}...)
	if err != nil {
		return err
	}
	was.Out, was.Resume, was.JSON, was.Threads = s.Out, s.Resume, s.JSON, s.Threads
	*s = was
	return nil
}

// begin prepares the output folder.
func (r *run) begin() error {
	if r.settings.Resume {
		return nil
	}
	return r.settings.folder().Begin(r.settings.located(), r.console)
}

// identity names what a resumed run must have in common with the run it continues, beside its model and training.
func (r *run) identity() map[string]string {
	id := map[string]string{"texts": r.corpus.sum(), "weights": outdir.Weights(r.model)}
	if tokenizer, err := r.model.Tokenizer.MarshalJSON(); err == nil {
		id["tokenizer"] = fmt.Sprintf("%08x", crc32.ChecksumIEEE(tokenizer))
	}
	return id
}
