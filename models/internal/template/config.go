package template

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/nn"
)

// Config describes a model in the fields of its config.json; each has the name it has there. A Config is made by a preset
// and then changed: its zero value is not valid.
type Config struct {
	ModelType       string `json:"model_type"`
	NumFeatures     int    `json:"num_features"` // the length of a vector
	HiddenSize      int    `json:"hidden_size"`
	NumHiddenLayers int    `json:"num_hidden_layers"`
	HiddenAct       string `json:"hidden_act"` // a name of simd.ActivationByName
	models.Classes         // id2label and label2id
}

// Tiny is the smallest published model: two blocks of width 16.
func Tiny() Config {
	return Config{ModelType: "template", NumFeatures: 4, HiddenSize: 16, NumHiddenLayers: 2, HiddenAct: "gelu"}
}

// Validate returns an error that names the first field whose value no model can have.
func (c Config) Validate() error {
	var v config.Checks
	v.Size("num_features", c.NumFeatures)
	v.Size("hidden_size", c.HiddenSize)
	v.Size("num_hidden_layers", c.NumHiddenLayers)
	v.Activation("hidden_act", c.HiddenAct)
	return v.Err()
}

// block describes the blocks. The configuration must be valid.
func (c Config) block() nn.BlockConfig {
	act, _ := autograd.ActivationByName(c.HiddenAct) // Validate has checked it
	return nn.BlockConfig{Width: c.HiddenSize, Act: act, Eps: 1e-6, QKVBias: true}
}
