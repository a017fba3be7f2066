package mae

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/fovea-ml/fovea/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/vit"
)

// Config describes a masked autoencoder in the fields of a Hugging Face config.json (model_type vit_mae), which
// lists the encoder's beside the decoder's. A Config is made by a preset or by [ReadConfig] and then changed: its
// zero value is not valid.
type Config struct {
	vit.Config // of the encoder; the decoder shares all but its sizes

	DecoderNumAttentionHeads int     `json:"decoder_num_attention_heads"`
	DecoderHiddenSize        int     `json:"decoder_hidden_size"`
	DecoderNumHiddenLayers   int     `json:"decoder_num_hidden_layers"`
	DecoderIntermediateSize  int     `json:"decoder_intermediate_size"`
	MaskRatio                float64 `json:"mask_ratio"`    // the share of the patches that is hidden
	NormPixLoss              bool    `json:"norm_pix_loss"` // predict patches normalized by their own mean and variance
}

func preset(encoder vit.Config) Config {
	encoder.ModelType = "vit_mae"
	encoder.LayerNormEps = 1e-6
	return Config{
		Config:                   encoder,
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
	if err := c.Config.Validate(); err != nil {
		return err
	}
	if c.NoClassToken || c.PreNorm || c.LayerScaleInit != 0 {
		return errors.New("no_class_token, pre_norm and layer_scale_init_value are not for masked autoencoders")
	}
	d := c.decoder()
	for _, f := range []struct {
		name  string
		value int
	}{
		{"decoder_hidden_size", d.HiddenSize}, {"decoder_num_hidden_layers", d.NumHiddenLayers},
		{"decoder_num_attention_heads", d.NumAttentionHeads}, {"decoder_intermediate_size", d.IntermediateSize},
	} {
		if f.value < 1 || f.value > 1<<20 {
			return fmt.Errorf("%s: expected 1 to %d, found %d", f.name, 1<<20, f.value)
		}
	}
	if d.HiddenSize%d.NumAttentionHeads != 0 {
		return fmt.Errorf("decoder_num_attention_heads: expected a divisor of decoder_hidden_size %d, found %d", d.HiddenSize, d.NumAttentionHeads)
	}
	for _, w := range []struct {
		name  string
		value int
	}{{"hidden_size", c.HiddenSize}, {"decoder_hidden_size", d.HiddenSize}} {
		if w.value%4 != 0 {
			return fmt.Errorf("%s: expected a multiple of 4 for sine-cosine positions, found %d", w.name, w.value)
		}
	}
	if !(c.MaskRatio >= 0 && c.MaskRatio < 1) {
		return fmt.Errorf("mask_ratio: expected 0 to below 1, found %v", c.MaskRatio)
	}
	if keep := int(float64(c.Patches()) * (1 - c.MaskRatio)); keep == 0 {
		return fmt.Errorf("mask_ratio: %v leaves none of %d patches visible", c.MaskRatio, c.Patches())
	}
	return nil
}

// decoder returns the decoder as the configuration of an encoder of its size.
func (c Config) decoder() vit.Config {
	d := c.Config
	d.HiddenSize = c.DecoderHiddenSize
	d.NumHiddenLayers = c.DecoderNumHiddenLayers
	d.NumAttentionHeads = c.DecoderNumAttentionHeads
	d.IntermediateSize = c.DecoderIntermediateSize
	d.DropPathRate = 0
	return d
}

// ReadConfig reads and checks a config.json. Fields that it lacks have transformers' defaults. The error names the
// file and the field, what was expected and what was found; it matches fs.ErrNotExist when there is no such file.
func ReadConfig(fsys fs.FS, name string) (Config, error) {
	c, err := readConfig(fsys, name)
	if err != nil {
		return Config{}, fmt.Errorf("mae: %w", err)
	}
	return c, nil
}

func readConfig(fsys fs.FS, name string) (Config, error) {
	c := Base()
	c.LayerNormEps, c.NormPixLoss = 1e-12, false
	err := modelfolder.ReadConfig(fsys, name, c.ModelType, &c)
	return c, err
}
