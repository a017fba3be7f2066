// Package oracle runs the Python scripts in testdata/gen, for tests that compare with a Python library directly:
//
//	out := oracle.Run(t, "torch and timm", "check_models.py", "timm", folder, outputs)
//
// A golden holds the outputs of an earlier run of a library; these tests run the library itself.
package oracle

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Needs returns FOVEA_PYTHON, the path of a Python. Without it the test is skipped; the message contains needs, the
// libraries of the script. A test that prepares much for a script calls it first.
func Needs(t testing.TB, needs string) string {
	t.Helper()
	python := os.Getenv("FOVEA_PYTHON")
	if python == "" {
		t.Skipf("needs FOVEA_PYTHON, the path of a Python with %s", needs)
	}
	return python
}

// Short reports whether a test that goes on to a comparison with Python should be short: testing.Short holds, and there
// is no FOVEA_PYTHON. The comparison itself is never shortened.
func Short() bool { return testing.Short() && os.Getenv("FOVEA_PYTHON") == "" }

// Command returns a command that runs a script in testdata/gen with the Python of Needs. The script runs offline.
func Command(t testing.TB, needs, script string, args ...string) *exec.Cmd {
	t.Helper()
	python := Needs(t, needs)
	c := exec.Command(python, append([]string{filepath.Join(root(t), "testdata", "gen", script)}, args...)...)
	c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "HF_HUB_OFFLINE=1")
	return c
}

// Run runs the script and returns its standard output. If the script fails, the test ends.
func Run(t testing.TB, needs, script string, args ...string) []byte {
	t.Helper()
	out, err := Command(t, needs, script, args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("%s: %v\n%s%s", script, err, out, exit.Stderr)
	}
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return out
}

// root returns the folder of the module.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	t.Skip("needs testdata/gen, and no go.mod is above the working folder")
	return ""
}
