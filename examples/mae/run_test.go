package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/outdir"
	"github.com/fovea-ml/fovea/internal/test/hubtest"
	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/simd"
)

// TestRun runs all phases and checks all results.
func TestRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "a", "b")
	r := tinyRun(out)
	r.settings.JSON = true
	var stdout, stderr bytes.Buffer
	if status := exitStatus(context.Background(), r, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}

	var got map[string]any
	d := json.NewDecoder(&stdout)
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Errorf("after the JSON value: %v, expected its end", err)
	}
	losses, _ := got["pretrain_loss"].([]any)
	if len(losses) != r.epochs || r.epochs < 2 {
		t.Errorf("pretrain_loss has %d values, expected one for each of %d epochs", len(losses), r.epochs)
	}
	for _, key := range []string{"finetune_accuracy", "scratch_accuracy", "baseline_accuracy", "neighbors_accuracy", "probe_accuracy", "selftrain_accuracy"} {
		if share, ok := got[key].(float64); !ok || share < 0 || share > 1 {
			t.Errorf("%s is %v, expected a share", key, got[key])
		}
	}
	if got["out"] != out || len(got) != 8 {
		t.Errorf("JSON has %v, expected eight fields, out among them", got)
	}
	if !strings.Contains(stderr.String(), "trained from scratch") {
		t.Errorf("standard error lacks the result:\n%s", &stderr)
	}

	for name, width := range map[string]int{"reconstruction.png": 300, "curves.png": 1000} {
		m, err := png.Decode(bytes.NewReader(read(t, out, name)))
		if err != nil || m.Bounds().Dx() < width {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m, err := mae.Load(os.DirFS(filepath.Join(out, "pretrained")), mae.LoadOptions{}); err != nil {
		t.Error(err)
	} else if d := cmp.Diff(r.recipe.Model.ImageSize, m.Config.ImageSize); d != "" {
		t.Error(d)
	}
	for name, key := range map[string]string{"classifier": "finetune_accuracy", "selftrained": "selftrain_accuracy", "scratch": "scratch_accuracy"} {
		m, err := vit.Load(os.DirFS(filepath.Join(out, name)), vit.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Classify(context.Background(), dots(1).Images[0])
		if err != nil || p[0].Top[0].Label == "" {
			t.Errorf("%s classifies an image as %+v: %v", name, p, err)
		}
		right, err := m.Evaluate(context.Background(), r.images.test)
		if err != nil {
			t.Fatal(err)
		}
		if want := got[key]; float32(right.Accuracy()) != float32(want.(float64)) {
			t.Errorf("the saved %s has the accuracy %v, the report says %v", name, right.Accuracy(), want)
		}
	}
	if _, err := os.Stat(filepath.Join(out, "resume")); !os.IsNotExist(err) {
		t.Errorf("the folder resume of a finished run: %v", err)
	}
}

// TestInit starts from a saved model, without and with further pre-training.
func TestInit(t *testing.T) {
	first := tinyRun(t.TempDir())
	if _, err := first.do(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, epochs := range []int{0, 1} {
		r := tinyRun(t.TempDir())
		r.settings.Init, r.settings.Epochs = first.path("pretrained"), epochs
		r.recipe.Model = small(64, 8) // not used
		o, err := r.do(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if len(o.PretrainLoss) != epochs {
			t.Errorf("%d losses of pre-training, expected %d", len(o.PretrainLoss), epochs)
		}
		same := bytes.Equal(read(t, first.path("pretrained"), "model.safetensors"), read(t, r.path("pretrained"), "model.safetensors"))
		if same != (epochs == 0) {
			t.Errorf("after %d epochs: weights equal is %v", epochs, same)
		}
		if epochs == 0 && o.Finetune.accuracy() == 0 {
			t.Error("nothing was learned")
		}
	}
}

// TestInitFromHub starts from a model on the hub. The settings must store the model's name.
func TestInitFromHub(t *testing.T) {
	first := tinyRun(t.TempDir())
	if _, err := first.do(context.Background()); err != nil {
		t.Fatal(err)
	}
	h := hubtest.New()
	defer h.Close()
	files := map[string][]byte{}
	for _, name := range []string{"config.json", "preprocessor_config.json", "model.safetensors"} {
		files[name] = read(t, first.path("pretrained"), name)
	}
	h.Add("somebody/mae-tiny", files)
	h.Use(t)
	r := tinyRun(t.TempDir())
	r.settings.Init, r.settings.Epochs = "somebody/mae-tiny", 0
	if _, err := r.do(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, r.path("pretrained"), "model.safetensors"), files["model.safetensors"]) {
		t.Error("the weights differ from the hub's")
	}
	if r.settings.Init != "somebody/mae-tiny" || outdir.Located(r.settings.Init) != r.settings.Init {
		t.Errorf("-init is stored as %q", outdir.Located(r.settings.Init))
	}
}

// TestFolder trains on files of several sizes, one with a single pixel and one broken.
func TestFolder(t *testing.T) {
	data := folder(t, 6, "dark", "light")
	write(t, filepath.Join(data, "dark", "pixel.png"), pngFile(t, 1, 1, 0))
	write(t, filepath.Join(data, "light", "wide.png"), pngFile(t, 300, 3, 200))
	write(t, filepath.Join(data, "light", "broken.png"), pngFile(t, 30, 30, 200)[:60])
	r := tinyRun(t.TempDir())
	r.images, r.settings.Data = nil, data
	var text bytes.Buffer
	r.console = console.Plain(&text)
	_, err := r.do(context.Background())
	if err == nil || !strings.Contains(err.Error(), "broken.png") {
		t.Fatalf("error %v, expected one that names broken.png", err)
	}
	r.images, r.settings.SkipBroken = nil, true
	if _, err := r.do(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := r.images.train.Len() + r.images.test.Len(); n != 14 {
		t.Errorf("%d images in all, expected 14", n)
	}
	if s := text.String(); !strings.Contains(s, "skipped 1 unreadable images") || strings.Count(s, "broken.png") != 1 {
		t.Errorf("expected that the skipped file is named once:\n%s", s)
	}
}

// TestThreads checks that the weights do not depend on the number of cores.
func TestThreads(t *testing.T) {
	var first []byte
	for _, threads := range []int{1, 2, 5} {
		r := tinyRun(t.TempDir())
		r.settings.Threads = threads
		if _, err := r.do(context.Background()); err != nil {
			t.Fatal(err)
		}
		got := read(t, r.path("classifier"), "model.safetensors")
		if first == nil {
			first = got
		}
		if !bytes.Equal(got, first) {
			t.Errorf("the weights of %d threads differ from those of 1", threads)
		}
	}
}

// TestGoroutines checks that no goroutine remains after a finished or an interrupted run.
func TestGoroutines(t *testing.T) {
	if _, err := tinyRun(t.TempDir()).do(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for _, stopAt := range []int{0, 3} {
		r := tinyRun(t.TempDir())
		ctx, cancel := context.WithCancelCause(context.Background())
		r.afterStep = func(_ string, step int) {
			if step == stopAt {
				cancel(console.ErrInterrupted)
			}
		}
		if _, err := r.do(ctx); (err != nil) != (stopAt > 0) {
			t.Fatal(err)
		}
		cancel(nil)
	}
	after := 0
	for range 100 {
		if after = runtime.NumGoroutine(); after <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after", before, after)
}

// TestJSON checks that the JSON has numbers in full float32 precision, and null for numbers that are not finite.
func TestJSON(t *testing.T) {
	third := 1.0 / 3
	o := &outcome{
		PretrainLoss: []float64{third, math.NaN(), math.Inf(-1), 1e-9},
		Finetune:     &learning{Tests: []measurement{{1, 0}, {2, 0.875}}},
		Scratch:      &learning{Tests: []measurement{{2, third}}},
		SelfTrain:    &learning{Tests: []measurement{{2, 1}}},
		Baseline:     0.5, Neighbors: 0.25, Probe: 0.75,
	}
	got, err := json.Marshal(resultOf(o, &settings{Out: `a "b"`}))
	want := `{"pretrain_loss":[0.33333334,null,null,1e-09],"finetune_accuracy":0.875,"scratch_accuracy":0.33333334,"baseline_accuracy":0.5,"neighbors_accuracy":0.25,"probe_accuracy":0.75,"selftrain_accuracy":1,"out":"a \"b\""}`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nexpected\n%s", err, got, want)
	}
	o.PretrainLoss = nil
	if got, _ := json.Marshal(resultOf(o, &settings{})); !bytes.HasPrefix(got, []byte(`{"pretrain_loss":[],`)) {
		t.Errorf("without pre-training: %s", got)
	}
	want = fmt.Sprintf(`,"math":{"mode":"bf16","kernel":%q},"out":""}`, simd.BF16.Kernel())
	if got, _ := json.Marshal(resultOf(o, &settings{Math: simd.BF16})); !bytes.HasSuffix(got, []byte(want)) {
		t.Errorf("in bf16: %s, expected the end %s", got, want)
	}
}

// TestNothingElse checks that a run writes only the documented files.
func TestNothingElse(t *testing.T) {
	r := tinyRun(t.TempDir())
	if _, err := r.do(context.Background()); err != nil {
		t.Fatal(err)
	}
	var got []string
	fs.WalkDir(os.DirFS(r.settings.Out), ".", func(p string, e fs.DirEntry, err error) error {
		if !e.IsDir() {
			got = append(got, p)
		}
		return err
	})
	var want []string
	for _, model := range []string{"classifier", "pretrained", "scratch", "selftrained"} {
		for _, f := range []string{"config.json", "model.safetensors", "preprocessor_config.json"} {
			want = append(want, model+"/"+f)
		}
	}
	want = append(want, "curves.png", "reconstruction.png", "run.json")
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
