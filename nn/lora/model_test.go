package lora_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/nn"
)

// model is the small ViT of testdata/base.
type model struct {
	Patch      *nn.PatchEmbed
	ClassToken *autograd.Parameter
	Positions  *autograd.Parameter
	Blocks     nn.Stack
	Norm       *nn.LayerNorm
	Head       *nn.Linear
}

// names is its table: the names that transformers writes on disk, those of timm, and those that transformers 5 has in
// memory, which are PEFT's.
var names = checkpoint.Names{
	Columns: []string{"disk", "timm", "memory"},
	Rules: []checkpoint.Rule{
		{"Patch", "vit.embeddings.patch_embeddings.projection", "patch_embed.proj"},
		{"ClassToken", "vit.embeddings.cls_token", "cls_token"},
		{"Positions", "vit.embeddings.position_embeddings", "pos_embed"},
		{"Blocks.{}.Norm1", "vit.encoder.layer.{}.layernorm_before", "blocks.{}.norm1", "vit.layers.{}.layernorm_before"},
		{"Blocks.{}.Attention.QKV", "vit.encoder.layer.{}.attention.attention.{query,key,value}", "blocks.{}.attn.qkv", "vit.layers.{}.attention.{q,k,v}_proj"},
		{"Blocks.{}.Attention.Proj", "vit.encoder.layer.{}.attention.output.dense", "blocks.{}.attn.proj", "vit.layers.{}.attention.o_proj"},
		{"Blocks.{}.Norm2", "vit.encoder.layer.{}.layernorm_after", "blocks.{}.norm2", "vit.layers.{}.layernorm_after"},
		{"Blocks.{}.MLP.FC1", "vit.encoder.layer.{}.intermediate.dense", "blocks.{}.mlp.fc1", "vit.layers.{}.mlp.fc1"},
		{"Blocks.{}.MLP.FC2", "vit.encoder.layer.{}.output.dense", "blocks.{}.mlp.fc2", "vit.layers.{}.mlp.fc2"},
		{"Norm", "vit.layernorm", "norm"},
		{"Head", "classifier", "head"},
	},
	Prefixes: []string{"vit."},
}

// newModel returns the model of testdata/base.
func newModel(t testing.TB) *model {
	t.Helper()
	const width = 12
	m := &model{
		Patch:      nn.NewPatchEmbed(3, 4, width),
		ClassToken: autograd.NewParameter(1, 1, width),
		Positions:  autograd.NewParameter(1, 5, width),
		Blocks:     nn.NewStack(3, nn.BlockConfig{Width: width, Heads: 3, Hidden: 20, Act: autograd.ActGelu, Eps: 1e-12, QKVBias: true}),
		Norm:       nn.NewLayerNorm(width, 1e-12),
		Head:       nn.NewLinear(width, 5, true),
	}
	f, err := checkpoint.OpenFolder(os.DirFS("testdata/base"), checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.Load(f, &names, nn.Parameters(m), checkpoint.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// Forward maps pixels, [n, 3, 8, 8], to logits, [n, 5].
func (m *model) Forward(pixels *autograd.Tensor) *autograd.Tensor {
	x := m.Patch.Forward(pixels)
	t, n := x.Tape(), x.Dim(0)
	x = autograd.Concat(1, autograd.BroadcastTo(t.Use(m.ClassToken), n, 1, x.Dim(2)), x)
	x = m.Blocks.Forward(autograd.Add(x, m.Positions), nn.AttentionInput{})
	x = autograd.Slice(m.Norm.Forward(x), 1, 0, 1)
	return m.Head.Forward(autograd.Reshape(x, n, x.Dim(2)))
}

// logits runs inference on pixels.
func (m *model) logits(pixels []float32) []float32 {
	tape := autograd.NewTape(autograd.Options{Debug: true})
	return m.Forward(tape.Input(pixels, len(pixels)/192, 3, 8, 8)).Floats(nil)
}

// gradients returns the loss of a golden's batch and the gradients.
func (m *model) gradients(g *golden.File, o autograd.Options) (loss float32, grads *autograd.Gradients) {
	o.Gradients, o.Debug = true, true
	tape := autograd.NewTape(o)
	pixels, shape := g.Tensor("pixels")
	y := autograd.CrossEntropy(m.Forward(tape.Input(pixels, shape...)), g.Ints("labels"), autograd.CrossEntropyOptions{})
	loss = y.Floats(nil)[0]
	grads = autograd.NewGradients()
	y.Backward(grads)
	return loss, grads
}

// values returns a copy of all parameters and whether they are frozen.
func (m *model) values() (values map[string][]float32, frozen map[string]bool) {
	values, frozen = map[string][]float32{}, map[string]bool{}
	for path, p := range nn.Parameters(m) {
		values[path] = append([]float32(nil), p.Values()...)
		frozen[path] = p.Frozen
	}
	return values, frozen
}

// shake gives parameters that are not frozen random values.
func (m *model) shake() {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, p := range nn.Parameters(m) {
		if !p.Frozen {
			nn.Normal(rng, p, 0.3)
		}
	}
}
