package clip

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
)

// Config describes a CLIP model in the fields of a Hugging Face config.json; each has the name it has there. A Config
// is made by a preset or by [ReadConfig] and then changed: its zero value is not valid.
type Config struct {
	ModelType     string       `json:"model_type"`
	Architectures []string     `json:"architectures,omitempty"`
	Vision        VisionConfig `json:"vision_config"`
	Text          TextConfig   `json:"text_config"`
	ProjectionDim int          `json:"projection_dim"` // of embeddings
	// LogitScaleInit is the initial value of the logarithm of the factor of similarities.
	LogitScaleInit float32 `json:"logit_scale_init_value"`
	// InitializerFactor multiplies the deviations of the initial weights of the projections.
	InitializerFactor float64 `json:"initializer_factor"`
}

// VisionConfig describes the tower that encodes images, usually a Vision Transformer. Patches are square; sizes are in
// pixels. Where the image is no multiple of the patch, its last rows and columns of pixels are not seen, as with a
// convolution.
type VisionConfig struct {
	ImageSize         int     `json:"image_size"` // of square images; with ImageWidth the height
	ImageWidth        int     `json:"-"`          // 0 for square images; only open_clip has others
	PatchSize         int     `json:"patch_size"`
	NumChannels       int     `json:"num_channels"`
	HiddenSize        int     `json:"hidden_size"`
	NumHiddenLayers   int     `json:"num_hidden_layers"`
	NumAttentionHeads int     `json:"num_attention_heads"`
	IntermediateSize  int     `json:"intermediate_size"`
	HiddenAct         string  `json:"hidden_act"` // a name of simd.ActivationByName
	LayerNormEps      float32 `json:"layer_norm_eps"`
	AttentionDropout  float32 `json:"attention_dropout"`
	InitializerRange  float64 `json:"initializer_range"`
	InitializerFactor float64 `json:"initializer_factor"`
	// ResNet, if not nil, describes a ResNet in place of the Vision Transformer. Of the other fields, the sizes of the
	// image and NumChannels still count.
	ResNet *ResNetConfig `json:"-"`
	// Pooled says that the tower is SigLIP's: it pools the tokens of patches by attention, and has no class token.
	// NumPatches, when it is not 0, makes it NaFlex: a square number of positions for images of any size, in place of
	// ImageSize.
	Pooled     bool `json:"-"`
	NumPatches int  `json:"-"`
}

// TextConfig describes the causal transformer that encodes texts.
type TextConfig struct {
	VocabSize             int     `json:"vocab_size"`
	MaxPositionEmbeddings int     `json:"max_position_embeddings"` // the most tokens of a text
	HiddenSize            int     `json:"hidden_size"`
	NumHiddenLayers       int     `json:"num_hidden_layers"`
	NumAttentionHeads     int     `json:"num_attention_heads"`
	IntermediateSize      int     `json:"intermediate_size"`
	HiddenAct             string  `json:"hidden_act"`
	LayerNormEps          float32 `json:"layer_norm_eps"`
	AttentionDropout      float32 `json:"attention_dropout"`
	InitializerRange      float64 `json:"initializer_range"`
	InitializerFactor     float64 `json:"initializer_factor"`
	// EOSTokenID is the token whose first place in a text gives the text's features, or the first place of all where a
	// text lacks it. With [LargestID] it is the first place of the largest id.
	EOSTokenID int `json:"eos_token_id"`
	// BOSTokenID and PadTokenID are kept for transformers and not used: the tokenizer adds these tokens. nil is
	// transformers' default; [Model.Save] then takes those of the tokenizer.
	BOSTokenID *int `json:"bos_token_id,omitempty"`
	PadTokenID *int `json:"pad_token_id,omitempty"`
	// Bidirectional says that the tower is SigLIP's: tokens attend to all tokens of a text, padding included, and the
	// last token gives the features.
	Bidirectional bool `json:"-"`
	// HiddenPadding, if not nil, says that no token of a Bidirectional tower attends to padding, and how texts are
	// padded. SigLIP was trained without it. transformers hides padding where the tokenizer's model_input_names, by
	// default, have an attention_mask.
	HiddenPadding *Padding `json:"-"`
	// BERT, if not nil, describes an encoder of package bert in place of the causal transformer. Of the other fields,
	// MaxPositionEmbeddings still counts.
	BERT *BERTConfig `json:"-"`
}

// vocabulary returns the number of tokens that the tower has.
func (c TextConfig) vocabulary() int {
	if c.BERT != nil {
		return c.BERT.Encoder.VocabSize
	}
	return c.VocabSize
}

// Padding says how texts are filled up.
type Padding struct {
	Token  int  // its id
	Left   bool // before the text, whose positions then end with the last one
	Length int  // of texts; 0 means MaxPositionEmbeddings
}

// LargestID is the TextConfig.EOSTokenID of transformers' older configurations. The features of a text are then taken
// at its largest id, as in OpenAI's code and open_clip.
const LargestID = 2

func preset(width, layers, patch, image, text, dim int) Config {
	return Config{
		ModelType: modelType,
		Vision: VisionConfig{
			ImageSize: image, PatchSize: patch, NumChannels: 3,
			HiddenSize: width, NumHiddenLayers: layers, NumAttentionHeads: width / 64, IntermediateSize: 4 * width,
			HiddenAct: "quick_gelu", LayerNormEps: 1e-5, InitializerRange: 0.02, InitializerFactor: 1,
		},
		Text: TextConfig{
			VocabSize: 49408, MaxPositionEmbeddings: 77,
			HiddenSize: text, NumHiddenLayers: 12, NumAttentionHeads: text / 64, IntermediateSize: 4 * text,
			HiddenAct: "quick_gelu", LayerNormEps: 1e-5, InitializerRange: 0.02, InitializerFactor: 1,
			EOSTokenID: 49407,
		},
		ProjectionDim: dim, LogitScaleInit: 2.6592, InitializerFactor: 1,
	}
}

// defaults are those of transformers, for fields that a config.json leaves out.
func defaults() Config { return BasePatch32() }

// BasePatch32 is CLIP ViT-B/32 (arXiv 2103.00020, table 20): 151 M parameters.
func BasePatch32() Config { return preset(768, 12, 32, 224, 512, 512) }

// BasePatch16 is CLIP ViT-B/16: 150 M parameters, four times B/32's image tokens.
func BasePatch16() Config { return preset(768, 12, 16, 224, 512, 512) }

// LargePatch14 is CLIP ViT-L/14: 428 M parameters.
func LargePatch14() Config { return preset(1024, 24, 14, 224, 768, 768) }

// LargePatch14At336 is CLIP ViT-L/14@336px: ViT-L/14 for images of 336 pixels, 428 M parameters.
func LargePatch14At336() Config { return preset(1024, 24, 14, 336, 768, 768) }

// Size returns the height and width of images in pixels.
func (c VisionConfig) Size() (height, width int) {
	return c.ImageSize, cmp.Or(c.ImageWidth, c.ImageSize)
}

// SetSize sets the height and width of images in pixels.
func (c *VisionConfig) SetSize(height, width int) {
	c.ImageSize, c.ImageWidth = height, width
	if width == height {
		c.ImageWidth = 0
	}
}

// resizable reports whether the tower has a table of positions for images of one size.
func (c VisionConfig) resizable() bool { return c.ResNet == nil && c.NumPatches == 0 }

// Grid returns the rows and columns of patches of an image. The configuration must be valid.
func (c VisionConfig) Grid() (rows, columns int) {
	height, width := c.Size()
	return height / c.PatchSize, width / c.PatchSize
}

func (c VisionConfig) grid() tower.Grid {
	rows, columns := c.Grid()
	return tower.Grid{Rows: rows, Columns: columns}
}

// encoder returns the description of the tower's encoder: for the pixels that whole patches cover.
func (c VisionConfig) encoder() vit.Config {
	e := vit.Config{PreNorm: true, EncoderConfig: vit.EncoderConfig{
		PatchSize: c.PatchSize, NumChannels: c.NumChannels, HiddenSize: c.HiddenSize,
		NumHiddenLayers: c.NumHiddenLayers, NumAttentionHeads: c.NumAttentionHeads, IntermediateSize: c.IntermediateSize,
		HiddenAct: c.HiddenAct, AttentionProbsDropoutProb: c.AttentionDropout, LayerNormEps: c.LayerNormEps, QKVBias: true,
	}}
	if c.Pooled {
		e.PreNorm, e.NoClassToken, e.Pooling = false, true, vit.FlattenPooling // all tokens, normalized
	}
	rows, columns := c.Grid()
	e.SetSize(rows*c.PatchSize, columns*c.PatchSize)
	return e
}

// block returns the description of the tower's blocks.
func (c VisionConfig) block() nn.BlockConfig {
	act := (&config.Checks{}).Activation("hidden_act", c.HiddenAct)
	return nn.BlockConfig{
		Width: c.HiddenSize, Heads: c.NumAttentionHeads, Hidden: c.IntermediateSize, Act: act, Eps: c.LayerNormEps,
		QKVBias: true, AttentionDropout: c.AttentionDropout,
	}
}

// Block returns the description of the tower's blocks. The configuration must be valid.
func (c TextConfig) Block() nn.BlockConfig {
	act := (&config.Checks{}).Activation("hidden_act", c.HiddenAct)
	return nn.BlockConfig{
		Width: c.HiddenSize, Heads: c.NumAttentionHeads, Hidden: c.IntermediateSize, Act: act, Eps: c.LayerNormEps,
		QKVBias: true, AttentionDropout: c.AttentionDropout,
	}
}

// Validate returns an error that names the first field whose value no CLIP model can have.
func (c Config) Validate() error {
	if err := c.Vision.validate(); err != nil {
		return fmt.Errorf("vision_config: %w", err)
	}
	if err := c.Text.validate(); err != nil {
		return fmt.Errorf("text_config: %w", err)
	}
	var v config.Checks
	v.Size("projection_dim", c.ProjectionDim)
	if c.Vision.Pooled && c.ProjectionDim != c.Vision.HiddenSize {
		v.Fail("text_config: projection_size", "expected the hidden_size of vision_config, %d, found %d", c.Vision.HiddenSize, c.ProjectionDim)
	}
	if c.Vision.Pooled != c.Text.Bidirectional {
		v.Fail("model_type", "expected towers of one kind, found one of SigLIP and one of CLIP")
	}
	return v.Err()
}

func (c VisionConfig) validate() error {
	if c.ResNet != nil {
		return c.ResNet.validate(c)
	}
	var v config.Checks
	v.Size("patch_size", c.PatchSize)
	if c.NumPatches != 0 {
		v.Size("num_patches", c.NumPatches)
		if side := squareRoot(c.NumPatches); side*side != c.NumPatches {
			v.Fail("num_patches", "expected a square number, found %d", c.NumPatches)
		}
	} else {
		height, width := c.Size()
		v.Size("image_size", height)
		v.Size("image_size", width)
		if min(height, width) < c.PatchSize {
			v.Fail("patch_size", "expected at most the size of the image, %d, found %d", min(height, width), c.PatchSize)
		}
	}
	v.Size("num_channels", c.NumChannels)
	v.Size("hidden_size", c.HiddenSize)
	v.Size("num_hidden_layers", c.NumHiddenLayers)
	v.Size("num_attention_heads", c.NumAttentionHeads)
	v.Size("intermediate_size", c.IntermediateSize)
	v.Divisor("num_attention_heads", c.NumAttentionHeads, "hidden_size", c.HiddenSize)
	v.NotNegative("layer_norm_eps", c.LayerNormEps)
	v.Probability("attention_dropout", c.AttentionDropout)
	v.Activation("hidden_act", c.HiddenAct)
	return v.Err()
}

func (c TextConfig) validate() error {
	if c.BERT != nil {
		return c.BERT.validate(c)
	}
	var v config.Checks
	v.Size("vocab_size", c.VocabSize)
	v.Size("max_position_embeddings", c.MaxPositionEmbeddings)
	v.Size("hidden_size", c.HiddenSize)
	v.Size("num_hidden_layers", c.NumHiddenLayers)
	v.Size("num_attention_heads", c.NumAttentionHeads)
	v.Size("intermediate_size", c.IntermediateSize)
	v.Divisor("num_attention_heads", c.NumAttentionHeads, "hidden_size", c.HiddenSize)
	v.NotNegative("layer_norm_eps", c.LayerNormEps)
	v.Probability("attention_dropout", c.AttentionDropout)
	v.Activation("hidden_act", c.HiddenAct)
	if p := c.HiddenPadding; p != nil && (p.Token < 0 || p.Token >= c.VocabSize) {
		v.Fail("padding", "expected a token below vocab_size %d, found %d", c.VocabSize, p.Token)
	} else if p != nil && (p.Length < 0 || p.Length > c.MaxPositionEmbeddings) {
		v.Fail("padding", "expected a length of at most max_position_embeddings %d, found %d", c.MaxPositionEmbeddings, p.Length)
	}
	return v.Err()
}

// UnmarshalJSON reads a config.json. Fields that it lacks stay as they are. Older files have text_config_dict and
// vision_config_dict: what one of them leaves out is transformers' default, whatever text_config or vision_config says
// (CLIPConfig in configuration_clip.py). The error names the field.
func (c *Config) UnmarshalJSON(data []byte) error {
	kind := struct {
		ModelType string `json:"model_type"`
	}{c.ModelType}
	if err := strictjson.Decode(data, &kind); err != nil {
		return err
	}
	if kind.ModelType == siglipType || kind.ModelType == siglip2Type {
		return c.unmarshalSigLIP(data, kind.ModelType)
	}
	if kind.ModelType == chineseType {
		return c.unmarshalChinese(data)
	}
	type plain Config
	p := struct {
		Vision  json.RawMessage `json:"vision_config"` // before the fields of the same names
		Text    json.RawMessage `json:"text_config"`
		Visions json.RawMessage `json:"vision_config_dict"`
		Texts   json.RawMessage `json:"text_config_dict"`
		*plain
	}{plain: (*plain)(c)}
	if err := strictjson.Decode(data, &p); err != nil {
		return err
	}
	d := defaults()
	for _, s := range []struct {
		name   string
		data   json.RawMessage
		fields strictjson.Fields
		reset  func()
		target any
	}{
		{"vision_config", p.Vision, visionFields, nil, &c.Vision},
		{"vision_config_dict", p.Visions, visionFields, func() { c.Vision = d.Vision }, &c.Vision},
		{"text_config", p.Text, textFields, nil, &c.Text},
		{"text_config_dict", p.Texts, textFields, func() { c.Text = d.Text }, &c.Text},
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
	return nil
}

// MarshalJSON writes a config.json. Each tower gets the model_type and the projection_dim with which transformers loads
// it alone.
func (c Config) MarshalJSON() ([]byte, error) {
	if c.Vision.Pooled {
		return c.marshalSigLIP()
	}
	switch b := c.Text.BERT; {
	case b != nil && b.Name != "": // transformers has no such model; this only tells configurations apart
		type plain Config
		return json.Marshal(struct {
			plain
			BERT *BERTConfig
		}{plain(c), b})
	case b != nil:
		return c.marshalChinese()
	}
	type (
		plain  Config
		vision VisionConfig
		text   TextConfig
	)
	// Fields before an embedded struct take the place of its fields of the same names.
	return json.Marshal(struct {
		Vision            any                   `json:"vision_config"`
		Text              any                   `json:"text_config"`
		LogitScaleInit    config.Float[float32] `json:"logit_scale_init_value"`
		InitializerFactor config.Float[float64] `json:"initializer_factor"`
		plain
	}{
		struct {
			ModelType         string                `json:"model_type"`
			ProjectionDim     int                   `json:"projection_dim"`
			LayerNormEps      config.Float[float32] `json:"layer_norm_eps"`
			AttentionDropout  config.Float[float32] `json:"attention_dropout"`
			InitializerRange  config.Float[float64] `json:"initializer_range"`
			InitializerFactor config.Float[float64] `json:"initializer_factor"`
			vision
		}{
			"clip_vision_model", c.ProjectionDim, config.Float[float32]{Value: c.Vision.LayerNormEps}, config.Float[float32]{Value: c.Vision.AttentionDropout},
			config.Float[float64]{Value: c.Vision.InitializerRange}, config.Float[float64]{Value: c.Vision.InitializerFactor}, vision(c.Vision),
		},
		struct {
			ModelType         string                `json:"model_type"`
			ProjectionDim     int                   `json:"projection_dim"`
			LayerNormEps      config.Float[float32] `json:"layer_norm_eps"`
			AttentionDropout  config.Float[float32] `json:"attention_dropout"`
			InitializerRange  config.Float[float64] `json:"initializer_range"`
			InitializerFactor config.Float[float64] `json:"initializer_factor"`
			text
		}{
			"clip_text_model", c.ProjectionDim, config.Float[float32]{Value: c.Text.LayerNormEps}, config.Float[float32]{Value: c.Text.AttentionDropout},
			config.Float[float64]{Value: c.Text.InitializerRange}, config.Float[float64]{Value: c.Text.InitializerFactor}, text(c.Text),
		},
		config.Float[float32]{Value: c.LogitScaleInit}, config.Float[float64]{Value: c.InitializerFactor}, plain(c),
	})
}

// ReadConfig reads and checks a config.json. Fields that it lacks have transformers' defaults. The error names the
// file and the field, what was expected and what was found; it matches fs.ErrNotExist when there is no such file.
func ReadConfig(fsys fs.FS, name string) (Config, error) {
	return modelfolder.ReadConfig(fsys, name, family, defaults())
}
