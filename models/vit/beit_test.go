package vit

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/autograd/gradcheck"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/nn"
)

// TestBEiTSize loads BEiT for another size of images, and expects what the model of the first size gives for them.
func TestBEiTSize(t *testing.T) {
	for _, shared := range []bool{false, true} {
		c := preset(16, 2, 2, 4)
		c.SetSize(12, 12)
		c.ModelType, c.NoKeyBias, c.LayerScaleInit, c.Pooling = beitType, true, 0.1, MeanPooling
		c.RelativePositions, c.RelativeInterpolation, c.SharedRelative, c.InitializerRange = true, true, shared, 0.3
		m, dir := New(c, 3, rand.New(rand.NewPCG(1, 2))), t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		other, err := Open(dir, LoadOptions{ImageSize: 20})
		if err != nil {
			t.Fatal(err)
		}
		if other.Config.ModelType != beitType || other.Config.SharedRelative != shared || (other.Encoder.Relative != nil) != shared {
			t.Errorf("shared %v: found %+v", shared, other.Config)
		}
		x := images(other.Config, 2)
		golden.Within(t, "another size", logits(other, x, 20, 20), logits(m, x, 20, 20), 1e-6)
	}
}

// TestBEiTGradients compares gradients with finite differences for images of another size than the configured one.
func TestBEiTGradients(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	table, pixels := nn.NewRelativePositionBias(2, 3, 2, true), autograd.NewParameter(1, 1+4*2, 8)
	nn.Normal(rng, table.Table, 1)
	nn.Normal(rng, pixels, 1)
	a := nn.NewMultiHeadAttention(8, 2, true)
	for _, p := range nn.Parameters(a) {
		nn.Normal(rng, p, 0.3)
	}
	a.Relative = table
	grid := nn.NewRelativeGrid(2, 3, 4, 2, true)
	err := gradcheck.Check(func(t *autograd.Tape) []*autograd.Tensor {
		return []*autograd.Tensor{a.Forward(t.Use(pixels), nn.AttentionInput{Relative: grid})}
	}, []*autograd.Parameter{table.Table, pixels}, gradcheck.Options{})
	if err != nil {
		t.Error(err)
	}
}

// TestBEiTRefused expects an error for each configuration and each head that the package does not compute.
func TestBEiTRefused(t *testing.T) {
	config, err := os.ReadFile("testdata/beit/config.json")
	if err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile("testdata/beit/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{`"use_relative_position_bias": true`, `"use_relative_position_bias": false`, "found 0 of them, which is not supported"},
		{`"use_absolute_position_embeddings": false`, `"use_absolute_position_embeddings": true`, "found 2 of them, which is not supported"},
		{`"use_shared_relative_position_bias": false`, `"use_shared_relative_position_bias": true`, "found 2 of them, which is not supported"},
		{`"image_size": 12`, `"image_size": [12, 8]`, "images that are not square are not supported"},
		{`"image_size": 12`, `"image_size": 16`, "image_size: expected 12, as in beit.encoder.layer.0.attention.attention.relative_position_bias"},
		{`"use_mean_pooling": true`, `"use_mean_pooling": false`, "beit.layernorm"},
		{`"use_mean_pooling": true`, `"use_mean_pooling": 1`, "use_mean_pooling: expected true or false, found number 1"},
		{`"layer_scale_init_value": 0.1`, `"layer_scale_init_value": 0`, "lambda_1"},
	} {
		text := strings.Replace(string(config), c.from, c.to, 1)
		if text == string(config) {
			t.Fatalf("%s is not in the file", c.from)
		}
		_, err := Load(fstest.MapFS{"config.json": {Data: []byte(text)}, "model.safetensors": {Data: weights}}, LoadOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected %q, found %v", c.to, c.want, err)
		}
	}
	for _, name := range []string{"lm_head.weight", "decode_head.classifier.weight"} {
		path := t.TempDir() + "/model.safetensors"
		if err := checkpoint.Write(path, []checkpoint.Entry{tensor(name, 2, 2)}, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		weights, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Load(fstest.MapFS{"config.json": {Data: config}, "model.safetensors": {Data: weights}}, LoadOptions{})
		if want := fmt.Sprintf("%q: a model with a head for", name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, found %v", want, err)
		}
	}
}
