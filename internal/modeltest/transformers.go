package modeltest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
)

// Transformers lets Python's transformers load a model folder that was saved and compare its outputs on the
// same inputs with those given; kind is that of testdata/gen/check_models.py. Without FOVEA_PYTHON, the path
// of a Python that has transformers, the test is skipped.
func Transformers(t *testing.T, kind, folder string, outputs []checkpoint.Entry) {
	t.Helper()
	python := os.Getenv("FOVEA_PYTHON")
	if python == "" {
		t.Skip("needs FOVEA_PYTHON, a Python with transformers")
	}
	file := filepath.Join(t.TempDir(), "outputs.safetensors")
	if err := checkpoint.Write(file, outputs, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	_, here, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(here), "..", "..", "testdata", "gen", "check_models.py")
	if out, err := exec.Command(python, script, kind, folder, file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
