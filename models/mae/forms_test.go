package mae

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/golden"
	"github.com/fovea-ml/fovea/internal/modeltest"
)

// TestOriginal loads a file under the original release's names, without a configuration.
func TestOriginal(t *testing.T) { compareForm(t, filepath.Join("testdata", "mae_original")) }

// TestLibrariesForms loads every form that transformers and the original release have.
func TestLibrariesForms(t *testing.T) {
	names := []string{"mae_original", "mae_pth", "mae_hf", "mae_hf_memory"}
	dir := modeltest.Forms(t, names...)
	for _, name := range names {
		t.Run(name, func(t *testing.T) { compareForm(t, filepath.Join(dir, name)) })
	}
}

// compareForm loads a folder and compares the model's prediction and loss with its golden, also after saving under all
// names.
func compareForm(t *testing.T, dir string) {
	g := golden.Load(t, dir+".golden.safetensors")
	m, err := Load(os.DirFS(dir), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, g, m)
	for name, opts := range map[string][]SaveOption{"Hugging Face": nil, "original": {OriginalNames()}} {
		saved := t.TempDir()
		if err := m.Save(saved, opts...); err != nil {
			t.Fatal(err)
		}
		again, err := Load(os.DirFS(saved), LoadOptions{})
		if err != nil {
			t.Fatalf("saved under the names of %s: %v", name, err)
		}
		compareGolden(t, g, again)
	}
}

func compareGolden(t *testing.T, g *golden.File, m *Model) {
	t.Helper()
	pixels, shape := g.Tensor("pixels")
	masking := m.Masking(g.Floats("noise"), shape[0])
	tape := autograd.NewTape(autograd.Options{Debug: true})
	x := tape.Input(pixels, shape...)
	golden.Output(t, "prediction", m.Predict(x, masking).Floats(nil), g.Floats("prediction"))
	golden.Output(t, "loss", m.Loss(x, masking).Floats(nil), g.Floats("loss"))
}
