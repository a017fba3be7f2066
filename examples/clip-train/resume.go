package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/nn"
)

// A run keeps two files in its output folder: run.json, with its settings, and until it ends run.safetensors, the state
// of its training.
const (
	settingsName = "run.json"
	stateName    = "run.safetensors"
)

// stored is the content of run.json.
type stored struct {
	Program  string   `json:"program"`
	Version  int      `json:"version"`
	Settings settings `json:"settings"`
}

const (
	program       = "clip-train"
	storedVersion = 1
)

// readStored reads the settings of a run in a folder.
func readStored(out string) (stored, error) {
	var was stored
	name := filepath.Join(out, settingsName)
	data, err := os.ReadFile(name)
	if err != nil {
		return was, err
	}
	if err := json.Unmarshal(data, &was); err != nil {
		return was, fmt.Errorf("%s: %w", name, err)
	}
	if was.Program != program || was.Version != storedVersion {
		return was, fmt.Errorf("%s: expected the settings of %s, version %d, found %q, version %d", name, program, storedVersion, was.Program, was.Version)
	}
	return was, nil
}

// restore replaces the settings of a resumed run with those of the unfinished run. A flag in given must have the same
// value.
func (s *settings) restore(given map[string]bool) error {
	_, err := os.Stat(filepath.Join(s.Out, stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("-resume: %s holds no unfinished run", s.Out)
	}
	if err != nil {
		return fmt.Errorf("-resume: %w", err)
	}
	was, err := readStored(s.Out)
	if err != nil {
		return fmt.Errorf("-resume: %w", err)
	}
	w := was.Settings
	for _, f := range []struct {
		flag     string
		was, now any
	}{
		{"data", w.Data, absolute(s.Data)}, {"init", w.Init, located(s.Init)}, {"epochs", w.Epochs, s.Epochs}, {"batch", w.Batch, s.Batch}, {"seed", w.Seed, s.Seed}, {"skip-broken", w.SkipBroken, s.SkipBroken},
	} {
		if given[f.flag] && f.was != f.now {
			return fmt.Errorf("-resume: the run in %s was started with -%s %v, not %v", s.Out, f.flag, f.was, f.now)
		}
	}
	w.Out, w.Resume, w.JSON, w.Threads = s.Out, s.Resume, s.JSON, s.Threads
	*s = w
	return nil
}

// begin prepares the output folder. It refuses one with files of the run's names that no run wrote.
func (r *run) begin() error {
	out := r.settings.Out
	if r.settings.Resume {
		return nil
	}
	if _, err := readStored(out); err != nil {
		for _, name := range []string{settingsName, stateName, modelName, curvesName} {
			if _, err := os.Lstat(filepath.Join(out, name)); err == nil {
				return fmt.Errorf("-out: no run of this program wrote %s: move it, or choose another folder", filepath.Join(out, name))
			}
		}
	}
	if _, err := os.Stat(filepath.Join(out, stateName)); err == nil {
		r.console.Line("starting a new run: the unfinished run in %s is replaced", out)
		if err := os.Remove(filepath.Join(out, stateName)); err != nil {
			return fmt.Errorf("-out: %w", err)
		}
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	keep := stored{program, storedVersion, r.settings}
	keep.Settings.Data, keep.Settings.Init = absolute(keep.Settings.Data), located(keep.Settings.Init)
	data, err := json.MarshalIndent(keep, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(out, settingsName), func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
}

// end removes the state of the finished run.
func (r *run) end() error {
	if err := os.Remove(filepath.Join(r.settings.Out, stateName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("-out: %w", err)
	}
	return nil
}

// identity names what a resumed run must have in common with the run it continues, beside its model and training.
func (r *run) identity() (map[string]string, error) {
	tokenizer, err := r.model.Tokenizer.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return map[string]string{"pairs": r.pairs.sum(), "tokenizer": fmt.Sprintf("%08x", crc32.ChecksumIEEE(tokenizer)), "weights": weights(r.model)}, nil
}

// weights returns a checksum of a model's weights before training.
func weights(m *clip.Model) string {
	h := crc32.NewIEEE()
	var b []byte
	for _, p := range nn.Parameters(m) {
		b = b[:0]
		for _, v := range p.Values() {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		h.Write(b)
	}
	return fmt.Sprintf("%d values, %08x", nn.Count(m), h.Sum32())
}

// located makes the folder of -init absolute. The name of a model on the hub stays.
func located(model string) string {
	if _, err := os.Stat(model); err != nil {
		return model
	}
	return absolute(model)
}

// absolute makes a path absolute; "" stays "".
func absolute(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
