package clip

import (
	"bytes"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train/contrast"
	"github.com/fovea-ml/fovea/vision"

	"github.com/google/go-cmp/cmp"
)

func tinySigLIP(patches int) Config {
	c := Config{
		ModelType: siglipType, Architectures: []string{"SiglipModel"}, InitializerFactor: 1,
		Vision: VisionConfig{
			ImageSize: 19, PatchSize: 8, NumChannels: 3, HiddenSize: 12, NumHiddenLayers: 2, NumAttentionHeads: 3, IntermediateSize: 20,
			HiddenAct: "gelu_pytorch_tanh", LayerNormEps: 1e-6, InitializerFactor: 1, Pooled: true,
		},
		Text: TextConfig{
			VocabSize: 50, MaxPositionEmbeddings: 9, HiddenSize: 8, NumHiddenLayers: 2, NumAttentionHeads: 2, IntermediateSize: 12,
			HiddenAct: "gelu_pytorch_tanh", LayerNormEps: 1e-6, InitializerFactor: 1, PadTokenID: new(1), Bidirectional: true,
		},
		ProjectionDim: 12,
	}
	if patches > 0 {
		c.ModelType, c.Architectures = siglip2Type, []string{"Siglip2Model"}
		c.Vision.ImageSize, c.Vision.PatchSize, c.Vision.NumPatches = 0, 4, patches
	}
	return c
}

// TestSigLIP compares logits, the loss and gradients with transformers, and embeddings in inference.
func TestSigLIP(t *testing.T) {
	for name, c := range map[string]Config{"siglip": tinySigLIP(0), "naflex": tinySigLIP(9)} {
		t.Run(name, func(t *testing.T) {
			m, g := load(t, name)
			if d := cmp.Diff(c, m.Config); d != "" {
				t.Errorf("configuration (-expected +found):\n%s", d)
			}
			values, shape := g.Tensor("pixels")
			ids := rows(g.Ints("ids"), 3)
			embed := func(t *autograd.Tape) *autograd.Tensor {
				if name == "siglip" {
					return m.EmbedImages(t.Input(values, shape...))
				}
				var grids [][2]int
				var patches []float32
				for i, s := range rows(g.Ints("shapes"), 3) {
					grids = append(grids, [2]int{s[0], s[1]})
					patches = append(patches, values[i*shape[1]*shape[2]:][:s[0]*s[1]*shape[2]]...)
				}
				return m.Vision.(*NaFlex).Patches(t.Input(patches, len(patches)/shape[2], shape[2]), grids)
			}
			tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true, Workers: simd.NewWorkers(2)})
			logits := m.logits(embed(tape), m.EmbedTexts(tape, ids))
			golden.Output(t, "logits", logits.Floats(nil), g.Floats("logits"))
			loss := pairwise(logits)
			golden.Output(t, "loss", loss.Floats(nil), g.Floats("loss"))
			grads := autograd.NewGradients()
			loss.Backward(grads)
			modeltest.Gradients(t, g, &siglipNames, m, grads)

			plain := autograd.NewTape(autograd.Options{Debug: true})
			golden.Output(t, "image embeddings", contrast.Normalize(embed(plain)).Floats(nil), g.Floats("image_embeds"))
			golden.Output(t, "text embeddings", contrast.Normalize(m.EmbedTexts(plain, ids)).Floats(nil), g.Floats("text_embeds"))
			if g.Has("wide/pixels") {
				values, shape := g.Tensor("wide/pixels")
				golden.Output(t, "wide", m.EmbedImages(plain.Input(values, shape...)).Floats(nil), g.Floats("wide/image_features"))
			}
			if tape.Lent() != 0 || plain.Lent() != 0 {
				t.Error("scratch buffers leaked")
			}
		})
	}
}

// TestSigLIPSave saves the small models and expects the same configuration and bits again.
func TestSigLIPSave(t *testing.T) {
	for _, name := range []string{"siglip", "naflex"} {
		m, g := load(t, name)
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		again, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m.Config, again.Config); d != "" {
			t.Errorf("%s: configuration (-saved +found):\n%s", name, d)
		}
		if d := cmp.Diff(m.Preprocess, again.Preprocess); d != "" || m.MaxPatches != again.MaxPatches {
			t.Errorf("%s: %d and %d patches, preparation (-saved +found):\n%s", name, m.MaxPatches, again.MaxPatches, d)
		}
		ids := rows(g.Ints("ids"), 3)
		a, b := autograd.NewTape(autograd.Options{}), autograd.NewTape(autograd.Options{})
		if !slices.Equal(m.EmbedTexts(a, ids).Floats(nil), again.EmbedTexts(b, ids).Floats(nil)) {
			t.Errorf("%s: other bits of texts", name)
		}
		if err := m.Save(t.TempDir(), SaveOptions{Layout: models.OpenCLIP}); err == nil || !strings.Contains(err.Error(), "layout") {
			t.Errorf("%s: saved for open_clip: %v", name, err)
		}
	}
}

// pairwise is the loss of SiglipModel.
func pairwise(logits *autograd.Tensor) *autograd.Tensor {
	n := logits.Dim(0)
	targets := make([]float32, n*n)
	for i := range n {
		targets[i*n+i] = 1
	}
	sum := autograd.BCEWithLogits(logits, logits.Tape().Input(targets, n, n), autograd.BCEOptions{Reduction: autograd.LossSum})
	return autograd.Scale(sum, 1/float32(n))
}

// TestSigLIPs compares random models with transformers: tokens, prepared images, embeddings, logits, gradients. Then it
// saves each, and lets transformers compute the same from the saved folder. It needs FOVEA_PYTHON; FOVEA_SEED chooses
// other models.
func TestSigLIPs(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "clip_siglip.py", dir, seed())
	folders, err := filepath.Glob(filepath.Join(dir, "*-*"))
	if err != nil || len(folders) < 8 {
		t.Fatal(folders, err)
	}
	args := []string{"check"}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) { args = append(args, compareSigLIP(t, folder)) })
	}
	t.Logf("%s", modeltest.Python(t, "clip_siglip.py", args...))
}

// seed returns FOVEA_SEED, or 1.
func seed() string {
	if s := os.Getenv("FOVEA_SEED"); s != "" {
		return s
	}
	return "1"
}

// compareSigLIP tests one folder and returns the one that it saved.
func compareSigLIP(t *testing.T, folder string) (saved string) {
	m, embeddings, words := compareOutputs(t, folder, "model.safetensors")
	saved = filepath.Join(folder, "saved")
	if err := m.Save(saved, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	expected := []checkpoint.Entry{
		{Name: "image_embeds", Shape: []int{4, len(words[0])}, Floats: slices.Concat(embeddings...)},
		{Name: "text_embeds", Shape: []int{4, len(words[0])}, Floats: slices.Concat(words...)},
		{Name: "logits", Shape: []int{4, 4}, Floats: slices.Concat(m.Logits(embeddings, words)...)},
	}
	if err := checkpoint.Write(filepath.Join(saved, "expected.safetensors"), expected, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(saved, LoadOptions{File: "model.safetensors"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m.Config, again.Config); d != "" {
		t.Errorf("saved configuration (-expected +found):\n%s", d)
	}
	same, err := again.EncodeImages(t.Context(), testImages(t, folder)...)
	if err != nil || !slices.EqualFunc(same, embeddings, slices.Equal) {
		t.Errorf("%v, or the saved model gives other bits", err)
	}
	return saved
}

// compareOutputs compares a model with the golden in its folder.
func compareOutputs(t *testing.T, folder, weights string) (m *Model, embeddings, words [][]float32) {
	m, err := Open(folder, LoadOptions{File: weights})
	if err != nil {
		t.Fatal(err)
	}
	if m.PreprocessAssumed {
		t.Error("the preparation of images was not found")
	}
	g := golden.Load(t, filepath.Join(folder, "golden.safetensors"))
	tokens, err := m.Tokenize(append(slices.Clone(texts), strings.Repeat("CAT ", 20))...)
	if err != nil {
		t.Fatal(err)
	}
	want := rows(g.Ints("ids"), 4)
	if g.Has("seen") != (m.Config.Text.HiddenPadding != nil) {
		t.Errorf("hidden padding: %v", m.Config.Text.HiddenPadding)
	} else if g.Has("seen") {
		for i, seen := range rows(g.Ints("seen"), 4) {
			at := 0
			want[i] = slices.DeleteFunc(want[i], func(int) bool { at++; return seen[at-1] == 0 })
		}
	}
	if d := cmp.Diff(want, tokens); d != "" {
		t.Errorf("tokens (-expected +found):\n%s", d)
	}
	images := testImages(t, folder)
	embeddings, err = m.EncodeImages(t.Context(), images...)
	if err != nil {
		t.Fatal(err)
	}
	golden.Output(t, "images", slices.Concat(embeddings...), g.Floats("image_embeds"))
	words, err = m.EncodeTexts(t.Context(), append(slices.Clone(texts), strings.Repeat("CAT ", 20))...)
	if err != nil {
		t.Fatal(err)
	}
	golden.Output(t, "texts", slices.Concat(words...), g.Floats("text_embeds"))
	golden.Output(t, "logits", slices.Concat(m.Logits(embeddings, words)...), g.Floats("logits"))
	alone, err := m.EncodeImages(t.Context(), images[1])
	if err != nil || !slices.Equal(alone[0], embeddings[1]) {
		t.Errorf("an image alone has other bits than in a batch, or %v", err)
	}

	tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true})
	values, shape := g.Tensor("pixel_values")
	var features *autograd.Tensor
	if tower, ok := m.Vision.(*NaFlex); ok {
		patches, grids, err := m.naflexPatches(images, 0)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(rows(g.Ints("spatial_shapes"), 4), [][]int{grids[0][:], grids[1][:], grids[2][:], grids[3][:]}); d != "" {
			t.Errorf("grids (-expected +found):\n%s", d)
		}
		at := 0
		for i, s := range grids {
			n := s[0] * s[1] * shape[2]
			golden.Output(t, "patches", patches[at:at+n], values[i*shape[1]*shape[2]:][:n])
			at += n
		}
		features = tower.Patches(tape.Input(patches, at/shape[2], shape[2]), grids)
	} else {
		prepared, _, _, err := m.Preprocess.Pixels(nil, nil, images...)
		if err != nil {
			t.Fatal(err)
		}
		golden.Output(t, "pixels", prepared, values)
		features = m.EmbedImages(tape.Input(values, shape...))
	}
	loss := pairwise(m.logits(features, m.EmbedTexts(tape, tokens)))
	golden.Output(t, "loss", loss.Floats(nil), g.Floats("loss"))
	grads := autograd.NewGradients()
	loss.Backward(grads)
	modeltest.Gradients(t, g, &siglipNames, m, grads)
	return m, embeddings, words
}

// testImages returns the images of a folder, in the order of their names.
func testImages(t *testing.T, folder string) (images []image.Image) {
	for _, name := range []string{"gray.png", "tall.png", "tiny.png", "wide.png"} {
		x, err := vision.DecodeFile(os.DirFS(folder), name, vision.DecodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, x)
	}
	return images
}

// TestOpenSigLIP compares a model in open_clip's form, whose image tower is timm's. It needs FOVEA_PYTHON.
func TestOpenSigLIP(t *testing.T) {
	const name = "vit_test_patch4_siglip_12"
	timmSizes["test"] = VisionConfig{HiddenSize: 24, NumHiddenLayers: 2, NumAttentionHeads: 3, IntermediateSize: 36}
	timmTowers[name] = "gelu_pytorch_tanh"
	defer func() { delete(timmSizes, "test"); delete(timmTowers, name) }()
	folder := filepath.Join(t.TempDir(), "open")
	modeltest.Python(t, "clip_siglip.py", "open", folder)
	m, _, _ := compareOutputs(t, folder, "")
	again := t.TempDir()
	if err := m.Save(again, SaveOptions{Layout: models.OpenCLIP}); err != nil {
		t.Fatal(err)
	}
	modeltest.Python(t, "clip_siglip.py", "again", folder, again)
	if reopened, err := Open(again, LoadOptions{}); err != nil || cmp.Diff(m.Config, reopened.Config) != "" || reopened.Preprocess != m.Preprocess {
		t.Errorf("the saved folder gives another model, or %v", err)
	}
	if err := m.Save(t.TempDir(), SaveOptions{}); err == nil || !strings.Contains(err.Error(), "Tokenizer") {
		t.Errorf("the tokenizer of open_clip was saved for transformers: %v", err)
	}
	m.Tokenizer = nil
	to := t.TempDir()
	if err := m.Save(to, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(to, LoadOptions{}); err != nil {
		t.Error(err)
	}
}

// TestHiddenPadding refuses padding that the vocabulary does not have, and a model with a classifier.
func TestHiddenPadding(t *testing.T) {
	c := tinySigLIP(0)
	for token, ok := range map[int]bool{0: true, 49: true, 50: false, -1: false} {
		c.Text.HiddenPadding = &Padding{Token: token}
		if err := c.Validate(); (err == nil) != ok {
			t.Errorf("token %d: %v", token, err)
		}
	}
	files := folder(t, "tiny")
	f, err := checkpoint.Parse("weights", files["model.safetensors"].Data, checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	entries := []checkpoint.Entry{{Name: "classifier.weight", Shape: []int{2, 16}, Floats: make([]float32, 32)}}
	for x := range f.Tensors() {
		entries = append(entries, x.Entry())
	}
	var data bytes.Buffer
	if err := checkpoint.Encode(&data, entries, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	files["model.safetensors"] = &fstest.MapFile{Data: data.Bytes()}
	if _, err := Load(files, LoadOptions{}); err == nil || !strings.Contains(err.Error(), "classifier in the place of texts") {
		t.Errorf("a classifier: %v", err)
	}
}

func TestSigLIPNames(t *testing.T) {
	modeltest.Names(t, &siglipNames, New(tinySigLIP(0), nil), New(tinySigLIP(9), nil))
}
