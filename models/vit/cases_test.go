package vit

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/vision"
)

// cases are folders whose configurations state what their weights do not tell, with the answers of timm 1.0.31 and
// transformers 5.24 beside them.
var cases = os.DirFS("testdata/cases")

// classifyCase loads a folder, also after saving it in a layout, and classifies p.png with it.
func classifyCase(t *testing.T, name string, layouts ...models.Layout) (*Model, Prediction) {
	t.Helper()
	fsys, err := fs.Sub(cases, name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(fsys, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, layout := range layouts {
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{Layout: layout}); err != nil {
			t.Fatal(err)
		}
		if m, err = Load(os.DirFS(dir), LoadOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	img, err := vision.DecodeFile(cases, "p.png", vision.DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Classify(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	return m, p[0]
}

// TestStatedSize gives the logits of the reference for images that are not square, for a size in a list, and for gray
// images, before and after saving.
func TestStatedSize(t *testing.T) {
	for _, c := range []struct {
		name          string
		height, width int
		want          []float32 // timm's or transformers' logits of p.png
	}{
		{"rect_32x48", 32, 48, []float32{-0.39839982986450195, 1.6253013610839844, -1.2079532146453857, -0.3192456066608429}},
		{"rect_16x64", 16, 64, []float32{0.6942246556282043, 0.6070641279220581, 0.26815325021743774, -0.152566060423851}},
		{"size_list", 32, 32, []float32{1.1849725246429443, -0.3419041037559509, 0.4418741464614868}},
		{"one_channel", 32, 32, []float32{-0.6363146305084229, -0.7549722194671631, 0.15404795110225677, -0.21587881445884705}},
	} {
		for _, layouts := range [][]models.Layout{nil, {models.HuggingFace}, {models.Timm}} {
			if strings.HasPrefix(c.name, "size_list") && len(layouts) > 0 && layouts[0] == models.Timm {
				continue // timm's epsilon is another
			}
			m, p := classifyCase(t, c.name, layouts...)
			if h, w := m.Config.Size(); h != c.height || w != c.width {
				t.Errorf("%s: found %d×%d pixels", c.name, h, w)
			}
			golden.Output(t, c.name, p.Logits, c.want)
		}
	}
}

// TestStatedToOther loads a model of images that are not square for square ones, and expects the logits that it gives for them
// as it is. Both resize positions from the grid that the configuration states.
func TestStatedToOther(t *testing.T) {
	m, _ := classifyCase(t, "rect_32x48")
	fsys, err := fs.Sub(cases, "rect_32x48")
	if err != nil {
		t.Fatal(err)
	}
	square, err := Load(fsys, LoadOptions{ImageSize: 64})
	if err != nil {
		t.Fatal(err)
	}
	if h, w := square.Config.Size(); h != 64 || w != 64 || square.Preprocess.CropWidth != 64 || square.Preprocess.CropHeight != 64 {
		t.Errorf("found %d×%d, %+v", h, w, square.Preprocess)
	}
	pixels := make([]float32, 3*64*64)
	for i := range pixels {
		pixels[i] = float32(i%97) / 97
	}
	forward := func(m *Model) []float32 {
		return m.Forward(autograd.NewTape(autograd.Options{}).Input(pixels, 1, 3, 64, 64)).Floats(nil)
	}
	golden.Output(t, "logits", forward(square), forward(m))
}

// TestOneChannel gives timm's logits for pixels of one channel.
func TestOneChannel(t *testing.T) {
	m, _ := classifyCase(t, "one_channel")
	data, err := fs.ReadFile(cases, "one_channel/px.bin")
	if err != nil {
		t.Fatal(err)
	}
	pixels := make([]float32, len(data)/4)
	for i := range pixels {
		pixels[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	logits := m.Forward(autograd.NewTape(autograd.Options{}).Input(pixels, 1, 1, 32, 32)).Floats(nil)
	golden.Output(t, "logits", logits, []float32{-1.065497875213623, -0.6385095119476318, 0.007102996110916138, -0.046627700328826904})
}

// TestProblems gives the scores of transformers' pipeline for classes that do not exclude each other.
func TestProblems(t *testing.T) {
	for _, name := range []string{"multi", "onelogit"} {
		data, err := fs.ReadFile(cases, name+"/pipeline.json")
		if err != nil {
			t.Fatal(err)
		}
		var want [][2]any
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		_, p := classifyCase(t, name, models.HuggingFace)
		if p.Problem != models.MultiLabel || len(p.Top) != len(want) {
			t.Errorf("%s: found %q and %d classes", name, p.Problem, len(p.Top))
		}
		for i, c := range p.Top {
			if c.Label != want[i][0] || math.Abs(float64(c.Probability)-want[i][1].(float64)) > 1e-5 {
				t.Errorf("%s: found %+v, expected %v", name, c, want[i])
			}
		}
	}
}

// TestConfigRules reads config.json by the rules of transformers: what it refuses is refused, what it tells apart is told
// apart.
func TestConfigRules(t *testing.T) {
	data, err := fs.ReadFile(cases, "size_list/config.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{`"qkv_bias": true`, `"qkv_bias": null`, "qkv_bias: expected true or false, found null"},
		{`"qkv_bias": true`, `"qkv_bias": 1`, "qkv_bias: expected true or false, found number 1"},
		{`"hidden_size": 16`, `"hidden_size": 16.0`, "hidden_size: expected a whole number, found number 16.0"},
		{`"hidden_size": 16`, `"hidden_size": "16"`, "hidden_size: expected a whole number, found string"},
		{`"patch_size": 8`, `"patch_size": [8, 4]`, "patch_size: expected square patches, found 8×4"},
		{`"patch_size": 8`, `"patch_size": [8, 8]`, ""},
		{`"patch_size": 8`, `"patch_size": null`, "patch_size: expected a whole number, or a list of height and width, found null"},
		{`"patch_size": 8`, `"patch_size": 16, "patch_size": 8`, ""}, // the last counts
		{`"hidden_act": "gelu"`, `"hidden_act": "gelu", "HIDDEN_ACT": "relu"`, ""},
		{`"pooler_act"`, `"problem_type": "ranking", "pooler_act"`, "problem_type: expected one of"},
		{`"pooler_act"`, `"problem_type": null, "pooler_act"`, ""},
		{`"pooler_act"`, `"pruned_heads": {"0": [1]}, "pooler_act"`, "pruned_heads: pruned heads are not supported"},
		{`"pooler_act"`, `"pruned_heads": {}, "pooler_act"`, ""},
		{`"pooler_act"`, `"something_new": NaN, "pooler_act"`, ""},
		{`"0": "LABEL_0"`, `"1e0": "LABEL_0"`, `id2label: expected a number for every name, found "1e0"`},
		{`"0": "LABEL_0"`, `"+00": "LABEL_0"`, ""},
	} {
		text := strings.Replace(string(data), c.from, c.to, 1)
		if text == string(data) {
			t.Fatalf("%s is not in the file", c.from)
		}
		fsys := fstest.MapFS{"config.json": {Data: []byte(text)}}
		config, err := ReadConfig(fsys, "config.json")
		switch {
		case (err == nil) != (c.want == ""), err != nil && !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: expected %q, found %v", c.to, c.want, err)
		case err == nil && (config.PatchSize != 8 || config.HiddenAct != "gelu" || config.ID2Label["0"] != "LABEL_0"):
			t.Errorf("%s: found %+v", c.to, config)
		}
	}
}

// TestTimmRules refuses arguments that change the answer, that the weights contradict, or that timm does not know.
func TestTimmRules(t *testing.T) {
	for args, want := range map[string]string{
		`"img_size": [16, 32]`:                          "",
		`"img_size": 16, "num_heads": 4`:                "",
		`"embed_dim": 64`:                               "num_heads: expected a number beside embed_dim, found none",
		`"embed_dim": 64, "num_heads": 1`:               "",
		`"img_size": "16"`:                              "img_size: expected a whole number, or a list of height and width, found string",
		`"img_size": null`:                              "img_size: expected a value, found null",
		`"patch_size": 4`:                               "config.json: model_args: patch_size: expected 8, as in patch_embed.proj.weight, found 4",
		`"in_chans": 1`:                                 "in_chans: expected 3, as in patch_embed.proj.weight, found 1",
		`"class_token": false`:                          "class_token: expected true, as the weights have cls_token, found false",
		`"qk_norm": true`:                               "qk_norm: expected false, as the weights have no attn.q_norm, found true",
		`"qk_norm": false, "drop_path_rate": 0.3`:       "",
		`"norm_layer": "rmsnorm"`:                       "norm_layer: another norm is not supported",
		`"attn_layer": "diff"`:                          "attn_layer: another attention is not supported",
		`"pos_embed": "none"`:                           "pos_embed",
		`"Num_Heads": 2`:                                "Num_Heads: timm's VisionTransformer has no such argument",
		`"final_norm": false`:                           `unexpected: "norm.bias"`,
		`"reg_tokens": 4`:                               "reg_tokens: expected 0, as the weights have, found 4",
		`"mlp_ratio": 1.0`:                              "mlp_ratio times the width: expected 96, as in blocks.0.mlp.fc1.weight, found 64",
		`"embed_dim": 32, "num_heads": 1`:               "embed_dim: expected 64, as in patch_embed.proj.weight, found 32",
		`"depth": 12`:                                   "depth: expected 1, as in blocks.0.norm1.weight, found 12",
		`"qkv_bias": false`:                             "qkv_bias: expected true, as in blocks.0.attn.qkv.bias, found false",
		`"pre_norm": true`:                              "pre_norm: expected false, as the weights have no norm_pre, found true",
		`"patch_size": [8, 4]`:                          "patch_size: expected square patches, found 8×4",
		`"embed_norm_layer": null, "init_values": null`: "",
	} {
		fsys := weights(t, nil)
		fsys["config.json"] = &fstest.MapFile{Data: []byte(`{"architecture": "vit_tiny_patch16_224", "model_args": {` + args + `}, "pretrained_cfg": {"input_size": [3, 16, 16]}}`)}
		_, err := Load(fsys, LoadOptions{})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, found %v", args, want, err)
		}
	}
}

// TestEvaArguments reads an argument that timm's Eva has and its VisionTransformer calls fc_norm.
func TestEvaArguments(t *testing.T) {
	for _, value := range []string{"false", "null"} {
		fsys := inMemory(t, "kinds/eva02_large_patch14_clip_224")
		stated := bytes.Replace(fsys["config.json"].Data, []byte(`"model_args": {`), []byte(`"model_args": {"use_fc_norm": `+value+`,`), 1)
		if !bytes.Contains(stated, []byte("use_fc_norm")) {
			t.Fatal("config.json has no model_args")
		}
		fsys["config.json"] = &fstest.MapFile{Data: stated}
		if _, err := Load(fsys, LoadOptions{}); err != nil {
			t.Errorf("use_fc_norm %s: %v", value, err)
		}
	}
}

// TestConfigFloats writes whole numbers with a point where transformers refuses them without: "expected float, got int".
func TestConfigFloats(t *testing.T) {
	c := Tiny16()
	c.InitializerRange, c.LayerNormEps = 1, 0
	text, err := json.Marshal(c)
	for _, want := range []string{`"initializer_range":1.0,`, `"layer_norm_eps":0.0,`} {
		if err != nil || strings.Count(string(text), want) != 1 {
			t.Errorf("found %s, %v, expected %s", text, err, want)
		}
	}
	if n := strings.Count(string(text), "initializer_range") + strings.Count(string(text), "layer_norm_eps"); n != 2 {
		t.Errorf("found %s", text)
	}
}

// TestConfigJSON writes the size of images as transformers does, and reads it back.
func TestConfigJSON(t *testing.T) {
	for want, width := range map[string]int{`"image_size":32,`: 0, `"image_size":[32,48],`: 48} {
		c := Tiny16()
		c.ImageSize, c.ImageWidth = 32, width
		text, err := json.Marshal(c)
		if err != nil || !strings.Contains(string(text), want) || strings.Count(string(text), `"image_size"`) != 1 {
			t.Errorf("found %s, %v", text, err)
		}
		var back Config
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c, back); d != "" {
			t.Error(d)
		}
	}
}
