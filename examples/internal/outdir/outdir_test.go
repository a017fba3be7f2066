package outdir

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/examples/internal/console"
)

type settings struct{ Rate float64 }

// TestFolder begins, restores and ends a run.
func TestFolder(t *testing.T) {
	f := Folder{Path: filepath.Join(t.TempDir(), "out"), Program: "prog", Version: 2, Results: []string{"model"}}
	var printed bytes.Buffer
	out := console.Plain(&printed)
	var s settings
	if err := f.Restore(&s); err == nil || !strings.Contains(err.Error(), "no unfinished run") {
		t.Errorf("an empty folder: %v", err)
	}
	if err := f.Begin(settings{0.5}, out); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.State(), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := f.Restore(&s); err != nil || s.Rate != 0.5 {
		t.Errorf("restored %v, %v", s, err)
	}
	s = settings{}
	if found, err := f.Unfinished(&s); err != nil || !found || s.Rate != 0.5 {
		t.Errorf("unfinished: %v, %v, %v", found, s, err)
	}
	given := map[string]bool{"rate": true}
	if err := f.Same(given, Flag{"rate", 0.5, 0.25}, Flag{"seed", 1, 2}); err == nil || !strings.Contains(err.Error(), "started with -rate 0.5, not 0.25") {
		t.Errorf("another rate: %v", err)
	}
	if err := f.Same(nil, Flag{"rate", 0.5, 0.25}); err != nil {
		t.Errorf("a flag that was not given: %v", err)
	}
	later := f
	later.Version = 3
	if err := later.Restore(&s); err == nil || !strings.Contains(err.Error(), "expected the settings of prog, version 3") {
		t.Errorf("another version: %v", err)
	}
	if err := f.Begin(settings{0.25}, out); err != nil || !strings.Contains(printed.String(), "is replaced") {
		t.Errorf("a new run: %v, printed %q", err, &printed)
	}
	if err := f.Begin(settings{0.25}, out); err != nil {
		t.Error(err)
	}
	if err := f.End(); err != nil {
		t.Error(err)
	}
	if found, err := f.Unfinished(&s); err != nil || found {
		t.Errorf("a finished run: %v, %v", found, err)
	}
	foreign := Folder{Path: t.TempDir(), Program: "prog", Version: 2, Results: []string{"model"}}
	if err := os.Mkdir(filepath.Join(foreign.Path, "model"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := foreign.Begin(settings{}, out); err == nil || !strings.Contains(err.Error(), "no run of this program wrote") {
		t.Errorf("a foreign folder: %v", err)
	}
}

// TestLock expects a second lock to fail until the first is released.
func TestLock(t *testing.T) {
	f := Folder{Path: filepath.Join(t.TempDir(), "out"), Program: "prog"}
	unlock, err := f.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Lock(); err == nil || !strings.Contains(err.Error(), "another run writes to") {
		t.Errorf("a second lock: %v", err)
	}
	unlock()
	unlock, err = f.Lock()
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if list, err := os.ReadDir(f.Path); err != nil || len(list) > 0 {
		t.Errorf("left %v, %v", list, err)
	}
}
