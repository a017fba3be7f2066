package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/internal/filelock"
	"github.com/fovea-ml/fovea/internal/smallfile"
)

// results are the files and folders that a run writes to its output folder.
var results = []string{"reconstruction.png", "curves.png", "pretrained", "classifier", "selftrained", "scratch"}

// lockOutput makes the output folder and locks it for this run. Two runs in one folder would mix their results.
func lockOutput(out string) (unlock func(), err error) {
	if err := os.MkdirAll(out, 0o777); err != nil {
		return nil, fmt.Errorf("-out: %w", err)
	}
	name := filepath.Join(out, ".mae.lock")
	for range 100 {
		f, err := filelock.Open(name)
		if errors.Is(err, errors.ErrUnsupported) {
			return func() {}, nil // the system has no locks
		}
		if err != nil {
			return nil, fmt.Errorf("-out: %w", err)
		}
		locked, err := filelock.Try(f)
		if locked || errors.Is(err, filelock.ErrNoLocks) {
			return func() { unlockOutput(f, name) }, nil
		}
		held := sameFile(f, name)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("-out: %w", err)
		}
		if held {
			break
		}
		// The run that had the lock has just removed the file.
	}
	return nil, fmt.Errorf("-out: another run writes to %s: wait for its end, or choose another folder", out)
}

// unlockOutput removes the lock file while it is locked, where the system allows it.
func unlockOutput(f *os.File, name string) {
	info, err := f.Stat()
	if err != nil || info.Size() > 0 { // not ours
		f.Close()
		return
	}
	err = os.Remove(name)
	f.Close()
	if err != nil {
		os.Remove(name)
	}
}

func sameFile(f *os.File, name string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(name)
	return err == nil && os.SameFile(a, b)
}

// isState reports whether a run may have written a file of this name to its folder resume. A killed run leaves
// temporary files there.
func isState(name string) bool {
	if target, ok := atomicfile.Target(name); ok {
		name = target
	}
	phase, ok := strings.CutSuffix(name, ".safetensors")
	return name == "run.json" || ok && slices.Contains(phases, phase)
}

// checkOwned returns an error if a run would replace or remove something in the output folder that no run has written.
// Every run leaves its settings there: in resume/run.json until it ends, then in run.json.
func checkOwned(out string) error {
	foreign := func(name, why string) error {
		return fmt.Errorf("-out: no run of this program wrote %s (%s): move it, or choose another folder", filepath.Join(out, name), why)
	}
	info, err := os.Lstat(filepath.Join(out, "resume"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("-out: %w", err)
	case !info.IsDir():
		return foreign("resume", "it is not a folder")
	default:
		list, err := os.ReadDir(filepath.Join(out, "resume"))
		if err != nil {
			return fmt.Errorf("-out: %w", err)
		}
		for _, e := range list {
			if !isState(e.Name()) || !e.Type().IsRegular() {
				return foreign("resume", fmt.Sprintf("it holds %q", e.Name()))
			}
		}
		if len(list) > 0 && !isSettings(settingsFile(out)) {
			return foreign("resume", "it holds no settings in run.json")
		}
	}
	if _, err := os.Lstat(filepath.Join(out, "run.json")); err == nil && !isSettings(filepath.Join(out, "run.json")) {
		return foreign("run.json", "it holds no settings")
	}
	if isSettings(settingsFile(out)) || isSettings(filepath.Join(out, "run.json")) {
		return nil
	}
	for _, name := range results {
		if _, err := os.Lstat(filepath.Join(out, name)); err == nil {
			return foreign(name, "there is no run.json beside it")
		}
	}
	return nil
}

// isSettings reports whether a file holds the settings of a run.
func isSettings(path string) bool {
	var s struct {
		Version  int             `json:"version"`
		Settings json.RawMessage `json:"settings"`
	}
	data, err := smallfile.Read(os.DirFS(filepath.Dir(path)), filepath.Base(path))
	return err == nil && json.Unmarshal(data, &s) == nil && s.Version > 0 && s.Settings != nil
}
