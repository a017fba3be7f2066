package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/vision"
)

// TestTransformers loads a trained model and its tokenizer with transformers, and compares tokens and logits.
func TestTransformers(t *testing.T) {
	r := tinyRun(t, t.TempDir(), 10)
	reference := oracle.Command(t, "torch, transformers and Pillow", "check_clip_train.py", r.settings.Out)
	if _, err := r.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	img := vision.NewImage(41, 30, 3)
	for i := range img.Pix {
		img.Pix[i] = uint8(i * i % 253)
	}
	texts := []string{"a photo of an ankle boot.", "Two  COATS!", "Été, 狮子 and 🙂 it's 42", ""}
	list, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.settings.Out, "texts.json"), list, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := vision.SavePNG(filepath.Join(r.settings.Out, "image.png"), img); err != nil {
		t.Fatal(err)
	}
	out, err := reference.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		IDs    [][]int
		Logits []float32
	}
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	m, err := clip.Open(filepath.Join(r.settings.Out, "model"), clip.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := m.Tokenize(texts...)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if !slices.Equal(ids[i], want.IDs[i]) {
			t.Errorf("%q: tokens %v, expected %v", text, ids[i], want.IDs[i])
		}
	}
	images, err := m.EncodeImages(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	words, err := m.EncodeTexts(t.Context(), texts...)
	if err != nil {
		t.Fatal(err)
	}
	golden.Output(t, "logits", m.Logits(images, words)[0], want.Logits)
}
