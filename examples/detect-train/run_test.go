package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// shapes writes a data set in YOLO's format: dark images with one or two bright rectangles, green or magenta.
func shapes(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("classes.txt", "green\nmagenta\n")
	rng := rand.New(rand.NewPCG(9, 9))
	const side = 64
	for i := range n {
		m := vision.NewImage(side, side, 3)
		for k := range m.Pix {
			m.Pix[k] = uint8(rng.IntN(40))
		}
		var lines strings.Builder
		for k := range 1 + i%2 {
			class, w, h := rng.IntN(2), 16+rng.IntN(12), 16+rng.IntN(12)
			x, y := rng.IntN(side/2-w/2)+k*side/2-k*w/2, rng.IntN(side-h)
			x = min(x, side-w)
			for row := y; row < y+h; row++ {
				for column := x; column < x+w; column++ {
					p := m.Pix[3*(row*side+column):]
					p[0], p[1], p[2] = uint8(240*class), uint8(240*(1-class)), uint8(240*class)
				}
			}
			fmt.Fprintf(&lines, "%d %v %v %v %v\n", class, (float64(x)+float64(w)/2)/side, (float64(y)+float64(h)/2)/side, float64(w)/side, float64(h)/side)
		}
		if err := vision.SavePNG(filepath.Join(dir, fmt.Sprintf("%03d.png", i)), m); err != nil {
			t.Fatal(err)
		}
		write(fmt.Sprintf("%03d.txt", i), lines.String())
	}
	return dir
}

// tiny returns a small detector of a type.
func tiny(modelType string) *detect.Config {
	body := backbone.ResNet18()
	body.EmbeddingSize, body.HiddenSizes, body.Depths = 8, []int{16, 16, 32, 32}, []int{1, 1, 1, 1}
	c := scratch[modelType](64)
	c.Backbone, c.FPNChannels = &body, 32
	if c.HeadSize > 0 {
		c.HeadSize = 32
	}
	return &c
}

// tinyRun returns a run of a few seconds.
func tinyRun(data, out string) *run {
	return &run{
		settings: settings{Data: data, Out: out, Model: "fcos", Epochs: 2, Batch: 8, Rate: 4e-3, Augment: "none", Seed: 1, Threads: 2},
		console:  console.Plain(io.Discard), config: tiny("fcos"),
	}
}

// TestRun trains a small FCOS, which gets better than the most frequent boxes, and writes everything.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for some seconds")
	}
	r := tinyRun(shapes(t, 60), filepath.Join(t.TempDir(), "new"))
	r.settings.Epochs, r.settings.EMA, r.settings.JSON, r.settings.Math = 14, true, true, simd.BF16
	var stdout, stderr bytes.Buffer
	if err := execute(t.Context(), r, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Model, Out              string
		Classes                 []string
		Train, Validation, Test int
		Loss                    []float64
		Parts                   map[string][]float64
		AP                      []float64 `json:"validation_ap"`
		AP50                    float64   `json:"ap50"`
		Baseline                float64   `json:"baseline_ap50"`
		ClassAP50               []float64 `json:"class_ap50"`
		Best                    int
		Threshold               float64
		Confusion               [][]int
		Math                    console.Arithmetic
	}
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, &stdout)
	}
	if got.Model != "fcos" || got.Train+got.Validation+got.Test != 60 || len(got.Loss) != 14 || len(got.AP) != 14 || len(got.Parts) != 3 || len(got.Parts["box"]) != 14 ||
		got.Loss[13] > 0.8*got.Loss[0] || got.AP50 <= got.Baseline || got.AP50 < 0.2 || len(got.ClassAP50) != 2 || got.Best < 1 || got.Threshold <= 0 || len(got.Confusion) != 3 || got.Math != *console.ArithmeticOf(simd.BF16) {
		t.Errorf("found %s", &stdout)
	}
	for i, sum := range got.Loss {
		if parts := got.Parts["class"][i] + got.Parts["box"][i] + got.Parts["center"][i]; parts < 0.9*sum || parts > 1.1*sum {
			t.Errorf("epoch %d: the parts are %v together, the loss %v", i, parts, sum)
		}
	}
	for _, want := range []string{"YOLO: 41 images for training", "from scratch", "epoch 14 of 14: loss", "the most frequent places of training", "AP50 of the classes: green "} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("found %s, expected %q", &stderr, want)
		}
	}
	list, err := os.ReadDir(r.settings.Out)
	if err != nil || len(list) != 6 { // without the state and the lock
		t.Errorf("%v: the folder holds %v", err, list)
	}
	m, err := detect.Open(filepath.Join(r.settings.Out, modelName), detect.LoadOptions{})
	if err != nil || !slices.Equal(m.Labels(), got.Classes) {
		t.Fatalf("found %v", err)
	}
	// The saved model finds what the trained one finds.
	first := r.model
	_, before, err := r.evaluate(t.Context(), r.corpus.test)
	if err != nil {
		t.Fatal(err)
	}
	m.Options, m.Math, r.model = first.Options, first.Math, m
	if _, after, err := r.evaluate(t.Context(), r.corpus.test); err != nil || !slices.Equal(before, after) {
		t.Errorf("the saved model finds other boxes, %v", err)
	}
}

// TestResume interrupts a run, and gets the weights of a run without an interrupt.
func TestResume(t *testing.T) {
	data := shapes(t, 20)
	weights := func(r *run) []byte {
		file, err := os.ReadFile(filepath.Join(r.settings.Out, modelName, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	small := func(out string) *run {
		r := tinyRun(data, out)
		r.settings.Augment, r.settings.Scales, r.settings.EMA = "strong", true, true
		return r
	}
	whole := small(t.TempDir())
	if _, err := whole.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	first := small(out)
	ctx, cancel := context.WithCancelCause(context.Background())
	first.afterStep = func(step int) {
		if step == 3 {
			cancel(console.ErrInterrupted)
		}
	}
	var stdout, stderr bytes.Buffer
	if status := console.Exit(ctx, &stderr, program, execute(ctx, first, &stdout, &stderr)); status != console.StatusInterrupted || !strings.Contains(stderr.String(), "continue with -resume -out "+out) {
		t.Errorf("exit status %d: %s", status, &stderr)
	}
	s, err := parse([]string{"-resume", "-out", out, "-threads", "1"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	again := &run{settings: s, console: console.Plain(io.Discard), config: tiny("fcos")}
	if _, err := again.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(weights(whole), weights(again)) || fmt.Sprint(whole.history) != fmt.Sprint(again.history) {
		t.Errorf("a resumed run ends with other weights, or another history: %+v and %+v", whole.history, again.history)
	}
	if _, err := parse([]string{"-resume", "-out", out}, io.Discard); err == nil || !strings.Contains(err.Error(), "holds no unfinished run") {
		t.Errorf("found %v", err)
	}
}

// TestInit begins with a detector of other classes, and with one of the same.
func TestInit(t *testing.T) {
	data, folder := shapes(t, 12), filepath.Join(t.TempDir(), "model")
	for _, modelType := range []string{"faster_rcnn", "retinanet"} {
		m := detect.New(*tiny(modelType), 4, rand.New(rand.NewPCG(1, 2)))
		if err := m.Save(folder, detect.SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		out := t.TempDir()
		args := []string{"-data", data, "-init", folder, "-epochs", "1", "-size", "48", "-out", out, "-augment", "none", "-threads", "2"}
		var stdout, stderr bytes.Buffer
		if status := command(args, &stdout, &stderr); status != 0 {
			t.Fatalf("%s: %s", modelType, &stderr)
		}
		if want := "the layers for classes are drawn anew, "; !strings.Contains(stdout.String(), want) || !strings.Contains(stdout.String(), "shorter side has 48 pixels") {
			t.Errorf("%s: found %s, expected %q", modelType, &stdout, want)
		}
		trained, err := detect.Open(filepath.Join(out, modelName), detect.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		labels := trained.Labels()
		if labels = labels[len(labels)-2:]; !slices.Equal(labels, []string{"green", "magenta"}) {
			t.Errorf("%s: found %q", modelType, trained.Labels())
		}
		// The stem and the first stage are those of -init.
		stem := func(m *detect.Model) []float32 {
			switch n := m.Network.(type) {
			case *detect.FasterRCNN:
				return n.Pyramid.Body.Stem[0].Conv.Weight.Values()
			case *detect.RetinaNet:
				return n.Pyramid.Body.Stem[0].Conv.Weight.Values()
			}
			return nil
		}
		if !slices.Equal(stem(m), stem(trained)) {
			t.Errorf("%s: the frozen stem has changed", modelType)
		}
		stdout.Reset()
		args = []string{"-data", data, "-init", filepath.Join(out, modelName), "-model", modelType, "-freeze", "all", "-budget", "1ns", "-out", t.TempDir(), "-threads", "2"}
		if status := command(args, &stdout, &stderr); status != 0 || !strings.Contains(stdout.String(), "-init knows all classes") || !strings.Contains(stdout.String(), "so there will be 1\n") {
			t.Errorf("%s: found %s, %s", modelType, &stdout, &stderr)
		}
		stderr.Reset()
		if status := command([]string{"-data", data, "-init", folder, "-model", "fcos", "-out", t.TempDir()}, &stdout, &stderr); status != 1 || !strings.Contains(stderr.String(), "-model: the weights of -init are those of "+modelType) {
			t.Errorf("%s: found %s", modelType, &stderr)
		}
	}
}

// TestScratch trains each small detector for a step.
func TestScratch(t *testing.T) {
	data := shapes(t, 8)
	for _, modelType := range types() {
		if testing.Short() && modelType != "yolov1" {
			continue
		}
		var stdout, stderr bytes.Buffer
		out := t.TempDir()
		if status := command([]string{"-data", data, "-model", modelType, "-size", "64", "-epochs", "1", "-out", out, "-threads", "2"}, &stdout, &stderr); status != 0 {
			t.Fatalf("%s: %s", modelType, &stderr)
		}
		m, err := detect.Open(filepath.Join(out, modelName), detect.LoadOptions{})
		if err != nil || m.Config.ModelType != modelType {
			t.Errorf("%s: found %v", modelType, err)
		}
	}
	var stdout, stderr bytes.Buffer
	if status := command([]string{"-data", data, "-model", "yolov1", "-size", "100", "-out", t.TempDir()}, &stdout, &stderr); status != 1 || !strings.HasPrefix(stderr.String(), program+": -size: image_size: ") {
		t.Errorf("status %d: %s", status, &stderr)
	}
}

// TestBroken names an annotation and an image that cannot be used, or leaves them out.
func TestBroken(t *testing.T) {
	data := shapes(t, 12)
	for name, text := range map[string]string{"003.txt": "0 0.5 0.5 0 0.1\n", "005.png": "no image"} {
		if err := os.WriteFile(filepath.Join(data, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	if status := command([]string{"-data", data, "-out", t.TempDir()}, &stdout, &stderr); status != 1 || !strings.Contains(stderr.String(), "003.txt: line 1: the box has a width of 0") || !strings.Contains(stderr.String(), "-skip-errors") {
		t.Errorf("status %d: %s", status, &stderr)
	}
	r := tinyRun(data, t.TempDir())
	var text bytes.Buffer
	r.settings.Skip, r.settings.Epochs, r.console = true, 1, console.Plain(&text)
	if _, err := r.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.corpus.skipped != 2 || !strings.Contains(text.String(), "left out 2 annotations and images") || !strings.Contains(text.String(), "005.png") {
		t.Errorf("found %s", &text)
	}
}

// TestMistakes expects one line about each mistake.
func TestMistakes(t *testing.T) {
	data := shapes(t, 4)
	for want, args := range map[string][]string{
		"-data: expected a folder of images with boxes":                    {},
		"-model: expected one of centernet, faster_rcnn, fastestdet, fcos": {"-data", data, "-model", "yolo"},
		"-size: expected 32 to 2048, found 31":                             {"-data", data, "-size", "31"},
		"-batch: expected 1 to 4096, found 0":                              {"-data", data, "-batch", "0"},
		"-rate: expected a number above 0":                                 {"-data", data, "-rate", "-1"},
		"-freeze all: expected -init":                                      {"-data", data, "-freeze", "all"},
		"-freeze: expected none, all, or a number of stages":               {"-data", data, "-init", "x", "-freeze", "some"},
		"-augment: expected none, light or strong":                         {"-data", data, "-augment", "wild"},
		"-budget: expected no -epochs beside it":                           {"-data", data, "-budget", "1m", "-epochs", "3"},
		"-resume: " + filepath.Join(data, "no"):                            {"-resume", "-out", filepath.Join(data, "no")},
		"expected flags only, found \"more\"":                              {"-data", data, "more"},
		"-data: stat " + filepath.Join(data, "none"):                       {"-data", filepath.Join(data, "none")},
		"-out: no run of this program wrote":                               {"-data", data, "-out", taken(t)},
		"-data: too few images (2) to set some apart":                      {"-data", shapes(t, 2), "-out", t.TempDir()},
		"-init: hub: there is no folder":                                   {"-data", data, "-init", filepath.Join(data, "none"), "-out", t.TempDir()},
	} {
		var stdout, stderr bytes.Buffer
		if status := command(args, &stdout, &stderr); status != 1 || !strings.HasPrefix(stderr.String(), program+": "+want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("status %d: found %q, expected %q", status, &stderr, want)
		}
	}
}

// taken returns a folder that holds something of another program.
func taken(t *testing.T) string {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, modelName), 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSizes expects sizes around that of the model, also of one that states it beside its configuration.
func TestSizes(t *testing.T) {
	s := settings{Scales: true}
	for _, c := range []struct {
		config detect.Config
		want   []int
	}{
		{*tiny("fcos"), []int{64, 96}}, {detect.RTDETRResNet18(), []int{480, 576, 640, 736, 800}}, {detect.DETRResNet50(), []int{608, 704, 800, 896, 992}},
	} {
		if got := s.sizes(detect.New(c.config, 1, nil)); !slices.Equal(got, c.want) {
			t.Errorf("%s: found the sizes %v, expected %v", c.config.ModelType, got, c.want)
		}
	}
}

// TestGuess predicts the places where training has most objects, in the size of each image.
func TestGuess(t *testing.T) {
	known, err := boxes.OpenYOLO(os.DirFS(shapes(t, 6)), ".", boxes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := guess(known, known)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if b := f.Box; b.X < 0 || b.Y < 0 || b.X+b.W > 64.001 || b.Y+b.H > 64.001 || b.W < 15 || b.H < 15 || f.Score <= 0 || f.Score > 1 {
			t.Errorf("found %+v", f)
		}
	}
	if n := len(found); n == 0 || n%known.Len() != 0 || n > known.Len()*countObjects(known) {
		t.Errorf("found %d boxes", n)
	}
}
