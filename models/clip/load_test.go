package clip

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/internal/test/modeltest"
)

// folder returns the files of a small model, for a test to change.
func folder(t *testing.T, name string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	entries, err := os.ReadDir(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join("testdata", name, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = &fstest.MapFile{Data: data}
	}
	return files
}

// TestRefused changes a file and expects an error that names what is wrong.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ file, old, new, want string }{
		{"config.json", `"model_type": "clip",`, `"model_type": "mobileclip",`, `model_type: expected "clip", found "mobileclip"`},
		{"config.json", `"model_type": "clip",`, `"model_type": "altclip",`, `found "altclip"`},
		{"config.json", `"hidden_size": 16,`, `"hidden_size": 32,`, "vision_config: hidden_size: expected 16, as in vision_model.embeddings.patch_embedding.weight, found 32"},
		{"config.json", `"hidden_size": 12,`, `"hidden_size": 24,`, "text_config: hidden_size: expected 12"},
		{"config.json", `"hidden_size": 12,`, `"hidden_size": -12,`, "text_config: hidden_size: expected 1 to"},
		{"config.json", `"image_size": 16,`, `"image_size": 24,`, "vision_config: image_size: expected 16"},
		{"config.json", `"image_size": 16,`, `"image_size": [16, 16],`, "vision_config: image_size: expected a whole number"},
		{"config.json", `"num_attention_heads": 2,`, `"num_attention_heads": 3,`, "expected a divisor of hidden_size 16, found 3"},
		{"config.json", `"vocab_size": 525`, `"vocab_size": 1000000`, "the configuration describes a model of at least"},
		{"config.json", `"projection_dim": 10`, `"projection_dim": 11`, "does not fit the model"},
		{"config.json", `"hidden_act": "quick_gelu"`, `"hidden_act": "swishy"`, "hidden_act"},
		{"config.json", `"vision_config": {`, `"vision_config": {"quantization_config": {"bits": 4},`, "vision_config: quantization_config: quantized weights are not supported"},
		{"tokenizer.json", `"BPE"`, `"Riddle"`, "Riddle"},
	} {
		files := folder(t, "tiny")
		old := string(files[c.file].Data)
		changed := strings.Replace(old, c.old, c.new, 1)
		if changed == old {
			t.Errorf("%s has no %s", c.file, c.old)
			continue
		}
		files[c.file] = &fstest.MapFile{Data: []byte(changed)}
		_, err := Load(files, LoadOptions{})
		if err == nil || !strings.HasPrefix(err.Error(), "clip: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected %q, found %v", c.new, c.want, err)
		}
	}
}

// TestRefusedOpenCLIP expects errors that name the field for configurations of open_clip that are not supported.
func TestRefusedOpenCLIP(t *testing.T) {
	const vision, text = `"layers": 2, "width": 16, "head_width": 8, "patch_size": 8, "image_size": 16, "mlp_ratio": 1.5`, `"width": 12, "heads": 3, "layers": 2, "vocab_size": 525, "context_length": 24, "mlp_ratio": 1.67`
	model := func(vision, text, more string) string {
		return `{"model_cfg": {"embed_dim": 10, "quick_gelu": true` + more + `, "vision_cfg": {` + vision + `}, "text_cfg": {` + text + `}}}`
	}
	weights := folder(t, "tiny")["model.safetensors"]
	for _, c := range []struct{ config, want string }{
		{model(vision, text, ""), ""},
		{model(`"timm_model_name": "fastvit_mci1"`, text, ""), `model_cfg: vision_cfg: timm_model_name: an image tower of timm's is not supported: expected no such field, or null or "", found "fastvit_mci1"`},
		{model(vision+`, "no_ln_pre": true`, text, ""), "no_ln_pre"},
		{model(vision+`, "pool_type": "avg"`, text, ""), "pool_type"},
		{model(vision+`, "swirl": 3`, text, ""), "model_cfg: vision_cfg: swirl: a field that open_clip 3.3 does not have"},
		{model(vision, text+`, "hf_model_name": "google/mt5-base"`, ""), "text_cfg: hf_model_name"},
		{model(vision, text+`, "no_causal_mask": true`, ""), "no_causal_mask"},
		{model(vision, text+`, "pool_type": "last"`, ""), "pool_type"},
		{model(vision, text, `, "multimodal_cfg": {}`), "model_cfg: multimodal_cfg: CoCa is not supported"},
		{model(vision, text, `, "init_logit_bias": -10`), "init_logit_bias"},
		{model(vision, strings.Replace(text, `"width": 12`, `"width": 24`, 1), ""), "text_cfg: width: expected 12"},
		{model(strings.Replace(vision, `"head_width": 8`, `"head_width": 0`, 1), text, ""), "head_width"},
		{model(strings.Replace(vision, `"mlp_ratio": 1.5`, `"mlp_ratio": 1e30`, 1), text, ""), "intermediate_size"},
		{`{"preprocess_cfg": {}}`, "model_cfg: expected an object, found none"},
		{strings.Replace(model(vision, text, ""), `{"model_cfg"`, `{"preprocess_cfg": {"resize_mode": "widest"}, "model_cfg"`, 1), "preprocess_cfg: resize_mode"},
		{strings.Replace(model(vision, text, ""), `{"model_cfg"`, `{"preprocess_cfg": {"fill_color": -1}, "model_cfg"`, 1), "preprocess_cfg: fill_color"},
	} {
		files := fstest.MapFS{"open_clip_config.json": {Data: []byte(c.config)}, "open_clip_model.safetensors": weights}
		_, err := Load(files, LoadOptions{})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: expected %q, found %v", c.config, c.want, err)
		}
	}
}

// TestBothConfigurations reads a folder with the configurations of both libraries as open_clip where all weights are
// its.
func TestBothConfigurations(t *testing.T) {
	files := folder(t, "tiny")
	files["open_clip_config.json"] = &fstest.MapFile{Data: []byte(`{"model_cfg": {"embed_dim": 10, "quick_gelu": true,
		"vision_cfg": {"layers": 2, "width": 16, "head_width": 8, "patch_size": 8, "image_size": 16, "mlp_ratio": 1.5},
		"text_cfg": {"width": 12, "heads": 3, "layers": 2, "vocab_size": 525, "context_length": 24, "mlp_ratio": 1.67}}}`)}
	files["open_clip_model.safetensors"] = files["model.safetensors"]
	files["open_clip_pytorch_model.bin"] = files["model.safetensors"]
	for _, open := range []bool{false, true} {
		if open {
			delete(files, "model.safetensors")
		}
		m, err := Load(files, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if found := m.Config.Text.EOSTokenID == LargestID; found != open {
			t.Errorf("found the rule of open_clip: %v, expected %v", found, open)
		}
	}
}

// TestBare expects an error for weights that do not tell their model.
func TestBare(t *testing.T) {
	files := folder(t, "tiny")
	delete(files, "config.json")
	if _, err := Load(files, LoadOptions{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "open_clip_config.json") {
		t.Error(err)
	}
	if _, err := Load(fstest.MapFS{}, LoadOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestWithoutTokenizer encodes images, and says what is missing for texts.
func TestWithoutTokenizer(t *testing.T) {
	files := folder(t, "tiny")
	maps.DeleteFunc(files, func(name string, _ *fstest.MapFile) bool { return strings.HasPrefix(name, "tokenizer") })
	m, err := Load(files, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.EncodeTexts(context.Background(), "a"); err == nil || !strings.Contains(err.Error(), "vocab.json") {
		t.Error(err)
	}
}

// TestForeignTokenizer refuses a tokenizer with more tokens than the model has.
func TestForeignTokenizer(t *testing.T) {
	m, _ := load(t, "tiny")
	m.Config.Text.VocabSize = 100
	if _, err := m.EncodeTexts(context.Background(), "cat"); err == nil || !strings.Contains(err.Error(), "the tokenizer belongs to another model") {
		t.Error(err)
	}
}

// TestImageSize loads a model for larger images.
func TestImageSize(t *testing.T) {
	m, err := Load(folder(t, "tiny"), LoadOptions{ImageSize: 32})
	if err != nil {
		t.Fatal(err)
	}
	if n := m.Vision.(*VisionTransformer).Encoder.Positions.Shape()[1]; n != 17 || m.Preprocess.CropWidth != 32 {
		t.Errorf("found %d positions and a crop of %d pixels", n, m.Preprocess.CropWidth)
	}
}

func TestFields(t *testing.T) {
	t.Run("transformers", func(t *testing.T) {
		modeltest.Tables(t, "transformers",
			modeltest.Table{Fields: configFields, Classes: []string{"CLIPConfig"}},
			modeltest.Table{Fields: visionFields, Classes: []string{"CLIPVisionConfig"}},
			modeltest.Table{Fields: textFields, Classes: []string{"CLIPTextConfig"}},
			modeltest.Table{Fields: chineseFields, Classes: []string{"ChineseCLIPConfig"}},
			modeltest.Table{Fields: visionFields, Classes: []string{"ChineseCLIPVisionConfig"}},
			modeltest.Table{Fields: chineseTextFields, Classes: []string{"ChineseCLIPTextConfig"}},
			modeltest.Table{Fields: siglipFields, Classes: []string{"SiglipConfig", "Siglip2Config"}},
			modeltest.Table{Fields: siglipTextFields, Classes: []string{"SiglipTextConfig", "Siglip2TextConfig"}},
			modeltest.Table{Fields: siglipVisionFields, Classes: []string{"SiglipVisionConfig", "Siglip2VisionConfig"}})
	})
	t.Run("open_clip", func(t *testing.T) {
		modeltest.Tables(t, "open_clip",
			modeltest.Table{Fields: openModelFields, Classes: []string{"CLIP"}},
			modeltest.Table{Fields: openVisionFields, Classes: []string{"CLIPVisionCfg"}},
			modeltest.Table{Fields: openTextFields, Classes: []string{"CLIPTextCfg"}})
	})
}

// TestLeftPadding refuses a tokenizer that pads before texts: transformers then gives them other positions in batches.
func TestLeftPadding(t *testing.T) {
	files := folder(t, "tiny")
	rest := strings.TrimPrefix(strings.TrimSpace(string(files[tokenizerConfig].Data)), "{")
	files[tokenizerConfig] = &fstest.MapFile{Data: []byte(`{"padding_side": "left",` + rest)}
	if _, err := Load(files, LoadOptions{}); err == nil || !strings.Contains(err.Error(), "padding_side: expected right, found left") {
		t.Errorf("found %v", err)
	}
}

// TestTokenizerLimit cuts texts to the limit of the tokenizer, and at the side that it states.
func TestTokenizerLimit(t *testing.T) {
	files := folder(t, "tiny")
	before, err := Load(files, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := before.Tokenize(texts[2])
	if err != nil || len(whole[0]) < 12 {
		t.Fatal(whole, err)
	}
	config := strings.ReplaceAll(string(files[tokenizerConfig].Data), `"model_max_length": 24`, `"model_max_length": 10, "truncation_side": "left"`)
	files[tokenizerConfig] = &fstest.MapFile{Data: []byte(config)}
	m, err := Load(files, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := m.Tokenize(texts[2])
	if err != nil {
		t.Fatal(err)
	}
	want := append(whole[0][:1:1], whole[0][len(whole[0])-9:]...)
	if !slices.Equal(found[0], want) {
		t.Errorf("found %v, expected %v", found[0], want)
	}
}
