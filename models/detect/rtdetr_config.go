package detect

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// RTDETRConfig describes an [RTDETR] in the fields of transformers' RTDetrConfig and RTDetrV2Config; each has the name it has
// there.
type RTDETRConfig struct {
	// Backbone is the residual network, a backbone.ResNetVD, and Levels are the stages, from 1, whose features the
	// encoder takes, finest first: each has half the size of the one before. In config.json they are the
	// backbone_config and its out_indices.
	Backbone backbone.Config `json:"-"`
	Levels   []int           `json:"-"`
	// FreezeBackboneNorms keeps the statistics, gains and biases of the norms of the backbone.
	FreezeBackboneNorms bool    `json:"freeze_backbone_batch_norms"`
	LayerNormEps        float32 `json:"layer_norm_eps"`
	BatchNormEps        float32 `json:"batch_norm_eps"` // of the norms of the encoder, and of those before the decoder

	// The encoder. Of EncoderInChannels the number counts; the backbone tells the channels.
	EncoderHiddenDim      int     `json:"encoder_hidden_dim"`
	EncoderInChannels     []int   `json:"encoder_in_channels"`
	EncodeProjLayers      []int   `json:"encode_proj_layers"` // the levels that get transformer blocks
	EncoderLayers         int     `json:"encoder_layers"`
	EncoderFFNDim         int     `json:"encoder_ffn_dim"`
	EncoderAttentionHeads int     `json:"encoder_attention_heads"`
	EncoderActivation     string  `json:"encoder_activation_function"` // in the blocks: a name of simd.ActivationByName
	NormalizeBefore       bool    `json:"normalize_before"`
	ActivationFunction    string  `json:"activation_function"` // of the convolutions
	HiddenExpansion       float64 `json:"hidden_expansion"`    // the width inside the CSP layers, in shares of EncoderHiddenDim
	Temperature           int     `json:"positional_encoding_temperature"`
	// EvalSize, height and width, leaves out the positions in inference, unless both are 0: what transformers does then.
	EvalSize [2]int `json:"-"`

	// The decoder.
	DModel                int     `json:"d_model"`
	NumQueries            int     `json:"num_queries"`
	DecoderInChannels     []int   `json:"decoder_in_channels"`
	NumFeatureLevels      int     `json:"num_feature_levels"` // of the encoder, and coarser ones made of its last
	DecoderLayers         int     `json:"decoder_layers"`
	DecoderFFNDim         int     `json:"decoder_ffn_dim"`
	DecoderAttentionHeads int     `json:"decoder_attention_heads"`
	DecoderPoints         int     `json:"decoder_n_points"` // that a head reads in each level
	DecoderActivation     string  `json:"decoder_activation_function"`
	Dropout               float32 `json:"dropout"`
	AttentionDropout      float32 `json:"attention_dropout"` // in the decoder; in the encoder Dropout counts
	ActivationDropout     float32 `json:"activation_dropout"`
	// AnchorImageSize, height and width, is the size of images that the anchors are for in inference; both 0 means that of the
	// pixels. FeatStrides are the strides of its levels.
	AnchorImageSize [2]int `json:"-"`
	FeatStrides     []int  `json:"feat_strides"`

	// The second version alone. DecoderMethod is "default" or "discrete".
	DecoderLevels      int     `json:"decoder_n_levels,omitempty"` // the same as NumFeatureLevels
	DecoderOffsetScale float32 `json:"decoder_offset_scale,omitempty"`
	DecoderMethod      string  `json:"decoder_method,omitempty"`

	// Training. InitializerBias is the probability of a class with initial weights; nil means 1/(classes+1).
	InitializerBias  *float64 `json:"initializer_bias_prior_prob"`
	InitializerRange float64  `json:"initializer_range"`
	NumDenoising     int      `json:"num_denoising"`     // about as many noisy objects are to be restored; 0 for none
	LabelNoiseRatio  float32  `json:"label_noise_ratio"` // half of it is the probability of another class
	BoxNoiseScale    float32  `json:"box_noise_scale"`   // in halves of the width and height
	MatcherAlpha     float32  `json:"matcher_alpha"`
	MatcherGamma     float32  `json:"matcher_gamma"`
	MatcherClassCost float32  `json:"matcher_class_cost"`
	MatcherBoxCost   float32  `json:"matcher_bbox_cost"`
	MatcherGIoUCost  float32  `json:"matcher_giou_cost"`
	// UseFocalLoss makes scores sigmoids. Without it they are softmaxes, whose last class is none.
	UseFocalLoss   bool    `json:"use_focal_loss"`
	AuxiliaryLoss  bool    `json:"auxiliary_loss"`
	FocalLossAlpha float32 `json:"focal_loss_alpha"`
	FocalLossGamma float32 `json:"focal_loss_gamma"`
	VFLWeight      float32 `json:"weight_loss_vfl"`
	BoxWeight      float32 `json:"weight_loss_bbox"`
	GIoUWeight     float32 `json:"weight_loss_giou"`
}

// RTDETRResNet18 is RT-DETR (arXiv 2304.08069) on a ResNet-18: PekingU/rtdetr_r18vd, 20.2 M parameters with 80 classes.
func RTDETRResNet18() Config { return rtdetrConfig(backbone.ResNet18(), 0.5, 3) }

// RTDETRResNet34 is RT-DETR on a ResNet-34: PekingU/rtdetr_r34vd, 31.4 M parameters.
func RTDETRResNet34() Config { return rtdetrConfig(backbone.ResNet34(), 0.5, 4) }

// RTDETRResNet50 is RT-DETR on a ResNet-50: PekingU/rtdetr_r50vd, 42.9 M parameters.
func RTDETRResNet50() Config { return rtdetrConfig(backbone.ResNet50(), 1, 6) }

// RTDETRResNet101 is RT-DETR on a ResNet-101: PekingU/rtdetr_r101vd, 76.6 M parameters.
func RTDETRResNet101() Config {
	c := rtdetrConfig(backbone.ResNet101(), 1, 6)
	c.RTDETR.EncoderHiddenDim, c.RTDETR.EncoderFFNDim, c.RTDETR.DecoderInChannels = 384, 2048, []int{384, 384, 384}
	return c
}

// RTDETRv2 is the second version (arXiv 2407.17140) of a configuration: PekingU/rtdetr_v2_r18vd and so on.
func RTDETRv2(c Config) Config {
	second := *c.RTDETR
	second.DecoderLevels, second.DecoderOffsetScale, second.DecoderMethod = second.NumFeatureLevels, 0.5, "default"
	c.ModelType, c.RTDETR = rtdetrV2Type, &second
	return c
}

// rtdetrConfig has the defaults of transformers, apart from what it is given.
func rtdetrConfig(body backbone.Config, expansion float64, layers int) Config {
	c := &RTDETRConfig{
		Backbone: backbone.ResNetVD(body), Levels: []int{2, 3, 4}, FreezeBackboneNorms: true, LayerNormEps: 1e-5, BatchNormEps: 1e-5,
		EncoderHiddenDim: 256, EncodeProjLayers: []int{2}, EncoderLayers: 1, EncoderFFNDim: 1024, EncoderAttentionHeads: 8,
		EncoderActivation: "gelu", ActivationFunction: "silu", HiddenExpansion: expansion, Temperature: 10000,
		DModel: 256, NumQueries: 300, DecoderInChannels: []int{256, 256, 256}, NumFeatureLevels: 3,
		DecoderLayers: layers, DecoderFFNDim: 1024,
		DecoderAttentionHeads: 8, DecoderPoints: 4, DecoderActivation: "relu", FeatStrides: []int{8, 16, 32},
		InitializerRange: 0.01, NumDenoising: 100, LabelNoiseRatio: 0.5, BoxNoiseScale: 1,
		MatcherAlpha: 0.25, MatcherGamma: 2, MatcherClassCost: 2, MatcherBoxCost: 5, MatcherGIoUCost: 2,
		UseFocalLoss: true, AuxiliaryLoss: true, FocalLossAlpha: 0.75, FocalLossGamma: 2, VFLWeight: 1, BoxWeight: 5, GIoUWeight: 2,
	}
	c.EncoderInChannels = slices.Clone(body.HiddenSizes[1:])
	return Config{ModelType: rtdetrType, RTDETR: c}
}

// second reports the second version.
func (c *RTDETRConfig) second() bool { return c.DecoderMethod != "" }

// inner is the width inside the CSP layers.
func (c *RTDETRConfig) inner() int { return int(float64(c.EncoderHiddenDim) * c.HiddenExpansion) }

// Bounds, far above any model, so that images and their queries fit into memory.
const (
	maxRTDETRQueries = 1 << 14
	maxRTDETRLevels  = 8
	maxRTDETRPoints  = 64
	maxRTDETRLayers  = 1000
)

// check checks the fields of a configuration with the given model_type.
func (c *RTDETRConfig) check(v *config.Checks, modelType string) {
	switch b := c.Backbone; {
	case b.ModelType != backbone.ResNetVD(b).ModelType:
		v.Fail("backbone_config: model_type", "expected %q, found %q", backbone.ResNetVD(b).ModelType, b.ModelType)
	case b.NumChannels != 3:
		v.Fail("backbone_config: num_channels", "expected 3, found %d", b.NumChannels)
	default:
		if err := b.Validate(); err != nil {
			v.Fail("backbone_config", "%w", err)
		}
	}
	for i, l := range c.Levels {
		if l < 1 || l > len(c.Backbone.HiddenSizes) || i > 0 && l != c.Levels[i-1]+1 {
			v.Fail("backbone_config: out_indices", "expected stages from 1 to %d, one after the other, found %v",
				len(c.Backbone.HiddenSizes), c.Levels)
		}
	}
	levels := len(c.Levels)
	if levels == 0 {
		v.Fail("backbone_config: out_indices", "expected stages, found none")
	}
	number := func(name string, n, low, high int) {
		if n < low || n > high {
			v.Fail(name, "expected %d to %d, found %d", low, high, n)
		}
	}
	length := func(name string, list []int, want int) {
		if len(list) != want {
			v.Fail(name, "expected %d numbers, one for each level, found %d", want, len(list))
		}
	}
	v.NotNegative("layer_norm_eps", c.LayerNormEps)
	v.NotNegative("batch_norm_eps", c.BatchNormEps)

	v.Size("encoder_hidden_dim", c.EncoderHiddenDim)
	length("encoder_in_channels", c.EncoderInChannels, levels)
	number("encoder_layers", c.EncoderLayers, 0, maxRTDETRLayers)
	number("encode_proj_layers", len(c.EncodeProjLayers), 0, levels)
	for _, l := range c.EncodeProjLayers {
		number("encode_proj_layers", l, 0, levels-1)
	}
	v.Size("encoder_ffn_dim", c.EncoderFFNDim)
	v.Size("encoder_attention_heads", c.EncoderAttentionHeads)
	v.Divisor("encoder_attention_heads", c.EncoderAttentionHeads, "encoder_hidden_dim", c.EncoderHiddenDim)
	v.Multiple("encoder_hidden_dim", c.EncoderHiddenDim, 4, "sine positions")
	v.Activation("encoder_activation_function", c.EncoderActivation)
	v.Activation("activation_function", c.ActivationFunction)
	if !(c.HiddenExpansion > 0 && c.HiddenExpansion <= 64) || v.Err() == nil && c.inner() < 1 {
		v.Fail("hidden_expansion", "expected a number above 0 and up to 64 that leaves channels, found %v", c.HiddenExpansion)
	}
	number("positional_encoding_temperature", c.Temperature, 1, math.MaxInt32)

	v.Size("d_model", c.DModel)
	number("num_queries", c.NumQueries, 1, maxRTDETRQueries)
	length("decoder_in_channels", c.DecoderInChannels, levels)
	for _, n := range c.DecoderInChannels {
		if n != c.EncoderHiddenDim {
			v.Fail("decoder_in_channels", "expected %d as in encoder_hidden_dim, found %d", c.EncoderHiddenDim, n)
		}
	}
	number("num_feature_levels", c.NumFeatureLevels, levels, maxRTDETRLevels)
	if c.NumFeatureLevels > levels+1 && c.DModel != c.EncoderHiddenDim {
		v.Fail("num_feature_levels", "expected at most %d, because d_model is not encoder_hidden_dim, found %d", levels+1,
			c.NumFeatureLevels)
	}
	number("decoder_layers", c.DecoderLayers, 1, maxRTDETRLayers)
	v.Size("decoder_ffn_dim", c.DecoderFFNDim)
	v.Size("decoder_attention_heads", c.DecoderAttentionHeads)
	v.Divisor("decoder_attention_heads", c.DecoderAttentionHeads, "d_model", c.DModel)
	number("decoder_n_points", c.DecoderPoints, 1, maxRTDETRPoints)
	v.Activation("decoder_activation_function", c.DecoderActivation)
	v.Probability("dropout", c.Dropout)
	v.Probability("attention_dropout", c.AttentionDropout)
	v.Probability("activation_dropout", c.ActivationDropout)
	if size := c.AnchorImageSize; size != [2]int{} {
		number("anchor_image_size", size[0], 1, maxSize)
		number("anchor_image_size", size[1], 1, maxSize)
		length("feat_strides", c.FeatStrides, c.NumFeatureLevels)
		for _, s := range c.FeatStrides {
			number("feat_strides", s, 1, min(size[0], size[1]))
		}
	}
	if modelType == rtdetrV2Type {
		if c.DecoderLevels != c.NumFeatureLevels {
			v.Fail("decoder_n_levels", "expected %d as in num_feature_levels, found %d", c.NumFeatureLevels, c.DecoderLevels)
		}
		v.NotNegative("decoder_offset_scale", c.DecoderOffsetScale)
		v.OneOf("decoder_method", c.DecoderMethod, "default", "discrete")
	} else {
		v.Unused(modelType, config.Field{Name: "decoder_n_levels", Value: c.DecoderLevels},
			config.Field{Name: "decoder_offset_scale", Value: c.DecoderOffsetScale},
			config.Field{Name: "decoder_method", Value: c.DecoderMethod})
	}

	if p := c.InitializerBias; p != nil && !(*p >= 0 && *p < 1) {
		v.Fail("initializer_bias_prior_prob", "expected 0 to 1, found %v", *p)
	}
	v.Deviation("initializer_range", c.InitializerRange)
	number("num_denoising", c.NumDenoising, 0, maxRTDETRQueries)
	for _, f := range []struct {
		name  string
		value float32
	}{
		{"label_noise_ratio", c.LabelNoiseRatio}, {"box_noise_scale", c.BoxNoiseScale}, {"matcher_alpha", c.MatcherAlpha},
		{"matcher_gamma", c.MatcherGamma}, {"matcher_class_cost", c.MatcherClassCost}, {"matcher_bbox_cost", c.MatcherBoxCost},
		{"matcher_giou_cost", c.MatcherGIoUCost}, {"focal_loss_alpha", c.FocalLossAlpha}, {"focal_loss_gamma", c.FocalLossGamma},
		{"weight_loss_vfl", c.VFLWeight}, {"weight_loss_bbox", c.BoxWeight}, {"weight_loss_giou", c.GIoUWeight},
	} {
		v.NotNegative(f.name, f.value)
	}
	if c.MatcherClassCost == 0 && c.MatcherBoxCost == 0 && c.MatcherGIoUCost == 0 {
		v.Fail("matcher_class_cost", "expected a cost that is not 0, here or in matcher_bbox_cost or matcher_giou_cost")
	}
}

// claim returns the least that the weights are.
func (c *RTDETRConfig) claim() modelfolder.Claim {
	e, h, d, levels := float64(c.EncoderHiddenDim), float64(c.inner()), float64(c.DModel), len(c.Levels)
	csp := 4*e*h + 3*10*h*h
	values := float64(2*(levels-1))*csp + float64(levels-1)*10*e*e + float64(c.NumFeatureLevels)*e*d
	values += float64(len(c.EncodeProjLayers)*c.EncoderLayers) * (4*e*e + 2*e*float64(c.EncoderFFNDim))
	points := float64(c.DecoderAttentionHeads * c.NumFeatureLevels * c.DecoderPoints)
	values += float64(c.DecoderLayers) * (6*d*d + 2*d*float64(c.DecoderFFNDim) + 3*d*points + 2*d*d)
	tensors := 40*(levels-1) + 16*len(c.EncodeProjLayers)*c.EncoderLayers + 30*c.DecoderLayers
	return c.Backbone.Claim().Plus(modelfolder.Claim{Values: values, Tensors: tensors})
}

// rtdetrFile holds the fields of a config.json that are not in RTDETRConfig as they are.
type rtdetrFile struct {
	Backbone        json.RawMessage `json:"backbone_config"`
	AnchorImageSize []int           `json:"anchor_image_size"`
	EvalSize        *config.Size    `json:"eval_size"`
}

// rtdetrBackbone holds the fields of a backbone_config that are not the network's.
type rtdetrBackbone struct {
	ModelType   string   `json:"model_type"`
	OutIndices  []int    `json:"out_indices"`
	OutFeatures []string `json:"out_features"`
}

// unmarshal reads the fields of a config.json. Those that it lacks have transformers' defaults.
func (c *Config) unmarshalRTDETR(data []byte) error {
	modelType := typeOf(data)
	*c = rtdetrConfig(backbone.ResNet50(), 1, 6)
	if modelType == rtdetrV2Type {
		*c = RTDETRv2(*c)
	}
	c.ModelType = modelType
	r := c.RTDETR
	var file rtdetrFile
	for _, target := range []any{r, &file, &c.Classes} {
		if err := strictjson.Decode(data, target); err != nil {
			return err
		}
	}
	switch s := file.AnchorImageSize; {
	case len(s) == 2:
		r.AnchorImageSize = [2]int(s)
	case s != nil:
		return fmt.Errorf("anchor_image_size: expected a height and a width, found %v", s)
	}
	if s := file.EvalSize; s != nil {
		r.EvalSize = [2]int{s.Height, s.Width}
	}
	if file.Backbone == nil || strictjson.Null(file.Backbone) {
		return nil
	}
	if err := r.unmarshalBackbone(file.Backbone); err != nil {
		return fmt.Errorf("backbone_config: %w", err)
	}
	return nil
}

func (c *RTDETRConfig) unmarshalBackbone(data []byte) error {
	if err := rtdetrBackboneFields.Check(data); err != nil {
		return err
	}
	out := rtdetrBackbone{ModelType: c.Backbone.ModelType}
	if err := strictjson.Decode(data, &out); err != nil {
		return err
	}
	if out.ModelType != c.Backbone.ModelType {
		return fmt.Errorf("model_type: expected %q, found %q", c.Backbone.ModelType, out.ModelType)
	}
	if err := strictjson.Decode(data, &c.Backbone); err != nil {
		return err
	}
	c.Backbone.Architectures, c.Backbone.Classes = nil, models.Classes{}
	c.Levels = []int{len(c.Backbone.HiddenSizes)}
	switch {
	case out.OutIndices != nil:
		c.Levels = slices.Clone(out.OutIndices)
		for i, name := range out.OutFeatures {
			if len(out.OutFeatures) != len(c.Levels) || name != stageName(c.Levels[i]) {
				return fmt.Errorf("out_features: expected the stages of out_indices, %v, found %q", c.Levels, out.OutFeatures)
			}
		}
	case out.OutFeatures != nil:
		c.Levels = nil
		for _, name := range out.OutFeatures {
			at := 1
			for at <= len(c.Backbone.HiddenSizes) && stageName(at) != name {
				at++
			}
			if at > len(c.Backbone.HiddenSizes) {
				return fmt.Errorf("out_features: expected stage1 to stage%d, found %q", len(c.Backbone.HiddenSizes), name)
			}
			c.Levels = append(c.Levels, at)
		}
	}
	return nil
}

func stageName(stage int) string { return fmt.Sprintf("stage%d", stage) }

// marshalRTDETR writes the fields of a config.json.
func (c Config) marshalRTDETR() ([]byte, error) {
	r := c.RTDETR
	file := map[string]json.RawMessage{}
	put := func(into map[string]json.RawMessage, v any) error {
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return json.Unmarshal(data, &into)
	}
	b := r.Backbone
	body := map[string]any{
		"model_type": b.ModelType, "num_channels": b.NumChannels, "embedding_size": b.EmbeddingSize, "hidden_sizes": b.HiddenSizes,
		"depths": b.Depths, "layer_type": b.LayerType, "hidden_act": b.HiddenAct, "downsample_in_first_stage": b.DownsampleInFirstStage,
		"downsample_in_bottleneck": b.DownsampleInBottleneck, "out_indices": r.Levels,
	}
	own := map[string]any{
		"model_type": c.ModelType, "architectures": []string{"RTDetrForObjectDetection"}, "backbone_config": body,
		"anchor_image_size": nil, "eval_size": nil,
	}
	if c.ModelType == rtdetrV2Type {
		own["architectures"] = []string{"RTDetrV2ForObjectDetection"}
	}
	if r.AnchorImageSize != [2]int{} {
		own["anchor_image_size"] = r.AnchorImageSize
	}
	if r.EvalSize != [2]int{} {
		own["eval_size"] = config.Size{Height: r.EvalSize[0], Width: r.EvalSize[1]}
	}
	for _, v := range []any{r, c.Classes, own} {
		if err := put(file, v); err != nil {
			return nil, err
		}
	}
	for _, name := range rtdetrFloats { // transformers refuses whole numbers
		if v, ok := file[name]; ok && !strings.ContainsAny(string(v), ".eEl") {
			file[name] = append(slices.Clone(v), ".0"...)
		}
	}
	return json.Marshal(file)
}

// rtdetrFloats are the fields that transformers takes as floating-point numbers alone.
var rtdetrFloats = []string{
	"initializer_range", "initializer_bias_prior_prob", "layer_norm_eps", "batch_norm_eps", "hidden_expansion", "label_noise_ratio",
	"box_noise_scale", "matcher_alpha", "matcher_gamma", "matcher_class_cost", "matcher_bbox_cost", "matcher_giou_cost", "focal_loss_alpha",
	"focal_loss_gamma", "weight_loss_vfl", "weight_loss_bbox", "weight_loss_giou", "decoder_offset_scale",
}

// rtdetrFields are the fields of transformers' RTDetrConfig and RTDetrV2Config (5.23), and those of older versions.
var rtdetrFields = slices.Concat(slices.DeleteFunc(slices.Clone(modelfolder.CommonFields), func(f strictjson.Field) bool {
	return f.Name == "is_encoder_decoder" || f.Name == "tie_word_embeddings"
}), modelfolder.ClassFields, setFields, strictjson.Fields{
	{Name: "is_encoder_decoder", Use: strictjson.Harmless, Reason: "the model has an encoder and a decoder in any case"},
	{Name: "tie_word_embeddings", Use: strictjson.Harmless, Reason: "it ties the heads of the decoder to copies that no output uses"},
	{Name: "backbone_config"},
	{Name: "backbone", Use: strictjson.Refused, Reason: "backbones of timm or by name are not supported", Same: []string{"null"}},
	{Name: "use_timm_backbone", Use: strictjson.Refused, Reason: "backbones of timm are not supported", Same: []string{"false", "null"}},
	{Name: "use_pretrained_backbone", Use: strictjson.Harmless, Reason: "the weights are loaded"},
	{Name: "backbone_kwargs", Use: strictjson.Refused, Reason: "backbones of timm are not supported", Same: []string{"null", "{}"}},
	{Name: "freeze_backbone_batch_norms"},
	{Name: "layer_norm_eps"},
	{Name: "batch_norm_eps"},
	{Name: "encoder_hidden_dim"},
	{Name: "encoder_in_channels"},
	{Name: "feat_strides"},
	{Name: "encode_proj_layers"},
	{Name: "encoder_activation_function"},
	{Name: "normalize_before"},
	{Name: "hidden_expansion"},
	{Name: "positional_encoding_temperature"},
	{Name: "eval_size"},
	{Name: "decoder_in_channels"},
	{Name: "num_feature_levels"},
	{Name: "decoder_n_points"},
	{Name: "decoder_n_levels"},
	{Name: "decoder_offset_scale"},
	{Name: "decoder_method"},
	{Name: "decoder_activation_function"},
	{Name: "anchor_image_size"},
	{Name: "with_box_refine", Use: strictjson.Harmless, Reason: "transformers reads it nowhere: boxes are refined"},
	{Name: "disable_custom_kernels", Use: strictjson.Harmless, Reason: "implementations of the same function"},
	{Name: "learn_initial_query", Use: strictjson.Refused, Same: []string{"false"},
		Reason: "learned initial queries are not supported, and do not run in transformers"},
	{Name: "initializer_bias_prior_prob"},
	{Name: "initializer_range"},
	{Name: "num_denoising"},
	{Name: "label_noise_ratio"},
	{Name: "box_noise_scale"},
	{Name: "matcher_alpha"},
	{Name: "matcher_gamma"},
	{Name: "matcher_class_cost"},
	{Name: "matcher_bbox_cost"},
	{Name: "matcher_giou_cost"},
	{Name: "use_focal_loss"},
	{Name: "auxiliary_loss"},
	{Name: "focal_loss_alpha"},
	{Name: "focal_loss_gamma"},
	{Name: "weight_loss_vfl"},
	{Name: "weight_loss_bbox"},
	{Name: "weight_loss_giou"},
	{Name: "eos_coefficient", Use: strictjson.Harmless, Reason: "no loss of transformers' uses it"},
})

// rtdetrBackboneFields are the fields of transformers' RTDetrResNetConfig (5.23).
var rtdetrBackboneFields = slices.Concat(modelfolder.CommonFields, strictjson.Fields{
	{Name: "num_channels"},
	{Name: "embedding_size"},
	{Name: "hidden_sizes"},
	{Name: "depths"},
	{Name: "layer_type"},
	{Name: "hidden_act"},
	{Name: "downsample_in_first_stage"},
	{Name: "downsample_in_bottleneck"},
	{Name: "out_indices"},
	{Name: "out_features"},
	{Name: "_out_indices", Use: strictjson.Harmless, Reason: "out_indices says it"},
	{Name: "_out_features", Use: strictjson.Harmless, Reason: "out_indices says it"},
	{Name: "stage_names", Use: strictjson.Harmless, Reason: "the network tells them"},
	{Name: "id2label", Use: strictjson.Harmless, Reason: noClasses},
	{Name: "label2id", Use: strictjson.Harmless, Reason: noClasses},
	{Name: "num_labels", Use: strictjson.Harmless, Reason: noClasses},
	{Name: "problem_type", Use: strictjson.Harmless, Reason: noClasses},
})

const noClasses = "a backbone has no classes"
