package template

import (
	"context"
	"errors"
	"image"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/autograd/gradcheck"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
)

// random returns a model whose parameters and buffers are all random.
func random(c Config, classes int) *Model {
	rng := rand.New(rand.NewPCG(1, 2))
	m := New(c, classes, rng)
	for _, v := range nn.Values(m) {
		v.Update(func(values []float32) {
			for i := range values {
				values[i] += float32(0.1 * math.Abs(rng.NormFloat64())) // variances stay positive
			}
		})
	}
	return m
}

func values(m *Model) map[string][]float32 {
	all := map[string][]float32{}
	for path, v := range nn.Values(m) {
		all[path] = slices.Clone(v.Values())
	}
	return all
}

func TestNames(t *testing.T) { modeltest.Names(t, &names, New(Tiny(), 2, nil)) }

// TestRoundTrip saves a model in each layout and loads it again: configuration, parameters and buffers.
func TestRoundTrip(t *testing.T) {
	c := Tiny()
	c.HiddenAct = "silu"
	c.SetLabels([]string{"cat", "dog", "bird"})
	m := random(c, 3)
	for _, layout := range []models.Layout{models.HuggingFace, models.Original} {
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{Layout: layout}); err != nil {
			t.Fatal(err)
		}
		again, err := Load(os.DirFS(dir), LoadOptions{})
		if err != nil {
			t.Fatalf("%v: %v", layout, err)
		}
		if d := cmp.Diff(values(m), values(again)); d != "" {
			t.Errorf("%v: %s", layout, d)
		}
		if d := cmp.Diff(m.Config, again.Config); d != "" {
			t.Errorf("%v: %s", layout, d)
		}
	}
	if err := m.Save(t.TempDir(), SaveOptions{Layout: models.Timm}); err == nil || !strings.Contains(err.Error(), "layout") {
		t.Errorf("expected an error about the layout, found %v", err)
	}
}

// TestSavedNames pins the names in files.
func TestSavedNames(t *testing.T) {
	c := Tiny()
	c.NumHiddenLayers = 1
	for layout, want := range map[models.Layout][]string{
		models.HuggingFace: {
			"classifier.bias", "classifier.weight", "template.embeddings.projection.bias", "template.embeddings.projection.weight",
			"template.encoder.layer.0.attention.key.bias", "template.encoder.layer.0.attention.key.weight",
			"template.encoder.layer.0.attention.output.dense.bias", "template.encoder.layer.0.attention.output.dense.weight",
			"template.encoder.layer.0.attention.query.bias", "template.encoder.layer.0.attention.query.weight",
			"template.encoder.layer.0.attention.value.bias", "template.encoder.layer.0.attention.value.weight",
			"template.encoder.layer.0.intermediate.dense.bias", "template.encoder.layer.0.intermediate.dense.weight",
			"template.encoder.layer.0.layernorm_after.bias", "template.encoder.layer.0.layernorm_after.weight",
			"template.encoder.layer.0.layernorm_before.bias", "template.encoder.layer.0.layernorm_before.weight",
			"template.encoder.layer.0.output.dense.bias", "template.encoder.layer.0.output.dense.weight",
			"template.norm.bias", "template.norm.running_mean", "template.norm.running_var", "template.norm.weight",
		},
		models.Original: {
			"blocks.0.attn.proj.bias", "blocks.0.attn.proj.weight", "blocks.0.attn.qkv.bias", "blocks.0.attn.qkv.weight",
			"blocks.0.mlp.fc1.bias", "blocks.0.mlp.fc1.weight", "blocks.0.mlp.fc2.bias", "blocks.0.mlp.fc2.weight",
			"blocks.0.norm1.bias", "blocks.0.norm1.weight", "blocks.0.norm2.bias", "blocks.0.norm2.weight",
			"head.bias", "head.weight", "norm.bias", "norm.running_mean", "norm.running_var", "norm.weight",
			"patch_embed.proj.bias", "patch_embed.proj.weight",
		},
	} {
		dir := t.TempDir()
		if err := New(c, 2, nil).Save(dir, SaveOptions{Layout: layout}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, slices.Sorted(maps.Keys(modeltest.Weights(t, os.DirFS(dir))))); d != "" {
			t.Errorf("%v: %s", layout, d)
		}
	}
}

// TestRefused loads folders that describe larger models than they hold, or none. The models are small enough to be made where
// a claim is missing, so that the test fails and does not take all memory.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	if err := New(Tiny(), 2, nil).Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile(filepath.Join(dir, checkpoint.SafetensorsName))
	if err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]string{
		`{"model_type": "template", "hidden_size": 1024}`:       "describes a model",
		`{"model_type": "template", "num_hidden_layers": 4096}`: "describes a model",
		`{"model_type": "template", "num_channels": 65536}`:     "describes a model",
		`{"model_type": "template", "hidden_size": 0}`:          "config.json: hidden_size",
		`{"model_type": "template", "hidden_act": "gelu_10"}`:   "config.json: hidden_act",
		`{"model_type": "template", "hidden_size": "wide"}`:     "config.json: hidden_size",
		`{"model_type": "vit"}`:                                 "config.json: model_type",
		`{"architecture": "template"}`:                          `config.json with the model_type "template"`,
		`{"hidden_size": 8}`:                                    "expected the shape [classes 8]",
		`{"causal": true}`:                                      "causal",
		`{"layer_norm_eps": -1}`:                                "config.json: layer_norm_eps",
	} {
		fsys := fstest.MapFS{"config.json": {Data: []byte(config)}, checkpoint.SafetensorsName: {Data: weights}}
		if _, err := Load(fsys, LoadOptions{}); err == nil || !strings.HasPrefix(err.Error(), "template: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected an error with %q, found %v", config, want, err)
		}
	}
	if _, err := Load(fstest.MapFS{checkpoint.SafetensorsName: {Data: weights}}, LoadOptions{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "config.json") {
		t.Errorf("no configuration: %v", err)
	}
	if _, err := Load(os.DirFS(dir), LoadOptions{ImageSize: 17}); err == nil || !strings.Contains(err.Error(), "17") {
		t.Errorf("images of 17 pixels: %v", err)
	}
}

// TestOptions loads a model for larger images, and one without a classifier.
func TestOptions(t *testing.T) {
	dir := t.TempDir()
	if err := New(Tiny(), 0, nil).Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	m, err := Load(os.DirFS(dir), LoadOptions{ImageSize: 32})
	if err != nil {
		t.Fatal(err)
	}
	if m.Config.ImageSize != 32 || m.Preprocess.CropWidth != 32 || m.Head != nil {
		t.Errorf("found images of %d pixels, prepared at %d, and the head %v", m.Config.ImageSize, m.Preprocess.CropWidth, m.Head)
	}
	if _, err := m.Classify(context.Background()); err == nil || !strings.Contains(err.Error(), "no classifier") {
		t.Errorf("no classifier: %v", err)
	}
}

// TestGradients compares gradients with finite differences, also through the statistics of a batch.
func TestGradients(t *testing.T) {
	c := Tiny()
	c.ImageSize, c.PatchSize, c.NumChannels, c.HiddenSize, c.IntermediateSize, c.NumHiddenLayers = 4, 2, 1, 6, 8, 1
	m := random(c, 2)
	var params []*autograd.Parameter
	for _, p := range nn.Parameters(m) {
		params = append(params, p)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	x := make([]float32, 5*4*4)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	for _, training := range []bool{false, true} {
		err := gradcheck.Check(func(t *autograd.Tape) []*autograd.Tensor {
			return []*autograd.Tensor{m.Forward(t.Input(x, 5, 1, 4, 4))}
		}, params, gradcheck.Options{Training: training})
		if err != nil {
			t.Errorf("training %t: %v", training, err)
		}
	}
}

// TestClassify gives each image the same bits whatever else is classified, and on any number of threads.
func TestClassify(t *testing.T) {
	m := random(Tiny(), 2)
	rng := rand.New(rand.NewPCG(3, 4))
	var images []image.Image
	for i := range 20 { // more than one batch
		img := image.NewRGBA(image.Rect(0, 0, 10+i, 30-i))
		for j := range img.Pix {
			img.Pix[j] = uint8(rng.IntN(256)) | 1
		}
		images = append(images, img)
	}
	all, err := m.Classify(context.Background(), images...)
	if err != nil {
		t.Fatal(err)
	}
	m.Workers = nil
	for i, img := range images {
		one, err := m.Classify(context.Background(), img)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(one[0], all[i]); d != "" {
			t.Errorf("image %d: %s", i, d)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Classify(ctx, images...); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

// FuzzConfig loads small weights beside any config.json: the answer is a valid model or an error.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"model_type": "template", "image_size": 32, "num_attention_heads": 4, "id2label": {"0": "a"}}`))
	f.Add([]byte(`{"architecture": "template"}`))
	dir := f.TempDir()
	if err := New(Tiny(), 2, nil).Save(dir, SaveOptions{}); err != nil {
		f.Fatal(err)
	}
	weights, err := os.ReadFile(filepath.Join(dir, checkpoint.SafetensorsName))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		fsys := fstest.MapFS{"config.json": {Data: config}, checkpoint.SafetensorsName: {Data: weights}}
		if m, err := Load(fsys, LoadOptions{}); err == nil && m.Config.Validate() != nil {
			t.Errorf("a model whose configuration is not valid: %v", m.Config.Validate())
		}
	})
}
