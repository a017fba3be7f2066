package vit

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
)

// The tests in this file try situations of public reports about other implementations, with inputs of their own. The
// comments name the threads.

// small returns the configuration of a small model for images of 16×16 pixels.
func small() Config {
	c := Tiny16()
	c.ImageSize, c.PatchSize, c.NumHiddenLayers, c.HiddenSize, c.NumAttentionHeads, c.IntermediateSize = 16, 4, 3, 16, 2, 24
	return c
}

// logits returns what a model makes of pixels of a size.
func logits(m *Model, pixels []float32, height, width int) []float32 {
	n := len(pixels) / (3 * height * width)
	return m.Forward(autograd.NewTape(autograd.Options{}).Input(pixels, n, 3, height, width)).Floats(nil)
}

// TestSamePatches gives images with as many patches as the configured ones, in another grid, and expects that positions are
// resized (facebookresearch/dinov2#456, #506, #582). Their content is constant, so that the positions alone differ.
func TestSamePatches(t *testing.T) {
	m := New(small(), 3, rand.New(rand.NewPCG(1, 1)))
	embed := func(height, width int) []float32 {
		return m.Encoder.Embed(autograd.NewTape(autograd.Options{}).Full(0.5, 1, 3, height, width)).Floats(nil)
	}
	square, wide, high := embed(16, 16), embed(8, 32), embed(32, 8)
	if len(wide) != len(square) || slices.Equal(wide, square) || slices.Equal(high, square) || slices.Equal(high, wide) {
		t.Error("expected other positions for each grid")
	}
}

// TestFailingSizes runs grids of patches whose scale factors round to another size, which stopped facebookresearch/dinov2
// (#333, #336, #378) and transformers' ViTMAE (huggingface/transformers#32410).
func TestFailingSizes(t *testing.T) {
	for grid, sides := range map[int][]int{14: {61, 115, 122}, 37: {38, 39, 43, 78, 86, 115, 123}} {
		c := small()
		c.ImageSize, c.PatchSize, c.NumHiddenLayers, c.HiddenSize = grid, 1, 1, 8
		m := New(c, 3, rand.New(rand.NewPCG(1, 1)))
		for _, side := range sides {
			x := autograd.NewTape(autograd.Options{}).Full(0.5, 1, 3, 3, side)
			if n := m.Encoder.Forward(x).Dim(1); n != 1+3*side {
				t.Errorf("%d patches of %d: found %d tokens", side, grid, n)
			}
		}
	}
}

// TestNewHeads keeps what pools the tokens, and replaces both classifiers of a distilled model
// (huggingface/pytorch-image-models#433, #2272).
func TestNewHeads(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	c := small()
	c.Pooling = AttentionPooling
	m := New(c, 3, rng)
	pool := m.Pool
	m.NewHead([]string{"a", "b"}, rng)
	if m.Pool == nil || m.Pool != pool {
		t.Error("expected the pooling of before")
	}
	c = small()
	c.DistillationToken = true
	m = New(c, 3, rng)
	m.NewHead([]string{"a", "b"}, rng)
	if got := logits(m, images(c, 1), 16, 16); len(got) != 2 {
		t.Errorf("expected two logits, found %v", got)
	}
}

// TestRegisterLayers puts all learned tokens into layer 0 and leaves weight decay away from them
// (huggingface/pytorch-image-models#2712).
func TestRegisterLayers(t *testing.T) {
	c := small()
	c.NumRegisterTokens, c.DistillationToken = 2, true
	m := New(c, 3, nil)
	for _, path := range []string{"Encoder.Registers", "Encoder.ClassToken", "Encoder.Distillation", "Encoder.Positions"} {
		if layer := m.Layer(path); layer != 0 || !m.NoDecay(path) {
			t.Errorf("%s: found layer %d and weight decay %v", path, layer, !m.NoDecay(path))
		}
	}
}

// TestUnusedTensors refuses weights that the configuration has no place for, such as layer scale, instead of leaving them
// out (riccardomusmeci/mlx-image#26).
func TestUnusedTensors(t *testing.T) {
	f, err := checkpoint.Open("testdata/tiny/model.safetensors", checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var entries []checkpoint.Entry
	for x := range f.Tensors() {
		entries = append(entries, checkpoint.Entry{Name: x.Name, Shape: x.Shape, Floats: make([]float32, product(x.Shape))})
	}
	width := 0
	for _, e := range entries {
		if strings.HasSuffix(e.Name, "layernorm_before.weight") {
			width = e.Shape[0]
		}
	}
	entries = append(entries, checkpoint.Entry{Name: "vit.encoder.layer.0.layer_scale1.lambda1", Shape: []int{width}, Floats: make([]float32, width)})
	name := t.TempDir() + "/model.safetensors"
	if err := checkpoint.Write(name, entries, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile("testdata/tiny/config.json")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Load(fstest.MapFS{"config.json": {Data: config}, "model.safetensors": {Data: weights}}, LoadOptions{})
	var mismatch *checkpoint.MismatchError
	if !errors.As(err, &mismatch) || !strings.Contains(err.Error(), "lambda1") {
		t.Errorf("expected an error that names lambda1, found %v", err)
	}
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// TestFrozenRecompute recomputes blocks whose input needs no gradient, because the embeddings are frozen. Adapters of all
// blocks get their gradients (huggingface/peft#1142, huggingface/transformers#23170, #26221, microsoft/LoRA#120).
func TestFrozenRecompute(t *testing.T) {
	c := small()
	c.DropPathRate = 0.2
	m := New(c, 3, rand.New(rand.NewPCG(1, 1)))
	rng := rand.New(rand.NewPCG(2, 2))
	err := lora.Attach(m, lora.Options{Layers: []string{"Encoder.Blocks.*.Attention.QKV", "Encoder.Blocks.*.MLP.*"}, Rank: 2, Dropout: 0.1, Train: []string{"Head.*"}}, rng)
	if err != nil {
		t.Fatal(err)
	}
	adapters := 0
	for _, p := range nn.Parameters(m) {
		if !p.Frozen {
			nn.TruncatedNormal(rng, p, 0.1, -2, 2) // B is zero at first
			adapters++
		}
	}
	o := autograd.Options{Gradients: true, Training: true, Seed: 3}
	want, _ := backward(m, o, images(c, 4), 16)
	o.Recompute = true
	got, _ := backward(m, o, images(c, 4), 16)
	for path, p := range nn.Parameters(m) {
		a, b := want.Of(p), got.Of(p)
		same := slices.EqualFunc(a, b, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })
		if p.Frozen != (a == nil) || !same {
			t.Errorf("%s: frozen %v, %d values, the same: %v", path, p.Frozen, len(a), same)
		}
		if a != nil && !slices.ContainsFunc(a, func(v float32) bool { return v != 0 }) {
			t.Errorf("%s: the gradient is zero", path)
		}
	}
	if adapters != 3*2*5+2 {
		t.Errorf("found %d trained parameters", adapters)
	}
}
