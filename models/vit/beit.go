package vit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
)

// The model types of BEiT (arXiv 2106.08254) and of data2vec for images (arXiv 2202.03555), which compute the same.
const (
	beitType     = "beit"
	data2vecType = "data2vec-vision"
)

func isBEiT(modelType string) bool { return modelType == beitType || modelType == data2vecType }

// beit are the fields of BeitConfig and Data2VecVisionConfig.
type beit struct {
	ModelType     string   `json:"model_type"`
	Architectures []string `json:"architectures,omitempty"`
	config.Sides
	NumChannels       int                   `json:"num_channels"`
	HiddenSize        int                   `json:"hidden_size"`
	NumHiddenLayers   int                   `json:"num_hidden_layers"`
	NumAttentionHeads int                   `json:"num_attention_heads"`
	IntermediateSize  int                   `json:"intermediate_size"`
	HiddenAct         string                `json:"hidden_act"`
	Dropout           config.Float[float32] `json:"hidden_dropout_prob"`
	AttentionDropout  config.Float[float32] `json:"attention_probs_dropout_prob"`
	InitializerRange  config.Float[float64] `json:"initializer_range"`
	LayerNormEps      config.Float[float32] `json:"layer_norm_eps"`
	LayerScale        config.Float[float32] `json:"layer_scale_init_value"`
	DropPathRate      config.Float[float32] `json:"drop_path_rate"`
	Absolute          bool                  `json:"use_absolute_position_embeddings"`
	Relative          bool                  `json:"use_relative_position_bias"`
	Shared            bool                  `json:"use_shared_relative_position_bias"`
	MeanPooling       bool                  `json:"use_mean_pooling"`
	MaskToken         bool                  `json:"use_mask_token"` // of pre-training, which is not kept
	// Fovea's own, as in Config.
	Interpolation *bool   `json:"relative_interpolation,omitempty"`
	Antialias     bool    `json:"antialias_positions,omitempty"`
	Offset        float64 `json:"position_offset,omitempty"`
	Timm          string  `json:"timm_architecture,omitempty"`
	models.Classes
}

// readBEiT reads a config.json of a type of BEiT. Fields that it lacks have transformers' defaults.
func (c *Config) readBEiT(kind string, data []byte) error {
	*c = preset(768, 12, 12, 16)
	c.ModelType, c.QKVBias, c.NoKeyBias = kind, true, true
	c.LayerScaleInit, c.DropPathRate, c.Pooling = 0.1, 0.1, MeanPooling
	f := c.beit()
	f.Absolute, f.Interpolation = false, nil
	if err := strictjson.Decode(data, &f); err != nil {
		return err
	}
	positions := 0
	for _, there := range []bool{f.Absolute, f.Relative, f.Shared} {
		if there {
			positions++
		}
	}
	if positions != 1 {
		return fmt.Errorf("use_relative_position_bias: expected one of use_absolute_position_embeddings, use_relative_position_bias and use_shared_relative_position_bias, found %d of them, which is not supported", positions)
	}
	c.Architectures, c.NumChannels, c.HiddenSize = f.Architectures, f.NumChannels, f.HiddenSize
	c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = f.NumHiddenLayers, f.NumAttentionHeads, f.IntermediateSize
	c.HiddenAct, c.HiddenDropoutProb, c.AttentionProbsDropoutProb = f.HiddenAct, f.Dropout.Value, f.AttentionDropout.Value
	c.InitializerRange, c.LayerNormEps = f.InitializerRange.Value, f.LayerNormEps.Value
	c.LayerScaleInit, c.DropPathRate = f.LayerScale.Value, f.DropPathRate.Value
	c.RelativePositions, c.SharedRelative = f.Relative || f.Shared, f.Shared
	c.RelativeInterpolation = c.RelativePositions && (f.Interpolation == nil || *f.Interpolation)
	c.AntialiasPositions, c.PositionOffset, c.TimmArchitecture, c.Classes = f.Antialias, f.Offset, f.Timm, f.Classes
	if !f.MeanPooling {
		c.Pooling = ""
	}
	if err := f.Apply(c.SetSize, &c.PatchSize); err != nil {
		return err
	}
	// transformers reads the table of relative positions with rows and columns exchanged.
	if height, width := c.Size(); height != width {
		return errors.New("image_size: images that are not square are not supported in this type of model")
	}
	return nil
}

func (c Config) beit() beit {
	f := beit{
		ModelType: c.ModelType, Architectures: c.Architectures, Sides: c.sides(), NumChannels: c.NumChannels, HiddenSize: c.HiddenSize,
		NumHiddenLayers: c.NumHiddenLayers, NumAttentionHeads: c.NumAttentionHeads, IntermediateSize: c.IntermediateSize, HiddenAct: c.HiddenAct,
		Dropout: config.Float[float32]{Value: c.HiddenDropoutProb}, AttentionDropout: config.Float[float32]{Value: c.AttentionProbsDropoutProb},
		InitializerRange: config.Float[float64]{Value: c.InitializerRange}, LayerNormEps: config.Float[float32]{Value: c.LayerNormEps},
		LayerScale: config.Float[float32]{Value: c.LayerScaleInit}, DropPathRate: config.Float[float32]{Value: c.DropPathRate},
		Absolute: c.positions(), Relative: c.RelativePositions && !c.SharedRelative, Shared: c.SharedRelative, MeanPooling: c.Pooling == MeanPooling,
		Antialias: c.AntialiasPositions, Offset: c.PositionOffset, Timm: c.TimmArchitecture, Classes: c.Classes,
	}
	if c.RelativePositions && !c.RelativeInterpolation {
		f.Interpolation = &c.RelativeInterpolation
	}
	return f
}

func (c Config) writeBEiT() ([]byte, error) { return json.Marshal(c.beit()) }

// asBEiT returns the model_type of transformers and its class for a model with this configuration, or "".
func (c Config) asBEiT(classifier bool) (kind, class string) {
	own := c
	own.NoKeyBias, own.LayerScaleInit, own.RelativePositions, own.SharedRelative = false, 0, false, false
	if c.Pooling == MeanPooling {
		own.Pooling = ""
		own.NoFinalNorm = c.NoFinalNorm && classifier // without one, BeitModel(add_pooling_layer=False)
	}
	if height, width := c.Size(); own.Variant() != "" || !c.NoKeyBias || height != width {
		return "", ""
	}
	kind, class = beitType, "Beit"
	if c.ModelType == data2vecType {
		kind, class = data2vecType, "Data2VecVision"
	}
	if classifier {
		return kind, class + "ForImageClassification"
	}
	return kind, class + "Model"
}

// beitStyle is how transformers names the parts of BEiT.
func beitStyle(kind string) tower.Style {
	y := tower.Style{Stem: "beit.", Patch: tower.ViT.Patch, Norm: tower.ViT.Norm, Disk: "encoder.layer", Memory: "layers", Block: beitBlock}
	if kind == data2vecType { // names in memory are those on disk
		y.Stem, y.Memory, y.Block = "data2vec_vision.", y.Disk, data2vecBlock
	}
	return y
}

// beitRules are the rows of the parts around the blocks.
func beitRules(y tower.Style) []checkpoint.Rule {
	table, memory := y.Stem+"encoder.relative_position_bias.relative_position_bias_table", y.Stem+"shared_position_bias.relative_position_bias_table"
	if y.Memory == y.Disk {
		memory = table
	}
	norm := y.Stem + "pooler.layernorm"
	return []checkpoint.Rule{
		{"PoolNorm", norm, "fc_norm", norm},
		{"Encoder.Relative.Table", table, "rel_pos_bias.relative_position_bias_table", memory},
	}
}

var beitBlock = []checkpoint.Rule{
	{"Norm1", "layernorm_before", "norm1", "layernorm_before"},
	{"Attention.QKV", "attention.attention.{query,key,value}", "attn.qkv", "attention.{q,k,v}_proj"},
	{"Attention.QVBias", "attention.attention.{query,value}.bias", "attn.{q_bias,v_bias}", "attention.{q,v}_proj.bias"},
	{"Attention.Proj", "attention.output.dense", "attn.proj", "attention.o_proj"},
	{"Attention.Relative.Table", "attention.attention.relative_position_bias.relative_position_bias_table", "attn.relative_position_bias_table", "relative_position_bias.relative_position_bias_table"},
	{"LayerScale1", "lambda_1", "gamma_1", "lambda_1"},
	{"Norm2", "layernorm_after", "norm2", "layernorm_after"},
	{"MLP.FC1", "intermediate.dense", "mlp.fc1", "mlp.fc1"},
	{"MLP.FC2", "output.dense", "mlp.fc2", "mlp.fc2"},
	{"LayerScale2", "lambda_2", "gamma_2", "lambda_2"},
}

var data2vecBlock = func() []checkpoint.Rule {
	rules := make([]checkpoint.Rule, len(beitBlock))
	for i, r := range beitBlock {
		rules[i] = checkpoint.Rule{r[0], r[1], r[2], r[1]}
	}
	return rules
}()

const segmentation = "only segmentation uses it"

// beitFields are the fields of transformers' BeitConfig and Data2VecVisionConfig (5.23), and Fovea's own.
var beitFields = slices.Concat(modelfolder.CommonFields, modelfolder.ClassFields, backboneFields, modelfolder.EncoderFields, strictjson.Fields{
	{Name: "initializer_range"},
	{Name: "image_size", Reason: "square images"},
	{Name: "patch_size", Reason: "square patches"},
	{Name: "num_channels"},
	{Name: "layer_scale_init_value"},
	{Name: "drop_path_rate"},
	{Name: "use_absolute_position_embeddings"},
	{Name: "use_relative_position_bias"},
	{Name: "use_shared_relative_position_bias"},
	{Name: "use_mean_pooling"},
	{Name: "use_mask_token", Use: strictjson.Harmless, Reason: "only pre-training uses the mask token"},
	{Name: "vocab_size", Use: strictjson.Harmless, Reason: "only pre-training uses it"},
	{Name: "pool_scales", Use: strictjson.Harmless, Reason: segmentation},
	{Name: "use_auxiliary_head", Use: strictjson.Harmless, Reason: segmentation},
	{Name: "auxiliary_loss_weight", Use: strictjson.Harmless, Reason: segmentation},
	{Name: "auxiliary_channels", Use: strictjson.Harmless, Reason: segmentation},
	{Name: "auxiliary_num_convs", Use: strictjson.Harmless, Reason: segmentation},
	{Name: "auxiliary_concat_input", Use: strictjson.Harmless, Reason: segmentation},
	{Name: "semantic_loss_ignore_index", Use: strictjson.Harmless, Reason: segmentation},
	{Name: "segmentation_indices", Use: strictjson.Harmless, Reason: segmentation},
	{Name: "add_fpn", Use: strictjson.Harmless, Reason: backbone},
	{Name: "relative_interpolation", Reason: "Fovea's own"},
	{Name: "antialias_positions", Reason: "Fovea's own"},
	{Name: "position_offset", Reason: "Fovea's own"},
	{Name: "timm_architecture", Reason: "Fovea's own"},
})
