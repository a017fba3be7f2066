// Package outdir looks after the folder that a training run writes its results to:
//
//	folder := outdir.Folder{Path: s.Out, Program: "clip-train", Version: 1, Results: []string{"model", "curves.png"}}
//	unlock, err := folder.Lock()
//	if err != nil {
//		return err
//	}
//	defer unlock()
//	err = folder.Begin(s, console) // or folder.Restore(&s), to continue
//	…                              // train, with folder.State() as the file of train.Run
//	err = folder.End()
//
// The folder holds the settings of the run, run.json, and until the run ends its state, run.safetensors.
package outdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/internal/atomicfile"
)

// Names of files in the folder.
const (
	settingsName = "run.json"
	stateName    = "run.safetensors"
)

// A Folder is the folder of -out.
type Folder struct {
	Path    string
	Program string
	Version int      // of the settings
	Results []string // names of what a run writes there, beside its settings and its state
}

// State returns the name of the file with the state of an unfinished run.
func (f Folder) State() string { return filepath.Join(f.Path, stateName) }

// stored is the content of run.json.
type stored struct {
	Program  string `json:"program"`
	Version  int    `json:"version"`
	Settings any    `json:"settings"`
}

// read reads the settings of the run in the folder into a pointer.
func (f Folder) read(settings any) error {
	name := filepath.Join(f.Path, settingsName)
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	was := stored{Settings: settings}
	if err := json.Unmarshal(data, &was); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if was.Program != f.Program || was.Version != f.Version {
		return fmt.Errorf("%s: expected the settings of %s, version %d, found %q, version %d", name, f.Program, f.Version, was.Program, was.Version)
	}
	return nil
}

// Restore reads the settings of the unfinished run, for -resume, into a pointer.
func (f Folder) Restore(settings any) error {
	_, err := os.Stat(f.State())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("-resume: %s holds no unfinished run", f.Path)
	}
	if err == nil {
		err = f.read(settings)
	}
	if err != nil {
		return fmt.Errorf("-resume: %w", err)
	}
	return nil
}

// Unfinished reads the settings of the unfinished run into a pointer, and reports whether there is one.
func (f Folder) Unfinished(settings any) (bool, error) {
	_, err := os.Stat(f.State())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = f.read(settings)
	}
	if errors.Is(err, fs.ErrNotExist) { // another program's: Begin says so
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("-out: %w", err)
	}
	return true, nil
}

// A Flag is a flag that a resumed run must share with the run that it continues.
type Flag struct {
	Name     string
	Was, Now any // comparable values
}

// Same returns an error for the first of the given flags that has another value in the resumed run.
func (f Folder) Same(given map[string]bool, flags ...Flag) error {
	for _, flag := range flags {
		if given[flag.Name] && flag.Was != flag.Now {
			return fmt.Errorf("-resume: the run in %s was started with -%s %v, not %v", f.Path, flag.Name, flag.Was, flag.Now)
		}
	}
	return nil
}

// Begin prepares the folder for a new run and writes its settings. It refuses a folder with results that no run of the program
// wrote, and replaces an unfinished run.
func (f Folder) Begin(settings any, out *console.Console) error {
	if err := f.read(new(json.RawMessage)); err != nil {
		for _, name := range append([]string{settingsName, stateName}, f.Results...) {
			if _, err := os.Lstat(filepath.Join(f.Path, name)); err == nil {
				return fmt.Errorf("-out: no run of this program wrote %s: move it, or choose another folder", filepath.Join(f.Path, name))
			}
		}
	}
	if _, err := os.Stat(f.State()); err == nil {
		out.Line("starting a new run: the unfinished run in %s is replaced", f.Path)
		if err := os.Remove(f.State()); err != nil {
			return fmt.Errorf("-out: %w", err)
		}
	}
	if err := os.MkdirAll(f.Path, 0o777); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	data, err := json.MarshalIndent(stored{f.Program, f.Version, settings}, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(f.Path, settingsName), append(data, '\n'))
}

// End removes the state of the finished run. Its settings stay beside the results.
func (f Folder) End() error {
	if err := os.Remove(f.State()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("-out: %w", err)
	}
	return nil
}
