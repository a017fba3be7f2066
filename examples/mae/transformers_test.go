package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/vision"
)

// TestTransformers loads the saved models with transformers and compares the outputs.
func TestTransformers(t *testing.T) {
	r := tinyRun(t.TempDir())
	r.recipe.Pooling = "" // transformers has the class token alone
	reference := oracle.Command(t, "torch, transformers and Pillow", "check_mae.py", r.settings.Out)
	if _, err := r.do(context.Background()); err != nil {
		t.Fatal(err)
	}
	write(t, r.path("image.png"), pngFile(t, 37, 29, 120))
	model, err := mae.Load(os.DirFS(r.path("pretrained")), mae.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	noise := model.Noise(1, 1, 1)
	text, _ := json.Marshal(noise)
	write(t, r.path("noise.json"), text)
	out, err := reference.Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			out = e.Stderr
		}
		t.Fatalf("%v\n%s", err, out)
	}
	var want struct {
		Pixels, Logits []float32
		Loss           float32
	}
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}

	img, err := vision.DecodeFile(os.DirFS(r.settings.Out), "image.png", vision.DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	classifier, err := vit.Load(os.DirFS(r.path("classifier")), vit.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := classifier.Classify(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	pixels, _, _, err := model.Preprocess.Pixels(nil, nil, img)
	if err != nil {
		t.Fatal(err)
	}
	size := model.Config.ImageSize
	tape := autograd.NewTape(autograd.Options{})
	loss := model.Loss(tape.Input(pixels, 1, 3, size, size), model.Masking(noise, 1))
	golden.Output(t, "pixels", pixels, want.Pixels)
	golden.Output(t, "logits", p[0].Logits, want.Logits)
	golden.Output(t, "loss", loss.Floats(nil), []float32{want.Loss})
}
