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
	"github.com/fovea-ml/fovea/internal/smallfile"
)

// results are the files and folders that a run writes to its output folder.
var results = []string{"reconstruction.png", "curves.png", "pretrained", "classifier", "selftrained", "scratch"}

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
