package vit

import (
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// configFields are the fields of transformers' ViTConfig (5.23), and Fovea's own.
var configFields = slices.Concat(modelfolder.CommonFields, modelfolder.ClassFields, modelfolder.EncoderFields, strictjson.Fields{
	{Name: "initializer_range"},
	{Name: "image_size"},
	{Name: "patch_size", Reason: "square patches"},
	{Name: "num_channels"},
	{Name: "qkv_bias"},
	{Name: "encoder_stride", Use: strictjson.Harmless, Reason: "only ViTForMaskedImageModeling uses it"},
	{Name: "pooler_output_size", Use: strictjson.Harmless, Reason: "only ViTModel's pooler uses it, which classifiers do not have"},
	{Name: "pooler_act", Use: strictjson.Harmless, Reason: "only ViTModel's pooler uses it, which classifiers do not have"},
	{Name: "drop_path_rate", Reason: "Fovea's own; ViTConfig has no such field"},
	{Name: "constant_drop_path", Reason: "Fovea's own"},
	{Name: "pooling", Reason: "Fovea's own"},
	{Name: "no_class_token", Reason: "Fovea's own"},
	{Name: "pre_norm", Reason: "Fovea's own"},
	{Name: "layer_scale_init_value", Reason: "Fovea's own"},
	{Name: "antialias_positions", Reason: "Fovea's own"},
	{Name: "position_offset", Reason: "Fovea's own"},
	{Name: "num_register_tokens", Reason: "Fovea's own"},
	{Name: "register_positions", Reason: "Fovea's own"},
	{Name: "distillation_token", Reason: "Fovea's own"},
	{Name: "gated_mlp", Reason: "Fovea's own"},
	{Name: "no_key_bias", Reason: "Fovea's own"},
	{Name: "qk_norm", Reason: "Fovea's own"},
	{Name: "rope_theta", Reason: "Fovea's own"},
	{Name: "rope_order", Reason: "Fovea's own"},
	{Name: "rope_reference", Reason: "Fovea's own"},
	{Name: "rope_offset", Reason: "Fovea's own"},
	{Name: "rope_positions", Reason: "Fovea's own"},
	{Name: "rope_shift", Reason: "Fovea's own"},
	{Name: "rope_jitter", Reason: "Fovea's own"},
	{Name: "rope_rescale", Reason: "Fovea's own"},
	{Name: "pool_prefix", Reason: "Fovea's own"},
	{Name: "pool_heads", Reason: "Fovea's own"},
	{Name: "pool_intermediate_size", Reason: "Fovea's own"},
	{Name: "relative_positions", Reason: "Fovea's own"},
	{Name: "relative_interpolation", Reason: "Fovea's own"},
	{Name: "shared_relative_positions", Reason: "Fovea's own"},
	{Name: "relative_hidden_size", Reason: "Fovea's own"},
	{Name: "no_final_norm", Reason: "Fovea's own"},
	{Name: "parallel_mlp", Reason: "Fovea's own"},
	{Name: "parallel_branches", Reason: "Fovea's own"},
	{Name: "branch_norm", Reason: "Fovea's own"},
	{Name: "attention_norm", Reason: "Fovea's own"},
	{Name: "mlp_norm", Reason: "Fovea's own"},
	{Name: "stem", Reason: "Fovea's own"},
	{Name: "timm_architecture", Reason: "Fovea's own"},
})
