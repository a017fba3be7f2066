package vit

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/quant"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// TestQuantized saves a quantized model, loads it, and expects the same types, arithmetic and bits.
func TestQuantized(t *testing.T) {
	m, _ := load(t, "tiny")
	photograph, err := vision.DecodeFile(os.DirFS("../../vision/testdata/decode"), "420.jpg", vision.DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	logits := func(m *Model) []float32 {
		p, err := m.Classify(context.Background(), photograph)
		if err != nil {
			t.Fatal(err)
		}
		return p[0].Logits
	}
	strict := logits(m)
	weights, err := quant.Quantize(m, func(w quant.Weight) simd.Math {
		if strings.HasSuffix(w.Path, "Blocks.0.MLP.FC2.Weight") {
			return simd.BF16
		}
		return quant.Blocks(w)
	})
	if err != nil {
		t.Fatal(err)
	}
	weightOnly := logits(m) // Math is still Strict
	m.Math = simd.Int8
	want := logits(m)
	if slices.Equal(strict, weightOnly) || slices.Equal(weightOnly, want) {
		t.Errorf("logits %v, with quantized weights %v, and activations %v", strict, weightOnly, want)
	}
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, o := range []LoadOptions{{}, {Unmapped: true}, {Widen: true}} {
		got, err := Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if got.Math != simd.Int8 || !slices.Equal(logits(got), want) {
			t.Errorf("%+v: math %v, logits %v, expected %v", o, got.Math, logits(got), want)
		}
		for i, w := range weights {
			for path, p := range nn.Parameters(got) {
				if path != w.Path {
					continue
				}
				types := map[simd.Math]autograd.DType{simd.Int8: autograd.Int8, simd.BF16: autograd.BFloat16, simd.Strict: autograd.Float32}
				if p.DType() != types[w.Math] || p.MathLimit() != w.Math {
					t.Errorf("%+v: %s is %v in %v, expected %v", o, path, p.DType(), p.MathLimit(), w.Math)
				}
				weights[i].Before = 0
			}
		}
	}
	if i := slices.IndexFunc(weights, func(w quant.Weight) bool { return w.Before != 0 }); i >= 0 {
		t.Errorf("%s was not loaded", weights[i].Path)
	}
	// The same bytes once more, also from a model that reads the file.
	again, err := Open(dir, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := again.Save(other, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config.json", checkpoint.SafetensorsName} {
		a, _ := os.ReadFile(filepath.Join(dir, name))
		b, err := os.ReadFile(filepath.Join(other, name))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs when it is saved again: %v", name, err)
		}
	}
	// Training makes float32 of it.
	again.Encoder.Blocks[0].MLP.FC1.Weight.Update(func(v []float32) { v[0]++ })
	if w := again.Encoder.Blocks[0].MLP.FC1.Weight; w.DType() != autograd.Float32 || w.MathLimit() != simd.Strict {
		t.Errorf("a changed weight is %v in %v", w.DType(), w.MathLimit())
	}
	half := again.Encoder.Blocks[0].MLP.FC2.Weight
	half.Update(func(v []float32) { v[0] *= 1.0001 })
	if _, err := quant.Quantize(again, func(w quant.Weight) simd.Math {
		if strings.Contains(w.Path, "MLP") {
			return simd.Strict
		}
		return quant.Blocks(w)
	}); err != nil {
		t.Fatal(err)
	}
	if err := again.Save(other, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	back, err := Open(other, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Encoder.Blocks[0].MLP.FC2.Weight; !slices.Equal(got.Values(), half.Values()) || !slices.Equal(logits(back), logits(again)) {
		t.Errorf("after training and another rule: %v, logits %v, expected %v", got.DType(), logits(back), logits(again))
	}
	if err := again.Save(other, SaveOptions{Layout: models.Timm}); err == nil || !strings.Contains(err.Error(), "quantized weights") {
		t.Errorf("layout timm: %v", err)
	}
	// Without the description, integers are refused.
	config, _ := os.ReadFile(filepath.Join(dir, "config.json"))
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(config, &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, "quantization_config")
	config, _ = json.Marshal(fields)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, LoadOptions{}); err == nil || !strings.Contains(err.Error(), "expected a floating-point type, found I8") {
		t.Errorf("without quantization_config: %v", err)
	}
}

// TestQuantizedHead expects the same bits of a quantized model with a new head and a changed weight before and after it is
// saved and loaded.
func TestQuantizedHead(t *testing.T) {
	m, g := load(t, "tiny")
	if _, err := quant.Quantize(m, quant.Blocks); err != nil {
		t.Fatal(err)
	}
	m.NewHead([]string{"a", "b", "c"}, rand.New(rand.NewPCG(1, 2)))
	m.Encoder.Blocks[0].MLP.FC1.Weight.Update(func(v []float32) { v[0]++ })
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pixels, shape := g.Tensor("pixels")
	logits := func(m *Model) []float32 {
		tape := autograd.NewTape(autograd.Options{Math: simd.Int8})
		return m.Forward(tape.Input(pixels, shape...)).Floats(nil)
	}
	if got, want := logits(again), logits(m); !slices.Equal(got, want) {
		t.Errorf("logits %v, before %v", got, want)
	}
}

// TestQuantizedLibrary expects transformers and compressed-tensors to load a quantized folder.
func TestQuantizedLibrary(t *testing.T) {
	model, g := load(t, "tiny")
	if _, err := quant.Quantize(model, quant.Blocks); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := model.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	pixels, shape := g.Tensor("pixels")
	modeltest.CompressedTensors(t, modeltest.Quantized{
		Class: "ViTForImageClassification", Folder: dir, Inputs: []checkpoint.Entry{{Name: "pixels", Shape: shape, Floats: pixels}},
		Outputs: func(m simd.Math) []float32 {
			tape := autograd.NewTape(autograd.Options{Math: m})
			return model.Forward(tape.Input(pixels, shape...)).Floats(nil)
		},
	})
}
