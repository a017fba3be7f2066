package clip

import (
	"fmt"
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
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/text"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// chineseTexts are those of testdata/gen/clip_chinese.py.
var chineseTexts = []string{"一只猫", "狗", "一张「Hello世界」的照片，2022年！", "naïve CAT", ""}

// unpadded returns the tokens of texts, which padding follows in the golden.
func unpadded(g *golden.File, n int) [][]int {
	ids := rows(g.Ints("ids"), n)
	for i, mask := range rows(g.Ints("mask"), n) {
		ids[i] = ids[i][:len(mask)-strings.Count(fmt.Sprint(mask), "0")]
	}
	return ids
}

// TestChineseParity compares features, logits, the loss and the gradient of every parameter with transformers'.
func TestChineseParity(t *testing.T) {
	m, g := load(t, "chinese")
	if m.Config.ModelType != "chinese_clip" || !m.PreprocessAssumed || m.Preprocess.Mode != vision.Stretch {
		t.Errorf("found the model_type %q and the preparation %+v", m.Config.ModelType, m.Preprocess)
	}
	tokens, err := m.Tokenize(chineseTexts...)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(unpadded(g, len(chineseTexts)), tokens); d != "" {
		t.Errorf("tokens (-expected +found):\n%s", d)
	}
	pixels, shape := g.Tensor("pixels")
	tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true, Workers: simd.NewWorkers(2)})
	logits := m.Forward(tape.Input(pixels, shape...), tokens)
	golden.Output(t, "logits", logits.Floats(nil), g.Floats("logits"))
	loss := contrastive(logits)
	golden.Output(t, "loss", loss.Floats(nil), g.Floats("loss"))
	grads := autograd.NewGradients()
	loss.Backward(grads)
	modeltest.Gradients(t, g, &chineseNames, m, grads)

	plain := autograd.NewTape(autograd.Options{Debug: true})
	golden.Output(t, "image features", m.EmbedImages(plain.Input(pixels, shape...)).Floats(nil), g.Floats("image_features"))
	golden.Output(t, "text features", m.EmbedTexts(plain, tokens).Floats(nil), g.Floats("text_features"))
	values, shape := g.Tensor("wide/pixels")
	golden.Output(t, "wide", m.EmbedImages(plain.Input(values, shape...)).Floats(nil), g.Floats("wide/image_features"))
	if tape.Lent() != 0 || plain.Lent() != 0 {
		t.Error("scratch buffers leaked")
	}
	alone := m.EmbedTexts(autograd.NewTape(autograd.Options{}), tokens[2:3]).Floats(nil)
	if together := m.EmbedTexts(plain, tokens).Floats(nil); !slices.Equal(alone, together[2*len(alone):3*len(alone)]) {
		t.Error("a text alone has other bits than in a batch")
	}
}

// TestChineseLibraries compares random models with transformers, from folders of transformers' and from files of the authors'
// code: tokens, prepared images, features, logits, gradients. Then it saves each, and lets transformers compute the same from
// the saved folder. It needs FOVEA_PYTHON; FOVEA_SEED chooses other models.
func TestChineseLibraries(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "clip_chinese.py", dir, seed())
	folders, err := filepath.Glob(filepath.Join(dir, "*-*"))
	if err != nil || len(folders) < 7 {
		t.Fatal(folders, err)
	}
	args := []string{"check"}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) { args = append(args, compareChinese(t, folder)) })
	}
	t.Logf("%s", modeltest.Python(t, "clip_chinese.py", args...))
}

// compareChinese tests one folder and returns the one that it saved.
func compareChinese(t *testing.T, folder string) (saved string) {
	file := "model.safetensors"
	if strings.HasPrefix(filepath.Base(folder), "original") {
		file = "clip_cn_tiny.pt"
	}
	m, err := Open(folder, LoadOptions{File: file})
	if err != nil {
		t.Fatal(err)
	}
	g := golden.Load(t, filepath.Join(folder, "golden.safetensors"))
	texts := append(slices.Clone(chineseTexts), strings.Repeat("猫", 80))
	tokens, err := m.Tokenize(texts...)
	if err != nil {
		t.Fatal(err)
	}
	ids := unpadded(g, len(texts))
	if len(ids[5]) == 60 { // the folder has no limit but the number of positions
		tokens[5] = tokens[5][:len(ids[5])]
		tokens[5][59] = ids[5][59]
	}
	if d := cmp.Diff(ids, tokens); d != "" {
		t.Errorf("tokens (-expected +found):\n%s", d)
	}
	pixels, shape := g.Tensor("pixels")
	tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true})
	logits := m.Forward(tape.Input(pixels, shape...), ids)
	golden.Output(t, "logits", logits.Floats(nil), g.Floats("logits"))
	loss := contrastive(logits)
	golden.Output(t, "loss", loss.Floats(nil), g.Floats("loss"))
	if g.Has("grad/logit_scale") {
		grads := autograd.NewGradients()
		loss.Backward(grads)
		modeltest.Gradients(t, g, &chineseNames, m, grads)
	}
	golden.Output(t, "image features", m.EmbedImages(tape.Input(pixels, shape...)).Floats(nil), g.Floats("image_features"))
	golden.Output(t, "text features", m.EmbedTexts(tape, ids).Floats(nil), g.Floats("text_features"))

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
	saved = filepath.Join(folder, "saved")
	if err := m.Save(saved, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	embeddings = embeddings[1:] // transformers resizes images with alpha elsewhere
	expected := []checkpoint.Entry{
		{Name: "image_embeds", Shape: []int{5, len(words[0])}, Floats: slices.Concat(embeddings...)},
		{Name: "text_embeds", Shape: []int{6, len(words[0])}, Floats: slices.Concat(words...)},
		{Name: "length", Shape: nil, Ints: []int64{int64(m.Config.Text.MaxPositionEmbeddings)}},
	}
	if err := checkpoint.Write(filepath.Join(saved, "expected.safetensors"), expected, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(saved, LoadOptions{File: "model.safetensors"})
	if err != nil {
		t.Fatal(err)
	}
	m.Config.Architectures, again.Config.Architectures = nil, nil
	if d := cmp.Diff(m.Config, again.Config); d != "" {
		t.Errorf("saved configuration (-expected +found):\n%s", d)
	}
	same, err := again.EncodeTexts(t.Context(), texts...)
	if err != nil || !slices.EqualFunc(same, words, slices.Equal) {
		t.Errorf("%v, or the saved model gives other bits", err)
	}
	return saved
}

// TestChineseRefused changes one field of a folder at a time and expects an error that names it.
func TestChineseRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`"hidden_size": 12`, `"hidden_size": 24`, "text_config: hidden_size: expected 12, as in text_model.encoder.layer.0"},
		{`"num_hidden_layers": 2`, `"num_hidden_layers": 3`, "text_config: num_hidden_layers: expected 2"},
		{`"intermediate_size": 20`, `"intermediate_size": 40`, "text_config: intermediate_size: expected 20"},
		{`"num_attention_heads": 3`, `"num_attention_heads": 5`, "text_config: num_attention_heads: expected a divisor of hidden_size 12, found 5"},
		{`"vocab_size": 35`, `"vocab_size": 1000000`, "the configuration describes a model of at least"},
		{`"max_position_embeddings": 24`, `"max_position_embeddings": 0`, "text_config: max_position_embeddings"},
		{`"pad_token_id": 0`, `"pad_token_id": 35`, "text_config: pad_token_id: expected 0 to 34, found 35"},
		{`"hidden_act": "gelu"`, `"hidden_act": "swishy"`, "text_config: hidden_act"},
		{`"hidden_size": 16`, `"hidden_size": 32`, "vision_config: hidden_size: expected 16"},
		{`"text_config": {`, `"text_config": {"position_embedding_type": "relative_key",`, "text_config: position_embedding_type: relative positions are not supported"},
		{`"text_config": {`, `"text_config": {"quantization_config": {"bits": 4},`, "text_config: quantization_config: quantized weights"},
		{`"text_config": {`, `"quantization_config": {"bits": 4}, "text_config": {`, "quantization_config: quantized weights"},
		{`"projection_dim": 10`, `"projection_dim": 11`, "does not fit the model"},
	} {
		files := folder(t, "chinese")
		config := string(files["config.json"].Data)
		if !strings.Contains(config, c.old) {
			t.Fatalf("config.json has no %s:\n%s", c.old, config)
		}
		files["config.json"] = &fstest.MapFile{Data: []byte(strings.Replace(config, c.old, c.new, 1))}
		if _, err := Load(files, LoadOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected an error with %q, found %v", c.new, c.want, err)
		}
	}
}

// TestChineseCounts compares the number of parameters with that of the authors' code, without making the large models.
func TestChineseCounts(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		want   int
	}{
		{"B/16", ChineseBasePatch16(), 188_262_913}, {"L/14", ChineseLargePatch14(), 406_233_089},
		{"L/14@336", ChineseLargePatch14At336(), 406_560_769}, {"H/14", ChineseHugePatch14(), 957_598_209},
		{"RN50", ChineseResNet50(), 76_989_537},
	} {
		// One block stands for all: they are alike. The vocabulary counts apart.
		one, text := c.config, *c.config.Text.BERT
		layers, words := text.Encoder.NumHiddenLayers, text.Encoder.VocabSize
		text.Encoder.NumHiddenLayers, text.Encoder.VocabSize = 1, 1
		one.Text.BERT = &text
		if one.Vision.ResNet == nil {
			one.Vision.NumHiddenLayers = 1
		}
		m := New(one, nil)
		got := nn.Count(m) + (layers-1)*nn.Count(m.Text.(*BERT).Encoder.Layers) + (words-1)*text.Encoder.HiddenSize
		if v, ok := m.Vision.(*VisionTransformer); ok {
			got += (c.config.Vision.NumHiddenLayers - 1) * nn.Count(v.Encoder.Blocks)
		}
		if got != c.want {
			t.Errorf("%s: expected %d parameters, found %d", c.name, c.want, got)
		}
	}
}

// tinyChinese is a small configuration, with 64 values a head.
func tinyChinese() Config {
	c := ChineseBasePatch16()
	c.Vision.ImageSize, c.Vision.HiddenSize, c.Vision.NumHiddenLayers, c.Vision.NumAttentionHeads, c.Vision.IntermediateSize = 32, 64, 1, 1, 256
	e := &c.Text.BERT.Encoder
	e.VocabSize, e.HiddenSize, e.NumHiddenLayers, e.NumAttentionHeads, e.IntermediateSize = 35, 64, 2, 1, 80
	c.ProjectionDim = 8
	return c
}

// TestChineseOriginal reads weights under the names of the authors' code, of both kinds of image towers.
func TestChineseOriginal(t *testing.T) {
	resNet := tinyChinese()
	resNet.Vision = VisionConfig{ImageSize: 64, NumChannels: 3, ResNet: &ResNetConfig{Layers: [4]int{1, 2, 1, 1}, Width: 4, Heads: 2}}
	theirs := chineseNames
	theirs.Columns = []string{models.HuggingFace.String(), models.Original.String()}
	for _, c := range []Config{tinyChinese(), resNet} {
		m := New(c, rand.New(rand.NewPCG(1, 2)))
		dir := t.TempDir()
		if err := checkpoint.Save(filepath.Join(dir, "clip_cn.safetensors"), theirs.Writing(models.Original.String()), nn.Values(m), checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "vocab.txt"), folder(t, "chinese")["vocab.txt"].Data, 0o666); err != nil {
			t.Fatal(err)
		}
		again, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c, again.Config); d != "" {
			t.Errorf("configuration (-expected +found):\n%s", d)
		}
		if d := cmp.Diff(m.Preprocess, again.Preprocess); d != "" {
			t.Errorf("preparation (-expected +found):\n%s", d)
		}
		m.Tokenizer = again.Tokenizer
		for _, x := range []*Model{m, again} {
			if n, err := x.Tokenize(strings.Repeat("猫", 80)); err != nil || len(n[0]) != 52 {
				t.Errorf("found %d tokens, %v", n, err)
			}
		}
		a, err := m.EncodeTexts(t.Context(), "一只猫")
		b, err2 := again.EncodeTexts(t.Context(), "一只猫")
		if err != nil || err2 != nil || !slices.Equal(a[0], b[0]) {
			t.Errorf("other bits, or %v, %v", err, err2)
		}
		if err := again.Save(t.TempDir(), SaveOptions{}); (err != nil) != (c.Vision.ResNet != nil) {
			t.Errorf("saving: %v", err)
		}
		if err := again.Save(t.TempDir(), SaveOptions{Layout: models.OpenCLIP}); err == nil || !strings.Contains(err.Error(), "layout") {
			t.Errorf("saved for open_clip: %v", err)
		}
	}
}

// TestChineseTokenizer compares tokens with those of the authors' code.
func TestChineseTokenizer(t *testing.T) {
	tokenizer, err := openChinese(folder(t, "chinese"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		want []int
	}{
		{"一只猫", []int{2, 5, 6, 7, 3}}, {"naïve CAT", []int{2, 28, 29, 27, 3}}, {"", []int{2, 3}}, {"\u3000 \u2028猫\t", []int{2, 7, 3}},
		{"猫[SEP]狗", []int{2, 7, 1, 1, 1, 8, 3}}, // no special token
		{"\U0002B820猫", []int{2, 1, 7, 3}}, {"\U0002CEAFhello", []int{2, 1, 26, 3}},
		{"a\uE000b 猫", []int{2, 1, 7, 3}}, {"hello\uE000", []int{2, 1, 3}}, {"\u200Bhello\x00\uFFFD", []int{2, 26, 3}},
		{strings.Repeat("l", 150), append(append([]int{2, 23}, slices.Repeat([]int{33}, 149)...), 3)}, {strings.Repeat("l", 201), []int{2, 1, 3}},
	} {
		e, err := tokenizer.Encode(c.text, text.Options{})
		if err != nil || !slices.Equal(e.IDs, c.want) {
			t.Errorf("%q: expected %d, found %d, %v", c.text, c.want, e.IDs, err)
		}
	}
	if _, err := openChinese(fstest.MapFS{"vocab.txt": {Data: []byte("[PAD]\n[UNK]\n")}}); err == nil || !strings.Contains(err.Error(), "vocab.txt: expected the token [CLS], found none") {
		t.Errorf("a vocabulary without [CLS]: %v", err)
	}
	if tokenizer, err := openChinese(fstest.MapFS{}); tokenizer != nil || err != nil {
		t.Errorf("no vocabulary: %v", err)
	}
}

// TestChineseClassifier makes texts of Chinese templates.
func TestChineseClassifier(t *testing.T) {
	m, _ := load(t, "chinese")
	templates := ChineseTemplates()
	if len(templates) != 80 || templates[0] != DefaultChineseTemplate || slices.ContainsFunc(templates, func(s string) bool { return strings.Count(s, "{}") != 1 }) {
		t.Errorf("found %d templates: %q", len(templates), templates)
	}
	usual, err := m.Classifier(t.Context(), []string{"猫", "狗"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	words, err := m.EncodeTexts(t.Context(), "猫的照片。", "狗的照片。")
	if err != nil {
		t.Fatal(err)
	}
	for i := range words {
		golden.Output(t, usual.Labels[i], usual.Weights[i], words[i])
	}
	if _, err := m.Classifier(t.Context(), []string{"猫"}, templates); err != nil {
		t.Error(err)
	}
}

// TestChineseLayers counts layers for decay.
func TestChineseLayers(t *testing.T) {
	m := New(tinyChinese(), rand.New(rand.NewPCG(1, 2)))
	for path, want := range map[string]int{
		"Text.Encoder.Embeddings.Words.Weight": 0, "Text.Encoder.Layers.0.MLP.FC1.Weight": 1, "Text.Encoder.Layers.1.Norm2.Bias": 2,
		"Vision.Encoder.Positions": 1, "Vision.Encoder.Blocks.0.Norm1.Weight": 2, "TextProjection.Weight": 3, "LogitScale": 3,
	} {
		if got := m.Layer(path); got != want {
			t.Errorf("%s: expected the layer %d, found %d", path, want, got)
		}
	}
	if m.Layers() != 2 {
		t.Errorf("expected 2 layers, found %d", m.Layers())
	}
}

// chineseAlbum is a data set with Chinese captions.
type chineseAlbum struct{ *album }

func (chineseAlbum) Captions(i int) ([]string, error) {
	return []string{chineseTexts[i%4] + strings.Repeat("照片", i)}, nil
}

// TestChineseTraining trains with a locked image tower (LiT), and adapters of the text tower, which it saves and loads.
func TestChineseTraining(t *testing.T) {
	make := func() *Model {
		m, _ := load(t, "chinese")
		m.Workers = simd.NewWorkers(2)
		return m
	}
	m := make()
	before := values(m)
	result, err := fit(t.Context(), m, pairs(m, chineseAlbum{newAlbum(8)}, 4), TrainOptions{FreezeImages: true, LayerDecay: 0.7}, func(c *train.Config) { c.Epochs, c.Schedule = 20, train.Curve{Peak: 1e-2}.Constant() })
	if err != nil {
		t.Fatal(err)
	}
	if first, last := result.Losses[0], result.Losses[19]; !(last < 0.9*first) {
		t.Errorf("the loss went from %v to %v", first, last)
	}
	for path, v := range values(m) {
		if moved := !slices.Equal(v, before[path]); moved == strings.HasPrefix(path, "Vision") {
			t.Errorf("%s changed: %v", path, moved)
		}
	}

	m = make()
	o := lora.Options{Layers: []string{"Text.Encoder.Layers.*.Attention.QKV", "Text.Encoder.Layers.*.MLP.FC2"}, Rank: 2}
	if err := lora.Attach(m, o, rand.New(rand.NewPCG(1, 1))); err != nil {
		t.Fatal(err)
	}
	if _, err := fit(t.Context(), m, pairs(m, chineseAlbum{newAlbum(8)}, 4), TrainOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	for path, v := range values(m) {
		if base, ok := before[path]; ok && !slices.Equal(v, base) {
			t.Errorf("%s changed beside adapters", path)
		}
	}
	dir := t.TempDir()
	if err := lora.Save(dir, m, m.AdapterNames()); err != nil {
		t.Fatal(err)
	}
	again := make()
	if err := lora.Load(os.DirFS(dir), again, again.AdapterNames()); err != nil {
		t.Fatal(err)
	}
	want, err := m.EncodeTexts(t.Context(), chineseTexts...)
	if err != nil {
		t.Fatal(err)
	}
	found, err := again.EncodeTexts(t.Context(), chineseTexts...)
	if err != nil || !slices.EqualFunc(want, found, slices.Equal) {
		t.Errorf("the loaded adapters give other bits, or %v", err)
	}
	plain, err := make().EncodeTexts(t.Context(), chineseTexts...)
	if err != nil || slices.EqualFunc(want, plain, slices.Equal) {
		t.Errorf("the adapters change nothing, or %v", err)
	}
}

func TestChineseNames(t *testing.T) {
	c := tinyChinese()
	c.Vision = tinyResNet().Vision
	modeltest.Names(t, &chineseNames, New(tinyChinese(), nil), New(c, nil))
}
