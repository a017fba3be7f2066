package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/mae/fashion"
	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// tinyRun returns a run of a second on a part of the embedded images.
func tinyRun(t testing.TB, out string, steps int) *run {
	t.Helper()
	known, asked, err := fashion.Load()
	if err != nil {
		t.Fatal(err)
	}
	part := func(m fashion.Images, n int) *told {
		return tell(fashionDataset(fashion.Images{Pixels: m.Pixels[:n*fashion.Size*fashion.Size], Labels: m.Labels[:n]}))
	}
	r := &run{settings: settings{Out: out, Batch: 16, Seed: 1, Threads: 2}, console: console.Plain(io.Discard), recipe: fashionRecipe()}
	r.pairs = pairs{train: part(known, 160), test: part(asked, 100), labeled: true}
	r.recipe.Steps, r.recipe.Patch, r.recipe.Rate, r.recipe.ProbeC = steps, 14, 3e-3, 0.1
	return r
}

// TestRun trains for some epochs: the results are above chance, and the saved model gives them too.
func TestRun(t *testing.T) {
	r := tinyRun(t, t.TempDir(), 80)
	var stdout, stderr bytes.Buffer
	r.settings.JSON, r.settings.Math = true, simd.BF16
	if err := execute(t.Context(), r, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Loss           []float64
		Zeroshot       float64 `json:"zeroshot_accuracy"`
		Seen           float64 `json:"seen_prompts_accuracy"`
		Linear, Pixels float64
		Chance         float64 `json:"chance_accuracy"`
		Retrieval      any
		Math           console.Arithmetic
		Out            string
	}
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, &stdout)
	}
	if n := len(got.Loss); n != 8 || got.Loss[n-1] > got.Loss[0]-0.1 || got.Zeroshot < 0.25 || got.Seen < 0.25 || got.Chance != 0.1 || got.Retrieval != nil || got.Math != *console.ArithmeticOf(simd.BF16) {
		t.Errorf("found %s", &stdout)
	}
	for _, want := range []string{"160 training images with captions, 100 test images", "a CLIP of", "zero-shot, 5 prompts not seen in training", "logistic regression on pixels", "guessing"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("found %s, expected %q", &stderr, want)
		}
	}
	list, err := os.ReadDir(r.settings.Out)
	if err != nil || len(list) != 3 {
		t.Errorf("%v: the folder holds %v", err, list)
	}
	m, err := clip.Open(filepath.Join(r.settings.Out, "model"), clip.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	trained := r.model
	r.model = m
	f, err := r.features(t.Context(), "", r.pairs.test)
	if err != nil {
		t.Fatal(err)
	}
	if accuracy, err := r.zeroShot(t.Context(), f, prompts); err != nil || float32(accuracy) != float32(got.Zeroshot) {
		t.Errorf("%v: the saved model has the accuracy %v, the trained one %v", err, accuracy, got.Zeroshot)
	}
	for _, text := range []string{"an image showing an ankle boot.", "Été 狮"} {
		a, err := trained.Tokenize(text)
		b, err2 := m.Tokenize(text)
		if err != nil || err2 != nil || !slices.Equal(a[0], b[0]) {
			t.Errorf("%q: tokens %v and %v (%v, %v)", text, a, b, err, err2)
		}
	}
}

// TestResume interrupts a run, and gets the weights of a run without an interrupt.
func TestResume(t *testing.T) {
	weights := func(r *run) []byte {
		data, err := os.ReadFile(filepath.Join(r.settings.Out, "model", "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	whole := tinyRun(t, t.TempDir(), 20)
	if _, err := whole.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	first := tinyRun(t, out, 20)
	ctx, cancel := context.WithCancelCause(context.Background())
	another, stop := context.WithCancel(context.Background())
	defer stop()
	first.afterStep = func(step int) {
		switch step {
		case 5:
			if _, err := tinyRun(t, out, 20).do(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "-out: another run writes to "+out) {
				t.Errorf("two runs at once: %v", err)
			}
		case 13:
			cancel(console.ErrInterrupted)
		}
	}
	var stdout, stderr bytes.Buffer
	if status := console.Exit(ctx, &stderr, program, execute(ctx, first, &stdout, &stderr)); status != console.StatusInterrupted {
		t.Errorf("exit status %d: %s", status, &stderr)
	}
	if text := stderr.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "continue with -resume -out "+out) {
		t.Errorf("found %q, expected one line with the command to continue", text)
	}
	second := tinyRun(t, out, 20)
	second.settings.Resume, second.settings.Threads = true, 1
	if _, err := second.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(weights(whole), weights(second)) || len(second.history.Tests) != len(whole.history.Tests) {
		t.Error("the resumed run ends with other weights")
	}
	if _, err := os.Stat(filepath.Join(out, ".clip-train.lock")); err == nil {
		t.Error("the lock file is left")
	}
	// The state of a run with other pairs.
	third := tinyRun(t, out, 20)
	third.afterStep = func(step int) {
		if step == 13 {
			stop()
		}
	}
	if _, err := third.do(another); err == nil {
		t.Fatal("the run was not interrupted")
	}
	fourth := tinyRun(t, out, 20)
	fourth.settings.Resume, fourth.pairs.train = true, tell(&vision.Subset{Of: fourth.pairs.train, Indices: []int{0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}})
	if _, err := fourth.do(t.Context()); err == nil || !strings.Contains(err.Error(), "pairs: ") {
		t.Errorf("other pairs: %v", err)
	}
}

// TestFurther trains a saved model further: it begins where that ended.
func TestFurther(t *testing.T) {
	first := tinyRun(t, t.TempDir(), 40)
	o, err := first.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second := tinyRun(t, t.TempDir(), 40)
	second.settings.Init, second.settings.Epochs = filepath.Join(first.settings.Out, "model"), 2
	again, err := second.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := len(o.Loss) - 1
	if again.Before == nil || *again.Before != o.Accuracies.Unseen || again.Loss[0] > o.Loss[last]+0.2 || len(again.Loss) != 2 || resultOf(again, &settings{}).Before == nil {
		t.Errorf("found the losses %v from %v on, and the accuracy %v before, expected %v", again.Loss, o.Loss[last], again.Before, o.Accuracies.Unseen)
	}
	bare := tinyRun(t, t.TempDir(), 40)
	bare.settings.Init = t.TempDir()
	if _, err := bare.do(t.Context()); err == nil || !strings.Contains(err.Error(), "-init") {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestUnseen makes sure that no prompt of the test is a caption.
func TestUnseen(t *testing.T) {
	known := map[string]bool{}
	for _, list := range tell(&vision.Memory{}).captions {
		for _, caption := range list {
			if known[caption] {
				t.Errorf("%q is a caption of two classes, or twice", caption)
			}
			known[caption] = true
		}
	}
	for _, list := range names {
		for _, prompt := range prompts {
			if text := fill(prompt, list[0]); known[text] {
				t.Errorf("%q is a caption", text)
			}
		}
	}
	if !known["a photo of an ankle boot."] || !known["a photo of a coat."] {
		t.Error("captions do not fit the articles")
	}
}
