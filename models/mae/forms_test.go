package mae

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/vit"
)

// TestOriginal loads a file under the original release's names, without a configuration.
func TestOriginal(t *testing.T) { compareForm(t, filepath.Join("testdata", "mae_original")) }

// TestSameNames saves a model under the names, and with the shapes and values, of the original release's file.
func TestSameNames(t *testing.T) {
	from := os.DirFS(filepath.Join("testdata", "mae_original"))
	m, err := Load(from, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{Layout: models.Original}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(modeltest.Weights(t, from), modeltest.Weights(t, os.DirFS(dir))); d != "" {
		t.Error(d)
	}
}

// TestStoredAs saves in half precision, which stays so when it is loaded, and reads the configuration beside it.
func TestStoredAs(t *testing.T) {
	m, _ := load(t, "tiny")
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{DType: checkpoint.BF16}); err != nil {
		t.Fatal(err)
	}
	half, err := Load(os.DirFS(dir), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := half.Decoder.Pred.Weight.DType(); got != autograd.BFloat16 {
		t.Errorf("the weights are %v", got)
	}
	if bare, err := Load(os.DirFS("testdata/mae_original"), LoadOptions{}); err != nil || !bare.PreprocessAssumed || half.PreprocessAssumed {
		t.Errorf("weights alone do not tell how images are prepared, a saved folder does: %v", err)
	}
	c, err := ReadConfig(os.DirFS(dir), "config.json")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(half.Config, c); d != "" {
		t.Error(d)
	}
	if _, err := ReadConfig(os.DirFS(dir), "model.safetensors"); err == nil || !strings.Contains(err.Error(), "model.safetensors") {
		t.Errorf("a configuration of weights: %v", err)
	}
}

// TestHuggingFaceNames pins the names of the decoder in files: all versions of transformers read them.
func TestHuggingFaceNames(t *testing.T) {
	m, _ := load(t, "tiny")
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	want := map[string]modeltest.Tensor{}
	for name, values := range modeltest.Weights(t, os.DirFS("testdata/tiny")) { // newer names
		want[strings.Replace(name, "decoder.decoder_encoder.layer.", "decoder.decoder_layers.", 1)] = values
	}
	if d := cmp.Diff(want, modeltest.Weights(t, os.DirFS(dir))); d != "" {
		t.Error(d)
	}
}

// TestEncoderAlone loads a file that lacks the decoder only when that is asked for.
func TestEncoderAlone(t *testing.T) {
	var entries []checkpoint.Entry
	for name, w := range modeltest.Weights(t, os.DirFS("testdata/mae_original")) {
		if !strings.Contains(name, "decoder") && name != "mask_token" {
			entries = append(entries, checkpoint.Entry{Name: name, Shape: w.Shape, Floats: w.Values})
		}
	}
	var b bytes.Buffer
	if err := checkpoint.Encode(&b, entries, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{"mae_pretrain.safetensors": {Data: b.Bytes()}}
	if _, err := Load(fsys, LoadOptions{}); err == nil || !strings.Contains(err.Error(), "mae_pretrain.safetensors") {
		t.Errorf("strict: %v", err)
	}
	m, err := Load(fsys, LoadOptions{Lenient: true})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := Load(os.DirFS("testdata/mae_original"), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(whole.Encoder.Blocks[0].MLP.FC1.Weight.Values(), m.Encoder.Blocks[0].MLP.FC1.Weight.Values()); d != "" {
		t.Error("the encoder was not read")
	}
	// The same file is a Vision Transformer without a classifier.
	v, err := vit.Load(fsys, vit.LoadOptions{})
	if err != nil || v.Head != nil || v.Config.Pooling != "" {
		t.Errorf("package vit: %v", err)
	}
}

// TestLibrariesForms loads every form that transformers and the original release have.
func TestLibrariesForms(t *testing.T) {
	names := []string{"mae_original", "mae_pth", "mae_hf", "mae_hf_memory"}
	dir := modeltest.Forms(t, names...)
	for _, name := range names {
		t.Run(name, func(t *testing.T) { compareForm(t, filepath.Join(dir, name)) })
	}
}

// compareForm loads a folder and compares the model's prediction and loss with its golden, also after saving under all
// names.
func compareForm(t *testing.T, dir string) {
	g := golden.Load(t, dir+".golden.safetensors")
	m, err := Load(os.DirFS(dir), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, g, m)
	for name, saving := range map[string]SaveOptions{"Hugging Face": {}, "original": {Layout: models.Original}} {
		saved := t.TempDir()
		if err := m.Save(saved, saving); err != nil {
			t.Fatal(err)
		}
		again, err := Load(os.DirFS(saved), LoadOptions{})
		if err != nil {
			t.Fatalf("saved under the names of %s: %v", name, err)
		}
		compareGolden(t, g, again)
	}
}

func compareGolden(t *testing.T, g *golden.File, m *Model) {
	t.Helper()
	pixels, shape := g.Tensor("pixels")
	masking := m.Masking(g.Floats("noise"), shape[0])
	tape := autograd.NewTape(autograd.Options{Debug: true})
	x := tape.Input(pixels, shape...)
	golden.Output(t, "prediction", m.Predict(x, masking).Floats(nil), g.Floats("prediction"))
	golden.Output(t, "loss", m.Loss(x, masking).Floats(nil), g.Floats("loss"))
}

// TestNames finds a rule for every parameter, and a parameter for every rule but those of ViT's variants.
func TestNames(t *testing.T) {
	variant := vit.Tiny16()
	variant.NumHiddenLayers, variant.PreNorm, variant.LayerScaleInit = 1, true, 0.1
	m := small(8)
	for _, b := range m.Decoder.Blocks {
		b.LayerScale1, b.LayerScale2 = autograd.NewParameter(1), autograd.NewParameter(1)
	}
	modeltest.Names(t, &names, m, vit.New(variant, 0, nil))
}
