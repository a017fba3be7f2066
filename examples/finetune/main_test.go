package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/color"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/vision"
)

const pretrained = "../../models/vit/testdata/tiny"

// photographs writes images of two classes, which differ in color, to a folder.
func photographs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, class := range []string{"green", "red"} { // in one order, for the same images in every run
		base := color.RGBA{20, 190, 20, 255}
		if class == "red" {
			base = color.RGBA{190, 20, 20, 255}
		}
		if err := os.MkdirAll(filepath.Join(dir, class), 0o777); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			m := vision.NewImage(18, 24, 3)
			for k := 0; k < len(m.Pix); k += 3 {
				for c, v := range []uint8{base.R, base.G, base.B} {
					m.Pix[k+c] = v + uint8(rng.IntN(60))
				}
			}
			f, err := os.Create(filepath.Join(dir, class, fmt.Sprintf("%02d.png", i)))
			if err != nil {
				t.Fatal(err)
			}
			if err := vision.WritePNG(f, m); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
	}
	return dir
}

// TestFinetune trains until patience ends, saves a model that is right, and leaves no resume file. A run that is
// interrupted and continued saves the same bytes.
func TestFinetune(t *testing.T) {
	data := photographs(t)
	var text bytes.Buffer
	s := settings{model: pretrained, data: data, out: filepath.Join(t.TempDir(), "whole")}
	if err := finetune(context.Background(), s, &text, nil); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "epoch 1: ") || !strings.Contains(text.String(), "mean over classes 100.0 %, by chance 50.0 %") {
		t.Errorf("printed:\n%s", text.String())
	}
	if strings.Contains(text.String(), "epoch 30: ") {
		t.Error("training did not end early")
	}
	model, err := vit.Open(s.out, vit.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	images, err := vision.OpenDir(data, vision.FolderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if right, err := model.Evaluate(context.Background(), images); err != nil || right.Accuracy() < 0.9 {
		t.Errorf("the saved model: %v, expected at least 90 %% right, %v", right, err)
	}
	if _, err := os.Stat(filepath.Join(s.out, "resume.safetensors")); !os.IsNotExist(err) {
		t.Errorf("the resume file: %v", err)
	}

	again := s
	again.out = filepath.Join(t.TempDir(), "interrupted")
	ctx, cancel := context.WithCancelCause(context.Background())
	err = finetune(ctx, again, &watch{"epoch 2: ", func() { cancel(console.ErrInterrupted) }}, nil)
	if !console.Interrupted(ctx, err) {
		t.Fatalf("expected an interrupt, found %v", err)
	}
	if err := finetune(context.Background(), again, &text, nil); err != nil {
		t.Fatal(err)
	}
	a, err := os.ReadFile(filepath.Join(s.out, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(again.out, "model.safetensors")); err != nil || !bytes.Equal(a, b) {
		t.Errorf("the interrupted run saved other weights, %v", err)
	}
}

// watch is a writer that calls f when a line begins with the text.
type watch struct {
	text string
	f    func()
}

func (w *watch) Write(b []byte) (int, error) {
	if strings.HasPrefix(string(b), w.text) {
		w.f()
	}
	return len(b), nil
}

// oneEach is a folder with one image of each class, so that none can be set apart.
func oneEach(t *testing.T) string {
	t.Helper()
	dir := photographs(t)
	for _, class := range []string{"red", "green"} {
		for i := 1; i < 20; i++ {
			if err := os.Remove(filepath.Join(dir, class, fmt.Sprintf("%02d.png", i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func TestMistakes(t *testing.T) {
	single := t.TempDir() // one image in each of two classes
	image, err := os.ReadFile("../classify/testdata/images/rgb.png")
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(single, class), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(single, class, "1.png"), image, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "expected -model and -data"},
		{[]string{"-model", pretrained, "-data", single}, "no class has two images"},
		{[]string{"-model", pretrained, "-data", "none"}, "none"},
		{[]string{"-model", "none", "-data", photographs(t)}, "none"},
		{[]string{"-model", pretrained, "-data", oneEach(t)}, "no class has two images"},
	} {
		var stdout, stderr bytes.Buffer
		args := append(c.args, "-out", filepath.Join(t.TempDir(), "out"))
		status := console.Run("finetune", args, &stdout, &stderr, parse, finetune)
		if status != console.StatusError || !strings.Contains(stderr.String(), c.want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: status %d, %q", c.args, status, stderr.String())
		}
		if written, _ := filepath.Glob(args[len(args)-1] + "*"); len(written) > 0 {
			t.Errorf("%q: wrote %q", c.args, written)
		}
	}
}

// TestJSON expects one value on standard output and lines on standard error.
func TestJSON(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	var stdout, stderr bytes.Buffer
	status := console.Run("finetune", []string{"-model", pretrained, "-data", photographs(t), "-out", out, "-json", "-threads", "1"}, &stdout, &stderr, parse, finetune)
	var a answer
	if err := json.Unmarshal(stdout.Bytes(), &a); err != nil || status != 0 {
		t.Fatalf("status %d: %v: %s %s", status, err, &stdout, &stderr)
	}
	if a.Epoch < 1 || a.Accuracy < 0.9 || a.Chance != 0.5 || string(a.Out) != out || !strings.Contains(stderr.String(), "epoch 1: ") {
		t.Errorf("found %+v and\n%s", a, &stderr)
	}
}

// TestLines keeps the program as short as README says.
func TestLines(t *testing.T) {
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(program, []byte("\n")); n > 90 {
		t.Errorf("main.go has %d lines, README says at most 90", n)
	}
}
