package main

import (
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/models/vit"
)

// TestTransformers loads the folders of all methods with transformers, and compares the logits.
func TestTransformers(t *testing.T) {
	oracle.Needs(t, "torch and transformers")
	data, dir := paint(t, t.TempDir(), 8, "blood", "leaf"), t.TempDir()
	var saved []modeltest.Saved
	for _, method := range methods {
		out := filepath.Join(dir, method)
		args := []string{"-model", pretrained, "-data", data, "-method", method, "-out", out}
		if method != headOnly {
			args = append(args, "-epochs", "2")
		}
		if _, err := started(t, args...).do(t.Context()); err != nil {
			t.Fatal(err)
		}
		m, err := vit.Open(filepath.Join(out, modelName), vit.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		n := m.Config.ImageSize
		pixels := make([]float32, 2*3*n*n)
		for i := range pixels {
			pixels[i] = float32(i*i%101)/50 - 1
		}
		tape := autograd.NewTape(autograd.Options{})
		logits := m.Forward(tape.Input(pixels, 2, 3, n, n))
		saved = append(saved, modeltest.Saved{Folder: filepath.Join(out, modelName), Outputs: []checkpoint.Entry{
			{Name: "pixels", Shape: []int{2, 3, n, n}, Floats: pixels}, {Name: "logits", Shape: []int{2, 2}, Floats: logits.Floats(nil)},
		}})
	}
	modeltest.Library(t, "named", saved...)
}
