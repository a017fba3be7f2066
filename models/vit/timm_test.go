package vit

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/vision"
)

// weights are those of a file under timm's names, with some left out and some put in.
func weights(t *testing.T, without []string, with ...checkpoint.Entry) fstest.MapFS {
	t.Helper()
	f, err := checkpoint.Open("testdata/timm_class/model.safetensors", checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	entries := with
	for x := range f.Tensors() {
		if slices.Contains(without, x.Name) || slices.ContainsFunc(with, func(e checkpoint.Entry) bool { return e.Name == x.Name }) {
			continue
		}
		values := make([]float32, x.Len())
		if err := x.Floats(values); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, checkpoint.Entry{Name: x.Name, Shape: x.Shape, Floats: values})
	}
	var b strings.Builder
	if err := checkpoint.Encode(&b, entries, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{"vit.safetensors": {Data: []byte(b.String())}}
}

func tensor(name string, shape ...int) checkpoint.Entry {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return checkpoint.Entry{Name: name, Shape: shape, Floats: make([]float32, n)}
}

// TestBare reads weights without a configuration.
func TestBare(t *testing.T) {
	m, err := Load(weights(t, nil), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.ImageSize, want.PatchSize, want.HiddenSize, want.NumHiddenLayers, want.NumAttentionHeads = 16, 8, 64, 1, 1
	want.IntermediateSize, want.LayerNormEps = 96, 1e-6
	if d := cmp.Diff(want, m.Config); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(vision.ImageNet(16), m.Preprocess); d != "" {
		t.Error(d)
	}
	refuses := func(name string, fsys fstest.MapFS) {
		if _, err := Load(fsys, LoadOptions{}); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "config.json") {
			t.Errorf("expected an error that names %s, found %v", name, err)
		}
	}
	scales := []checkpoint.Entry{tensor("blocks.0.gamma_1", 64), tensor("blocks.0.gamma_2", 64)}
	refuses("vit_pe_core", weights(t, nil, tensor("norm_pre.weight", 64), tensor("norm_pre.bias", 64), tensor("attn_pool.latent", 1, 1, 64)))
	refuses("vit_base_patch16_rpn_224", weights(t, []string{"cls_token", "blocks.0.attn.qkv.bias"}, tensor("pos_embed", 1, 4, 64)))
	refuses("eva02_enormous", weights(t, []string{"blocks.0.attn.qkv.bias"}, tensor("patch_embed.proj.weight", 1792, 3, 8, 8),
		tensor("pos_embed", 1, 5, 1792), tensor("blocks.0.mlp.fc1.weight", 96, 1792), tensor("blocks.0.attn.q_bias", 1792)))
	refuses("rope_ape_224", weights(t, nil, scales...))
	deit3 := weights(t, nil, scales...)
	if m, err := Load(fstest.MapFS{"deit_3.pth": deit3["vit.safetensors"]}, LoadOptions{}); err != nil || m.Config.LayerScaleInit == 0 {
		t.Errorf("DeiT III: %v", err)
	}
	for name, fsys := range map[string]fstest.MapFS{ // timm's vit_medium_patch16_gap_256 and vit_so150m2_patch16_reg1_gap_256
		"layer scale": weights(t, []string{"cls_token", "blocks.0.attn.qkv.bias"}, tensor("pos_embed", 1, 4, 64), tensor("blocks.0.ls1.gamma", 64), tensor("blocks.0.ls2.gamma", 64)),
		"registers":   weights(t, []string{"cls_token", "blocks.0.attn.qkv.bias"}, tensor("pos_embed", 1, 4, 64), tensor("reg_token", 1, 1, 64)),
	} {
		if _, err := Load(fsys, LoadOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The form of the oldest patch projections is understood where the sizes are known.
	kernel := weights(t, nil, tensor("patch_embed.proj.weight", 64, 3*8*8))
	kernel["config.json"] = &fstest.MapFile{Data: []byte(`{"model_type": "vit", "image_size": 16, "patch_size": 8, "hidden_size": 64,
		"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 96}`)}
	if _, err := Load(kernel, LoadOptions{}); err != nil {
		t.Error(err)
	}
}

// TestImageSize loads a model for images of another size.
func TestImageSize(t *testing.T) {
	m, err := Load(weights(t, nil), LoadOptions{ImageSize: 48})
	if err != nil {
		t.Fatal(err)
	}
	p := m.Preprocess
	if m.Config.ImageSize != 48 || m.Encoder.Positions.Shape()[1] != 37 || p.CropWidth != 48 || p.CropHeight != 48 || p.Width != 54 {
		t.Errorf("found images of %d pixels, positions %v, preprocessing %+v", m.Config.ImageSize, m.Encoder.Positions.Shape(), p)
	}
	if _, err := Load(weights(t, nil), LoadOptions{ImageSize: 17}); err == nil || !strings.Contains(err.Error(), "17") {
		t.Errorf("found %v, expected an error about the size", err)
	}
}

// TestRefused expects errors that say what is wrong with weights.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		fsys   fstest.MapFS
		expect []string
	}{
		"distilled":     {weights(t, nil, tensor("dist_token", 1, 1, 64)), []string{"pos_embed", "[1 5 64]"}},
		"map":           {weights(t, nil, tensor("attn_pool.latent", 1, 1, 64)), []string{"Pool.Attention.QKV.Weight (as attn_pool.q.weight + attn_pool.kv.weight)"}},
		"normalized":    {weights(t, nil, tensor("blocks.0.attn.q_norm.weight", 32)), []string{"blocks.0.attn.k_norm.weight"}},
		"BEiT":          {weights(t, nil, tensor("blocks.0.attn.relative_position_bias_table", 9, 1)), []string{"relative positions"}},
		"hybrid":        {weights(t, nil, tensor("patch_embed.backbone.conv1.0.weight", 1)), []string{"ResNet-D"}},
		"narrow stem":   {weights(t, nil, tensor("patch_embed.backbone.conv.weight", 31, 3, 7, 7)), []string{"stem: channels", "31"}},
		"no blocks":     {weights(t, []string{"blocks.0.norm1.weight"}), []string{"blocks.0.norm1.weight"}},
		"no patches":    {weights(t, []string{"patch_embed.proj.weight"}), []string{"no Vision Transformer"}},
		"flat patches":  {weights(t, nil, tensor("patch_embed.proj.weight", 64, 192)), []string{"patch_embed.proj.weight", "[64 192]"}},
		"no positions":  {weights(t, []string{"pos_embed"}), []string{"position"}},
		"odd positions": {weights(t, nil, tensor("pos_embed", 1, 7, 64)), []string{"pos_embed", "[1 7 64]"}},
		"other width":   {weights(t, nil, tensor("patch_embed.proj.weight", 32, 3, 8, 8)), []string{"patch_embed.proj.weight", "64", "32"}},
		"hollow kernel": {weights(t, nil, tensor("patch_embed.proj.weight", 1<<20, 3, 0, 0)), []string{"patch_embed.proj.weight"}},
		"heads":         {weights(t, nil, tensor("patch_embed.proj.weight", 65, 3, 8, 8), tensor("blocks.0.mlp.fc1.weight", 96, 65)), []string{"heads", "config.json"}},
		"everything": {weights(t, []string{"norm.bias"}, tensor("blocks.0.norm2.weight", 63), tensor("extra", 1)),
			[]string{`Encoder.Norm.Bias (as vit.layernorm.bias or norm.bias`, `unexpected: "extra"`, "expected shape [64], found [63]", "1 missing, 1 unexpected, 1 of another shape"}},
	} {
		_, err := Load(c.fsys, LoadOptions{})
		for _, want := range c.expect {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: expected %q, found %v", name, want, err)
			}
		}
	}
	// What lacks and what is too much may be asked for.
	m, err := Load(weights(t, []string{"norm.bias"}, tensor("extra", 1)), LoadOptions{Lenient: true})
	if err != nil || m.Head == nil {
		t.Errorf("lenient: %v", err)
	}
}

// TestTimmConfig reads configurations of timm's, new and old, and refuses what Fovea does not compute.
func TestTimmConfig(t *testing.T) {
	load := func(config string) (*Model, error) {
		fsys := weights(t, nil)
		fsys["config.json"] = &fstest.MapFile{Data: []byte(config)}
		return Load(fsys, LoadOptions{})
	}
	m, err := load(`{"architecture": "vit_tiny_patch16_224", "num_classes": 5, "input_size": [3, 16, 16], "mean": [0.1, 0.2, 0.3],
		"std": [1, 1, 1], "interpolation": "bilinear", "crop_pct": 0.8, "labels": ["a", "b", "c", "d", "e"]}`)
	if err != nil {
		t.Fatal(err)
	}
	p := m.Preprocess
	if d := cmp.Diff([]string{"a", "b", "c", "d", "e"}, m.Config.Labels()); d != "" || p.Width != 20 || p.CropWidth != 16 || p.Mean != [3]float32{0.1, 0.2, 0.3} {
		t.Errorf("%s %+v", d, p)
	}
	m, err = load(`{"model_type": "timm_wrapper", "architecture": "vit_tiny_patch16_224", "pretrained_cfg": {"input_size": [3, 16, 16]},
		"label_names": {"4": "e"}, "model_args": {"img_size": [16, 16], "num_heads": 4, "act_layer": "silu"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if c := m.Config; c.NumAttentionHeads != 4 || c.HiddenAct != "silu" || !c.AntialiasPositions || c.Label2ID["e"] != 4 {
		t.Errorf("found %+v", c)
	}
	for config, want := range map[string]string{
		`{"architecture": "swin_tiny"}`:                                                         "swin_tiny",
		`{"architecture": "vit_base_patch16_sapiens2"}`:                                         "queries that share keys",
		`{"architecture": "vit_tiny_patch16_224", "global_pool": "prr"}`:                        `"prr"`,
		`{"architecture": "vit_tiny_patch16_224", "model_args": {"global_pool": "map"}}`:        "attn_pool",
		`{"architecture": "vit_tiny_patch16_224", "model_args": {"act_layer": "tanhish"}}`:      "tanhish",
		`{"architecture": "vit_tiny_patch16_224", "model_args": {"num_heads": 7}}`:              "7",
		`{"architecture": "vit_tiny_patch16_224", "model_args": {"num_heads": -1}}`:             "-1",
		`{"architecture": "vit_tiny_patch16_224", "model_args": {"rel_pos_dim": 5}}`:            "expected neither it nor rel_pos_dim",
		`{"architecture": "vit_tiny_patch16_224", "model_args": []}`:                            "model_args",
		`{"architecture": "vit_tiny_patch16_224", "model_args": {"pool_include_prefix": true}}`: "pool_include_prefix",
		`{"architecture": "vit_tiny_patch16_224", "label_names": {"x": "y"}}`:                   "label_names",
		`{"architecture": "vit_tiny_patch16_224", "label_names": 3}`:                            "label_names",
		`{"architecture": 5}`: "architecture",
	} {
		if _, err := load(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected an error with %s, found %v", config, want, err)
		}
	}
}

// FuzzConfig loads small weights beside any config.json: the answer is a model or an error.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		`{"model_type": "vit", "image_size": 16, "patch_size": 8, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 96}`,
		`{"architecture": "vit_tiny_patch16_224", "global_pool": "avg", "label_names": ["a"], "model_args": {"num_heads": 2, "act_layer": "relu"}, "pretrained_cfg": {"input_size": [3, 16, 16]}}`,
		`{"architecture": "deit3_x_clip_", "model_args": {"img_size": [16, 16], "init_values": 1e-5, "global_pool": "token"}, "pretrained_cfg": {}}`,
		`{"architecture": "vit_tiny_patch16_224", "model_args": {"img_size": [8, 32], "qk_norm": false}, "pretrained_cfg": {"fixed_input_size": true, "input_size": [1, 8, 32], "mean": [0.5], "std": [0.5]}}`,
		`{"model_type": "vit", "image_size": [16, 16], "patch_size": [8, 8], "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 96, "problem_type": "regression", "num_labels": 3}`,
		`{"model_type": "beit", "image_size": 16, "patch_size": 8, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 96, "use_absolute_position_embeddings": true, "use_mean_pooling": false}`,
		`{"model_type": "data2vec-vision", "image_size": 16, "patch_size": 8, "hidden_size": 64, "use_shared_relative_position_bias": true, "relative_interpolation": false}`,
		`{"model_type": "dinov3_vit", "image_size": 16, "patch_size": 8, "hidden_size": 64, "pos_embed_rescale": null, "pos_embed_jitter": 1.5}`,
		`{}`,
	} {
		f.Add([]byte(seed))
	}
	files := fstest.MapFS{}
	f.Fuzz(func(t *testing.T, config []byte) {
		if len(files) == 0 {
			maps.Copy(files, weights(t, nil))
		}
		fsys := maps.Clone(files)
		fsys["config.json"] = &fstest.MapFile{Data: config}
		m, err := Load(fsys, LoadOptions{})
		if err == nil && m.Config.Validate() != nil {
			t.Errorf("a model whose configuration is not valid: %v", m.Config.Validate())
		}
	})
}

// TestWantsConfig refuses to guess what a file beside the weights says, and tells a folder that is not there.
func TestWantsConfig(t *testing.T) {
	from := os.DirFS("testdata/tiny")
	data, err := fs.ReadFile(from, "model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Load(fstest.MapFS{"model.safetensors": {Data: data}}, LoadOptions{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "config.json") {
		t.Errorf("weights of Hugging Face alone: %v", err)
	}
	if _, err := Load(os.DirFS("testdata/nowhere"), LoadOptions{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no such folder") {
		t.Errorf("no folder: %v", err)
	}
}
