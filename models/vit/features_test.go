package vit

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/vision"
)

// TestFeatures compares the tokens of every layer with the hidden states of transformers.
func TestFeatures(t *testing.T) {
	for _, name := range []string{"deit", "registers", "dinov3"} {
		m, g := load(t, name)
		pixels, shape := g.Tensor("pixels")
		tape := autograd.NewTape(autograd.Options{Debug: true})
		raw := m.Encoder.Layers(tape.Input(pixels, shape...), FeatureOptions{Layers: []int{-1, 0, -1}, Raw: true})
		if raw[0].Layer != 1 || raw[1].Layer != 0 || raw[2].Layer != 1 || raw[0].Rows != 3 || raw[0].Columns != 3 {
			t.Errorf("%s: found the layers %d, %d and %d, of %d×%d", name, raw[0].Layer, raw[1].Layer, raw[2].Layer, raw[0].Rows, raw[0].Columns)
		}
		for _, tokens := range raw {
			hidden := "hidden." + strconv.Itoa(tokens.Layer+1)
			golden.Output(t, name+" "+hidden, tokens.All.Floats(nil), g.Floats(hidden))
		}
		last := m.Encoder.Layers(tape.Input(pixels, shape...), FeatureOptions{})[0]
		if d := cmp.Diff(m.Encoder.Forward(tape.Input(pixels, shape...)).Floats(nil), last.All.Floats(nil)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		registers := m.Encoder.Prefix() - 1
		if name == "deit" {
			registers = 0
		}
		if (last.Registers() != nil) != (registers > 0) || registers > 0 && last.Registers().Dim(1) != registers || (last.Distillation() != nil) != (name == "deit") {
			t.Errorf("%s: found the registers %v and the distillation token %v", name, last.Registers(), last.Distillation())
		}
		if tape.Lent() != 0 {
			t.Errorf("%s: scratch buffers leaked", name)
		}
	}
}

// TestTimmFeatures compares tokens and gradients with timm's forward_intermediates.
func TestTimmFeatures(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "vit_features.py", dir)
	forms, err := os.ReadDir(dir)
	if err != nil || len(forms) != 4 {
		t.Fatal(forms, err)
	}
	for _, form := range forms {
		t.Run(form.Name(), func(t *testing.T) {
			folder := filepath.Join(dir, form.Name())
			g := golden.Load(t, filepath.Join(folder, "golden.safetensors"))
			m, err := Load(os.DirFS(folder), LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			pixels, shape := g.Tensor("pixels")
			tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true, Recompute: form.Name() == "registers"})
			var loss *autograd.Tensor
			for _, kind := range []string{"raw", "norm"} {
				for _, tokens := range m.Encoder.Layers(tape.Input(pixels, shape...), FeatureOptions{Layers: []int{0, 2}, Raw: kind == "raw"}) {
					name := fmt.Sprintf("%s.%d/", kind, tokens.Layer)
					golden.Output(t, name+"patches", tokens.Patches().Floats(nil), g.Floats(name+"patches"))
					comparePrefix(t, name, tokens, g)
					if kind == "norm" {
						sum := autograd.Sum(autograd.Square(tokens.All), false)
						if loss != nil {
							sum = autograd.Add(loss, sum)
						}
						loss = sum
					}
				}
			}
			grads := autograd.NewGradients()
			loss.Backward(grads)
			modeltest.Gradients(t, g, &names, m, grads)

			wide, shape := g.Tensor("wide/pixels")
			tape = autograd.NewTape(autograd.Options{Debug: true})
			other := m.Encoder.Layers(tape.Input(wide, shape...), FeatureOptions{Layers: []int{1}})[0]
			golden.Output(t, "wide", other.Patches().Floats(nil), g.Floats("wide/patches"))
			if other.Rows != 2 || other.Columns != 5 {
				t.Errorf("found %d×%d patches", other.Rows, other.Columns)
			}
		})
	}
}

// comparePrefix compares the tokens before those of the patches, which are told apart.
func comparePrefix(t *testing.T, name string, tokens Tokens, g *golden.File) {
	t.Helper()
	if !g.Has(name + "prefix") {
		if tokens.Class() != nil || tokens.Registers() != nil {
			t.Errorf("%s: found tokens before the patches", name)
		}
		return
	}
	want, shape := g.Tensor(name + "prefix")
	var parts []autograd.Operand
	for _, x := range []*autograd.Tensor{tokens.Class(), tokens.Distillation(), tokens.Registers()} {
		if x != nil {
			parts = append(parts, autograd.Reshape(x, shape[0], x.Len()/shape[0]))
		}
	}
	golden.Output(t, name+"prefix", autograd.Concat(1, parts...).Floats(nil), want)
}

// TestFeaturesOfImages gives each image of several batches its own tokens, with several layers at once.
func TestFeaturesOfImages(t *testing.T) {
	m, _ := load(t, "registers")
	images := dots(19)
	o := FeatureOptions{Layers: []int{1, 0}}
	found, err := m.Features(context.Background(), o, images...)
	if err != nil {
		t.Fatal(err)
	}
	for i, img := range images {
		pixels, h, w, err := m.Preprocess.Pixels(nil, nil, img)
		if err != nil {
			t.Fatal(err)
		}
		tape := autograd.NewTape(autograd.Options{})
		for k, tokens := range m.Encoder.Layers(tape.Input(pixels, 1, 3, h, w), o) {
			f := found[i][k]
			got := slices.Concat(f.Class, f.Distillation, f.Registers, f.Patches)
			if d := cmp.Diff(tokens.All.Floats(nil), got); d != "" || f.Layer != tokens.Layer {
				t.Errorf("image %d, layer %d: %s", i, f.Layer, d)
			}
			last := f.Patch(f.Rows-1, f.Columns-1)
			if !slices.Equal(last, got[len(got)-len(f.Class):]) || !slices.Equal(f.Patch(0, 1), f.Patches[len(f.Class):2*len(f.Class)]) {
				t.Errorf("image %d: the patches have another order", i)
			}
		}
	}
	one, err := m.Features(context.Background(), FeatureOptions{}, images[3])
	if err != nil || !slices.Equal(one[0][0].Patches, found[3][0].Patches) {
		t.Errorf("one image alone has other tokens: %v", err)
	}
	if found, err := m.Features(context.Background(), o); err != nil || len(found) != 0 {
		t.Errorf("no images: found %v, %v", found, err)
	}
}

// TestFeaturesErrors refuses layers that are not there, names an image without pixels, and ends with the context.
func TestFeaturesErrors(t *testing.T) {
	m, _ := load(t, "tiny")
	ctx, cancel := context.WithCancel(context.Background())
	for _, layer := range []int{2, -3} {
		want := fmt.Sprintf("vit: features: layer %d: expected -2 to 1", layer)
		if _, err := m.Features(ctx, FeatureOptions{Layers: []int{0, layer}}, dots(1)...); err == nil || err.Error() != want {
			t.Errorf("found %v, expected %s", err, want)
		}
	}
	one := (*vision.BatchError)(nil)
	if _, err := m.Features(ctx, FeatureOptions{}, append(dots(17), image.NewGray(image.Rectangle{}))...); !errors.As(err, &one) || one.Index != 17 {
		t.Errorf("no pixels: found %v", err)
	}
	cancel()
	if _, err := m.Features(ctx, FeatureOptions{}, dots(1)...); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: found %v", err)
	}
	for name, o := range map[string]autograd.Options{"layer 7": {}, "PatchDropout": {Training: true}} {
		tape := autograd.NewTape(o)
		m.Encoder.PatchDropout = 0.5
		var use *autograd.UseError
		err := func() (err error) {
			defer func() { err, _ = recover().(error) }()
			list := []int{7}
			if o.Training {
				list = nil
			}
			m.Encoder.Layers(tape.Full(0, 1, 3, 24, 24), FeatureOptions{Layers: list})
			return nil
		}()
		if !errors.As(err, &use) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: found %v", name, err)
		}
	}
}

// TestFeaturesStopEarly runs no block after the last layer that is asked for.
func TestFeaturesStopEarly(t *testing.T) {
	m, _ := load(t, "tiny")
	want, err := m.Features(context.Background(), FeatureOptions{Layers: []int{0}}, dots(1)...)
	if err != nil {
		t.Fatal(err)
	}
	m.Encoder.Blocks[1] = nil // a pass through it would panic
	found, err := m.Features(context.Background(), FeatureOptions{Layers: []int{0}}, dots(1)...)
	if d := cmp.Diff(want, found); d != "" || err != nil {
		t.Errorf("%v: %s", err, d)
	}
}
