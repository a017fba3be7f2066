package template

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/nn"
)

// Config describes a model in the fields of its config.json; each has the name it has there. Every field that changes the
// answer is here. A Config is made by a preset and then changed: its zero value is not valid.
type Config struct {
	ModelType         string  `json:"model_type"`
	ImageSize         int     `json:"image_size"` // pixels, height and width
	PatchSize         int     `json:"patch_size"`
	NumChannels       int     `json:"num_channels"`
	HiddenSize        int     `json:"hidden_size"`
	NumHiddenLayers   int     `json:"num_hidden_layers"`
	NumAttentionHeads int     `json:"num_attention_heads"`
	IntermediateSize  int     `json:"intermediate_size"`
	HiddenAct         string  `json:"hidden_act"` // a name of simd.ActivationByName
	LayerNormEps      float32 `json:"layer_norm_eps"`
	models.Classes            // id2label and label2id
}

// Tiny is the smallest model: two blocks of width 16, for images of 16×16 pixels. Its values are the reference's defaults.
func Tiny() Config {
	return Config{
		ModelType: "template", ImageSize: 16, PatchSize: 4, NumChannels: 3, HiddenSize: 16, NumHiddenLayers: 2,
		NumAttentionHeads: 2, IntermediateSize: 64, HiddenAct: "gelu", LayerNormEps: 1e-6,
	}
}

// Validate returns an error that names the first field whose value no model can have.
func (c Config) Validate() error {
	var v config.Checks
	v.Size("image_size", c.ImageSize)
	v.Size("patch_size", c.PatchSize)
	v.Size("num_channels", c.NumChannels)
	v.Size("hidden_size", c.HiddenSize)
	v.Size("num_hidden_layers", c.NumHiddenLayers)
	v.Size("num_attention_heads", c.NumAttentionHeads)
	v.Size("intermediate_size", c.IntermediateSize)
	v.Divisor("num_attention_heads", c.NumAttentionHeads, "hidden_size", c.HiddenSize)
	v.Divisor("patch_size", c.PatchSize, "image_size", c.ImageSize)
	v.Activation("hidden_act", c.HiddenAct)
	v.NotNegative("layer_norm_eps", c.LayerNormEps)
	return v.Err()
}

// block describes the blocks. The configuration must be valid.
func (c Config) block() nn.BlockConfig {
	act, _ := autograd.ActivationByName(c.HiddenAct) // Validate has checked it
	return nn.BlockConfig{
		Width: c.HiddenSize, Heads: c.NumAttentionHeads, Hidden: c.IntermediateSize, Act: act, Eps: c.LayerNormEps, QKVBias: true,
	}
}
