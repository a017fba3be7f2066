package vit

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// The model types of transformers, beside vit.
const (
	deitType      = "deit"
	dinov2Type    = "dinov2"
	registersType = "dinov2_with_registers"
	dinov3Type    = "dinov3_vit"
)

func isDINO(modelType string) bool {
	return modelType == dinov2Type || modelType == registersType || modelType == dinov3Type
}

// modelType returns the model_type of a config.json, "" for none.
func modelType(data []byte) (string, error) {
	var kind struct {
		ModelType string `json:"model_type"`
	}
	err := strictjson.Decode(data, &kind)
	return kind.ModelType, err
}

// dino are the fields that the configurations of DINOv2 (Dinov2Config, Dinov2WithRegistersConfig) and DINOv3
// (DINOv3ViTConfig) share.
type dino struct {
	ModelType     string   `json:"model_type"`
	Architectures []string `json:"architectures,omitempty"`
	config.Sides
	NumChannels       int                   `json:"num_channels"`
	HiddenSize        int                   `json:"hidden_size"`
	NumHiddenLayers   int                   `json:"num_hidden_layers"`
	NumAttentionHeads int                   `json:"num_attention_heads"`
	HiddenAct         string                `json:"hidden_act"`
	InitializerRange  config.Float[float64] `json:"initializer_range"`
	LayerNormEps      config.Float[float32] `json:"layer_norm_eps"`
	LayerScale        config.Float[float32] `json:"layerscale_value"`
	DropPathRate      config.Float[float32] `json:"drop_path_rate"`
	ConstantDropPath  *bool                 `json:"constant_drop_path,omitempty"` // Fovea's own; transformers' is constant
	models.Classes
}

type dinov2 struct {
	dino
	MLPRatio         int                   `json:"mlp_ratio"`
	SwiGLU           bool                  `json:"use_swiglu_ffn"`
	QKVBias          bool                  `json:"qkv_bias"`
	Dropout          config.Float[float32] `json:"hidden_dropout_prob"`
	AttentionDropout config.Float[float32] `json:"attention_probs_dropout_prob"`
	Registers        *int                  `json:"num_register_tokens,omitempty"`
	MaskToken        *bool                 `json:"use_mask_token,omitempty"` // of pre-training, which is not kept
	// Fovea's own, as in Config. transformers keeps them and resizes positions in its own way.
	Antialias *bool   `json:"antialias_positions,omitempty"`
	Offset    float64 `json:"position_offset,omitempty"`
}

type dinov3 struct {
	dino
	IntermediateSize int                   `json:"intermediate_size"`
	Gated            bool                  `json:"use_gated_mlp"`
	QueryBias        bool                  `json:"query_bias"`
	KeyBias          bool                  `json:"key_bias"`
	ValueBias        bool                  `json:"value_bias"`
	AttentionDropout config.Float[float32] `json:"attention_dropout"`
	Registers        int                   `json:"num_register_tokens"`
	RopeTheta        config.Float[float64] `json:"rope_theta"`
	// null is none, which is not the default of PosRescale.
	PosShift   *config.Float[float64] `json:"pos_embed_shift"`
	PosJitter  *config.Float[float64] `json:"pos_embed_jitter"`
	PosRescale *config.Float[float64] `json:"pos_embed_rescale"`
}

// dinoDefaults are those of transformers, for fields that a config.json leaves out.
func dinoDefaults(kind string) (c Config) {
	switch kind {
	case dinov2Type:
		c = preset(768, 12, 12, 14)
	case registersType:
		c = preset(768, 12, 12, 16)
		c.NumRegisterTokens, c.AntialiasPositions = 4, true
	default:
		c = preset(384, 12, 6, 16)
		c.LayerNormEps, c.NoKeyBias, c.RopeTheta, c.RopeRescale = 1e-5, true, 100, 2
	}
	if kind != dinov3Type {
		c.LayerNormEps = 1e-6
	}
	c.ModelType, c.LayerScaleInit, c.ConstantDropPath = kind, 1, true
	return c
}

// shared returns the fields that the configurations share.
func (c Config) shared() dino {
	var dropPath *bool
	if !c.ConstantDropPath {
		dropPath = &c.ConstantDropPath
	}
	return dino{
		c.ModelType, c.Architectures, c.sides(), c.NumChannels, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.HiddenAct,
		config.Float[float64]{Value: c.InitializerRange}, config.Float[float32]{Value: c.LayerNormEps},
		config.Float[float32]{Value: c.LayerScaleInit}, config.Float[float32]{Value: c.DropPathRate}, dropPath, c.Classes,
	}
}

func (c *Config) setShared(d dino) error {
	c.ModelType, c.Architectures, c.NumChannels = d.ModelType, d.Architectures, d.NumChannels
	c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads = d.HiddenSize, d.NumHiddenLayers, d.NumAttentionHeads
	c.HiddenAct, c.InitializerRange, c.LayerNormEps = d.HiddenAct, d.InitializerRange.Value, d.LayerNormEps.Value
	c.LayerScaleInit, c.DropPathRate, c.Classes = d.LayerScale.Value, d.DropPathRate.Value, d.Classes
	c.ConstantDropPath = d.ConstantDropPath == nil || *d.ConstantDropPath
	if c.LayerScaleInit == 0 {
		c.LayerScaleInit = 1e-5 // the factors are there whatever their first value, which the weights replace
	}
	if len(c.Architectures) > 0 && slices.Contains(imageClassifiers, c.Architectures[0]) {
		c.Pooling = ClassMeanPooling
	}
	return d.Apply(c.SetSize, &c.PatchSize)
}

// imageClassifiers are the classes of transformers that classify the class token beside the mean of the patches.
var imageClassifiers = []string{"Dinov2ForImageClassification", "Dinov2WithRegistersForImageClassification"}

// readDINO reads a config.json of a type of DINOv2 or DINOv3.
func (c *Config) readDINO(kind string, data []byte) error {
	*c = dinoDefaults(kind)
	if kind == dinov3Type {
		f := c.dinov3()
		if err := strictjson.Decode(data, &f); err != nil {
			return err
		}
		if f.QueryBias != f.ValueBias || f.KeyBias && !f.QueryBias {
			return fmt.Errorf("value_bias: expected %v as query_bias says, and key_bias only beside them, found query_bias %[1]v, key_bias %v, value_bias %v, which is not supported",
				f.QueryBias, f.KeyBias, f.ValueBias)
		}
		c.IntermediateSize, c.GatedMLP, c.QKVBias, c.NoKeyBias = f.IntermediateSize, f.Gated, f.QueryBias, f.QueryBias && !f.KeyBias
		c.AttentionProbsDropoutProb, c.NumRegisterTokens, c.RopeTheta = f.AttentionDropout.Value, f.Registers, f.RopeTheta.Value
		for _, v := range []struct {
			name  string
			of    *config.Float[float64]
			to    *float64
			least float64
		}{{"pos_embed_shift", f.PosShift, &c.RopeShift, 0}, {"pos_embed_jitter", f.PosJitter, &c.RopeJitter, 1}, {"pos_embed_rescale", f.PosRescale, &c.RopeRescale, 1}} {
			if *v.to = 0; v.of != nil {
				if *v.to = v.of.Value; !(*v.to >= v.least && *v.to <= mostAugment) {
					return fmt.Errorf("%s: expected null, or %v to %v, found %v", v.name, v.least, mostAugment, *v.to)
				}
			}
		}
		if c.RopeTheta == 0 {
			return fmt.Errorf("rope_theta: expected a positive number, found 0")
		}
		return c.setShared(f.dino)
	}
	f := c.dinov2()
	f.MLPRatio, f.Antialias, f.Offset = 4, nil, 0
	if err := strictjson.Decode(data, &f); err != nil {
		return err
	}
	if err := c.setShared(f.dino); err != nil {
		return err
	}
	c.QKVBias, c.HiddenDropoutProb, c.AttentionProbsDropoutProb = f.QKVBias, f.Dropout.Value, f.AttentionDropout.Value
	c.PositionOffset = f.Offset
	if f.Antialias != nil {
		c.AntialiasPositions = *f.Antialias
	}
	if f.Registers != nil {
		c.NumRegisterTokens = *f.Registers
	}
	if f.MLPRatio < 1 || f.MLPRatio > math.MaxInt32/max(1, c.HiddenSize) {
		return fmt.Errorf("mlp_ratio: expected a positive number, found %d", f.MLPRatio)
	}
	if c.IntermediateSize, c.GatedMLP = c.HiddenSize*f.MLPRatio, f.SwiGLU; c.GatedMLP {
		c.IntermediateSize, c.HiddenAct = swiGLU(c.IntermediateSize), "silu"
	}
	return nil
}

// swiGLU returns the width of DINOv2's gated layers: two thirds, rounded up to a multiple of 8.
func swiGLU(hidden int) int { return (int(float64(hidden)*2/3) + 7) / 8 * 8 }

func (c Config) dinov2() dinov2 {
	f := dinov2{dino: c.shared(), SwiGLU: c.GatedMLP, QKVBias: c.QKVBias,
		Dropout: config.Float[float32]{Value: c.HiddenDropoutProb}, AttentionDropout: config.Float[float32]{Value: c.AttentionProbsDropoutProb}}
	f.MLPRatio, _ = c.ratio()
	f.Offset = c.PositionOffset
	if c.AntialiasPositions != (c.ModelType == registersType) {
		f.Antialias = &c.AntialiasPositions
	}
	if c.ModelType == registersType {
		f.Registers = &c.NumRegisterTokens
	} else {
		f.MaskToken = new(false)
	}
	return f
}

// ratio returns the mlp_ratio of DINOv2 that gives the width of the feed-forward layers, if there is one.
func (c Config) ratio() (ratio int, ok bool) {
	for ratio := 1; ratio <= 64; ratio++ {
		hidden := c.HiddenSize * ratio
		if c.GatedMLP {
			hidden = swiGLU(hidden)
		}
		if hidden == c.IntermediateSize {
			return ratio, true
		}
	}
	return 0, false
}

func (c Config) dinov3() dinov3 {
	return dinov3{dino: c.shared(), IntermediateSize: c.IntermediateSize, Gated: c.GatedMLP,
		QueryBias: c.QKVBias, KeyBias: c.QKVBias && !c.NoKeyBias, ValueBias: c.QKVBias,
		AttentionDropout: config.Float[float32]{Value: c.AttentionProbsDropoutProb}, Registers: c.NumRegisterTokens,
		RopeTheta: config.Float[float64]{Value: c.RopeTheta}, PosShift: optional(c.RopeShift), PosJitter: optional(c.RopeJitter), PosRescale: optional(c.RopeRescale)}
}

// optional returns nil for 0.
func optional(v float64) *config.Float[float64] {
	if v == 0 {
		return nil
	}
	return &config.Float[float64]{Value: v}
}

// writeDINO writes a config.json of a type of DINOv2 or DINOv3.
func (c Config) writeDINO() ([]byte, error) {
	if c.ModelType == dinov3Type {
		return json.Marshal(c.dinov3())
	}
	return json.Marshal(c.dinov2())
}

// transformersType returns the model_type of transformers under which the library computes the same as a model with this configuration,
// with a classifier or without, and the class; or Fovea's own model_type.
func (c Config) transformersType(classifier bool) (kind, class string) {
	own := c
	own.Classes = models.Classes{}
	switch {
	case c.Variant() == "":
		if classifier {
			return "vit", "ViTForImageClassification"
		}
		return "vit", "ViTModel"
	case c.DistillationToken:
		own.DistillationToken = false
		if own.Variant() == "" {
			return deitType, "DeiTModel" // with a classifier, Save tells which
		}
	case c.NoKeyBias && c.RopeTheta == 0:
		if kind, class = c.asBEiT(classifier); kind != "" {
			return kind, class
		}
	case c.RopeTheta != 0:
		own.RopeShift, own.RopeJitter, own.RopeRescale = 0, 0, 0
		own.RopeTheta, own.NumRegisterTokens, own.LayerScaleInit, own.GatedMLP, own.NoKeyBias = 0, 0, 0, false, false
		if own.Variant() == "" && !classifier && c.LayerScaleInit != 0 && c.HiddenDropoutProb == 0 {
			return dinov3Type, "DINOv3ViTModel"
		}
	case c.LayerScaleInit != 0:
		own.NumRegisterTokens, own.LayerScaleInit, own.GatedMLP, own.Pooling = 0, 0, false, ""
		pooled := c.Pooling == ClassMeanPooling
		if _, ok := c.ratio(); !ok || own.Variant() != "" || pooled != classifier || c.GatedMLP && c.HiddenAct != "silu" {
			break
		}
		class := "Dinov2"
		kind = dinov2Type
		if c.NumRegisterTokens != 0 {
			kind, class = registersType, "Dinov2WithRegisters"
		}
		if classifier {
			return kind, class + "ForImageClassification"
		}
		return kind, class + "Model"
	}
	return family.OwnType, ""
}

// dinoFields are the fields that the configurations of DINOv2 and DINOv3 share (transformers 5.23).
var dinoFields = slices.Concat(modelfolder.CommonFields, modelfolder.ClassFields, backboneFields, strictjson.Fields{
	{Name: "hidden_size"},
	{Name: "num_hidden_layers"},
	{Name: "num_attention_heads"},
	{Name: "hidden_act"},
	{Name: "initializer_range"},
	{Name: "layer_norm_eps"},
	{Name: "image_size"},
	{Name: "patch_size", Reason: "square patches"},
	{Name: "num_channels"},
	{Name: "layerscale_value"},
	{Name: "drop_path_rate"},
	{Name: "constant_drop_path", Reason: "Fovea's own"},
	{Name: "apply_layernorm", Use: strictjson.Harmless, Reason: backbone},
	{Name: "return_class_token", Use: strictjson.Harmless, Reason: backbone},
	{Name: "use_mask_token", Use: strictjson.Harmless, Reason: "only pre-training uses the mask token"},
	{Name: "num_register_tokens"},
})

const backbone = "only the backbone of a detector uses it"

// backboneFields are those of transformers' BackboneConfigMixin, and one that its users share.
var backboneFields = strictjson.Fields{
	{Name: "stage_names", Use: strictjson.Harmless, Reason: backbone},
	{Name: "out_features", Use: strictjson.Harmless, Reason: backbone},
	{Name: "out_indices", Use: strictjson.Harmless, Reason: backbone},
	{Name: "_out_features", Use: strictjson.Harmless, Reason: backbone},
	{Name: "_out_indices", Use: strictjson.Harmless, Reason: backbone},
	{Name: "reshape_hidden_states", Use: strictjson.Harmless, Reason: backbone},
}

var dinov2Fields = slices.Concat(dinoFields, strictjson.Fields{
	{Name: "mlp_ratio"},
	{Name: "use_swiglu_ffn"},
	{Name: "qkv_bias"},
	{Name: "hidden_dropout_prob"},
	{Name: "attention_probs_dropout_prob"},
	{Name: "antialias_positions", Reason: "Fovea's own"},
	{Name: "position_offset", Reason: "Fovea's own"},
})

var dinov3Fields = slices.Concat(dinoFields, strictjson.Fields{
	{Name: "intermediate_size"},
	{Name: "use_gated_mlp"},
	{Name: "query_bias"},
	{Name: "key_bias"},
	{Name: "value_bias"},
	{Name: "proj_bias", Use: strictjson.Refused, Reason: "projections without a bias are not supported", Same: []string{"true"}},
	{Name: "mlp_bias", Use: strictjson.Refused, Reason: "feed-forward layers without a bias are not supported", Same: []string{"true"}},
	{Name: "attention_dropout"},
	{Name: "rope_theta"},
	{Name: "pos_embed_shift"},
	{Name: "pos_embed_jitter"},
	{Name: "pos_embed_rescale"},
})
