// Package oracle runs the scripts of testdata/gen that let the Python libraries say what is right, for tests that
// compare with them as they are and not with what a golden has kept.
package oracle

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Command prepares a call of a script of testdata/gen in the Python that the environment variable FOVEA_PYTHON names.
// Without it the test is skipped, with a line that says which libraries the script needs. Nothing is asked of a hub.
func Command(t testing.TB, needs, script string, args ...string) *exec.Cmd {
	t.Helper()
	python := os.Getenv("FOVEA_PYTHON")
	if python == "" {
		t.Skipf("needs FOVEA_PYTHON, the path of a Python with %s", needs)
	}
	c := exec.Command(python, append([]string{filepath.Join(root(t), "testdata", "gen", script)}, args...)...)
	c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "HF_HUB_OFFLINE=1")
	return c
}

// Run runs such a call and returns what it prints on standard output. The test ends when it fails.
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

// root returns the folder of the module, which the tests' own folder is in.
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
