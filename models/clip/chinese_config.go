package clip

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/vision"
)

// chineseType is the model_type of Chinese-CLIP.
const chineseType = "chinese_clip"

// chineseContext is the most tokens of a text in the authors' code, which trained all models so (tokenize in
// cn_clip/clip/utils.py).
const chineseContext = 52

func chinesePreset(c Config, text bert.Config) Config {
	c.ModelType = chineseType
	c.Text = TextConfig{MaxPositionEmbeddings: chineseContext, BERT: &BERTConfig{Encoder: text}}
	return c
}

// chineseLarge is Chinese RoBERTa-wwm-ext-large.
func chineseLarge() bert.Config { return large(bert.BaseChinese()) }

// ChineseBasePatch16 is Chinese-CLIP ViT-B/16 (arXiv 2211.01335, table 1): 188 M parameters.
func ChineseBasePatch16() Config { return chinesePreset(BasePatch16(), bert.BaseChinese()) }

// ChineseLargePatch14 is Chinese-CLIP ViT-L/14: 406 M parameters.
func ChineseLargePatch14() Config { return chinesePreset(LargePatch14(), bert.BaseChinese()) }

// ChineseLargePatch14At336 is Chinese-CLIP ViT-L/14@336px: ViT-L/14 for images of 336 pixels.
func ChineseLargePatch14At336() Config { return chinesePreset(LargePatch14At336(), bert.BaseChinese()) }

// ChineseHugePatch14 is Chinese-CLIP ViT-H/14: 958 M parameters.
func ChineseHugePatch14() Config {
	c := preset(1280, 32, 14, 224, 512, 1024)
	c.Vision.NumAttentionHeads = 16
	return chinesePreset(c, chineseLarge())
}

// ChineseResNet50 is Chinese-CLIP RN50: 77 M parameters, with three layers for texts.
func ChineseResNet50() Config {
	text := bert.BaseChinese()
	text.NumHiddenLayers = 3
	return chinesePreset(ResNet50(), text)
}

// chineseDefaults are those of transformers, for fields that a config.json leaves out.
func chineseDefaults() Config {
	c := chinesePreset(BasePatch32(), bert.Base())
	c.Text.MaxPositionEmbeddings = c.Text.BERT.Encoder.MaxPositionEmbeddings
	return c
}

// chinesePreprocess is the preparation of images of the authors' code (image_transform in cn_clip/clip/utils.py), and
// of the published folders: images are stretched.
func chinesePreprocess(c VisionConfig) vision.Preprocess {
	p := preprocess(c)
	p.Mode, p.CropHeight, p.CropWidth = vision.Stretch, 0, 0
	p.Height, p.Width = c.Size()
	return p
}

// chineseText are the fields of ChineseCLIPTextConfig.
type chineseText struct {
	ModelType                 string  `json:"model_type"`
	VocabSize                 int     `json:"vocab_size"`
	HiddenSize                int     `json:"hidden_size"`
	NumHiddenLayers           int     `json:"num_hidden_layers"`
	NumAttentionHeads         int     `json:"num_attention_heads"`
	IntermediateSize          int     `json:"intermediate_size"`
	HiddenAct                 string  `json:"hidden_act"`
	HiddenDropoutProb         float32 `json:"hidden_dropout_prob"`
	AttentionProbsDropoutProb float32 `json:"attention_probs_dropout_prob"`
	MaxPositionEmbeddings     int     `json:"max_position_embeddings"`
	TypeVocabSize             int     `json:"type_vocab_size"`
	InitializerRange          float64 `json:"initializer_range"`
	LayerNormEps              float32 `json:"layer_norm_eps"`
	PadTokenID                *int    `json:"pad_token_id"`
}

// chineseTextOf describes an encoder in these fields.
func chineseTextOf(c bert.Config) chineseText {
	return chineseText{
		chineseType + "_text_model", c.VocabSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize, c.HiddenAct,
		c.HiddenDropoutProb, c.AttentionProbsDropoutProb, c.MaxPositionEmbeddings, c.TypeVocabSize, c.InitializerRange, c.LayerNormEps, c.PadTokenID,
	}
}

// encoder describes the encoder to package bert.
func (t chineseText) encoder() bert.Config {
	c := bert.Base()
	c.VocabSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads = t.VocabSize, t.HiddenSize, t.NumHiddenLayers, t.NumAttentionHeads
	c.IntermediateSize, c.HiddenAct, c.HiddenDropoutProb, c.AttentionProbsDropoutProb = t.IntermediateSize, t.HiddenAct, t.HiddenDropoutProb, t.AttentionProbsDropoutProb
	c.MaxPositionEmbeddings, c.TypeVocabSize, c.InitializerRange, c.LayerNormEps, c.PadTokenID = t.MaxPositionEmbeddings, t.TypeVocabSize, t.InitializerRange, t.LayerNormEps, t.PadTokenID
	return c
}

// unmarshalChinese reads a config.json of Chinese-CLIP. Fields that it lacks have transformers' defaults.
// vision_config_dict and text_config_dict take the place of vision_config and text_config, as in CLIP.
func (c *Config) unmarshalChinese(data []byte) error {
	*c = chineseDefaults()
	file := struct {
		Architectures     []string        `json:"architectures"`
		Vision            json.RawMessage `json:"vision_config"`
		Text              json.RawMessage `json:"text_config"`
		Visions           json.RawMessage `json:"vision_config_dict"`
		Texts             json.RawMessage `json:"text_config_dict"`
		ProjectionDim     int             `json:"projection_dim"`
		LogitScaleInit    float32         `json:"logit_scale_init_value"`
		InitializerFactor float64         `json:"initializer_factor"`
	}{ProjectionDim: c.ProjectionDim, LogitScaleInit: c.LogitScaleInit, InitializerFactor: c.InitializerFactor}
	err := chineseFields.Check(data)
	if err == nil {
		err = strictjson.Decode(data, &file)
	}
	if err != nil {
		return err
	}
	c.Architectures, c.ProjectionDim, c.LogitScaleInit, c.InitializerFactor = file.Architectures, file.ProjectionDim, file.LogitScaleInit, file.InitializerFactor
	images, texts := c.Vision, chineseTextOf(c.Text.BERT.Encoder)
	usualImages, usualTexts := images, texts
	for _, s := range []struct {
		name   string
		data   json.RawMessage
		fields strictjson.Fields
		reset  func()
		target any
	}{
		{"vision_config", file.Vision, visionFields, nil, &images},
		{"vision_config_dict", file.Visions, visionFields, func() { images = usualImages }, &images},
		{"text_config", file.Text, chineseTextFields, nil, &texts},
		{"text_config_dict", file.Texts, chineseTextFields, func() { texts = usualTexts }, &texts},
	} {
		if s.data == nil || strictjson.Null(s.data) {
			continue
		}
		if s.reset != nil {
			s.reset()
		}
		err := s.fields.Check(s.data)
		if err == nil {
			err = strictjson.Decode(s.data, s.target)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	c.Vision, c.Text.BERT.Encoder, c.Text.MaxPositionEmbeddings = images, texts.encoder(), texts.MaxPositionEmbeddings
	return nil
}

// marshalChinese writes a config.json of Chinese-CLIP.
func (c Config) marshalChinese() ([]byte, error) {
	type (
		plain     VisionConfig
		plainText chineseText
	)
	v, t := c.Vision, chineseTextOf(c.Text.BERT.Encoder)
	return json.Marshal(struct {
		ModelType         string                `json:"model_type"`
		Architectures     []string              `json:"architectures,omitempty"`
		ProjectionDim     int                   `json:"projection_dim"`
		LogitScaleInit    config.Float[float32] `json:"logit_scale_init_value"`
		InitializerFactor config.Float[float64] `json:"initializer_factor"`
		Vision            any                   `json:"vision_config"`
		Text              any                   `json:"text_config"`
	}{
		chineseType, c.Architectures, c.ProjectionDim, config.Float[float32]{Value: c.LogitScaleInit}, config.Float[float64]{Value: c.InitializerFactor},
		struct {
			ModelType         string                `json:"model_type"`
			ProjectionDim     int                   `json:"projection_dim"`
			LayerNormEps      config.Float[float32] `json:"layer_norm_eps"`
			AttentionDropout  config.Float[float32] `json:"attention_dropout"`
			InitializerRange  config.Float[float64] `json:"initializer_range"`
			InitializerFactor config.Float[float64] `json:"initializer_factor"`
			plain
		}{
			chineseType + "_vision_model", c.ProjectionDim, config.Float[float32]{Value: v.LayerNormEps}, config.Float[float32]{Value: v.AttentionDropout},
			config.Float[float64]{Value: v.InitializerRange}, config.Float[float64]{Value: v.InitializerFactor}, plain(v),
		},
		struct {
			InitializerRange config.Float[float64] `json:"initializer_range"`
			LayerNormEps     config.Float[float32] `json:"layer_norm_eps"`
			plainText
		}{config.Float[float64]{Value: t.InitializerRange}, config.Float[float32]{Value: t.LayerNormEps}, plainText(t)},
	})
}

// chineseFields are the fields of transformers' ChineseCLIPConfig (5.23).
var chineseFields = slices.Concat(configFields, strictjson.Fields{
	{Name: "initializer_range", Use: strictjson.Harmless, Reason: "the towers have their own, and the projections none"},
})

// chineseTextFields are the fields of transformers' ChineseCLIPTextConfig (5.23).
var chineseTextFields = slices.Concat(modelfolder.CommonFields, noClasses, modelfolder.EncoderFields, strictjson.Fields{
	{Name: "vocab_size"},
	{Name: "max_position_embeddings"},
	{Name: "type_vocab_size"},
	{Name: "initializer_range"},
	{Name: "initializer_factor", Use: strictjson.Harmless, Reason: "only image towers and projections use it"},
	{Name: "pad_token_id"},
	{Name: "bos_token_id", Use: strictjson.Harmless, Reason: "the tokenizer adds the token"},
	{Name: "eos_token_id", Use: strictjson.Harmless, Reason: "the tokenizer adds the token"},
	{Name: "position_embedding_type", Use: strictjson.Refused, Reason: "relative positions are not supported", Same: []string{`"absolute"`, "null"}},
	{Name: "is_decoder", Use: strictjson.Refused, Reason: "decoders are not supported", Same: []string{"false", "null"}},
	{Name: "add_cross_attention", Use: strictjson.Refused, Reason: "decoders are not supported", Same: []string{"false", "null"}},
	{Name: "use_cache", Use: strictjson.Harmless, Reason: "it is about decoders"},
})
