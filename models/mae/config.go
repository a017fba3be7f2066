package mae

import (
	"encoding/json"
	"io/fs"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/vit"
)

// Config describes a masked autoencoder in the fields of a Hugging Face config.json (model_type vit_mae), which
// lists the encoder's beside the decoder's. A Config is made by a preset or by [ReadConfig] and then changed: its
// zero value is not valid.
type Config struct {
	ModelType         string   `json:"model_type"`
	Architectures     []string `json:"architectures,omitempty"`
	vit.EncoderConfig          // the decoder shares all but its sizes

	DecoderNumAttentionHeads int     `json:"decoder_num_attention_heads"`
	DecoderHiddenSize        int     `json:"decoder_hidden_size"`
	DecoderNumHiddenLayers   int     `json:"decoder_num_hidden_layers"`
	DecoderIntermediateSize  int     `json:"decoder_intermediate_size"`
	MaskRatio                float64 `json:"mask_ratio"`    // the share of the patches that is hidden
	NormPixLoss              bool    `json:"norm_pix_loss"` // predict patches normalized by their own mean and variance
}

func preset(encoder vit.Config) Config {
	encoder.LayerNormEps = 1e-6
	return Config{
		ModelType:                "vit_mae",
		EncoderConfig:            encoder.EncoderConfig,
		DecoderNumAttentionHeads: 16,
		DecoderHiddenSize:        512,
		DecoderNumHiddenLayers:   8,
		DecoderIntermediateSize:  2048,
		MaskRatio:                0.75,
		NormPixLoss:              true,
	}
}

// Base is MAE with ViT-B/16 (arXiv 2111.06377): 112 M parameters.
func Base() Config { return preset(vit.Base16()) }

// Large is MAE with ViT-L/16: 330 M parameters.
func Large() Config { return preset(vit.Large16()) }

// Huge is MAE with ViT-H/14: 657 M parameters.
func Huge() Config { return preset(vit.Huge14()) }

// Validate returns an error that names the first field whose value no masked autoencoder can have.
func (c Config) Validate() error {
	if err := c.EncoderConfig.Validate(); err != nil {
		return err
	}
	var v config.Checks
	if height, width := c.Size(); height != width {
		v.Fail("image_size", "expected square images, found %d×%d", height, width)
	}
	v.Size("decoder_hidden_size", c.DecoderHiddenSize)
	v.Size("decoder_num_hidden_layers", c.DecoderNumHiddenLayers)
	v.Size("decoder_num_attention_heads", c.DecoderNumAttentionHeads)
	v.Size("decoder_intermediate_size", c.DecoderIntermediateSize)
	v.Divisor("decoder_num_attention_heads", c.DecoderNumAttentionHeads, "decoder_hidden_size", c.DecoderHiddenSize)
	v.Multiple("hidden_size", c.HiddenSize, 4, "sine-cosine positions")
	v.Multiple("decoder_hidden_size", c.DecoderHiddenSize, 4, "sine-cosine positions")
	if !(c.MaskRatio >= 0 && c.MaskRatio < 1) {
		v.Fail("mask_ratio", "expected at least 0 and below 1, found %v", c.MaskRatio)
	}
	if int(float64(c.Patches())*(1-c.MaskRatio)) == 0 {
		v.Fail("mask_ratio", "%v leaves none of %d patches visible", c.MaskRatio, c.Patches())
	}
	return v.Err()
}

// UnmarshalJSON reads a config.json. Fields that it lacks stay as they are. The error names the field.
func (c *Config) UnmarshalJSON(data []byte) error {
	type plain Config
	size := config.Size{Height: c.ImageSize, Width: c.ImageSize}
	p := struct {
		config.Sides // before the fields of the same names
		*plain
	}{config.Sides{Image: size, Patch: config.Size{Height: c.PatchSize, Width: c.PatchSize}}, (*plain)(c)}
	if err := strictjson.Decode(data, &p); err != nil {
		return err
	}
	return p.Sides.Apply(c.SetSize, &c.PatchSize)
}

// MarshalJSON writes a config.json.
func (c Config) MarshalJSON() ([]byte, error) {
	type plain Config
	return json.Marshal(struct {
		InitializerRange config.Float[float64] `json:"initializer_range"`
		LayerNormEps     config.Float[float32] `json:"layer_norm_eps"`
		MaskRatio        config.Float[float64] `json:"mask_ratio"`
		plain                                  // after the fields of the same names
	}{config.Float[float64]{Value: c.InitializerRange}, config.Float[float32]{Value: c.LayerNormEps}, config.Float[float64]{Value: c.MaskRatio}, plain(c)})
}

// decoder returns the decoder as the configuration of an encoder of its size.
func (c Config) decoder() vit.EncoderConfig {
	d := c.EncoderConfig
	d.HiddenSize = c.DecoderHiddenSize
	d.NumHiddenLayers = c.DecoderNumHiddenLayers
	d.NumAttentionHeads = c.DecoderNumAttentionHeads
	d.IntermediateSize = c.DecoderIntermediateSize
	return d
}

// ReadConfig reads and checks a config.json. Fields that it lacks have transformers' defaults. The error names the
// file and the field, what was expected and what was found; it matches fs.ErrNotExist when there is no such file.
func ReadConfig(fsys fs.FS, name string) (Config, error) {
	return modelfolder.ReadConfig(fsys, name, family, defaults())
}

// defaults are those of transformers, for fields that a config.json leaves out.
func defaults() Config {
	c := Base()
	c.LayerNormEps, c.NormPixLoss = 1e-12, false
	return c
}
