package clip

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// The model_type of SigLIP, and of SigLIP 2 where images keep their proportions. transformers calls SigLIP 2 for images
// of one size siglip too.
const (
	siglipType  = "siglip"
	siglip2Type = "siglip2"
)

func siglipPreset(width, layers, heads, hidden, patch, image int) Config {
	return Config{
		ModelType: siglipType,
		Vision: VisionConfig{
			ImageSize: image, PatchSize: patch, NumChannels: 3,
			HiddenSize: width, NumHiddenLayers: layers, NumAttentionHeads: heads, IntermediateSize: hidden,
			HiddenAct: "gelu_pytorch_tanh", LayerNormEps: 1e-6, InitializerFactor: 1, Pooled: true,
		},
		Text: TextConfig{
			VocabSize: 32000, MaxPositionEmbeddings: 64,
			HiddenSize: width, NumHiddenLayers: layers, NumAttentionHeads: heads, IntermediateSize: hidden,
			HiddenAct: "gelu_pytorch_tanh", LayerNormEps: 1e-6, InitializerFactor: 1, Bidirectional: true,
		},
		ProjectionDim: width, InitializerFactor: 1,
	}
}

// SigLIPBasePatch16 is SigLIP B/16 for images of 224 pixels (arXiv 2303.15343): 203 M parameters. Change
// Vision.ImageSize for other sizes, and Text.VocabSize to 256000 for SigLIP 2.
func SigLIPBasePatch16() Config { return siglipPreset(768, 12, 12, 3072, 16, 224) }

// SigLIPLargePatch16 is SigLIP L/16 for images of 256 pixels: 652 M parameters.
func SigLIPLargePatch16() Config { return siglipPreset(1024, 24, 16, 4096, 16, 256) }

// SigLIPSo400mPatch14 is SigLIP SO400M/14 for images of 384 pixels, a shape that was optimized for its amount of work
// (arXiv 2305.13035): 878 M parameters.
func SigLIPSo400mPatch14() Config { return siglipPreset(1152, 27, 16, 4304, 14, 384) }

// NaFlexBasePatch16 is SigLIP 2 B/16 for images of any proportions (arXiv 2502.14786): 375 M parameters.
func NaFlexBasePatch16() Config {
	c := SigLIPBasePatch16()
	c.ModelType, c.Text.VocabSize = siglip2Type, 256000
	c.Vision.ImageSize, c.Vision.NumPatches = 0, 256
	return c
}

// siglipDefaults are those of transformers, for fields that a config.json leaves out.
func siglipDefaults(modelType string) Config {
	if modelType == siglip2Type {
		c := NaFlexBasePatch16()
		c.Text.VocabSize = 32000
		return c
	}
	return SigLIPBasePatch16()
}

// unmarshalSigLIP reads a config.json of SigLIP. Fields that it lacks have transformers' defaults.
func (c *Config) unmarshalSigLIP(data []byte, modelType string) error {
	*c = siglipDefaults(modelType)
	file := struct {
		ModelType         string          `json:"model_type"`
		Architectures     []string        `json:"architectures"`
		Vision            json.RawMessage `json:"vision_config"`
		Text              json.RawMessage `json:"text_config"`
		InitializerFactor float64         `json:"initializer_factor"`
	}{InitializerFactor: 1}
	if err := strictjson.Decode(data, &file); err != nil {
		return err
	}
	c.Architectures, c.InitializerFactor = file.Architectures, file.InitializerFactor
	type (
		plainVision VisionConfig
		plainText   TextConfig
	)
	images := struct {
		UseHead    bool `json:"vision_use_head"`
		NumPatches int  `json:"num_patches"`
		*plainVision
	}{true, c.Vision.NumPatches, (*plainVision)(&c.Vision)}
	texts := struct {
		ProjectionSize *int            `json:"projection_size"`
		EOS            json.RawMessage `json:"eos_token_id"` // in the place of CLIP's field
		*plainText
	}{plainText: (*plainText)(&c.Text)}
	for _, s := range []struct {
		name   string
		data   json.RawMessage
		fields strictjson.Fields
		target any
	}{{"vision_config", file.Vision, siglipVisionFields, &images}, {"text_config", file.Text, siglipTextFields, &texts}} {
		if s.data == nil || strictjson.Null(s.data) {
			continue
		}
		err := s.fields.Check(s.data)
		if err == nil {
			err = strictjson.Decode(s.data, s.target)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	switch {
	case !images.UseHead:
		return fmt.Errorf("vision_config: vision_use_head: expected true, found false: without the head images have no embedding")
	case modelType == siglip2Type && images.NumPatches == 0:
		return fmt.Errorf("vision_config: num_patches: expected a square number, found 0")
	}
	if modelType == siglip2Type {
		c.Vision.NumPatches, c.Vision.ImageSize = images.NumPatches, 0
	}
	c.ProjectionDim = value(texts.ProjectionSize, c.Text.HiddenSize)
	return nil
}

// siglipTower are the fields that both towers have in a config.json.
type siglipTower struct {
	ModelType         string                `json:"model_type"`
	HiddenSize        int                   `json:"hidden_size"`
	IntermediateSize  int                   `json:"intermediate_size"`
	NumHiddenLayers   int                   `json:"num_hidden_layers"`
	NumAttentionHeads int                   `json:"num_attention_heads"`
	HiddenAct         string                `json:"hidden_act"`
	LayerNormEps      config.Float[float32] `json:"layer_norm_eps"`
	AttentionDropout  config.Float[float32] `json:"attention_dropout"`
}

// marshalSigLIP writes a config.json of SigLIP.
func (c Config) marshalSigLIP() ([]byte, error) {
	v, t := c.Vision, c.Text
	type vision struct {
		siglipTower
		ImageSize   int  `json:"image_size,omitempty"`
		NumPatches  int  `json:"num_patches,omitempty"`
		PatchSize   int  `json:"patch_size"`
		NumChannels int  `json:"num_channels"`
		UseHead     bool `json:"vision_use_head"`
	}
	type text struct {
		siglipTower
		VocabSize             int `json:"vocab_size"`
		MaxPositionEmbeddings int `json:"max_position_embeddings"`
		ProjectionSize        int `json:"projection_size"`
		// The model uses none of these, but transformers' defaults are beyond most vocabularies.
		BOSTokenID *int `json:"bos_token_id"`
		EOSTokenID *int `json:"eos_token_id"`
		PadTokenID *int `json:"pad_token_id"`
	}
	return json.Marshal(struct {
		ModelType         string                `json:"model_type"`
		Architectures     []string              `json:"architectures,omitempty"`
		InitializerFactor config.Float[float64] `json:"initializer_factor"`
		Vision            vision                `json:"vision_config"`
		Text              text                  `json:"text_config"`
	}{
		c.ModelType, c.Architectures, config.Float[float64]{Value: c.InitializerFactor},
		vision{siglipTower{
			c.ModelType + "_vision_model", v.HiddenSize, v.IntermediateSize, v.NumHiddenLayers, v.NumAttentionHeads, v.HiddenAct,
			config.Float[float32]{Value: v.LayerNormEps}, config.Float[float32]{Value: v.AttentionDropout},
		}, v.ImageSize, v.NumPatches, v.PatchSize, v.NumChannels, true},
		text{siglipTower{
			c.ModelType + "_text_model", t.HiddenSize, t.IntermediateSize, t.NumHiddenLayers, t.NumAttentionHeads, t.HiddenAct,
			config.Float[float32]{Value: t.LayerNormEps}, config.Float[float32]{Value: t.AttentionDropout},
		}, t.VocabSize, t.MaxPositionEmbeddings, c.ProjectionDim, t.BOSTokenID, nil, t.PadTokenID},
	})
}

// siglipFields are the fields of transformers' SiglipConfig and Siglip2Config (5.23).
var siglipFields = slices.Concat(modelfolder.CommonFields, noClasses, strictjson.Fields{
	{Name: "vision_config"},
	{Name: "text_config"},
	{Name: "initializer_factor"},
})

// siglipVisionFields are the fields of SiglipVisionConfig and Siglip2VisionConfig.
var siglipVisionFields = slices.Concat(towerFields, strictjson.Fields{
	{Name: "image_size", Reason: "square images; NaFlex has num_patches instead"},
	{Name: "num_patches"},
	{Name: "patch_size", Reason: "square patches"},
	{Name: "num_channels"},
	{Name: "vision_use_head"},
})

// siglipTextFields are the fields of SiglipTextConfig and Siglip2TextConfig.
var siglipTextFields = slices.Concat(towerFields, strictjson.Fields{
	{Name: "vocab_size"},
	{Name: "max_position_embeddings"},
	{Name: "projection_size"},
	{Name: "bos_token_id", Use: strictjson.Harmless, Reason: "the tokenizer decides"},
	{Name: "eos_token_id", Use: strictjson.Harmless, Reason: "the last token gives the features, whatever it is"},
	{Name: "pad_token_id", Reason: "kept; the tokenizer pads"},
})
