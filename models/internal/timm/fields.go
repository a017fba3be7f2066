package timm

import "github.com/fovea-ml/fovea/internal/strictjson"

const (
	training = "only training uses it"
	told     = "the weights tell it, and must agree"
)

// configFields are the fields of a config.json of timm's (save_config_for_hf, timm 1.0.31), and of transformers' wrapper
// around timm.
var configFields = strictjson.Fields{
	{Name: "architecture"},
	{Name: "num_classes", Use: strictjson.Harmless, Reason: "the weights tell it"},
	{Name: "num_features", Use: strictjson.Harmless, Reason: "the weights tell it"},
	{Name: "global_pool", Use: strictjson.Refused, Reason: "other poolings than token, avg and map are not supported",
		// timm does not read it: model_args or the architecture decide.
		Same: []string{`"token"`, `"avg"`, `"map"`, `""`, "null"}},
	{Name: "model_args"},
	{Name: "pretrained_cfg"},
	{Name: "label_names"},
	{Name: "labels"},
	{Name: "label_descriptions", Use: strictjson.Harmless, Reason: "text for people"},
	{Name: "model_type"},
	{Name: "problem_type"},
}

// argFields are the arguments of timm's VisionTransformer (timm 1.0.31).
var argFields = strictjson.Fields{
	{Name: "img_size", Reason: "the grid of patches"},
	{Name: "patch_size", Reason: told},
	{Name: "in_chans", Reason: told},
	{Name: "num_classes", Use: strictjson.Harmless, Reason: "the weights tell it"},
	{Name: "global_pool", Reason: "token, avg or map"},
	{Name: "embed_dim", Reason: told},
	{Name: "depth", Reason: told},
	{Name: "num_heads"},
	{Name: "mlp_ratio", Reason: told},
	{Name: "qkv_bias", Reason: told},
	{Name: "qk_norm", Reason: told},
	{Name: "scale_attn_norm", Use: strictjson.Refused, Reason: "a norm inside of attention is not supported", Same: []string{"false"}},
	{Name: "scale_mlp_norm", Use: strictjson.Refused, Reason: "a norm inside of the feed-forward layers is not supported", Same: []string{"false"}},
	{Name: "proj_bias", Use: strictjson.Refused, Reason: "projections without a bias are not supported", Same: []string{"true"}},
	{Name: "init_values", Reason: "the first value of layer scale; the weights tell whether there is one"},
	{Name: "class_token", Reason: told},
	{Name: "pos_embed", Use: strictjson.Refused, Reason: "a model without learned positions is not supported", Same: []string{`"learn"`}},
	{Name: "no_embed_class", Use: strictjson.Harmless, Reason: "the number of positions tells it"},
	{Name: "reg_tokens", Reason: told},
	{Name: "pre_norm", Reason: told},
	{Name: "final_norm"},
	{Name: "fc_norm", Use: strictjson.Harmless, Reason: "the name of the norm's tensors tells it"},
	{Name: "use_fc_norm", Use: strictjson.Harmless, Reason: "the name of the norm's tensors tells it; it is fc_norm of timm's Eva and Beit"},
	{Name: "pool_include_prefix", Use: strictjson.Refused, Reason: "a mean over the class token as well is not supported", Same: []string{"false"}},
	{Name: "rel_pos_type", Use: strictjson.Refused, Reason: "other relative positions are not supported", Same: []string{`"mlp"`}},
	{Name: "rel_pos_dim", Reason: told},
	{Name: "shared_rel_pos", Reason: told},
	{Name: "dynamic_img_size", Reason: "the input size of pretrained_cfg is then not the grid's"},
	{Name: "dynamic_img_pad", Use: strictjson.Harmless, Reason: "images whose sides are no multiples of the patch are refused"},
	{Name: "drop_rate", Use: strictjson.Harmless, Reason: training},
	{Name: "pos_drop_rate", Use: strictjson.Harmless, Reason: training},
	{Name: "patch_drop_rate", Use: strictjson.Harmless, Reason: training},
	{Name: "proj_drop_rate", Use: strictjson.Harmless, Reason: training},
	{Name: "attn_drop_rate", Use: strictjson.Harmless, Reason: training},
	{Name: "drop_path_rate", Use: strictjson.Harmless, Reason: training},
	{Name: "weight_init", Use: strictjson.Harmless, Reason: "the weights are loaded"},
	{Name: "fix_init", Use: strictjson.Harmless, Reason: "the weights are loaded"},
	{Name: "embed_layer", Use: strictjson.Refused, Reason: "another patch embedding is not supported"},
	{Name: "embed_norm_layer", Use: strictjson.Refused, Reason: "a norm in the patch embedding is not supported", Same: []string{"null"}},
	{Name: "norm_layer", Use: strictjson.Refused, Reason: "another norm is not supported"},
	{Name: "act_layer"},
	{Name: "block_fn", Use: strictjson.Refused, Reason: "another block is not supported"},
	{Name: "mlp_layer", Use: strictjson.Refused, Reason: "another feed-forward layer is not supported"},
	{Name: "attn_layer", Use: strictjson.Refused, Reason: "another attention is not supported"},
	{Name: "device", Use: strictjson.Harmless, Reason: "there is one device"},
	{Name: "dtype", Use: strictjson.Harmless, Reason: "the weights tell it"},
}

const kept = "it describes where the weights come from"

// pretrainedFields are the fields of timm's PretrainedCfg (timm 1.0.31). Package vision reads those that say how images
// are prepared.
var pretrainedFields = strictjson.Fields{
	{Name: "url", Use: strictjson.Harmless, Reason: kept},
	{Name: "file", Use: strictjson.Harmless, Reason: kept},
	{Name: "state_dict", Use: strictjson.Harmless, Reason: kept},
	{Name: "hf_hub_id", Use: strictjson.Harmless, Reason: kept},
	{Name: "hf_hub_filename", Use: strictjson.Harmless, Reason: kept},
	{Name: "source", Use: strictjson.Harmless, Reason: kept},
	{Name: "architecture", Use: strictjson.Harmless, Reason: "the architecture beside pretrained_cfg counts"},
	{Name: "tag", Use: strictjson.Harmless, Reason: kept},
	{Name: "custom_load", Use: strictjson.Harmless, Reason: "it is about files in formats of other libraries"},
	{Name: "input_size", Reason: "the size of images, and the grid with fixed_input_size"},
	{Name: "test_input_size", Reason: "the size of images in tests, where the caller asks for it"},
	{Name: "min_input_size", Use: strictjson.Harmless, Reason: "images have the input size"},
	{Name: "fixed_input_size", Reason: "input_size is that of the grid"},
	{Name: "interpolation"},
	{Name: "crop_pct"},
	{Name: "test_crop_pct", Reason: "where the caller asks for the size in tests"},
	{Name: "crop_mode"},
	{Name: "mean"},
	{Name: "std"},
	{Name: "num_classes", Use: strictjson.Harmless, Reason: "the weights tell it"},
	{Name: "label_offset", Use: strictjson.Refused, Reason: "classes that are left out of the weights are not supported", Same: []string{"null", "0"}},
	{Name: "label_names"},
	{Name: "label_descriptions", Use: strictjson.Harmless, Reason: "text for people"},
	{Name: "pool_size", Use: strictjson.Harmless, Reason: "Vision Transformers have no such pooling"},
	{Name: "test_pool_size", Use: strictjson.Harmless, Reason: "Vision Transformers have no such pooling"},
	{Name: "first_conv", Use: strictjson.Harmless, Reason: "the name of a tensor, which the weights tell"},
	{Name: "classifier", Use: strictjson.Harmless, Reason: "the name of a tensor, which the weights tell"},
	{Name: "license", Use: strictjson.Harmless, Reason: "text for people"},
	{Name: "description", Use: strictjson.Harmless, Reason: "text for people"},
	{Name: "origin_url", Use: strictjson.Harmless, Reason: "text for people"},
	{Name: "paper_name", Use: strictjson.Harmless, Reason: "text for people"},
	{Name: "paper_ids", Use: strictjson.Harmless, Reason: "text for people"},
	{Name: "notes", Use: strictjson.Harmless, Reason: "text for people"},
}
