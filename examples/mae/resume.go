package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/examples/internal/imageset"
	"github.com/fovea-ml/fovea/examples/internal/outdir"
	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/models/mae"
)

// An unfinished run has a folder "resume" in its output folder. It holds run.json with the settings, and a file of
// [train.Run] with the state of each phase that has started. A resumed run repeats all phases; a finished phase returns
// its result at once. The end of the run removes the folder, but for run.json, which moves to the output folder.

func (r *run) resumeFolder() string { return r.path("resume") }

func (r *run) resumeFile(phase string) string {
	return filepath.Join(r.resumeFolder(), phase+".safetensors")
}

// settingsFile returns the file with the settings of the unfinished run in an output folder.
func settingsFile(out string) string { return filepath.Join(out, "resume", "run.json") }

// stored is the content of run.json.
type stored struct {
	Version  int      `json:"version"`
	Settings settings `json:"settings"`
}

const storedVersion = 1

// phases are the names of the state files, without their ending.
var phases = []string{"pretrain", "finetune", "selftrain", "scratch"}

// restore replaces the settings of a resumed run with those of the unfinished run. A flag in given must have the same
// value as in the unfinished run.
func (s *settings) restore(given map[string]bool) error {
	data, err := os.ReadFile(settingsFile(s.Out))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("-resume: %s holds no unfinished run", s.Out)
	} else if err != nil {
		return fmt.Errorf("-resume: %w", err)
	}
	var was stored
	if err := json.Unmarshal(data, &was); err != nil {
		return fmt.Errorf("-resume: %s: %w", settingsFile(s.Out), err)
	}
	if was.Version != storedVersion {
		return fmt.Errorf("-resume: %s: expected version %d, found %d", settingsFile(s.Out), storedVersion, was.Version)
	}
	w := was.Settings
	err = outdir.Folder{Path: s.Out}.Same(given, []outdir.Flag{
		{Name: "data", Was: w.Data, Now: outdir.Absolute(s.Data)}, {Name: "init", Was: w.Init, Now: outdir.Located(s.Init)},
		{Name: "epochs", Was: w.Epochs, Now: s.Epochs}, {Name: "labels", Was: w.Labels, Now: s.Labels},
		{Name: "mask", Was: w.Mask, Now: s.Mask}, {Name: "seed", Was: w.Seed, Now: s.Seed}, {Name: "math", Was: w.Math, Now: s.Math},
		{Name: "skip-broken", Was: w.SkipBroken, Now: s.SkipBroken},
	}...)
	if err != nil {
		return err
	}
	w.Out, w.Resume, w.JSON, w.Threads = s.Out, s.Resume, s.JSON, s.Threads
	*s = w
	return nil
}

// begin prepares the output folder, which this run has locked. For a new run, it removes an earlier unfinished run.
func (r *run) begin(m *mae.Model) error {
	r.identity = map[string]string{"weights": outdir.Weights(m)}
	var err error
	if r.identity["data"], err = imageset.Fingerprint(r.images.train); err != nil {
		return err
	}
	if r.identity["test"], err = imageset.Fingerprint(r.images.test); err != nil {
		return err
	}
	if err := checkOwned(r.settings.Out); err != nil {
		return err
	}
	_, err = os.Stat(settingsFile(r.settings.Out))
	switch {
	case r.settings.Resume && err != nil: // another process has just ended it
		return fmt.Errorf("-resume: %s holds no unfinished run", r.settings.Out)
	case r.settings.Resume:
		return nil
	case err == nil:
		r.console.Line("starting a new run: the unfinished run in %s is removed", r.settings.Out)
	}
	if err := r.removeState(); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	if err := os.MkdirAll(r.resumeFolder(), 0o777); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	keep := stored{storedVersion, r.settings}
	keep.Settings.Data, keep.Settings.Init = outdir.Absolute(keep.Settings.Data), outdir.Located(keep.Settings.Init)
	data, err := json.MarshalIndent(keep, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(settingsFile(r.settings.Out), func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
}

// end removes the state of a finished run. Its settings stay beside the results.
func (r *run) end() error {
	if err := r.removeState(); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	if err := os.Rename(settingsFile(r.settings.Out), r.path("run.json")); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	if err := os.Remove(r.resumeFolder()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.console.Line("%s stays, because it holds files that the run did not write", r.resumeFolder())
	}
	return nil
}

// removeState removes the state of the phases. It touches no other file.
func (r *run) removeState() error {
	list, err := os.ReadDir(r.resumeFolder())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range list {
		if e.Name() == "run.json" || !isState(e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(r.resumeFolder(), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
