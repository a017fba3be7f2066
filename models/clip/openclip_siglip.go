package clip

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/config"
)

// openSigLIP are the parts of an open_clip_config.json that models of SigLIP use: a text tower of open_clip's
// (CustomTextCLIP in model.py) beside an image tower of timm's (timm_model.py).
type openSigLIP struct {
	EmbedDim int      `json:"embed_dim"`
	Bias     *float32 `json:"init_logit_bias"`
	Vision   struct {
		ImageSize config.Size `json:"image_size"`
		Name      string      `json:"timm_model_name"`
		Pool      string      `json:"timm_pool"`
		Proj      string      `json:"timm_proj"`
	} `json:"vision_cfg"`
	Text struct {
		openText
		Bidirectional bool `json:"no_causal_mask"`
		Bias          bool `json:"proj_bias"`
		Tokenizer     *struct {
			Clean string `json:"clean"`
		} `json:"tokenizer_kwargs"`
	} `json:"text_cfg"`
}

// timmSizes and timmTowers are the image towers of SigLIP in timm (1.0.31, vision_transformer.py): the sizes by a part
// of the name, and the activation by the name.
var (
	timmSizes = map[string]VisionConfig{
		"base":     {HiddenSize: 768, NumHiddenLayers: 12, NumAttentionHeads: 12, IntermediateSize: 3072},
		"large":    {HiddenSize: 1024, NumHiddenLayers: 24, NumAttentionHeads: 16, IntermediateSize: 4096},
		"so400m":   {HiddenSize: 1152, NumHiddenLayers: 27, NumAttentionHeads: 16, IntermediateSize: 4304},
		"giantopt": {HiddenSize: 1536, NumHiddenLayers: 40, NumAttentionHeads: 16, IntermediateSize: 6144},
	}
	timmTowers = map[string]string{
		"vit_base_patch16_siglip_224": "gelu", "vit_base_patch16_siglip_256": "gelu",
		"vit_base_patch16_siglip_384": "gelu", "vit_base_patch16_siglip_512": "gelu",
		"vit_base_patch32_siglip_256":  "gelu_pytorch_tanh",
		"vit_large_patch16_siglip_256": "gelu", "vit_large_patch16_siglip_384": "gelu",
		"vit_large_patch16_siglip_512":  "gelu_pytorch_tanh",
		"vit_so400m_patch14_siglip_224": "gelu", "vit_so400m_patch14_siglip_378": "gelu", "vit_so400m_patch14_siglip_384": "gelu",
		"vit_so400m_patch16_siglip_256": "gelu_pytorch_tanh", "vit_so400m_patch16_siglip_384": "gelu_pytorch_tanh",
		"vit_so400m_patch16_siglip_512":   "gelu_pytorch_tanh",
		"vit_giantopt_patch16_siglip_256": "gelu_pytorch_tanh", "vit_giantopt_patch16_siglip_384": "gelu_pytorch_tanh",
	}
)

// timmTower returns the description of an image tower of timm's.
func timmTower(name string) (c VisionConfig, ok bool) {
	act, ok := timmTowers[name]
	if !ok {
		return c, false
	}
	parts := strings.Split(name, "_") // vit, the size, the patch, siglip, the image
	c = timmSizes[parts[1]]
	fmt.Sscanf(parts[2], "patch%d", &c.PatchSize)
	fmt.Sscan(parts[4], &c.ImageSize)
	c.NumChannels, c.HiddenAct, c.LayerNormEps, c.InitializerFactor, c.Pooled = 3, act, 1e-6, 1, true
	return c, true
}

// isOpenSigLIP reports whether an open_clip_config.json describes a model of SigLIP, by the name of its image tower.
func isOpenSigLIP(data []byte) bool {
	var file struct {
		Model struct {
			Vision struct {
				Name *string `json:"timm_model_name"`
			} `json:"vision_cfg"`
		} `json:"model_cfg"`
	}
	if err := json.Unmarshal(data, &file); err != nil || file.Model.Vision.Name == nil {
		return false
	}
	return strings.Contains(*file.Model.Vision.Name, "siglip")
}

// config translates the arguments.
func (m openSigLIP) config() (Config, error) {
	c := siglipDefaults(siglipType)
	v, t := m.Vision, m.Text
	tower, known := timmTower(v.Name)
	var k config.Checks
	if !known {
		k.OneOf("model_cfg: vision_cfg: timm_model_name", v.Name, slices.Sorted(maps.Keys(timmTowers))...)
	}
	k.OneOf("model_cfg: vision_cfg: timm_pool", v.Pool, "map")
	k.OneOf("model_cfg: vision_cfg: timm_proj", v.Proj, "none")
	k.OneOf("model_cfg: text_cfg: pool_type", t.PoolType, "last")
	if s := v.ImageSize; s.Height != tower.ImageSize || s.Width != tower.ImageSize {
		k.Fail("model_cfg: vision_cfg: image_size", "expected %d as in timm_model_name, found %d×%d", tower.ImageSize, s.Height, s.Width)
	}
	switch {
	case m.Bias == nil:
		k.Fail("model_cfg: init_logit_bias", "expected a number, found none")
	case !t.Bidirectional:
		k.Fail("model_cfg: text_cfg: no_causal_mask", "expected true, found false")
	case !t.Bias:
		k.Fail("model_cfg: text_cfg: proj_bias", "expected true, found false")
	case t.Tokenizer == nil || t.Tokenizer.Clean != "canonicalize":
		k.Fail("model_cfg: text_cfg: tokenizer_kwargs", `expected {"clean": "canonicalize"}`)
	}
	if err := k.Err(); err != nil {
		return c, err
	}
	c.Vision, c.ProjectionDim = tower, m.EmbedDim
	c.Text.MaxPositionEmbeddings, c.Text.VocabSize = t.ContextLength, t.VocabSize
	c.Text.HiddenSize, c.Text.NumHiddenLayers, c.Text.NumAttentionHeads = t.Width, t.Layers, t.Heads
	c.Text.IntermediateSize = hidden(t.Width, t.MLPRatio)
	var err error
	if c.Text.HiddenAct, c.Text.LayerNormEps, err = t.layers(false); err != nil {
		return c, fmt.Errorf("model_cfg: text_cfg: %w", err)
	}
	return c, nil
}

// readOpenSigLIP reads an open_clip_config.json of SigLIP.
func readOpenSigLIP(data []byte) (Config, openPreprocess, error) {
	var file struct {
		Model      openSigLIP     `json:"model_cfg"`
		Preprocess openPreprocess `json:"preprocess_cfg"`
	}
	file.Model.Vision.ImageSize, file.Model.Text.openText = openDefaults().Model.Vision.ImageSize, openDefaults().Model.Text
	file.Model.Vision.Pool, file.Model.Vision.Proj = "avg", "linear"
	err := checkOpen(data, openSigLIPFields, openTimmFields, openSigLIPTextFields)
	if err == nil {
		err = strictjson.Decode(data, &file)
	}
	if err != nil {
		return Config{}, file.Preprocess, err
	}
	c, err := file.Model.config()
	return c, file.Preprocess, err
}

// change returns a table with some entries in the place of those of the same names.
func change(f strictjson.Fields, entries ...strictjson.Field) strictjson.Fields {
	f = slices.Clone(f)
	for _, e := range entries {
		at := slices.IndexFunc(f, func(x strictjson.Field) bool { return x.Name == e.Name })
		f[at] = e
	}
	return f
}

// The tables of SigLIP: what [openSigLIP] reads is used there.
var (
	openSigLIPFields = change(openModelFields, strictjson.Field{Name: "init_logit_bias"},
		strictjson.Field{Name: "quick_gelu", Use: strictjson.Refused, Reason: "SigLIP has another activation", Same: []string{"false"}})
	openTimmFields = change(openVisionFields, strictjson.Field{Name: "timm_model_name"}, strictjson.Field{Name: "timm_pool"},
		strictjson.Field{Name: "timm_proj"})
	openSigLIPTextFields = change(openTextFields, strictjson.Field{Name: "no_causal_mask"}, strictjson.Field{Name: "proj_bias"},
		strictjson.Field{Name: "tokenizer_kwargs"},
		strictjson.Field{Name: "hf_tokenizer_name", Use: strictjson.Harmless, Reason: "the folder has the tokenizer"},
		strictjson.Field{Name: "pad_id", Use: strictjson.Harmless, Reason: "the tokenizer pads"},
		strictjson.Field{Name: "eos_id", Use: strictjson.Harmless, Reason: "the last token gives the features, whatever it is"})
)
