package vit

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// otherSizes are the sizes of images, in pixels, that the goldens of the family have beside the native one.
var otherSizes = []string{"20x8", "8x16"}

// TestFamily compares DeiT, DINOv2 with registers, DINOv3 and BEiT with transformers: hidden states, outputs at three sizes, and the
// gradient of every parameter.
func TestFamily(t *testing.T) {
	for _, name := range []string{"deit", "registers", "dinov3", "beit"} {
		t.Run(name, func(t *testing.T) { compareFamily(t, filepath.Join("testdata", name), t.TempDir()) })
	}
}

// TestLibrariesFamily does the same with every form, and expects transformers to give the outputs of what was saved.
func TestLibrariesFamily(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "vit_family.py", dir)
	forms, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(forms) < 17 {
		t.Errorf("found %d forms", len(forms))
	}
	var saved []modeltest.Saved
	for _, form := range forms {
		folder := t.TempDir() // for all tests, Python's at the end too
		t.Run(form.Name(), func(t *testing.T) {
			saved = append(saved, compareFamily(t, filepath.Join(dir, form.Name()), folder))
		})
	}
	modeltest.Library(t, "named", saved...)
}

// compareFamily compares a folder with its golden. It saves the model to another, which it returns with outputs.
func compareFamily(t *testing.T, dir, folder string) modeltest.Saved {
	t.Helper()
	g := golden.Load(t, filepath.Join(dir, "golden.safetensors"))
	m, err := Load(os.DirFS(dir), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := nn.Count(m), int(g.Floats("parameters")[0]); got != want {
		t.Errorf("found %d parameters, expected %d", got, want)
	}
	pixels, shape := g.Tensor("pixels")
	tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true})
	x := tape.Input(pixels, shape...)
	compareHidden(t, g, m, autograd.NewTape(autograd.Options{Debug: true}).Input(pixels, shape...))
	out := output(m, x)
	values := out.Floats(nil)
	golden.Output(t, "output", values, g.Floats("output"))
	grads := autograd.NewGradients()
	autograd.Sum(autograd.Mul(out, out), false).Backward(grads)
	table := tableOf(m.Config, "classifier")
	modeltest.Gradients(t, g, &table, m, grads)
	compareSizes(t, g, m)

	saved := modeltest.Saved{Folder: folder}
	if err := m.Save(saved.Folder, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := Load(os.DirFS(saved.Folder), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := output(again, autograd.NewTape(autograd.Options{}).Input(pixels, shape...))
	if d := cmp.Diff(values, got.Floats(nil)); d != "" {
		t.Errorf("saved: %s", d)
	}
	want := m.Config
	if m.Head != nil {
		want.NameAll(m.Head.Weight.Shape()[0])
	}
	want.Architectures = again.Config.Architectures // DeiTModel where there was a pooler
	if d := cmp.Diff(want, again.Config); d != "" {
		t.Errorf("saved: %s", d)
	}
	saved.Outputs = []checkpoint.Entry{
		{Name: "pixels", Shape: shape, Floats: pixels},
		{Name: "logits", Shape: out.Shape(), Floats: values},
	}
	return saved
}

// output returns the logits, or the features of a model without a classifier.
func output(m *Model, pixels *autograd.Tensor) *autograd.Tensor {
	if m.Head == nil {
		return m.Pooled(pixels)
	}
	return m.Forward(pixels)
}

// compareHidden compares what goes into the blocks and comes out of each.
func compareHidden(t *testing.T, g *golden.File, m *Model, pixels *autograd.Tensor) {
	t.Helper()
	e := m.Encoder
	x := e.Embed(pixels)
	golden.Output(t, "hidden.0", x.Floats(nil), g.Floats("hidden.0"))
	for i, b := range e.Blocks {
		x = b.Forward(x, e.input(i, e.size(pixels), nil))
		name := "hidden." + strconv.Itoa(i+1)
		golden.Output(t, name, x.Floats(nil), g.Floats(name))
	}
}

func compareSizes(t *testing.T, g *golden.File, m *Model) {
	t.Helper()
	for _, size := range otherSizes {
		pixels, shape := g.Tensor(size + "/pixels")
		tape := autograd.NewTape(autograd.Options{Debug: true})
		golden.Output(t, size, output(m, tape.Input(pixels, shape...)).Floats(nil), g.Floats(size+"/output"))
	}
}

// TestMeta loads files of facebookresearch/dinov2, and expects the outputs of its code at four sizes.
func TestMeta(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "vit_family.py", "meta", dir)
	for _, name := range []string{"meta_dinov2", "meta_registers"} {
		g := golden.Load(t, filepath.Join(dir, name+".golden.safetensors"))
		m, err := Load(os.DirFS(filepath.Join(dir, name)), LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range append(slices.Clone(otherSizes), "12x12", "28x28") {
			pixels, shape := g.Tensor(size + "/pixels")
			got := m.Pooled(autograd.NewTape(autograd.Options{}).Input(pixels, shape...))
			golden.Output(t, name+" "+size, got.Floats(nil), g.Floats(size+"/output"))
		}
		// What is saved for Hugging Face and timm has the same outputs at the native size.
		pixels, shape := g.Tensor("12x12/pixels")
		for _, o := range []SaveOptions{{}, {Layout: models.Timm}} {
			saved := t.TempDir()
			if err := m.Save(saved, o); err != nil {
				t.Fatal(err)
			}
			again, err := Load(os.DirFS(saved), LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			golden.Output(t, name+" saved", again.Pooled(autograd.NewTape(autograd.Options{}).Input(pixels, shape...)).Floats(nil), g.Floats("12x12/output"))
		}
	}
}

// TestDINOv3Processor prepares images as transformers' processor of DINOv3 does, also after it was saved.
func TestDINOv3Processor(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "vit_family.py", "processor", dir)
	g, fsys := golden.Load(t, filepath.Join(dir, "golden.safetensors")), os.DirFS(dir)
	p, err := vision.LoadPreprocess(fsys)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var again vision.Preprocess
	if err := json.Unmarshal(text, &again); err != nil || again != p {
		t.Errorf("saved: found %+v, %v, expected %+v", again, err, p)
	}
	for _, name := range g.Names() {
		img, err := vision.DecodeFile(fsys, name+".png", vision.DecodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pixels, _, _, err := p.Pixels(nil, nil, img)
		if err != nil {
			t.Fatal(err)
		}
		golden.Output(t, name, pixels, g.Floats(name))
	}
}

// TestGoogle loads .npz files with the names of Google's releases, and expects the outputs of what timm makes of them.
func TestGoogle(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "vit_family.py", "google", dir)
	for _, name := range []string{"jax", "jax_opt", "big", "siglip", "hybrid", "hybrid_stem"} {
		g := golden.Load(t, filepath.Join(dir, name+".golden.safetensors"))
		m, err := Load(os.DirFS(filepath.Join(dir, name)), LoadOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		pixels, shape := g.Tensor("pixels")
		golden.Output(t, name, output(m, autograd.NewTape(autograd.Options{}).Input(pixels, shape...)).Floats(nil), g.Floats("output"))
		if p := vision.Half(shape[2]); m.Preprocess != p || !m.PreprocessAssumed || m.Config.NumAttentionHeads != 2 {
			t.Errorf("%s: found %+v, %d heads", name, m.Preprocess, m.Config.NumAttentionHeads)
		}
	}
}

// TestGoogleRefused expects an error from files that look like Google's and are none, and no panic.
func TestGoogleRefused(t *testing.T) {
	kernel := tensor("embedding/kernel", 4, 4, 3, 24)
	whole := []checkpoint.Entry{
		kernel, tensor("embedding/bias", 24), tensor("cls", 1, 1, 24), tensor("Transformer/posembed_input/pos_embedding", 1, 10, 24),
		tensor("Transformer/encoder_norm/scale", 24), tensor("Transformer/encoder_norm/bias", 24),
	}
	block := func(shape ...int) []checkpoint.Entry {
		const at = "Transformer/encoderblock_0/"
		entries := []checkpoint.Entry{tensor(at+"LayerNorm_0/scale", 24), tensor(at+"LayerNorm_0/bias", 24)}
		for _, part := range []string{"query", "key", "value"} {
			entries = append(entries, tensor(at+"MultiHeadDotProductAttention_1/"+part+"/kernel", shape...), tensor(at+"MultiHeadDotProductAttention_1/"+part+"/bias", 2, 12))
		}
		return slices.Concat(whole, entries)
	}
	for want, entries := range map[string][]checkpoint.Entry{
		`expected the tensor "embedding/bias"`:       {kernel},
		"expected the shape [height width channels":  {tensor("embedding/kernel", 4, 24)},
		"no transformer block":                       whole,
		"expected the shape [width heads channels]":  block(24, 24),
		`MultiHeadDotProductAttention_1/out/kernel"`: block(24, 2, 12),
		`"conv_root/kernel": expected the shape [h`:  append(slices.Clone(whole), tensor("conv_root/kernel", 1)),
		`expected the tensor "gn_root/scale"`:        append(slices.Clone(whole), tensor("conv_root/kernel", 7, 7, 3, 32)),
		"a layer before the classifier":              append(slices.Clone(whole), tensor("pre_logits/kernel", 24, 24), tensor("head/kernel", 24, 3)),
	} {
		var b bytes.Buffer
		if err := checkpoint.Encode(&b, entries, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(fstest.MapFS{"x.safetensors": {Data: b.Bytes()}}, LoadOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, found %v", want, err)
		}
	}
}

// TestFamilyCounts compares the numbers of parameters with those of transformers and timm, without the mask token.
func TestFamilyCounts(t *testing.T) {
	distilled := Small16()
	distilled.DistillationToken = true
	pooled := Base16()
	pooled.NoClassToken, pooled.Pooling = true, AttentionPooling
	config := func(text string) (c Config) {
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, c := range []struct {
		name    string
		config  Config
		classes int
		want    int
	}{
		{"DeiT-S distilled", distilled, 1000, 22_436_432},
		{"SigLIP B/16", pooled, 0, 92_884_224},
		{"DINOv2 S/14", config(`{"model_type": "dinov2", "hidden_size": 384, "num_attention_heads": 6, "image_size": 518}`), 0, 22_056_192},
		{"DINOv2 S/14 with registers", config(`{"model_type": "dinov2_with_registers", "hidden_size": 384, "num_attention_heads": 6, "image_size": 518, "patch_size": 14}`), 0, 22_057_728},
		{"DINOv2 g/14", config(`{"model_type": "dinov2", "hidden_size": 1536, "num_attention_heads": 24, "num_hidden_layers": 40, "image_size": 518, "use_swiglu_ffn": true}`), 0, 1_136_479_232},
		{"DINOv3 S/16", config(`{"model_type": "dinov3_vit", "num_register_tokens": 4}`), 0, 21_596_160},
		{"DINOv3 H+/16", config(`{"model_type": "dinov3_vit", "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20,
			"num_register_tokens": 4, "use_gated_mlp": true}`), 0, 840_591_360},
		{"BEiT B/16", config(`{"model_type": "beit", "use_relative_position_bias": true}`), 1000, 86_530_984},
		{"BEiT B/16 of 384 pixels", config(`{"model_type": "beit", "use_relative_position_bias": true, "image_size": 384}`), 1000, 86_744_104},
		{"BEiT L/16", config(`{"model_type": "beit", "use_relative_position_bias": true, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
			"num_attention_heads": 16}`), 1000, 304_430_568},
	} {
		if testing.Short() && c.want > 100_000_000 {
			continue
		}
		one := c.config
		one.NumHiddenLayers = 1 // one block stands for all
		m := New(one, c.classes, nil)
		if got := nn.Count(m) + (c.config.NumHiddenLayers-1)*nn.Count(m.Encoder.Blocks); got != c.want {
			t.Errorf("%s has %d parameters, expected %d", c.name, got, c.want)
		}
	}
}
