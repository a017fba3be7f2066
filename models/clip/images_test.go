package clip

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/vision"
)

// TestImageModes prepares images of every mode of Pillow as OpenAI's code and transformers do: with alpha, a
// transparent color, a palette, and in black and white. It needs FOVEA_PYTHON.
func TestImageModes(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "clip_images.py", dir)
	g := golden.Load(t, filepath.Join(dir, "golden.safetensors"))
	c := BasePatch32()
	c.Vision.SetSize(16, 16)
	theirs, err := vision.LoadPreprocess(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	prepares := map[string]vision.Preprocess{"open/": preprocess(c.Vision), "hf/": theirs}
	files, err := filepath.Glob(filepath.Join(dir, "*.*"))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, file := range files {
		name := filepath.Base(file)
		if slices.Contains([]string{".json", ".safetensors"}, filepath.Ext(name)) {
			continue
		}
		count++
		m, err := vision.DecodeFile(os.DirFS(dir), name, vision.DecodeOptions{Alpha: true})
		if err != nil {
			t.Fatal(err)
		}
		for form, p := range prepares {
			pixels, _, _, err := p.Pixels(nil, nil, m)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(strings.ReplaceAll(form+name, "/", " "), func(t *testing.T) {
				golden.Within(t, "pixels", pixels, g.Floats(form+name), 1e-5)
			})
		}
	}
	if count != 21 {
		t.Errorf("found %d images", count)
	}
}
