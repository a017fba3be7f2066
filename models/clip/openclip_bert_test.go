package clip

import (
	"image"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// knowEncoder adds an encoder to those that open_clip knows by name, for a test.
func knowEncoder(t *testing.T, name string, c bert.Config) {
	openEncoders[name] = c
	t.Cleanup(func() { delete(openEncoders, name) })
}

// TestOpenTextTowers compares random models with open_clip, whose text towers are transformers': tokens, images, features, logits,
// gradients. Then it saves each, and lets open_clip compute the same from the saved folder. It needs FOVEA_PYTHON; FOVEA_SEED
// chooses other models.
func TestOpenTextTowers(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "clip_open_text.py", dir, seed())
	args := []string{"check"}
	for _, name := range []string{"open-0", "open-1", "open-2", "open-3"} {
		t.Run(name, func(t *testing.T) { args = append(args, compareOpenBERT(t, filepath.Join(dir, name))) })
	}
	t.Logf("%s", modeltest.Python(t, "clip_open_text.py", args...))
}

// compareOpenBERT tests one folder and returns the one that it saved.
func compareOpenBERT(t *testing.T, folder string) (saved string) {
	encoder, err := bert.ReadConfig(os.DirFS(folder), "encoder/config.json")
	if err != nil {
		t.Fatal(err)
	}
	knowEncoder(t, strings.Replace(filepath.Base(folder), "open", "tiny", 1), encoder)
	m, err := Open(folder, LoadOptions{File: "open_clip_pytorch_model.bin"})
	if err != nil {
		t.Fatal(err)
	}
	g := golden.Load(t, filepath.Join(folder, "golden.safetensors"))
	texts := []string{"a photo of a cat", "ein  Hund &amp; 猫\n", "", "the <pad> cat <mask>", strings.Repeat("cat ", 90), "naïve CAT"}
	tokens, err := m.Tokenize(texts...)
	if err != nil {
		t.Fatal(err)
	}
	ids := rows(g.Ints("ids"), len(texts))
	for i, row := range ids {
		n := len(tokens[i])
		if !slices.Equal(row[:n], tokens[i]) || slices.ContainsFunc(row[n:], func(id int) bool { return id != 1 }) {
			t.Errorf("%q: expected the tokens %d, found %d", texts[i], row, tokens[i])
		}
	}
	pixels, shape := g.Tensor("pixels")
	tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true, Workers: simd.NewWorkers(2)})
	logits := m.Forward(tape.Input(pixels, shape...), tokens)
	golden.Output(t, "logits", logits.Floats(nil), g.Floats("logits"))
	loss := contrastive(logits)
	golden.Output(t, "loss", loss.Floats(nil), g.Floats("loss"))
	grads := autograd.NewGradients()
	loss.Backward(grads)
	modeltest.Gradients(t, g, m.AdapterNames(), m, grads)
	plain := autograd.NewTape(autograd.Options{})
	golden.Output(t, "text features", m.EmbedTexts(plain, tokens).Floats(nil), g.Floats("text_features"))
	golden.Output(t, "padded", m.EmbedTexts(plain, ids).Floats(nil), g.Floats("text_features"))

	var images []image.Image
	for _, name := range []string{"alpha.png", "gray.png", "photo.jpg", "tall.png", "tiny.png", "wide.png"} {
		x, err := vision.DecodeFile(os.DirFS(folder), name, vision.DecodeOptions{Alpha: true})
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, x)
	}
	embeddings, err := m.EncodeImages(t.Context(), images...)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range embeddings {
		want := g.Floats("image_features")[i*len(row):][:len(row)]
		if cos := Similarity([][]float32{row}, [][]float32{want})[0][0]; cos < 1-1e-5 {
			t.Errorf("image %d: cosine %v with the reference", i, cos)
		}
	}
	words, err := m.EncodeTexts(t.Context(), texts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Save(t.TempDir(), SaveOptions{}); err == nil || !strings.Contains(err.Error(), "layout") {
		t.Errorf("saved for transformers: %v", err)
	}
	saved = filepath.Join(folder, "saved")
	if err := m.Save(saved, SaveOptions{Layout: models.OpenCLIP}); err != nil {
		t.Fatal(err)
	}
	expected := []checkpoint.Entry{
		{Name: "image_embeds", Shape: []int{6, len(words[0])}, Floats: slices.Concat(embeddings...)},
		{Name: "text_embeds", Shape: []int{6, len(words[0])}, Floats: slices.Concat(words...)},
	}
	if err := checkpoint.Write(filepath.Join(saved, "expected.safetensors"), expected, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(saved, LoadOptions{File: "open_clip_model.safetensors"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m.Config, again.Config); d != "" {
		t.Errorf("saved configuration (-expected +found):\n%s", d)
	}
	same, err := again.EncodeTexts(t.Context(), texts...)
	if err != nil || !slices.EqualFunc(same, words, slices.Equal) {
		t.Errorf("%v, or the saved model gives other bits", err)
	}
	return saved
}

// tinyXLMR is a small model of open_clip's with an encoder that is known as tiny-xlm.
func tinyXLMR(t *testing.T, hidden int, pooling BERTPooling) Config {
	e := bert.XLMR()
	e.VocabSize, e.HiddenSize, e.NumHiddenLayers, e.NumAttentionHeads, e.IntermediateSize, e.MaxPositionEmbeddings = 30, 8, 2, 2, 12, 40
	knowEncoder(t, "tiny-xlm", e)
	c := preset(16, 2, 8, 16, 8, 6)
	c.Vision.NumAttentionHeads = 2
	c.Text = TextConfig{MaxPositionEmbeddings: 20, BERT: &BERTConfig{Encoder: e, Name: "tiny-xlm", Pooling: pooling, Hidden: hidden}}
	return c
}

// TestOpenTextTowerSave saves new models and expects the same configuration and bits again.
func TestOpenTextTowerSave(t *testing.T) {
	for _, c := range []Config{tinyXLMR(t, 7, MeanPooler), tinyXLMR(t, 0, FirstToken), tinyXLMR(t, 7, FirstPooler)} {
		m := New(c, rand.New(rand.NewPCG(3, 4)))
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{Layout: models.OpenCLIP}); err != nil {
			t.Fatal(err)
		}
		again, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m.Config, again.Config); d != "" {
			t.Errorf("configuration (-expected +found):\n%s", d)
		}
		embed := func(m *Model, texts ...[]int) []float32 {
			return m.EmbedTexts(autograd.NewTape(autograd.Options{}), texts).Floats(nil)
		}
		a, b, n := []int{0, 7, 9, 2}, []int{0, 5, 2}, c.ProjectionDim
		want := embed(m, a, b)
		if !slices.Equal(want, embed(again, a, b)) || !slices.Equal(want[n:], embed(m, b)) {
			t.Error("a saved model, or a text alone, has other bits")
		}
		if !slices.Equal(want, embed(m, []int{0, 7, 1, 9, 2, 1}, b)) {
			t.Error("padding counts")
		}
		if x := m.EmbedTexts(autograd.NewTape(autograd.Options{}), nil); x.Len() != 0 {
			t.Errorf("no texts: found %d values", x.Len())
		}
	}
	modeltest.Names(t, openBERTNames(BERTConfig{Hidden: 7}), New(tinyXLMR(t, 7, FirstPooler), nil),
		New(func() Config { c := tinyXLMR(t, 7, FirstPooler); c.Vision = tinyResNet().Vision; return c }(), nil))
}

// TestOpenTextTowerRefused expects errors that name the field.
func TestOpenTextTowerRefused(t *testing.T) {
	m := New(tinyXLMR(t, 7, MeanPooler), rand.New(rand.NewPCG(3, 4)))
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{Layout: models.OpenCLIP}); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "open_clip_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile(filepath.Join(dir, "open_clip_model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	small := bert.XLMR()
	small.VocabSize, small.HiddenSize, small.NumHiddenLayers, small.NumAttentionHeads, small.IntermediateSize = 30, 8, 1, 2, 12
	knowEncoder(t, "tiny-one", small)
	for _, c := range []struct{ old, new, want string }{
		{`"tiny-xlm",
      "hf_tokenizer_name"`, `"google/mt5-base",
      "hf_tokenizer_name"`, `model_cfg: text_cfg: hf_model_name: expected one of ["roberta-base"`},
		{`"tiny-xlm",
      "hf_tokenizer_name"`, `"tiny-one",
      "hf_tokenizer_name"`, "model_cfg: text_cfg: hf_model_name: tiny-one: num_hidden_layers: expected 2"},
		{`"tiny-xlm",
      "hf_tokenizer_name"`, `"xlm-roberta-base",
      "hf_tokenizer_name"`, "hf_model_name: xlm-roberta-base: hidden_size: expected 8"},
		{`"hf_tokenizer_name": "tiny-xlm"`, `"hf_tokenizer_name": null`, "hf_tokenizer_name: expected the name of a tokenizer"},
		{`"mean_pooler"`, `"max_pooler"`, "hf_pooler_type"},
		{`"mlp"`, `null`, "hf_proj_type"},
		{`"mlp"`, `"linear"`, "does not fit the model"},
		{`"mean_pooler"`, `"cls_pooler"`, "Text.Pooler.Weight"},
		{`"hf_model_name"`, `"tokenizer_mode": "clips", "hf_model_name"`, "tokenizer_mode: other rules for texts"},
		{`"hf_model_name"`, `"tokenizer_kwargs": {"strip_sep_token": true}, "hf_model_name"`, "tokenizer_kwargs"},
		{`"context_length": 20`, `"context_length": 39`, "expected at most the positions of the encoder, 38, found 39"},
		{`"embed_dim"`, `"init_logit_bias": 1, "embed_dim"`, "init_logit_bias"},
		{`"embed_dim"`, `"multimodal_cfg": {}, "embed_dim"`, "CoCa"},
	} {
		changed := strings.Replace(string(config), c.old, c.new, 1)
		if changed == string(config) {
			t.Fatalf("the configuration has no %s:\n%s", c.old, config)
		}
		files := fstest.MapFS{"open_clip_config.json": {Data: []byte(changed)}, "open_clip_model.safetensors": {Data: weights}}
		if _, err := Load(files, LoadOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected an error with %q, found %v", c.new, c.want, err)
		}
	}
	m.Config.Text.BERT.Encoder.NumHiddenLayers = 3
	if err := m.Save(t.TempDir(), SaveOptions{Layout: models.OpenCLIP}); err == nil || !strings.Contains(err.Error(), "other sizes") {
		t.Errorf("an encoder that open_clip does not have was saved: %v", err)
	}
}

// TestOpenTextTowerCounts compares the number of parameters with open_clip's, without making the large models.
func TestOpenTextTowerCounts(t *testing.T) {
	for _, c := range []struct {
		config string
		want   int
	}{
		{`{"model_cfg": {"embed_dim": 512, "vision_cfg": {"patch_size": 32}, "text_cfg": {"hf_model_name": "xlm-roberta-base", "hf_tokenizer_name": "xlm-roberta-base"}}}`, 366_121_473},
		{`{"model_cfg": {"embed_dim": 512, "vision_cfg": {"patch_size": 32}, "text_cfg": {"hf_model_name": "roberta-base", "hf_tokenizer_name": "roberta-base"}}}`, 212_723_457},
	} {
		config, _, err := readOpenCLIP([]byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		words := config.Text.BERT.Encoder.VocabSize
		config.Text.BERT.Encoder.VocabSize = 2
		m := New(config, nil)
		if got := nn.Count(m) + (words-2)*768; got != c.want {
			t.Errorf("%s: expected %d parameters, found %d", c.config, c.want, got)
		}
	}
}
