package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/vision"
)

// tiny is a recipe that a test runs in a fraction of a second.
func tiny() recipe {
	r := fashionRecipe()
	r.Model = small(16, 4)
	r.Model.HiddenSize, r.Model.NumHiddenLayers, r.Model.IntermediateSize = 32, 2, 64
	r.Model.DecoderHiddenSize, r.Model.DecoderNumAttentionHeads, r.Model.DecoderIntermediateSize = 16, 1, 32
	r.Pretrain.Batch, r.Finetune.Batch, r.Scratch.Batch, r.SelfTrain.Batch = 8, 4, 4, 4
	r.Pretrain.Steps, r.Finetune.Steps, r.Scratch.Steps, r.SelfTrain.Steps, r.TestShare = 12, 18, 18, 18, 0.25
	r.Probe.Views = 2
	return r
}

// dots returns images in two classes: a bright square in the upper or the lower half.
func dots(n int) *vision.Memory {
	d := &vision.Memory{ClassNames: []string{"lower", "upper"}}
	for i := range n {
		m := vision.NewImage(20, 20, 3)
		for y := range 6 {
			for x := range 6 {
				m.Pix[3*((2+i%2*10+y)*20+(i*7)%14+x)] = 255
			}
		}
		d.Images, d.Labels = append(d.Images, m), append(d.Labels, 1-i%2)
	}
	return d
}

// exitStatus executes a run and returns the program's exit status.
func exitStatus(ctx context.Context, r *run, stdout, stderr io.Writer) int {
	return console.Exit(ctx, stderr, "mae", execute(ctx, r, stdout, stderr))
}

// tinyRun returns a run on dots.
func tinyRun(out string) *run {
	d := dots(48)
	train, test, _ := vision.Split(d, 0.25, 1)
	return &run{
		settings: settings{Out: out, Epochs: defaultEpochs, Labels: 4, Seed: 1, Threads: 2},
		recipe:   tiny(),
		console:  console.Plain(io.Discard),
		images:   &images{train: train, labeled: perClass(train, 4, 1), test: test},
	}
}

// folder writes a data set of PNG files, n in each of the named classes, and returns its folder.
func folder(t testing.TB, n int, classes ...string) string {
	dir := t.TempDir()
	for c, name := range classes {
		for i := range n {
			write(t, filepath.Join(dir, name, fmt.Sprintf("%d.png", i)), pngFile(t, 24+i, 20, uint8(40+80*c)))
		}
	}
	return dir
}

// pngFile returns a PNG file with a gradient. level is its red value.
func pngFile(t testing.TB, w, h int, level uint8) []byte {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{level, uint8(3 * x), uint8(5 * y), 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, elem ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
