package modeltest

import (
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/oracle"
)

// Saved is a model folder and what the model in it gives.
type Saved struct {
	Folder  string
	Outputs []checkpoint.Entry
}

// Library lets a Python library load model folders that were saved and compare its outputs on the same inputs with
// those given; kind is that of testdata/gen/check_models.py. Without FOVEA_PYTHON the test is skipped.
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

// Forms returns a folder with the named forms of models that testdata/gen/model_folders.py makes, each with its golden.
// Without FOVEA_PYTHON the test is skipped.
func Forms(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	Python(t, "model_folders.py", append([]string{dir}, names...)...)
	return dir
}

// Python runs a script of testdata/gen and returns what it prints. Without FOVEA_PYTHON, the path of a Python that has
// what testdata/gen/requirements.txt lists, the test is skipped.
func Python(t *testing.T, script string, args ...string) []byte {
	t.Helper()
	return oracle.Run(t, "torch, transformers and timm", script, args...)
}
