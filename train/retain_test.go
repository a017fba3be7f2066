package train

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// files returns the names in a folder.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// The last saves and that of the best epoch stay, also over a resumed run, and no other file is touched.
func TestKeep(t *testing.T) {
	for _, c := range []struct {
		name      string
		saveEvery int
		stopAt    int
		want      []string
	}{
		{"each epoch", 0, 0, []string{"run.safetensors", "run.step-00000004.safetensors", "run.step-00000010.safetensors", "run.step-00000012.safetensors"}},
		{"each epoch, resumed", 0, 7, []string{"run.safetensors", "run.step-00000004.safetensors", "run.step-00000010.safetensors", "run.step-00000012.safetensors"}},
		{"every five steps", 5, 0, []string{"run.safetensors", "run.step-00000004.safetensors", "run.step-00000010.safetensors", "run.step-00000012.safetensors"}},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "run.safetensors")
		other := filepath.Join(dir, "run.step-1.safetensors")
		if err := os.WriteFile(other, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		var saved []string
		make := func() Config {
			cfg, _ := scored(1, 5, 2, 2, 2, 2)
			cfg.File, cfg.Keep, cfg.Start, cfg.SaveEvery = file, 2, ResumeIfPresent, c.saveEvery
			cfg.OnSave = func(name string) error { saved = append(saved, name); return nil }
			return cfg
		}
		cfg := make()
		if c.stopAt > 0 {
			cfg.OnStep = func(r Record) error {
				if r.Step == c.stopAt {
					return ErrStop
				}
				return nil
			}
		}
		if _, err := Run(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(context.Background(), make()); err != nil {
			t.Fatal(err)
		}
		if got, want := files(t, dir), append(slices.Clone(c.want), "run.step-1.safetensors"); !slices.Equal(got, want) {
			t.Errorf("%s: expected %q, found %q", c.name, want, got)
		}
		if len(saved) < 4 || saved[0] != file {
			t.Errorf("%s: OnSave was called with %q", c.name, saved)
		}

		// A kept save can be continued like any other.
		again := filepath.Join(t.TempDir(), "again.safetensors")
		data, err := os.ReadFile(filepath.Join(dir, "run.step-00000004.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(again, data, 0o644); err != nil {
			t.Fatal(err)
		}
		cfg, w := scored(1, 5, 2, 2, 2, 2)
		cfg.File, cfg.Start = again, Resume
		first := 0
		cfg.OnStep = func(r Record) error {
			if first == 0 {
				first = r.Step
			}
			return nil
		}
		if _, err := Run(context.Background(), cfg); err != nil || first != 5 || w.Values()[0] != -6 {
			t.Errorf("%s: from the best save: first step %d, weight %v, %v", c.name, first, w.Values()[0], err)
		}

		// A run that replaces this one removes its kept saves.
		cfg, _ = scored(1)
		cfg.File, cfg.Start = file, Replace
		if _, err := Run(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
		if got, want := files(t, dir), []string{"run.safetensors", "run.step-1.safetensors"}; !slices.Equal(got, want) {
			t.Errorf("%s, replaced: expected %q, found %q", c.name, want, got)
		}
	}
}

// An error of OnSave ends the run after the save.
func TestOnSaveStopsTheRun(t *testing.T) {
	full := errors.New("no space in the bucket")
	cfg, _ := scored(1, 2, 3)
	cfg.File = filepath.Join(t.TempDir(), "run.safetensors")
	calls := 0
	cfg.OnSave = func(string) error { calls++; return full }
	res, err := Run(context.Background(), cfg)
	if !errors.Is(err, full) || res.Steps != 2 || calls != 1 {
		t.Errorf("found %+v after %d calls, %v", res, calls, err)
	}
}

// However the path of the file is written, its kept saves are found.
func TestReplaceFindsKeptSaves(t *testing.T) {
	for _, file := range []string{"./run.safetensors", "sub/../run.safetensors", ".//run", "run.v1"} {
		t.Chdir(t.TempDir())
		if err := os.Mkdir("sub", 0o755); err != nil {
			t.Fatal(err)
		}
		cfg, _ := scored(1, 2)
		cfg.File, cfg.Keep = file, 2
		if _, err := Run(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
		kept := files(t, ".")

		// A new run does not overwrite them, not even where the file itself is gone.
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		for _, start := range []Start{NewRun, ResumeIfPresent} {
			cfg, _ = scored(1, 2)
			cfg.File, cfg.Keep, cfg.Start = file, 2, start
			if _, err := Run(context.Background(), cfg); !errors.Is(err, fs.ErrExist) {
				t.Errorf("%s, %v over kept saves: %v", file, start, err)
			}
		}
		cfg, _ = scored(1)
		cfg.File, cfg.Start = file, Replace
		if _, err := Run(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
		if got, want := files(t, "."), []string{filepath.Base(file), "sub"}; len(kept) != 4 || !slices.Equal(got, want) {
			t.Errorf("%s: kept %q, replaced: expected %q, found %q", file, kept, want, got)
		}
	}
}

// A part of a run without Keep does not lose sight of the saves that a later part removes.
func TestKeptSavesOutliveAPause(t *testing.T) {
	dir := t.TempDir()
	for _, part := range []struct{ keep, stop int }{{1, 3}, {0, 5}, {1, 0}} {
		cfg, _ := scored(9, 1, 1, 1)
		cfg.LowerIsBetter = true
		cfg.File, cfg.Keep, cfg.Start = filepath.Join(dir, "run.safetensors"), part.keep, ResumeIfPresent
		cfg.OnStep = func(r Record) error {
			if r.Step == part.stop {
				return ErrStop
			}
			return nil
		}
		if _, err := Run(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := files(t, dir), []string{"run.safetensors", "run.step-00000008.safetensors"}; !slices.Equal(got, want) {
		t.Errorf("expected %q, found %q", want, got)
	}
}
