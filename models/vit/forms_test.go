package vit

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// kept are the forms that are in testdata; all are made anew where there is a Python with the libraries.
var kept = []string{"timm_class", "timm_mean", "timm_deit3", "timm_clip"}

// TestForms loads models as timm writes them and expects timm's logits.
func TestForms(t *testing.T) {
	for _, name := range kept {
		t.Run(name, func(t *testing.T) { compareForm(t, filepath.Join("testdata", name)) })
	}
}

// TestLibrariesForms does the same with every form that transformers, timm and the original releases have.
func TestLibrariesForms(t *testing.T) {
	names := []string{
		"hf_class", "hf_shards", "hf_half", "hf_options", "hf_memory", "hf_base", "hf_larger",
		"timm_class", "timm_mean", "timm_mean_of_norm", "timm_token_fc_norm", "timm_gap", "timm_deit3", "timm_clip",
		"timm_options", "timm_dinov2", "timm_distilled", "timm_larger", "timm_smaller", "timm_published", "deit", "mae_encoder", "mae_finetuned",
	}
	dir := modeltest.Forms(t, names...)
	for _, name := range names {
		t.Run(name, func(t *testing.T) { compareForm(t, filepath.Join(dir, name)) })
	}
}

// compareForm loads a folder and compares what the model gives with its golden, also after saving for both
// libraries.
func compareForm(t *testing.T, dir string) {
	g := golden.Load(t, dir+".golden.safetensors")
	o := LoadOptions{}
	if size, ok := g.Checkpoint().Metadata("size"); ok {
		o.ImageSize, _ = strconv.Atoi(size)
	}
	m, err := Load(os.DirFS(dir), o)
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, g, m)
	if o.ImageSize != 0 {
		// The same images go through the model of the size that was saved: positions are resized as it runs.
		own, err := Load(os.DirFS(dir), LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		compareGolden(t, g, own)
	}
	for name, saving := range map[string]SaveOptions{"Hugging Face": {}, "timm": {Layout: models.Timm}} {
		saved := t.TempDir()
		if err := m.Save(saved, saving); err != nil {
			t.Fatal(err)
		}
		again, err := Load(os.DirFS(saved), LoadOptions{})
		if err != nil {
			t.Fatalf("saved for %s: %v", name, err)
		}
		compareGolden(t, g, again)
		if d := cmp.Diff(m.Preprocess, again.Preprocess); d != "" {
			t.Errorf("saved for %s, the preprocessing is another: %s", name, d)
		}
		want, got := m.Config, again.Config
		if m.Head != nil && len(want.ID2Label) == 0 {
			want.ID2Label, want.Label2ID = got.ID2Label, got.Label2ID
		}
		want.Architectures, got.Architectures, want.ModelType, got.ModelType = nil, nil, "", ""
		if saving.Layout == models.Timm { // what timm does not keep
			want.AntialiasPositions = true
			want.LayerNormEps = max(want.LayerNormEps, 1e-6)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("saved for %s, the configuration is another: %s", name, d)
		}
		if saving.Layout != models.Timm || o.ImageSize != 0 || m.Preprocess.Backend != vision.Timm || m.Config.NumChannels != 3 {
			continue
		}
		// timm reads the preprocessing from its own configuration.
		config, err := os.ReadFile(filepath.Join(saved, "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := vision.ParseTimm(config, false)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m.Preprocess, theirs); d != "" {
			t.Errorf("timm is told of another preprocessing: %s", d)
		}
	}
}

// TestSameNames saves models that the libraries wrote, and expects the same names, shapes and values.
func TestSameNames(t *testing.T) {
	for name, saving := range map[string]SaveOptions{"tiny": {}, "odd": {}, "timm_class": {Layout: models.Timm}, "timm_mean": {Layout: models.Timm}, "timm_clip": {Layout: models.Timm}} {
		from := os.DirFS(filepath.Join("testdata", name))
		m, err := Load(from, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := m.Save(dir, saving); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(modeltest.Weights(t, from), modeltest.Weights(t, os.DirFS(dir))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func compareGolden(t *testing.T, g *golden.File, m *Model) {
	t.Helper()
	pixels, shape := g.Tensor("pixels")
	tape := autograd.NewTape(autograd.Options{Debug: true})
	x := tape.Input(pixels, shape...)
	if g.Has("features") {
		golden.Output(t, "features", m.Pooled(x).Floats(nil), g.Floats("features"))
		return
	}
	golden.Output(t, "logits", m.Forward(x).Floats(nil), g.Floats("logits"))
}

// TestTimmReadsSaved saves every variant that timm has and expects timm to give the same logits.
func TestTimmReadsSaved(t *testing.T) {
	var saved []modeltest.Saved
	for i, change := range []func(c *Config){
		func(c *Config) {},
		func(c *Config) { c.LayerNormEps = 1e-12 },
		func(c *Config) { c.Pooling = MeanPooling },
		func(c *Config) { c.Pooling = NormMeanPooling },
		func(c *Config) { c.Pooling, c.NoClassToken = MeanPooling, true },
		func(c *Config) { c.PreNorm = true },
		func(c *Config) { c.PreNorm, c.LayerNormEps, c.HiddenAct = true, 1e-5, "quick_gelu" },
		func(c *Config) { c.LayerNormEps = 1e-5 },
		func(c *Config) { c.LayerScaleInit = 0.1 },
		func(c *Config) { c.QKVBias = false },
		func(c *Config) { c.HiddenSize, c.NumAttentionHeads, c.IntermediateSize = 30, 5, 37 },
		func(c *Config) { c.NumChannels = 1 },
		func(c *Config) { c.HiddenAct = "gelu_new" },
		func(c *Config) { c.HiddenAct = "relu" },
		func(c *Config) { c.NumAttentionHeads = 8 },
		func(c *Config) { *c = Tiny16(); c.ImageSize = 64 },
		func(c *Config) { c.ImageWidth = 40 },
		func(c *Config) { c.ImageSize, c.ImageWidth, c.NoClassToken, c.Pooling = 32, 8, true, NormMeanPooling },
		func(c *Config) { c.NumRegisterTokens = 4 },
		func(c *Config) { c.NumRegisterTokens, c.RegisterPositions, c.Pooling = 2, true, MeanPooling },
		func(c *Config) { c.NumRegisterTokens, c.NoClassToken, c.Pooling = 1, true, AttentionPooling },
		func(c *Config) { c.DistillationToken = true },
		func(c *Config) { c.QKNorm, c.LayerScaleInit = true, 0.1 },
		func(c *Config) { c.GatedMLP, c.HiddenAct, c.LayerScaleInit = true, "silu", 0.1 },
		func(c *Config) { c.NoFinalNorm = true },
		func(c *Config) { c.NoFinalNorm, c.Pooling = true, NormMeanPooling },
	} {
		if oracle.Short() && i%4 != 0 {
			continue
		}
		c := Tiny16()
		c.ImageSize, c.PatchSize, c.NumHiddenLayers, c.HiddenSize, c.IntermediateSize, c.LayerNormEps = 16, 8, 2, 64, 96, 1e-6
		c.NumAttentionHeads = 2
		change(&c)
		saved = append(saved, save(t, c, SaveOptions{Layout: models.Timm}))
	}
	modeltest.Library(t, "timm", saved...)
}

// variants are configurations of a small model that transformers' ViT does not have.
func variants() []Config {
	small := Tiny16()
	small.ImageSize, small.PatchSize, small.NumHiddenLayers, small.HiddenSize, small.IntermediateSize, small.LayerNormEps = 16, 8, 2, 64, 96, 1e-6
	small.NumAttentionHeads = 2
	var all []Config
	for _, change := range []func(c *Config){
		func(c *Config) { c.Pooling = MeanPooling },
		func(c *Config) { c.Pooling = NormMeanPooling },
		func(c *Config) { c.Pooling, c.NoClassToken = NormMeanPooling, true },
		func(c *Config) { c.PreNorm = true },
		func(c *Config) { c.LayerScaleInit = 0.1 },
		func(c *Config) { c.LayerScaleInit, c.NumRegisterTokens = 0.1, 2 },
		func(c *Config) { c.NoClassToken, c.Pooling, c.QKNorm = true, AttentionPooling, true },
	} {
		c := small
		change(&c)
		all = append(all, c)
	}
	return all
}

// TestVariants saves what transformers' ViT does not have, under a model_type of Fovea's own. Load gives the same
// configuration, to the last field, and the same outputs.
func TestVariants(t *testing.T) {
	flat := variants()[0]
	flat.Pooling = FlattenPooling
	for _, c := range append(variants(), flat) {
		c.LayerNormEps, c.DropPathRate, c.HiddenDropoutProb, c.InitializerRange = 1e-3, 0.1, 0.2, 0.3
		c.SetLabels([]string{"a", "b", "c", "d", "e", "f", "g"})
		saved := save(t, c, SaveOptions{})
		m, err := Open(saved.Folder, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if m.Config.ModelType != "fovea_vit" || m.Config.Architectures != nil {
			t.Errorf("%+v: saved as %q, %q", c, m.Config.ModelType, m.Config.Architectures)
		}
		m.Config.ModelType = "vit"
		if d := cmp.Diff(c, m.Config); d != "" {
			t.Error(d)
		}
		pixels, logits := saved.Outputs[0], saved.Outputs[1]
		found := m.Forward(autograd.NewTape(autograd.Options{}).Input(pixels.Floats, pixels.Shape...)).Floats(nil)
		if d := cmp.Diff(logits.Floats, found); d != "" {
			t.Error(d)
		}
	}
	plain := Tiny16()
	plain.NumHiddenLayers, plain.AntialiasPositions, plain.DropPathRate = 1, true, 0.1 // for other sizes, and for training
	saved, err := ReadConfig(os.DirFS(save(t, plain, SaveOptions{}).Folder), "config.json")
	if err != nil || saved.ModelType != "vit" || len(saved.Architectures) != 1 {
		t.Errorf("found %+v, %v", saved, err)
	}
}

// TestFlatten classifies the patch tokens side by side. Only images of the configured size have as many.
func TestFlatten(t *testing.T) {
	c := variants()[0]
	c.Pooling, c.ImageSize, c.NoClassToken = FlattenPooling, 2*c.PatchSize, false
	m := New(c, 3, rand.New(rand.NewPCG(1, 2)))
	tape := autograd.NewTape(autograd.Options{})
	pixels := make([]float32, 2*c.NumChannels*c.ImageSize*c.ImageSize)
	for i := range pixels {
		pixels[i] = float32(i%17) / 17
	}
	x := tape.Input(pixels, 2, c.NumChannels, c.ImageSize, c.ImageSize)
	tokens, features := m.Encoder.Forward(x).Floats(nil), m.Pooled(x)
	if c.FeatureSize() != 4*c.HiddenSize || features.Dim(1) != c.FeatureSize() {
		t.Fatalf("expected %d features, found %d", 4*c.HiddenSize, features.Dim(1))
	}
	for n := range 2 {
		want := tokens[(5*n+1)*c.HiddenSize : 5*(n+1)*c.HiddenSize] // without the class token
		if d := cmp.Diff(want, features.Floats(nil)[n*c.FeatureSize():(n+1)*c.FeatureSize()]); d != "" {
			t.Errorf("image %d: %s", n, d)
		}
	}
	// The features of a larger image would have another length.
	var shape *autograd.ShapeError
	err := tape.Try(func() error {
		side := 2 * c.ImageSize
		m.Pooled(tape.Input(make([]float32, c.NumChannels*side*side), 1, c.NumChannels, side, side))
		return nil
	})
	if !errors.As(err, &shape) {
		t.Errorf("an image of another size: expected a ShapeError, found %v", err)
	}
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{Layout: models.Timm}); err == nil || !strings.Contains(err.Error(), `timm has no pooling "flatten"`) {
		t.Errorf("saved for timm: %v", err)
	}
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, LoadOptions{ImageSize: 4 * c.PatchSize}); err == nil || !strings.Contains(err.Error(), "side by side") {
		t.Errorf("another image size: %v", err)
	}
}

// TestTransformersRefusesVariants expects transformers to take no such folder for one of its own models.
func TestTransformersRefusesVariants(t *testing.T) {
	var saved []modeltest.Saved
	for _, c := range variants() {
		saved = append(saved, save(t, c, SaveOptions{}))
	}
	modeltest.Library(t, "refused", saved...)
}

// TestTransformersReadsVariants saves them for timm, and expects transformers to give the same logits through timm.
func TestTransformersReadsVariants(t *testing.T) {
	var saved []modeltest.Saved
	for _, c := range variants() {
		saved = append(saved, save(t, c, SaveOptions{Layout: models.Timm}))
	}
	modeltest.Library(t, "auto", saved...)
}

// TestTimmEpsilon refuses to save for timm what it would compute differently.
func TestTimmEpsilon(t *testing.T) {
	c := Tiny16()
	c.NumHiddenLayers, c.LayerNormEps = 1, 0.5
	if err := New(c, 0, nil).Save(t.TempDir(), SaveOptions{Layout: models.Timm}); err == nil || !strings.Contains(err.Error(), "layer_norm_eps") {
		t.Errorf("expected an error about the epsilon, found %v", err)
	}
}

// TestTransformersReadsSaved saves models and expects transformers to give the same logits.
func TestTransformersReadsSaved(t *testing.T) {
	c := Tiny16()
	c.ImageSize, c.PatchSize, c.NumHiddenLayers, c.LayerNormEps = 32, 8, 3, 1e-6
	odd := c
	odd.NumChannels, odd.QKVBias, odd.HiddenAct, odd.LayerNormEps = 1, false, "quick_gelu", 1e-12
	wide := c
	wide.ImageWidth = 48
	modeltest.Library(t, "vit", save(t, c, SaveOptions{}), save(t, odd, SaveOptions{}), save(t, wide, SaveOptions{}))
}

// save writes a model with random weights, biases and gains included, to a folder and returns its logits for random
// pixels.
func save(t *testing.T, c Config, o SaveOptions) modeltest.Saved {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	m := New(c, 7, rng)
	for _, p := range nn.Parameters(m) {
		p.Update(func(w []float32) {
			for i := range w {
				w[i] += float32(rng.NormFloat64() * 0.05)
			}
		})
	}
	dir := t.TempDir()
	if err := m.Save(dir, o); err != nil {
		t.Fatal(err)
	}
	height, width := c.Size()
	shape := []int{2, c.NumChannels, height, width}
	pixels := make([]float32, 2*c.NumChannels*height*width)
	for i := range pixels {
		pixels[i] = float32(rng.NormFloat64())
	}
	logits := m.Forward(autograd.NewTape(autograd.Options{}).Input(pixels, shape...))
	return modeltest.Saved{Folder: dir, Outputs: []checkpoint.Entry{
		{Name: "pixels", Shape: shape, Floats: pixels},
		{Name: "logits", Shape: logits.Shape(), Floats: logits.Floats(nil)},
	}}
}

// TestNames finds a rule for every parameter, and a parameter for every rule, in models that together have every part.
func TestNames(t *testing.T) {
	c := Tiny16()
	c.NumHiddenLayers, c.PreNorm, c.LayerScaleInit = 1, true, 0.1
	pooled := c
	pooled.Pooling = MeanPooling
	attentive := c
	attentive.Pooling, attentive.QKNorm, attentive.NoKeyBias = AttentionPooling, true, true
	distilled := c
	distilled.DistillationToken, distilled.NumRegisterTokens = true, 1
	side, branches := c, c
	side.ParallelMLP, side.QKNorm = true, true
	branches.ParallelBranches, branches.QKNorm, branches.AttentionNorm, branches.MLPNorm = 2, true, true, true
	hybrid, convs := c, c
	hybrid.Stem = &StemConfig{Kind: resNetV2, Channels: []int{32, 128}, Layers: []int{1}}
	convs.Stem = &StemConfig{Kind: convStem, Channels: []int{8, 8}, Kernels: []int{4, 2}}
	mixed := c
	mixed.RopeTheta, mixed.RopeOrder = 10, MixedRope
	relative := c
	relative.RelativePositions = true
	shared := relative
	shared.SharedRelative = true
	computed, same := relative, shared
	computed.RelativeHidden, same.RelativeHidden = 8, 8
	all := []any{New(relative, 2, nil), New(shared, 2, nil), New(computed, 2, nil), New(same, 2, nil), New(mixed, 2, nil), New(hybrid, 2, nil), New(convs, 2, nil), New(c, 2, nil), New(pooled, 2, nil), New(attentive, 2, nil), New(distilled, 2, nil), New(side, 2, nil), New(branches, 2, nil)}
	modeltest.Names(t, &names, all...)
	for _, kind := range []string{deitType, dinov2Type, registersType, dinov3Type, beitType, data2vecType} {
		for _, gated := range []bool{false, true} {
			table := tableOf(Config{ModelType: kind, GatedMLP: gated}, "classifier")
			modeltest.Names(t, &table, all...)
		}
	}
}
