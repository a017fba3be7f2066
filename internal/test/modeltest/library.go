package modeltest

import (
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/oracle"
)

// Saved is a saved model and its outputs.
type Saved struct {
	Folder  string
	Outputs []checkpoint.Entry
}

// Library loads saved models with a Python library and compares its outputs with ours, on the same inputs. kind selects
// the library: see testdata/gen/check_models.py. Without FOVEA_PYTHON the test is skipped.
func Library(t *testing.T, kind string, saved ...Saved) {
	t.Helper()
	args := []string{kind}
	dir := t.TempDir()
	for i, s := range saved {
		file := filepath.Join(dir, string(rune('a'+i))+".safetensors")
		if err := checkpoint.Write(file, s.Outputs, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		args = append(args, s.Folder, file)
	}
	t.Logf("%s", Python(t, "check_models.py", args...))
}

// Forms runs testdata/gen/model_folders.py and returns the folder with the named models and their goldens. Without
// FOVEA_PYTHON the test is skipped.
func Forms(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	Python(t, "model_folders.py", append([]string{dir}, names...)...)
	return dir
}

// Python runs a script of testdata/gen and returns its output. FOVEA_PYTHON is the path of a Python with the packages in
// testdata/gen/requirements.txt. Without it the test is skipped.
func Python(t *testing.T, script string, args ...string) []byte {
	t.Helper()
	return oracle.Run(t, "torch, transformers and timm", script, args...)
}
