package study

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBoth expects that a side runs once, and that runs of different lengths are refused.
func TestBoth(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run")
	runs := 0
	side := func(losses ...float64) func() (Outcome, error) {
		return func() (Outcome, error) { runs++; return Outcome{Losses: losses}, nil }
	}
	for range 2 {
		ours, theirs, err := Both(file, side(2, 1.01), side(2, 1))
		if err != nil {
			t.Fatal(err)
		}
		if d := Difference(ours, theirs); d < 0.0099 || d > 0.0101 {
			t.Errorf("expected a difference of 0.01, found %v", d)
		}
	}
	if runs != 2 {
		t.Errorf("expected each side to run once, found %d runs", runs)
	}
	if _, _, err := Both(file+"-2", side(2), side(2, 1)); err == nil || !strings.Contains(err.Error(), "1 steps of Fovea and 2 of PyTorch") {
		t.Errorf("expected an error about the steps, found %v", err)
	}
}

// TestReference gives a script its plan and its input.
func TestReference(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs sh")
	}
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte(`echo "{\"versions\": $(cat "$1"), \"losses\": [$(cat)]}"`), 0o666); err != nil {
		t.Fatal(err)
	}
	reference := func(feed func(io.Writer) error) (Outcome, error) {
		return Reference(t.Context(), "sh", script, filepath.Join(dir, "plan.json"), "a plan", feed)
	}
	o, err := reference(func(w io.Writer) error { _, err := io.WriteString(w, "2, 1"); return err })
	if err != nil || o.Versions != "a plan" || !slices.Equal(o.Losses, []float64{2, 1}) {
		t.Errorf("found %+v, error %v", o, err)
	}
	broken := errors.New("broken")
	if _, err := reference(func(io.Writer) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("expected the error of the input, found %v", err)
	}
	if o, err := reference(nil); err != nil || len(o.Losses) > 0 {
		t.Errorf("without input: found %+v, error %v", o, err)
	}
}

func TestReport(t *testing.T) {
	var b bytes.Buffer
	Report(&b, "cells", "test accuracy", []float64{0.5, 0.6}, []float64{0.5, 0.5})
	const want = `| cells | test accuracy by seed, % | mean | standard error |
|---|---|---|---|
| Fovea | 50.0 60.0 | 55.00 | 5.00 |
| PyTorch | 50.0 50.0 | 50.00 | 0.00 |

The means differ by 5.00 points, with a standard error of 5.00.

`
	if b.String() != want {
		t.Errorf("expected\n%sfound\n%s", want, b.String())
	}
}

func TestDraw(t *testing.T) {
	name := filepath.Join(t.TempDir(), "curves.png")
	runs := []Outcome{{Losses: []float64{2, 1}, Accuracies: []float64{0.1, 0.2}, Averaged: []float64{0.1, 0.3}}}
	if err := Draw(name, Curves{Title: "one", Runs: [2][]Outcome{runs, runs}}, Curves{Title: "two", Runs: [2][]Outcome{runs, runs}}); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(name); err != nil || !bytes.HasPrefix(data, []byte("\x89PNG")) {
		t.Errorf("expected a PNG file, found %d bytes, error %v", len(data), err)
	}
}
